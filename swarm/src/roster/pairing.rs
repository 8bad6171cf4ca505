//! Who can be linked with whom: what became of the links that were asked for, the pairs that have failed, and rest, and
//! the links that each has room for.

use std::collections::BTreeSet;
use std::time::Duration;

use wire::PeerId;
use wire::session::Report;

use super::reach::Reach;
use super::tree::Seat;
use super::{FEW_REST, PAIR_REST, Roster};
use crate::Timestamp;

/// An attempt that failed after so long found no way; one that failed sooner was declined.
const NO_WAY_AFTER: Duration = Duration::from_secs(4);

/// A link that is not reported open after so long, while others of both its members are that began no sooner, is taken to find
/// no way: six round trips, the report, and a slow machine's time. Where none is it may be the signalling that waits, in a rush, and it
/// is given longer. It may still open.
const OPENS_WITHIN: Duration = Duration::from_secs(5);
const OPENS_WITHIN_ALONE: Duration = Duration::from_secs(15);

/// Pairs whose link is less likely to open than this are not tried: a relayed feed costs less than waiting in vain.
const LIKELY_ENOUGH: f32 = 0.2;

/// Who is less likely to be reached by anyone than this is hard to reach.
const REACHED_BY_MOST: f32 = 0.6;

/// Steps from the source that a link is worth avoiding which will not open.
const DOUBT_COSTS: f32 = 5.0;

/// Who is not likely to be reached by anyone tries again after this: it may have been its machine that was held up.
const PROBE_EVERY: Duration = Duration::from_secs(120);

/// Failed links in a row, after which there is no hurry with the next attempt where there are few.
const HARD_TO_LINK: u32 = 3;

/// Pairs that rest, at most: some for each of the largest swarm's members. Beyond it none is added.
const RESTING_MAX: usize = 1 << 18;

/// A link that was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) since: Timestamp,
    /// What was learnt of it, from whichever side said it first.
    opened: Option<bool>,
}

impl Attempt {
    pub(super) fn begin(now: Timestamp) -> Self {
        Attempt { since: now, opened: None }
    }

    /// Whether it is taken to find no way, where both members have opened others that began at `overtaken` or later.
    fn is_late(&self, now: Timestamp, overtaken: Option<Timestamp>) -> bool {
        let lasts = now.since(self.since);
        lasts >= OPENS_WITHIN
            && (lasts >= OPENS_WITHIN_ALONE || overtaken.is_some_and(|until| self.since <= until))
    }
}

impl Roster {
    /// Learns from a report which of the links that were asked for have opened, and which take too long: parents that cannot
    /// be reached are replaced while the attempt goes on.
    pub(super) fn learn_reach(&mut self, now: Timestamp, seat: Seat, report: &Report) {
        let Some(member) = self.member(seat) else { return };
        let links = &report.links;
        let (opened, waiting): (Vec<_>, Vec<_>) =
            member.linking.iter().partition(|&(peer, _)| links.contains(peer));
        let begun = opened.iter().map(|(_, attempt)| attempt.since).max();
        let latest_opened = member.latest_opened.max(begun);
        // The other side's signalling works as well.
        let overtaken = |peer: PeerId| {
            let theirs = self.seat(peer).and_then(|other| self.member(other)?.latest_opened);
            latest_opened.zip(theirs).map(|(ours, theirs)| ours.min(theirs))
        };
        let late = waiting.iter().filter(|&&(&peer, attempt)| attempt.is_late(now, overtaken(peer)));
        let late: Vec<_> = late.map(|&(&peer, _)| peer).collect();
        let opened: Vec<_> = opened.into_iter().map(|(&peer, _)| peer).collect();
        self.member_mut(seat).into_iter().for_each(|member| member.latest_opened = latest_opened);
        opened.into_iter().for_each(|peer| self.learn_link(now, seat, peer, true));
        late.iter().for_each(|&peer| self.learn_link(now, seat, peer, false));
        let Some(ours) = self.peer(seat).filter(|_| !self.are_few()) else { return };
        for peer in late {
            for stripe in 0..self.stripes {
                if self.feeder(seat, stripe) == Some(peer) {
                    self.rest(now, ours, peer, PAIR_REST);
                    self.set_parent(now, seat, stripe, None);
                    self.place(now, seat, stripe);
                }
            }
        }
    }

    /// A link that was asked for has opened, or found no way; both sides say so, and the first is believed.
    fn learn_link(&mut self, now: Timestamp, seat: Seat, peer: PeerId, opened: bool) {
        let Some(ours) = self.peer(seat) else { return };
        let other = self.seat(peer);
        for (seat, peer) in [(Some(seat), peer), (other, ours)] {
            let attempt = seat.and_then(|seat| self.member_mut(seat)?.linking.get_mut(&peer));
            if attempt.is_some_and(|attempt| attempt.opened.replace(opened) == Some(opened)) {
                return;
            }
        }
        let mut theirs = other.map_or(Reach::UNKNOWN, |other| self.reach(other));
        let mut own = self.reach(seat);
        own.learn(&mut theirs, opened);
        for (seat, reach) in [(Some(seat), own), (other, theirs)] {
            if let Some(member) = seat.and_then(|seat| self.member_mut(seat)) {
                member.reach = reach;
                if !opened {
                    member.probe_at = now + PROBE_EVERY;
                }
            }
        }
        if opened {
            self.resting.remove(&(ours.min(peer), ours.max(peer)));
        }
    }

