//! What a participant's uplink carries of what is asked of it.
//!
//! Pings tell how busy it is: as they are sent at any time, the share of them that had to wait is the share of time for
//! which something was under way (arrivals see time averages: Wolff, "PASTA", 1982). What got through, over that share,
//! is what it can carry. It is full when pings wait long, or when pieces wait before most of its links; one link alone
//! may be the other side's fault.

use std::time::Duration;

use wire::{Frame, PeerId, StripeSet};

use crate::engine::Swarm;
use crate::{Role, Timestamp};

/// Below so many viewers each is needed: better late pieces from a busy one than none. A ping may also wait for a busy
/// machine, so that there only pieces that pile up count.
pub(crate) const FEW: usize = 8;

/// A ping that was on its way for so much longer than the quickest one had to wait; less is a timer's grain.
const WAITED_MS: u16 = 5;

/// An uplink with so much in its queue is full: half of what home routers hold.
const QUEUE_FULL_MS: u64 = 100;

/// Percent of time for which a source's uplink is said to be busy while more than a piece of each stripe waits for its
/// session: soon it will be full.
pub(crate) const TIGHT: u8 = 99;

/// Percent of time for which an uplink is busy, from which on repairs are left to others.
const BUSY: u8 = 85;

/// Looks, one a second, at which an uplink must have been full to be called so: a burst is no lack.
const FULL_AFTER: u32 = 2;

/// Full at so many looks in a row: waiting for the Roster has not helped.
const SHED_AFTER: u32 = 4;

/// Looks by which what it carries is known: all of them together while it is not full, as a few pings alone say little;
/// the best of them when it is, as some links do badly for a while then.
const CARRIED_LOOKS: usize = 6;

/// Looks over which the share of pings that waited is taken: as long as upload is counted for.
const BUSY_LOOKS: usize = 2;

/// Pings that count at one look: some for each link.
const PINGS_MAX: usize = 128;

/// Pings without which their share says nothing.
const PINGS_MIN: u32 = 5;

/// Pings that are taken to have waited besides those that did: that none of a few had to says little of a slow uplink that has
/// just begun to give.
const PINGS_DOUBTED: f64 = 1.5;

/// Least busy share that is believed: of an uplink that is idle nearly always, only so much is known.
const BUSY_MIN: f64 = 0.05;

/// Looks for which more than the cap may be given: a feed that changes over is given twice for no longer.
const OVER_CAP_MAX: u32 = 3;

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
    /// Links below which their strain says nothing.
    pub(crate) links_min: usize,
    /// Bits a second that arrived over all links.
    pub(crate) acknowledged_bps: u64,
    /// Bits a second of one stripe.
    pub(crate) stripe_bps: u64,
    /// A source's session is one of these: what the relay lacks, nobody can have.
    pub(crate) session: bool,
    /// A source's session is about to become one.
    pub(crate) tight: bool,
    /// The swarm is small.
    pub(crate) few: bool,
}

