//! Who feeds each stripe: the parent that the Roster names, a backup when it fails, the relay otherwise. A change is
//! made before the old feed is broken off.

use std::time::Duration;

use wire::limits::STRIPES_MAX;
use wire::session::{Fault, FromPeer, Parents};
use wire::{Frame, PeerId, StripeSet};

use crate::Timestamp;
use crate::engine::{QUIET, Swarm};
use crate::table::Table;

/// How long a subscription may bring nothing before the next candidate is tried, while nobody else feeds.
const PENDING_MAX: Duration = Duration::from_millis(700);

/// The same while the former feed goes on: a busy machine takes its time, and there is no hurry.
const PENDING_FED_MAX: Duration = Duration::from_millis(2_500);

/// A piece is given at least so much longer than usual: a retransmission's time.
const MARGIN_MIN: Duration = Duration::from_millis(80);

/// How long a peer that failed on a stripe is not asked for it again.
const SHUN: Duration = Duration::from_secs(5);

/// How much later than the first news of a piece it comes along its stripe, as RFC 6298 estimates round trips. Trees
/// differ in depth, so that what is late in one stripe is early in another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lateness {
    mean: Duration,
    spread: Duration,
}

/// Before anything is known of a feed: a tree of a few levels.
const UNKNOWN_LATENESS: Lateness =
    Lateness { mean: Duration::from_millis(250), spread: Duration::from_millis(60) };

impl Default for Lateness {
    fn default() -> Self {
        UNKNOWN_LATENESS
    }
}

impl Lateness {
    fn note(&mut self, sample: Duration) {
        self.spread = (self.spread * 3 + self.mean.abs_diff(sample)) / 4;
        self.mean = (self.mean * 7 + sample) / 8;
    }

    /// Lateness after which a piece will hardly come any more; what is usual counts for `usual_max` at most.
    pub(crate) fn given_up_after(self, usual_max: Duration, margin_max: Duration) -> Duration {
        self.mean.min(usual_max) + (self.spread * 4).clamp(MARGIN_MIN, margin_max)
    }
}

/// One stripe's feed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feed {
    /// How late it usually is.
    pub(crate) lateness: Lateness,
    parents: Parents,
    /// Whose pushes we rely on.
    pub(crate) active: Option<PeerId>,
    /// Subscribed, and not delivered yet.
    pub(crate) pending: Option<(PeerId, Timestamp)>,
    /// Not to be asked before then.
    shunned: Table<PeerId, Timestamp>,
    /// When the active feed last brought a piece.
    pub(crate) fed_at: Timestamp,
    /// Newest piece of the stripe, whoever brought it.
    pub(crate) newest: Option<u32>,
}

/// A change of subscriptions that [`Feeds`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Subscribe(PeerId, u8),
    Unsubscribe(PeerId, u8),
    /// The tracker should know that this peer does not serve the stripe.
    Complain(PeerId, u8),
}

/// All stripes' feeds.
#[derive(Debug)]
pub(crate) struct Feeds {
    feeds: Vec<Feed>,
}

impl Feeds {
    pub(crate) fn new() -> Self {
        Feeds { feeds: vec![Feed::default(); STRIPES_MAX.into()] }
    }

    pub(crate) fn stripe(&self, stripe: u8) -> &Feed {
        &self.feeds[usize::from(stripe % STRIPES_MAX)]
    }

    fn stripe_mut(&mut self, stripe: u8) -> &mut Feed {
        &mut self.feeds[usize::from(stripe % STRIPES_MAX)]
    }

    /// Who feeds each of the first `stripes` stripes.
    pub(crate) fn active(&self, stripes: u8) -> Vec<Option<PeerId>> {
        self.feeds.iter().take(stripes.into()).map(|feed| feed.active).collect()
    }

    /// The Roster's word.
    pub(crate) fn assign(&mut self, parents: Vec<Parents>) {
        let mut parents = parents.into_iter();
        for feed in &mut self.feeds {
            feed.parents = parents.next().unwrap_or_default();
        }
    }