    fn reach(&self, seat: Seat) -> Reach {
        self.member(seat).map_or(Reach::UNKNOWN, |member| member.reach)
    }

    /// How likely a link between the two is to open.
    fn chance(&self, one: Seat, other: Seat) -> f32 {
        self.reach(one).with(&self.reach(other))
    }

    /// Asks again for links with parents that were parted from: an idle link makes room for others, and may have been idle
    /// when its other side was chosen.
    pub(super) fn link_parents(&mut self, seat: Seat) {
        let parents = self.trees.iter().filter_map(|tree| self.peer(tree.parent(seat)?));
        let unlinked =
            self.member(seat).is_some_and(|member| parents.into_iter().any(|peer| !member.met(peer)));
        if unlinked {
            self.stale.insert(seat);
        }
    }

    /// Returns for how long the pair rests.
    pub(super) fn note_unlinked(&mut self, now: Timestamp, seat: Seat, failed: PeerId) -> Duration {
        let few = self.are_few();
        // Who has enough links declines at once; a way that does not exist is looked for until patience ends.
        let attempt = self.member(seat).and_then(|member| member.linking.get(&failed));
        let no_way = attempt.is_some_and(|attempt| now.since(attempt.since) >= NO_WAY_AFTER);
        if no_way {
            self.learn_link(now, seat, failed, false);
        }
        let Some(peer) = self.peer(seat) else { return PAIR_REST };
        // Who declined waits for nothing.
        let other = self.seat(failed).filter(|_| !no_way);
        other.and_then(|other| self.member_mut(other)?.linking.remove(&peer));
        let Some(member) = self.member_mut(seat) else { return PAIR_REST };
        member.linking.remove(&failed);
        member.unlinked = member.unlinked.saturating_add(u32::from(no_way));
        let rest = if few && no_way && member.unlinked < HARD_TO_LINK { FEW_REST } else { PAIR_REST };
        self.rest(now, peer, failed, rest);
        rest
    }

    /// The pair is not tried again for a while.
    pub(super) fn rest(&mut self, now: Timestamp, one: PeerId, other: PeerId, rest: Duration) {
        if self.resting.len() < RESTING_MAX {
            self.resting.insert((one.min(other), one.max(other)), now + rest);
        }
    }

    /// Pairs that have rested are tried again, and relays elsewhere that were full.
    pub(super) fn end_rests(&mut self, now: Timestamp) {
        let resting = self.resting.len();
        self.resting.retain(|_, until| *until > now);
        if self.resting.len() < resting || self.outposts_have_room_again(now) {
            self.look_again();
        }
    }

    /// Whether a link between the two is worth an attempt.
    pub(super) fn can_pair(&self, now: Timestamp, one: Seat, other: Seat) -> bool {
        let (Some(a), Some(b)) = (self.peer(one), self.peer(other)) else { return false };
        !self.is_resting(now, a, b)
            && (self.are_few() || self.have_met(one, other) || self.may_open(now, one, other))
    }

    /// Whether a link between the two is likely enough to open, or time to be tried all the same.
    fn may_open(&self, now: Timestamp, one: Seat, other: Seat) -> bool {
        if self.chance(one, other) >= LIKELY_ENOUGH {
            return true;
        }
        let hopeless = |seat: Seat| self.reach(seat).with(&Reach::UNKNOWN) < LIKELY_ENOUGH;
        let tries = |seat: Seat| self.member(seat).is_some_and(|m| m.linking.is_empty() && now >= m.probe_at);
        match (hopeless(one), hopeless(other)) {
            (true, false) => tries(one),
            (false, true) => tries(other),
            _ => false,
        }
    }

    /// Whether the two have lately failed each other.
    pub(super) fn is_resting(&self, now: Timestamp, one: PeerId, other: PeerId) -> bool {
        let resting = || self.resting.get(&(one.min(other), one.max(other)));
        !self.resting.is_empty() && resting().is_some_and(|&until| until > now)
    }

    /// Whether others than most reach it.
    pub(super) fn is_hard_to_reach(&self, seat: Seat) -> bool {
        self.reach(seat).with(&Reach::UNKNOWN) < REACHED_BY_MOST
    }

    /// Steps from the source that are worth it to avoid a link that may not open; 0 between those who have one, or nothing
    /// against it.
    pub(super) fn doubt(&self, one: Seat, other: Seat) -> u16 {
        if self.have_met(one, other) {
            return 0;
        }
        ((1.0 - self.chance(one, other)) * DOUBT_COSTS) as u16
    }

    /// Whether `parent` has a link for `child`, or room for one.
    pub(super) fn can_feed(&self, now: Timestamp, parent: Seat, child: Seat) -> bool {
        let linked = self.have_met(parent, child) || self.stripes_between(parent, child) > 0;
        self.can_pair(now, parent, child) && (linked || self.has_room_for_kin(parent))
    }

    /// Whether it can have one more parent or child that it has no link with.
    pub(super) fn has_room_for_kin(&self, seat: Seat) -> bool {
        let most = self.config.kin_max;
        if seat == Seat::ROOT || self.load(seat) + self.trees.len() < most {
            return true;
        }
        let children = self.trees.iter().flat_map(|tree| tree.children(seat).iter().copied());
        let parents = self.trees.iter().filter_map(|tree| tree.parent(seat));
        children.chain(parents).collect::<BTreeSet<_>>().len() < most
    }

    pub(super) fn have_met(&self, seat: Seat, other: Seat) -> bool {
        self.peer(other).is_some_and(|peer| self.member(seat).is_some_and(|member| member.met(peer)))
    }
}