/// What is known of it, for the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Bits a second that it can carry.
    pub(crate) capacity_bps: u64,
    /// Percent of time for which it is busy; 100: full.
    pub(crate) busy: u8,
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
    /// Pings that waited, and all, at the last few looks.
    pings: [(u32, u32); CARRIED_LOOKS],
    /// What most of them waited at least, in milliseconds, smoothed.
    queue_ms: Option<u64>,
    /// Looks in a row at which more than the cap was given.
    over_cap_for: u32,
    /// Looks in a row at which it was full.
    full_for: u32,
    measured: Option<Measured>,
    /// The most that the tracker was told at once.
    told_bps: u64,
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
        let busy = self.take_pings(look.links > 0);
        self.carried.rotate_right(1);
        self.carried[0] = look.acknowledged_bps;
        let strained = look.session || look.links >= look.links_min && look.strained * 2 > look.links;
        let slow = !look.few && self.queue_ms.is_some_and(|queue| queue > QUEUE_FULL_MS);
        self.full_for = if strained || slow { self.full_for + 1 } else { 0 };
        let is_full = self.full_for >= FULL_AFTER;
        self.measured = busy
            .map(|busy| Measured { capacity_bps: self.carries_bps(), busy: ((busy * 100.0) as u8).min(99) });
        if look.tight {
            self.measured = Some(Measured { capacity_bps: self.carries_bps(), busy: TIGHT });
        }
        if is_full {
            let carried = self.carried.into_iter().max().unwrap_or_default();
            self.measured = Some(Measured { capacity_bps: carried, busy: 100 });
            let feeds = carried / look.stripe_bps.max(1);
            self.limit = Some((feeds as usize, now));
        }
        Verdict { is_full, sheds: strained && self.full_for >= SHED_AFTER && self.full_for.is_multiple_of(2) }
    }

    /// The share of pings that waited, lately; and, as a ping also waits behind what its own link cannot carry and after
    /// a loss, what most of them waited at least.
    fn take_pings(&mut self, pushes: bool) -> Option<f64> {
        self.waited_ms.sort_unstable();
        let lower_median = self.waited_ms.len().saturating_sub(1) / 2;
        let sample = self.waited_ms.get(lower_median).map(|&ms| u64::from(ms));
        let waited = self.waited_ms.iter().filter(|&&ms| ms >= WAITED_MS).count();
        self.pings.rotate_right(1);
        self.pings[0] = (waited as u32, self.waited_ms.len() as u32);
        self.waited_ms.clear();
        if !pushes {
            self.pings = Default::default();
            self.queue_ms = None;
            return None;
        }
        self.queue_ms = match (self.queue_ms, sample) {
            (Some(queue), Some(sample)) => Some((queue + sample) / 2),
            (queue, sample) => sample.or(queue),
        };
        let lately = self.pings.iter().take(BUSY_LOOKS);
        let (waited, all) = lately.fold((0, 0), |sum, look| (sum.0 + look.0, sum.1 + look.1));
        (all >= PINGS_MIN).then(|| f64::from(waited) / f64::from(all))
    }

    /// Bits a second that would get through if it were busy all the time, over the last few looks.
    fn carries_bps(&self) -> u64 {
        let looks = self.carried.iter().zip(&self.pings);
        let (mut bits, mut waited, mut all) = (0.0, 0.0, 0.0);
        for (&carried_bps, &look) in looks {
            bits += carried_bps as f64 * f64::from(look.1);
            waited += f64::from(look.0);
            all += f64::from(look.1);
        }
        (bits / f64::max(waited + PINGS_DOUBTED, all * BUSY_MIN)) as u64
    }

    /// Whether it is known by now to carry much more than the tracker was told before.
    fn takes_news(&mut self) -> bool {
        let carries_bps = self.measured.map_or(0, |measured| measured.capacity_bps);
        let is_news = carries_bps > self.told_bps.saturating_mul(5) / 4;
        if is_news {
            self.told_bps = carries_bps;
        }
        is_news
    }

    /// Stripe feeds that it is known to carry, as a bound on new ones.
    pub(crate) fn slots(&self, now: Timestamp) -> usize {
        let limit = self.limit.filter(|&(_, at)| now.since(at) < LIMIT_HOLDS);
        limit.map_or(usize::MAX, |(feeds, _)| feeds)
    }

    /// As of the last look.
    pub(crate) fn measured(&self) -> Option<Measured> {
        self.measured
    }
}

impl Swarm {
    /// Looks whether the uplink carries what is asked of it; if it does not for long, one feed is given up, and whoever
    /// had it turns to another.
    pub(crate) fn weigh_uplink(&mut self, now: Timestamp) {
        let source = self.identity.role == Role::Source;
        let pushed = self.neighbors.values().filter(|n| source || n.peer != PeerId::RELAY);
        let (stripe_bps, all) = (self.stripe_bps(), StripeSet::all(self.stripes()));
        let few = self.are_few();
        // A few busy machines strain all links of a source.
        let links_min = if source && few { usize::MAX } else { LINKS_MIN };
        let mut look = Look { stripe_bps, links_min, few, ..Look::default() };
        for neighbor in pushed {
            look.acknowledged_bps += neighbor.acknowledged_bps;
            look.links += usize::from(!neighbor.pushes.is_empty());
            let strained = !neighbor.pushes.is_empty() && neighbor.is_strained(stripe_bps, all);
            look.strained += usize::from(strained);
            if neighbor.peer == PeerId::RELAY {
                (look.session, look.tight) = (strained, neighbor.waiting() > self.stripes().into());
            }
        }
        let verdict = self.uplink.weigh(now, look);
        let given: usize = self.neighbors.values().map(|neighbor| neighbor.pushes.len()).sum();
        let over = self.identity.role == Role::Viewer && given > self.upload_slots();
        self.uplink.over_cap_for = if over { self.uplink.over_cap_for + 1 } else { 0 };
        if self.uplink.over_cap_for > OVER_CAP_MAX {
            self.keep_within_cap();
        }
        if self.uplink.takes_news() || verdict.is_full || look.tight {
            self.report_soon(now);
        }
        if verdict.sheds && self.identity.role == Role::Viewer {
            self.shed(stripe_bps, all);
        }
    }