    /// Whether the Roster has named the peer as a parent or backup.
    pub(crate) fn names(&self, peer: PeerId) -> bool {
        self.feeds.iter().any(|feed| {
            feed.parents.parent == Some(peer)
                || feed.parents.backups.contains(&peer)
                || feed.active == Some(peer)
                || feed.pending.is_some_and(|(pending, _)| pending == peer)
        })
    }

    /// Another broadcast begins: numbers start anew, subscriptions stay.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        for feed in &mut self.feeds {
            feed.newest = None;
            feed.fed_at = now;
        }
    }

    /// The relay has been asked for all stripes, as part of a join.
    pub(crate) fn joined(&mut self, now: Timestamp, relay: PeerId, stripes: StripeSet) {
        for stripe in stripes.iter() {
            let feed = self.stripe_mut(stripe);
            feed.active = Some(relay);
            feed.pending = None;
            feed.fed_at = now;
        }
    }

    /// A piece was pushed by a feed, so long after it was first heard of.
    pub(crate) fn note_lateness(&mut self, stripe: u8, from: PeerId, lateness: Duration) {
        let feed = self.stripe_mut(stripe);
        if feed.active == Some(from) {
            feed.lateness.note(lateness);
        }
    }

    /// A recent piece was pushed. Returns whom to stop: the former feed, once the new one delivers. That it brings
    /// what the former one brought already is no fault.
    pub(crate) fn delivered(&mut self, now: Timestamp, stripe: u8, from: PeerId, seq: u32) -> Option<Change> {
        let feed = self.stripe_mut(stripe);
        feed.newest = feed.newest.max(Some(seq));
        if feed.active == Some(from) {
            feed.fed_at = now;
        }
        feed.pending.take_if(|(pending, _)| *pending == from)?;
        feed.fed_at = now;
        let former = feed.active.replace(from).filter(|&former| former != from);
        if former.is_some() {
            feed.lateness = Lateness::default();
        }
        former.map(|former| Change::Unsubscribe(former, stripe))
    }

    /// A link is gone: nothing comes over it any more.
    pub(crate) fn lost(&mut self, peer: PeerId) -> StripeSet {
        let mut stripes = StripeSet::EMPTY;
        for (stripe, feed) in (0u8..).zip(&mut self.feeds) {
            feed.pending.take_if(|(pending, _)| *pending == peer);
            if feed.active == Some(peer) {
                feed.active = None;
                stripes = stripes.with(StripeSet::only(stripe));
            }
        }
        stripes
    }

    /// The peer refuses to push these stripes, or fails to.
    pub(crate) fn shun(&mut self, now: Timestamp, peer: PeerId, stripes: StripeSet) {
        for stripe in stripes.iter() {
            let feed = self.stripe_mut(stripe);
            feed.shunned.retain(|_, until| *until > now);
            feed.shunned.insert(peer, now + SHUN);
            feed.pending.take_if(|(pending, _)| *pending == peer);
            if feed.active == Some(peer) {
                feed.active = None;
            }
        }
    }

    /// Nothing is being published: nobody can be blamed for silence.
    pub(crate) fn excuse(&mut self, now: Timestamp) {
        for feed in &mut self.feeds {
            feed.fed_at = now;
            feed.pending = feed.pending.map(|(peer, _)| (peer, now));
        }
    }

    /// Compares each stripe's feed with the best one that can be had, given who is linked.
    pub(crate) fn reconsider(
        &mut self,
        now: Timestamp,
        stripes: u8,
        fallback: Option<PeerId>,
        linked: impl Fn(PeerId) -> bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for stripe in 0..stripes.min(STRIPES_MAX) {
            let feed = self.stripe_mut(stripe);
            let patience = if feed.active.is_some() { PENDING_FED_MAX } else { PENDING_MAX };
            if let Some((late, _)) = feed.pending.take_if(|(_, since)| now.since(*since) >= patience) {
                changes.push(Change::Unsubscribe(late, stripe));
                // There is no other relay to turn to: it is asked again.
                if Some(late) != fallback {
                    feed.shunned.insert(late, now + SHUN);
                    changes.push(Change::Complain(late, stripe));
                }
            }
            let Some(best) = feed.best(now, fallback, &linked) else { continue };
            if feed.active == Some(best) {
                if let Some((former, _)) = feed.pending.take() {
                    changes.push(Change::Unsubscribe(former, stripe));
                }
            } else if feed.pending.is_none_or(|(pending, _)| pending != best) {
                if let Some((former, _)) = feed.pending.replace((best, now)) {
                    changes.push(Change::Unsubscribe(former, stripe));
                }
                changes.push(Change::Subscribe(best, stripe));
            }
        }
        changes
    }
}

