//! A feed that falls silent: whether it is to blame, and when it is given up.

use std::time::Duration;

use wire::{Frame, PeerId, StripeSet};

use crate::engine::Swarm;
use crate::feeds::Change;
use crate::{Role, Timestamp};

/// A neighbor that says nothing for so long is taken for dead: it says what it has several times a second.
const DEAD_AFTER: Duration = Duration::from_millis(700);

/// Pieces of a stripe that a feed may have and not have sent yet: half a second's.
const PIECES_ON_THE_WAY: u32 = 5;

/// Earlier pieces of the stripe, among which so many that it has and we lack are its fault.
const PIECES_LOOKED_AT: u32 = 10;
const PIECES_WITHHELD: usize = 4;

/// A feed that lives and does not send is left after this long, to blame or not. Repair does without it meanwhile, and a
/// lost packet at the end of a burst alone may cost a link more than half a second.
const SILENT_MAX: Duration = Duration::from_millis(2_500);

/// When nothing at all has come for so long, the relay is asked whether the broadcaster is silent, or all feeds are; and
/// again whenever twice as much time has passed.
const DOUBT_AFTER: Duration = Duration::from_secs(2);

/// What the relay is asked for was published so long ago: it has it, and has not let go of it yet.
const SURELY_OUT: Duration = Duration::from_secs(1);

impl Swarm {
    /// Nothing comes from anywhere. Asks the relay for a piece that is out by now, if there is a broadcast at all.
    pub(crate) fn doubt_silence(&mut self, now: Timestamp) {
        let (Role::Viewer, Some(fed_at), Some(epoch)) = (self.identity.role, self.fed_at, self.epoch) else {
            return;
        };
        let Some(relay) = self.fallback().filter(|&relay| self.is_fed_by_others_than(relay)) else { return };
        if now < self.doubt_at.max(fed_at + DOUBT_AFTER) {
            return;
        }
        let silence = now.since(fed_at);
        self.doubt_at = now + silence;
        // Not the next one, which a broadcaster who goes on sends first.
        let published = self.store.pieces_in(silence.saturating_sub(SURELY_OUT)).max(2);
        let piece = self.store.newest().unwrap_or(0).saturating_add(published);
        self.doubted = Some(piece);
        self.send(relay, &Frame::Request { epoch, pieces: vec![piece] });
    }

    /// Piece `seq` has come from `peer`, the first for a while if there was doubt. If it is the relay's answer, then all feeds
    /// are given up that kept theirs; another one says that the broadcaster was silent, and goes on.
    pub(crate) fn resolve_doubt(&mut self, now: Timestamp, peer: PeerId, seq: u32) {
        if self.doubted.take() != Some(seq) || self.fallback() != Some(peer) {
            return;
        }
        let mut changes = Vec::new();
        for stripe in 0..self.stripes() {
            if let Some(silent) = self.feeds.stripe(stripe).active.filter(|&active| active != peer) {
                self.feeds.shun(now, silent, StripeSet::only(stripe));
                changes.extend([Change::Unsubscribe(silent, stripe), Change::Complain(silent, stripe)]);
            }
        }
        self.apply(changes);
    }

    fn is_fed_by_others_than(&self, relay: PeerId) -> bool {
        let active = |stripe| self.feeds.stripe(stripe).active;
        (0..self.stripes()).any(|stripe| active(stripe).is_some_and(|active| active != relay))
    }

    /// A feed that is silent while newer pieces are known to exist is given up.
    pub(crate) fn silence_check(&mut self, now: Timestamp) {
        if self.identity.role != Role::Viewer {
            return;
        }
        let stripes = self.stripes();
        let newest = self.store.newest().unwrap_or(0);
        for stripe in 0..stripes {
            let feed = self.feeds.stripe(stripe);
            let behind = feed.newest.is_some_and(|mine| mine + 2 * u32::from(stripes) < newest);
            let silence = now.since(feed.fed_at);
            let silent = silence > self.config.feed_silence && behind;
            let active = feed.active.filter(|&active| silent && active != PeerId::RELAY);
            let gives_up = |peer: &PeerId| silence > SILENT_MAX || self.is_dead(*peer);
            if let Some(active) = active.filter(gives_up) {
                self.feeds.shun(now, active, StripeSet::only(stripe));
                self.apply(vec![Change::Unsubscribe(active, stripe), Change::Complain(active, stripe)]);
            }
        }
    }

    /// Whether a feed's silence is its own fault: it says nothing at all, or has pieces that it does not send. One that
    /// is itself not fed is to be pitied.
    pub(crate) fn is_to_blame(&self, peer: PeerId, stripe: u8) -> bool {
        let Some(neighbor) = self.neighbors.get(&peer) else { return true };
        let lacks = |seq: u32| seq >= self.store.floor() && !self.store.contains(seq);
        let withholds = || {
            let newest = self.store.newest().unwrap_or(0);
            let stripes = u32::from(self.stripes().max(1));
            // Newer ones may be on their way.
            let due = newest.saturating_sub(stripes * PIECES_ON_THE_WAY);
            let first = due - due % stripes + u32::from(stripe);
            let of_stripe = (0..PIECES_LOOKED_AT).filter_map(|back| first.checked_sub(back * stripes));
            of_stripe.filter(|&seq| lacks(seq) && neighbor.holdings.contains(seq)).count() >= PIECES_WITHHELD
        };
        self.is_dead(peer) || withholds()
    }

    /// Whether a neighbor has said nothing for so long that it must be gone.
    fn is_dead(&self, peer: PeerId) -> bool {
        let heard_at = self.neighbors.get(&peer).map(|neighbor| neighbor.heard_at);
        heard_at.is_none_or(|heard_at| self.ticked_at().since(heard_at) > DEAD_AFTER)
    }
}
