//! What follows from a parent's faults: another parent for the child, less asked of the parent, or a place as a leaf.

use wire::session::{Fault, Report};

use super::member::COMPLAINTS_KEPT;
use super::tree::Seat;
use super::{FEEDS_WITHIN, PAIR_REST, Roster};
use crate::Timestamp;

/// Children that must have been failed before a parent is demoted, at least: one alone may itself be the one who
/// fails, or lies.
const COMPLAINTS_MIN: usize = 2;

impl Roster {
    /// A linked parent that has not fed its child for [`FEEDS_WITHIN`], as the child's reports show, is replaced. No fault of
    /// its own is known: it may lack the stripe itself. It is not `judged` while no media flows, or the child itself was
    /// silent, or where there are few others: a busy machine takes its time.
    pub(super) fn replace_idle_parents(&mut self, now: Timestamp, seat: Seat, report: &Report, judged: bool) {
        for (stripe, feed) in (0..self.stripes).zip(&report.feeds) {
            let named = self.feeder(seat, stripe);
            let Some((named, member)) = named.zip(self.member_mut(seat)) else { continue };
            let served = &mut member.served[usize::from(stripe)];
            if *feed == Some(named) || !judged || !report.links.contains(&named) {
                *served = now;
            } else if now.since(*served) >= FEEDS_WITHIN {
                let peer = member.peer;
                self.rest(now, peer, named, PAIR_REST);
                self.set_parent(now, seat, stripe, None);
                self.place(now, seat, stripe);
            }
        }
    }

    /// Whether silence may come from too much to send. A machine that is held up for a moment is silent as well, and few have
    /// nobody to take its place: there its uplink must be known to be busy.
    pub(super) fn may_be_full(&self, seat: Seat) -> bool {
        !self.are_few() || self.member(seat).is_some_and(|member| member.upload.says_busy())
    }

    /// A parent refuses a child, or is too slow for it: it is asked for no more than what it still gives, for a while.
    pub(super) fn believe_full(&mut self, now: Timestamp, seat: Seat) {
        let load = self.load(seat);
        self.change(now, seat, |member| member.upload.is_full(now, load));
    }

    /// A parent that lied to several of its children, or that none of them hears any more, is a leaf for a while, so
    /// that its place near the source goes to somebody else. One that is just slow has been relieved of a child.
    pub(super) fn complain(&mut self, now: Timestamp, about: Seat, by: Seat, fault: Fault) {
        let load = self.load(about);
        let most = usize::from(self.stripes);
        let Some(member) = self.member_mut(about) else { return };
        member.complaints.retain(|_, at| now.since(*at) < COMPLAINTS_KEPT);
        member.complaints.insert(by, now);
        let failed = member.complaints.len();
        let all = if fault == Fault::Lied { load.min(most) / 2 } else { load };
        if failed < COMPLAINTS_MIN || failed < all {
            return;
        }
        self.change(now, about, |member| member.demote(now));
        self.leave_trees(now, about);
        self.settle(now, about);
    }
}