impl Feed {
    /// The best candidate: parent, backups, fallback, among those that are linked and have not just failed.
    fn best(
        &self,
        now: Timestamp,
        fallback: Option<PeerId>,
        linked: impl Fn(PeerId) -> bool,
    ) -> Option<PeerId> {
        let fit = |peer: &PeerId| linked(*peer) && self.shunned.get(peer).is_none_or(|&until| until <= now);
        let named = self.parents.parent.iter().chain(&self.parents.backups).copied();
        let Some(parent) = self.parents.parent else {
            // The Roster names no parent: the relay is meant, backups are for when it is away.
            return fallback.filter(fit).or_else(|| named.into_iter().find(fit));
        };
        if fit(&parent) {
            return Some(parent);
        }
        // The parent's link may still be under way: whoever feeds now goes on, else a backup steps in.
        let current = self.active.filter(fit);
        current.or_else(|| named.into_iter().find(fit)).or(fallback.filter(fit))
    }
}

impl Swarm {
    pub(crate) fn feeds_of(&self, peer: PeerId) -> StripeSet {
        (0..self.stripes()).filter(|&stripe| self.feeds.stripe(stripe).active == Some(peer)).collect()
    }

    pub(crate) fn reconsider_feeds(&mut self, now: Timestamp) {
        if self.locked {
            return;
        }
        let neighbors = &self.neighbors;
        let linked = |peer: PeerId| neighbors.contains_key(&peer);
        let changes = self.feeds.reconsider(now, self.stripes(), self.fallback(), linked);
        self.apply(changes);
    }

    /// Turns changes of feeds into frames, one for each peer and direction.
    pub(crate) fn apply(&mut self, changes: Vec<Change>) {
        let mut complaints: Table<PeerId, StripeSet> = Table::new();
        let mut stops: Table<PeerId, StripeSet> = Table::new();
        let mut starts: Table<PeerId, StripeSet> = Table::new();
        for change in changes {
            let (of, peer, stripe) = match change {
                Change::Subscribe(peer, stripe) => (&mut starts, peer, stripe),
                Change::Unsubscribe(peer, stripe) => (&mut stops, peer, stripe),
                Change::Complain(peer, stripe) => (&mut complaints, peer, stripe),
            };
            let stripes = of.or_insert(peer, StripeSet::EMPTY);
            *stripes = stripes.with(StripeSet::only(stripe));
        }
        stops.into_iter().for_each(|(peer, stripes)| self.unsubscribe(peer, stripes));
        starts.into_iter().for_each(|(peer, stripes)| self.subscribe(peer, stripes));
        for (failed, stripes) in complaints.into_iter() {
            let stripes =
                stripes.iter().filter(|&stripe| self.is_to_blame(failed, stripe)).collect::<StripeSet>();
            if stripes.is_empty() {
                continue;
            }
            self.tell(FromPeer::Orphaned { stripes, failed, fault: Fault::Silent });
        }
    }

