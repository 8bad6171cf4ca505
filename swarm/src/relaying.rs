//! What a relay does that no other participant does: it keeps to a budget instead of a viewer's caps.

use wire::{Frame, PeerId, StripeSet};

use crate::engine::Swarm;
use crate::{Role, Timestamp};

/// Percent of a relay's budget up to which it takes viewers on. The rest is for those who watch already and lose a feed,
/// for repairs, and for the first seconds that a newcomer gets in a burst.
const JOINS_SHARE: u64 = 70;

/// Feeds that are ended at once when the budget has become smaller than what is given: eight viewers, each time that
/// the budget is told. The Roster may find parents for the others meanwhile.
const LET_GO_AT_ONCE: usize = 48;

impl Swarm {
    /// For a relay: bits a second that it may send from now on (`None`: no budget), and whether it takes on viewers that
    /// it does not feed yet. To be told now and then: who is fed beyond the budget is let go, newest first, some each
    /// time; with nothing left, all at once.
    pub fn limit_egress(&mut self, max_bps: Option<u64>, takes_on: bool) {
        self.config.egress_max_bps = max_bps;
        self.egress.closed = !takes_on;
        match max_bps {
            Some(0) => self.let_go(usize::MAX),
            Some(max_bps) => {
                let over_bps = self.planned_egress_bps().saturating_sub(max_bps);
                let over = over_bps.div_ceil(self.rate_of(1).max(1));
                self.let_go(usize::try_from(over).map_or(LET_GO_AT_ONCE, |over| over.min(LET_GO_AT_ONCE)));
            }
            None => {}
        }
    }

    /// For a relay: whether it could feed one more viewer all stripes.
    pub fn has_room_for_viewer(&self) -> bool {
        self.has_egress_for(PeerId::RELAY, self.stripes().into(), true)
    }

    /// For a relay: a session of another relay exists, which takes each stripe once and spares this one many viewers. It
    /// comes before them in the budget.
    pub fn relay_linked(&mut self, now: Timestamp, peer: PeerId) {
        self.link_opened(now, peer);
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            neighbor.role = Role::Relay;
        }
    }

    /// Stripes that are pushed to a peer.
    pub fn pushed_to(&self, peer: PeerId) -> StripeSet {
        self.neighbors.get(&peer).map_or(StripeSet::EMPTY, |neighbor| neighbor.pushes)
    }

    /// For a relay: bits a second of all that it pushes, by the broadcast's own bitrate.
    pub fn planned_egress_bps(&self) -> u64 {
        self.rate_of(self.fed_but(PeerId::RELAY))
    }

    /// For a relay: bits a second that it would want in its budget to feed one more viewer.
    pub fn wanted_egress_bps(&self) -> u64 {
        let viewer_bps = self.rate_of(self.stripes().into());
        self.egress.bps.max(self.planned_egress_bps() + viewer_bps) * 100 / JOINS_SHARE
    }

    /// Whether the budget has room for `more` stripes to `peer`, one that `joins` or one that watches already.
    pub(crate) fn has_egress_for(&self, peer: PeerId, more: usize, joins: bool) -> bool {
        let is_relay = self.neighbors.get(&peer).is_some_and(|neighbor| neighbor.role == Role::Relay);
        let max = match self.config.egress_max_bps {
            Some(0) => return false,
            _ if is_relay => return true,
            _ if joins && self.egress.closed => return false,
            None => return true,
            Some(max) => max,
        };
        // What was begun within the last second does not show in what was sent.
        let sends = self.egress.bps.max(self.rate_of(self.fed_but(peer)));
        let max = if joins { max / 100 * JOINS_SHARE } else { max };
        sends + self.rate_of(more) <= max
    }

    /// Ends so many feeds, of those who came last.
    fn let_go(&mut self, feeds: usize) {
        let all = StripeSet::all(self.stripes());
        let fed = self.neighbors.values().filter(|neighbor| !neighbor.pushes.is_empty());
        let mut newest_first: Vec<_> = fed.map(|n| (n.role == Role::Relay, n.since, n.peer)).collect();
        newest_first.sort_unstable_by(|a, b| (a.0, b.1, b.2).cmp(&(b.0, a.1, a.2)));
        let mut left = feeds;
        for (.., peer) in newest_first {
            let Some(neighbor) = self.neighbors.get_mut(&peer).filter(|_| left > 0) else { return };
            let ended: StripeSet = neighbor.pushes.intersection(all).iter().take(left).collect();
            left -= ended.len();
            self.unsubscribed(peer, ended);
            self.send(peer, &Frame::Refuse { stripes: ended });
        }
    }

    /// Stripe feeds that are given to all but one.
    fn fed_but(&self, peer: PeerId) -> usize {
        let others = self.neighbors.values().filter(|neighbor| neighbor.peer != peer);
        others.map(|neighbor| neighbor.pushes.len()).sum()
    }

    fn rate_of(&self, feeds: usize) -> u64 {
        let bitrate_bps = self.stream().map_or(0, |header| u64::from(header.bitrate_bps));
        bitrate_bps * feeds as u64 / u64::from(self.stripes()).max(1)
    }
}
