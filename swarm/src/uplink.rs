//! Whether a participant's uplink carries what is asked of it.
//!
//! Two signs tell: pieces that wait before most of its links (one link alone may be the other side's fault), and pings
//! that are on their way for longer than they need, which is the queue of the home's router.

use std::time::Duration;

use wire::{Frame, PeerId, StripeSet};

use crate::engine::Swarm;
use crate::{Role, Timestamp};

/// An uplink with so much in its queue is full: half of what home routers hold.
const QUEUE_FULL_MS: u64 = 100;

/// Looks, one a second, at which an uplink must have been full to be called so: a burst is no lack.
const FULL_AFTER: u32 = 2;

/// Full at so many looks in a row: waiting for the Roster has not helped.
const SHED_AFTER: u32 = 4;

/// Looks of which the best counts as what the uplink carries: when it is full, some links do badly for a while.
const CARRIED_LOOKS: usize = 6;

/// Pings that count at one look: one for each link.
const PINGS_MAX: usize = 64;

/// Links that must be pushed over before their strain says anything about the uplink.
const LINKS_MIN: usize = 3;

/// What was measured is believed for this long.
const LIMIT_HOLDS: Duration = Duration::from_secs(30);

/// One look at all links that are pushed over.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// Such links.
    pub(crate) links: usize,
    /// Those of them before which pieces wait.
    pub(crate) strained: usize,
    /// Bits a second that arrived over all links.
    pub(crate) acknowledged_bps: u64,
    /// Bits a second of one stripe.
    pub(crate) stripe_bps: u64,
}

/// What follows from a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The tracker should know.
    pub(crate) is_full: bool,
    /// One feed should be given up.
    pub(crate) sheds: bool,
}

/// The uplink's state.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    /// Milliseconds that pings waited since the last look.
    waited_ms: Vec<u16>,
    /// What most of them waited at least, smoothed.
    queue_ms: Option<u64>,
    /// Looks in a row at which it was full.
    full_for: u32,
    measured_bps: Option<u64>,
    /// What arrived, in bits a second, at the last few looks.
    carried: [u64; CARRIED_LOOKS],
    /// Stripe feeds that it carried when it was full, and when.
    limit: Option<(usize, Timestamp)>,
}

impl Uplink {
    /// A ping over any link waited in queues for so long.
    pub(crate) fn note(&mut self, late_ms: u16) {
        if self.waited_ms.len() < PINGS_MAX {
            self.waited_ms.push(late_ms);
        }
    }

    /// Looks at it, once a second.
    pub(crate) fn weigh(&mut self, now: Timestamp, look: Look) -> Verdict {
        // A ping also waits behind what its own link cannot carry, and after a loss. The uplink's queue is what they
        // have in common.
        self.waited_ms.sort_unstable();
        let lower_median = self.waited_ms.len().saturating_sub(1) / 2;
        let sample = self.waited_ms.get(lower_median).map(|&ms| u64::from(ms));
        self.waited_ms.clear();
        self.queue_ms = match (self.queue_ms, sample) {
            _ if look.links == 0 => None,
            (Some(queue), Some(sample)) => Some((queue + sample) / 2),
            (queue, sample) => sample.or(queue),
        };
        self.carried.rotate_right(1);
        self.carried[0] = look.acknowledged_bps;
        let strained = look.links >= LINKS_MIN && look.strained * 2 > look.links;
        let full = strained || self.queue_ms.is_some_and(|queue| queue > QUEUE_FULL_MS);
        self.full_for = if full { self.full_for + 1 } else { 0 };
        let is_full = self.full_for >= FULL_AFTER;
        if is_full {
            let carried = self.carried.into_iter().max().unwrap_or_default();
            self.measured_bps = Some(carried);
            let feeds = carried / look.stripe_bps.max(1);
            self.limit = Some((feeds as usize, now));
        }
        Verdict { is_full, sheds: self.full_for >= SHED_AFTER && self.full_for.is_multiple_of(2) }
    }