    fn unsubscribe(&mut self, peer: PeerId, stripes: StripeSet) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.feeds = neighbor.feeds.without(stripes);
        self.send(peer, &Frame::Unsubscribe { stripes });
    }

    fn subscribe(&mut self, peer: PeerId, stripes: StripeSet) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.feeds = neighbor.feeds.with(stripes);
        let newest = stripes.iter().filter_map(|stripe| self.feeds.stripe(stripe).newest).max();
        let fresh = self.store.newest_ms().saturating_sub(newest.map_or(0, |seq| self.store.time_of(seq)));
        let from = match newest {
            Some(newest) if fresh < 2_000 && !self.is_quiet_for_long() => newest.saturating_add(1),
            _ => wire::JOIN_POINT,
        };
        self.send(peer, &Frame::Subscribe { stripes, from });
    }

    /// So long without media that going on from the old place would only fetch what is too late.
    fn is_quiet_for_long(&self) -> bool {
        self.fed_at.is_none_or(|fed_at| self.ticked_at().since(fed_at) > QUIET * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: PeerId = PeerId::RELAY;
    const A: PeerId = PeerId(1);
    const B: PeerId = PeerId(2);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn joined(parent: Option<PeerId>, backups: &[PeerId]) -> Feeds {
        let mut feeds = Feeds::new();
        feeds.joined(at(0), RELAY, StripeSet::all(1));
        feeds.assign(vec![Parents { parent, backups: backups.to_vec() }]);
        feeds
    }

    #[test]
    fn the_relay_feeds_until_the_parent_delivers() {
        let mut feeds = joined(Some(A), &[B]);
        assert_eq!(feeds.reconsider(at(1), 1, Some(RELAY), |p| p == RELAY), [], "no link yet");
        assert_eq!(feeds.reconsider(at(2), 1, Some(RELAY), |_| true), [Change::Subscribe(A, 0)]);
        assert_eq!(feeds.delivered(at(3), 0, RELAY, 10), None);
        assert_eq!(feeds.delivered(at(4), 0, A, 11), Some(Change::Unsubscribe(RELAY, 0)));
        assert_eq!(feeds.stripe(0).active, Some(A));
    }

    #[test]
    fn a_parent_that_never_delivers_is_passed_over_and_named() {
        let mut feeds = joined(Some(A), &[B]);
        feeds.reconsider(at(0), 1, Some(RELAY), |_| true);
        let changes = feeds.reconsider(at(2_600), 1, Some(RELAY), |_| true);
        assert_eq!(changes[..2], [Change::Unsubscribe(A, 0), Change::Complain(A, 0)]);
        assert_eq!(feeds.stripe(0).active, Some(RELAY), "the relay goes on feeding");
    }

    #[test]
    fn when_the_active_parent_is_lost_a_backup_takes_over() {
        let mut feeds = joined(Some(A), &[B]);
        feeds.reconsider(at(0), 1, Some(RELAY), |_| true);
        feeds.delivered(at(1), 0, A, 1);
        assert_eq!(feeds.lost(A), StripeSet::only(0));
        assert_eq!(feeds.reconsider(at(2), 1, Some(RELAY), |p| p != A), [Change::Subscribe(B, 0)]);
        feeds.lost(B);
        assert_eq!(feeds.reconsider(at(3), 1, Some(RELAY), |p| p == RELAY), [Change::Subscribe(RELAY, 0)]);
    }

    #[test]
    fn a_relay_that_refuses_is_not_asked_again_at_once() {
        let mut feeds = joined(None, &[]);
        feeds.shun(at(0), RELAY, StripeSet::all(1));
        assert_eq!(feeds.reconsider(at(1), 1, Some(RELAY), |_| true), []);
        assert_eq!(feeds.reconsider(at(5_001), 1, Some(RELAY), |_| true), [Change::Subscribe(RELAY, 0)]);
    }

    #[test]
    fn silence_is_nobodys_fault_while_nothing_is_published() {
        let mut feeds = joined(Some(A), &[]);
        feeds.reconsider(at(0), 1, Some(RELAY), |_| true);
        feeds.excuse(at(2_400));
        assert_eq!(feeds.reconsider(at(2_600), 1, Some(RELAY), |_| true), []);
    }
}