    fn shed(&mut self, stripe_bps: u64, all: StripeSet) {
        let worst = self.neighbors.values_mut().filter(|n| n.peer != PeerId::RELAY);
        let worst = worst.filter(|n| !n.pushes.is_empty());
        let worst = worst.max_by_key(|n| (n.is_strained(stripe_bps, all), n.waiting()));
        let Some(neighbor) = worst else { return };
        let stripes: StripeSet = neighbor.pushes.iter().take(1).collect();
        let peer = neighbor.peer;
        neighbor.pushes = neighbor.pushes.without(stripes);
        self.send(peer, &Frame::Refuse { stripes });
    }

    fn are_few(&self) -> bool {
        (self.viewers as usize) < FEW
    }

    /// Whether somebody else had better do what need not be done by this one.
    pub(crate) fn is_uplink_busy(&self) -> bool {
        !self.are_few() && self.uplink.measured().is_some_and(|uplink| uplink.busy >= BUSY)
    }

    /// Whether a source has more to send than its uplink carries.
    pub(crate) fn is_source_full(&self) -> bool {
        self.identity.role == Role::Source && self.uplink.full_for >= FULL_AFTER
    }

    /// Bits a second of one stripe.
    pub(crate) fn stripe_bps(&self) -> u64 {
        self.stream().map_or(0, |s| u64::from(s.bitrate_bps) / u64::from(s.stripes.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(strained: usize) -> Look {
        Look {
            links: 5,
            strained,
            links_min: LINKS_MIN,
            acknowledged_bps: 2_600_000,
            stripe_bps: 500_000,
            session: false,
            tight: false,
            few: false,
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn one_strained_link_is_not_the_uplink() {
        let mut uplink = Uplink::default();
        (1..9).for_each(|second| assert!(!uplink.weigh(at(second), look(2)).is_full));
        assert_eq!((uplink.measured(), uplink.slots(at(9))), (None, usize::MAX));
    }

    #[test]
    fn a_source_whose_session_lags_behind_is_full_whatever_its_links_are() {
        let mut uplink = Uplink::default();
        let lags = Look { links: 1, session: true, ..look(1) };
        assert!(!uplink.weigh(at(1), lags).is_full);
        assert!(uplink.weigh(at(2), lags).is_full);
        assert_eq!(uplink.measured().unwrap().busy, 100);
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
        let full = Measured { capacity_bps: 2_600_000, busy: 100 };
        assert_eq!((uplink.measured(), uplink.slots(at(5))), (Some(full), 5));
        assert_eq!(uplink.slots(at(60)), usize::MAX, "it is tried again some day");
    }

    #[test]
    fn the_share_of_pings_that_waited_tells_how_much_it_could_carry() {
        let mut uplink = Uplink::default();
        for second in 1..6 {
            [0, 12, 0, 30, 1].into_iter().for_each(|late_ms| uplink.note(late_ms));
            uplink.weigh(at(second), look(0));
        }
        let carries = 2_600_000.0 * 25.0 / (10.0 + PINGS_DOUBTED);
        assert_eq!(uplink.measured(), Some(Measured { capacity_bps: carries as u64, busy: 40 }));
    }

    #[test]
    fn that_none_of_a_few_pings_waited_says_little() {
        let mut uplink = Uplink::default();
        let carries_x = |uplink: &Uplink| uplink.measured().unwrap().capacity_bps / 2_600_000;
        (0..5).for_each(|_| uplink.note(0));
        uplink.weigh(at(1), look(0));
        assert_eq!(carries_x(&uplink), 3);
        (0..60).for_each(|_| uplink.note(0));
        uplink.weigh(at(2), look(0));
        assert_eq!(carries_x(&uplink), 20, "many say as much as is believed at most");
    }

    #[test]
    fn a_long_queue_makes_it_full_unless_the_swarm_is_small() {
        for few in [false, true] {
            let mut uplink = Uplink::default();
            for second in 1..6 {
                (0..5).for_each(|_| uplink.note(150));
                let verdict = uplink.weigh(at(second), Look { few, ..look(0) });
                assert!(!verdict.sheds, "pieces do not pile up");
            }
            let busy = uplink.measured().unwrap().busy;
            assert_eq!(busy, if few { 99 } else { 100 });
        }
    }
}
