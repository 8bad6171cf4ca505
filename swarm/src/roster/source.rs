//! How many viewers the source feeds itself, as far as its uplink carries them. The relay's copy goes before: what that
//! lacks, nobody can have. A stripe that the source has no upload for has its roots below the relay, which feeds as many there
//! as the source would have: no more in a larger swarm.

use std::cmp::Reverse;
use std::time::Duration;

use wire::PeerId;
use wire::session::Report;

use super::tree::Seat;
use super::{FEEDS_WITHIN, Roster};
use crate::Timestamp;
use crate::uplink::TIGHT;

/// A source whose uplink was full feeds no viewer within this time, and within twice as long each time that it is full
/// again.
const TRIED_AGAIN: Duration = Duration::from_secs(60);
const TRIED_AGAIN_MAX: Duration = Duration::from_secs(480);

/// Then one stripe more each time: what is too much piles up within it.
const GROW_EVERY: Duration = Duration::from_secs(6);

/// A relay that feeds none of those who were left to it is not counted on for so long, whatever the source says.
const WITHOUT_RELAY: Duration = Duration::from_secs(480);

/// Percent of time for which its uplink is busy, by its report, when it is full.
const FULL: u8 = 100;

/// What is known of the source's uplink.
#[derive(Debug)]
pub(super) struct SourceUplink {
    /// Whose it is.
    pub(super) peer: Option<PeerId>,
    /// Stripe feeds that it carries besides the relay's copy.
    able: usize,
    /// No more are tried before.
    rests_until: Timestamp,
    rest: Duration,
    /// More have been tried since it was last full.
    has_grown: bool,
    /// The relay cannot take its place before.
    alone_until: Timestamp,
}

impl SourceUplink {
    /// Of one that nothing is known of: most carry what is asked of a source.
    pub(super) fn unknown(peer: Option<PeerId>) -> Self {
        SourceUplink {
            peer,
            able: usize::MAX,
            rests_until: Timestamp::default(),
            rest: TRIED_AGAIN,
            has_grown: false,
            alone_until: Timestamp::default(),
        }
    }

    /// It is full: what waits for it by now needs all of it for a while.
    fn is_full(&mut self, now: Timestamp) {
        if now < self.alone_until {
            return;
        }
        if std::mem::take(&mut self.has_grown) {
            self.rest = (self.rest * 2).min(TRIED_AGAIN_MAX);
        }
        self.able = 0;
        self.rests_until = now + self.rest;
    }

    /// It copes with `feeds`, and more are wanted.
    fn copes(&mut self, now: Timestamp, feeds: usize) {
        if now >= self.rests_until {
            self.able = feeds + 1;
            self.rests_until = now + GROW_EVERY;
            self.has_grown = true;
        }
    }
}

impl Roster {
    /// The source says what it measures.
    pub(super) fn source_reports(&mut self, now: Timestamp, report: &Report) {
        let feeds = self.source_feeds();
        let busy = report.uplink_busy.unwrap_or(0);
        // What was only tried ends before anybody sees it.
        let lags = busy >= FULL || busy >= TIGHT && self.source_uplink.has_grown;
        // Where the relay has no room, it may be the server's line that is full, and nobody else could feed the roots.
        if lags && !self.without_relay {
            self.source_uplink.is_full(now);
        } else if busy < TIGHT && feeds < self.source_feeds_wanted() {
            self.source_uplink.copes(now, feeds);
        }
        if self.source_feeds() == feeds {
            return;
        }
        self.settle_roots(now);
        // Who is not fed by it any more would first wait for pieces from elsewhere, and these for the uplink.
        if let Some(source) = self.source.filter(|_| self.source_feeds() < feeds) {
            self.part_from_source(source);
        }
    }

    /// A root that is left to the relay and has nothing from there, as it reports: the relay is spent. Better late pieces
    /// from the source than none.
    pub(super) fn note_relayed(&mut self, now: Timestamp, seat: Seat, report: &Report) {
        let mut is_left = false;
        for (stripe, feed) in (0..self.stripes).zip(&report.feeds) {
            let relayed = self.tree(stripe).parent(seat) == Some(Seat::ROOT) && self.is_relayed(stripe);
            let Some(member) = self.member_mut(seat).filter(|_| relayed) else { continue };
            let served = &mut member.served[usize::from(stripe)];
            if feed.is_some() {
                *served = now;
            }
            is_left |= now.since(*served) >= FEEDS_WITHIN;
        }
        if is_left {
            let peer = self.source_uplink.peer;
            self.source_uplink =
                SourceUplink { alone_until: now + WITHOUT_RELAY, ..SourceUplink::unknown(peer) };
            self.settle_roots(now);
        }
    }

    /// Those below the source are told who feeds them now; where it feeds fewer than before, the weakest look elsewhere.
    pub(super) fn settle_roots(&mut self, now: Timestamp) {
        self.refresh_root();
        for stripe in 0..self.stripes {
            let most = self.roots(stripe);
            let mut roots = self.tree(stripe).children(Seat::ROOT).to_vec();
            roots.sort_by_key(|&root| (Reverse(self.tree(stripe).strength(root)), root));
            for (place, root) in roots.into_iter().enumerate() {
                self.member_mut(root).into_iter().for_each(|root| root.served[usize::from(stripe)] = now);
                self.stale.insert(root);
                if place >= most {
                    self.set_parent(now, root, stripe, None);
                    self.settle(now, root);
                }
            }
        }
    }

    /// Viewers right below the source in a stripe, whoever feeds them.
    pub(super) fn roots(&self, stripe: u8) -> usize {
        match self.fed_by_source(stripe) {
            0 => self.copies(),
            feeds => feeds,
        }
    }

    /// Whether the relay feeds a stripe's roots.
    pub(super) fn is_relayed(&self, stripe: u8) -> bool {
        self.fed_by_source(stripe) == 0
    }

    fn fed_by_source(&self, stripe: u8) -> usize {
        let (feeds, stripes) = (self.source_feeds(), usize::from(self.stripes));
        feeds / stripes + usize::from(usize::from(stripe) < feeds % stripes)
    }

    fn source_feeds(&self) -> usize {
        self.source_feeds_wanted().min(self.source_uplink.able)
    }

    /// In the last stripe one less, where there are two: with signatures and the relay's copy it is three in all.
    fn source_feeds_wanted(&self) -> usize {
        let copies = self.copies();
        (copies * usize::from(self.stripes)).saturating_sub(usize::from(copies > 1))
    }

    /// Viewers that are to be right below the source in each stripe.
    pub(super) fn copies(&self) -> usize {
        if self.viewers >= self.config.large { self.config.copies_large } else { self.config.copies_small }
    }
}