    /// Stripe feeds that it is known to carry, as a bound on new ones.
    pub(crate) fn slots(&self, now: Timestamp) -> usize {
        let limit = self.limit.filter(|&(_, at)| now.since(at) < LIMIT_HOLDS);
        limit.map_or(usize::MAX, |(feeds, _)| feeds)
    }

    /// What it carried while it was full, in bits a second; told once.
    pub(crate) fn take_measured(&mut self) -> Option<u64> {
        self.measured_bps.take()
    }

    /// Mean time in its queue, in milliseconds; `None` while nothing is pushed.
    pub(crate) fn queue_ms(&self) -> Option<u16> {
        self.queue_ms.map(|queue| queue.min(u16::MAX.into()) as u16)
    }
}

impl Swarm {
    /// Looks whether the uplink carries what is asked of it; if it does not for long, one feed is given up, and whoever
    /// had it turns to another.
    pub(crate) fn weigh_uplink(&mut self, now: Timestamp) {
        let pushed = self.neighbors.values().filter(|n| n.peer != PeerId::RELAY);
        let stripe_bps = self.stripe_bps();
        let mut look = Look { stripe_bps, ..Look::default() };
        for neighbor in pushed {
            look.acknowledged_bps += neighbor.acknowledged_bps;
            look.links += usize::from(!neighbor.pushes.is_empty());
            look.strained += usize::from(!neighbor.pushes.is_empty() && neighbor.is_strained(stripe_bps));
        }
        let verdict = self.uplink.weigh(now, look);
        if verdict.is_full {
            self.report_soon(now);
        }
        if verdict.sheds && self.identity.role == Role::Viewer {
            self.shed(stripe_bps);
        }
    }

    fn shed(&mut self, stripe_bps: u64) {
        let worst = self.neighbors.values_mut().filter(|n| n.peer != PeerId::RELAY);
        let worst =
            worst.filter(|n| !n.pushes.is_empty()).max_by_key(|n| (n.is_strained(stripe_bps), n.waiting()));
        let Some(neighbor) = worst else { return };
        let stripes: StripeSet = neighbor.pushes.iter().take(1).collect();
        let peer = neighbor.peer;
        neighbor.pushes = neighbor.pushes.without(stripes);
        self.send(peer, &Frame::Refuse { stripes });
    }

    /// Bits a second of one stripe.
    fn stripe_bps(&self) -> u64 {
        self.stream().map_or(0, |s| u64::from(s.bitrate_bps) / u64::from(s.stripes.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(strained: usize) -> Look {
        Look { links: 5, strained, acknowledged_bps: 2_600_000, stripe_bps: 500_000 }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn one_strained_link_is_not_the_uplink() {
        let mut uplink = Uplink::default();
        (1..9).for_each(|second| assert!(!uplink.weigh(at(second), look(2)).is_full));
        assert_eq!((uplink.take_measured(), uplink.slots(at(9))), (None, usize::MAX));
    }

    #[test]
    fn a_full_uplink_says_what_it_carries_and_lets_go_in_the_end() {
        let mut uplink = Uplink::default();
        let verdicts: Vec<_> = (1..=4).map(|second| uplink.weigh(at(second), look(3))).collect();
        assert_eq!(
            verdicts.iter().map(|verdict| verdict.is_full).collect::<Vec<_>>(),
            [false, true, true, true]
        );
        assert_eq!(verdicts.iter().filter(|verdict| verdict.sheds).count(), 1);
        assert_eq!((uplink.take_measured(), uplink.slots(at(5))), (Some(2_600_000), 5));
        assert_eq!(uplink.slots(at(60)), usize::MAX, "it is tried again some day");
    }

    #[test]
    fn pings_show_the_routers_queue() {
        let mut uplink = Uplink::default();
        for second in 1..6 {
            (0..5).for_each(|_| uplink.note(150));
            uplink.weigh(at(second), look(0));
        }
        assert_eq!(uplink.queue_ms(), Some(150));
        assert!(uplink.take_measured().is_some());
    }
}
