//! How much a member can pass on, as far as is known: assumed at first, raised while it copes, lowered when it does not.

use std::time::Duration;

use super::RosterConfig;
use crate::Timestamp;

/// A member that copes with all it was given is given more no sooner than this: its next report must show it.
const GROW_EVERY: Duration = Duration::from_millis(1_900);

/// Time in the uplink's queue that is as good as none.
const QUEUE_NONE_MS: u16 = 5;

/// And up to which there is plenty of room.
const QUEUE_EASY_MS: u16 = 12;

/// And up to which there is some.
const QUEUE_BUSY_MS: u16 = 40;

/// A measured limit is not tried again within this time.
const LIMIT_HOLDS: Duration = Duration::from_secs(15);

/// Upload of one member, in stripe feeds that it can give at once.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// What it copes with, as far as is known.
    pub(super) able: usize,
    /// What it is willing to give.
    pub(super) cap: usize,
    /// Where it was seen to be full, and when.
    limit: Option<(usize, Timestamp)>,
    changed: Timestamp,
    queue_ms: Option<u16>,
}

/// What a report says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// Acknowledged upload in bits a second, if the uplink was full.
    pub(super) capacity_bps: Option<u32>,
    /// Milliseconds in the uplink's queue, on average.
    pub(super) queue_ms: Option<u16>,
    /// Bits a second that the member has chosen not to exceed.
    pub(super) own_cap_bps: Option<u32>,
    /// Bits a second of one stripe.
    pub(super) stripe_bps: u32,
    /// Stripes of the broadcast.
    pub(super) stripes: u8,
    /// Stripe feeds that it gives now, as planned.
    pub(super) load: usize,
    /// The swarm could do with more.
    pub(super) wanted: bool,
}

impl Upload {
    /// Of one that nothing is known of.
    pub(super) fn assumed(now: Timestamp, config: &RosterConfig, few: bool, stripes: u8) -> Self {
        let upload_x = if few { config.assumed_upload_few_x } else { config.assumed_upload_x };
        let able = (upload_x * f32::from(stripes)) as usize;
        Upload { able, cap: usize::MAX, limit: None, changed: now, queue_ms: None }
    }

    /// Of one that gives nothing.
    pub(super) fn none() -> Self {
        Upload { able: 0, cap: 0, limit: None, changed: Timestamp::default(), queue_ms: None }
    }

    /// Pieces wait in its queue.
    pub(super) fn is_busy(&self) -> bool {
        self.queue_ms.is_some_and(|queue_ms| queue_ms > QUEUE_BUSY_MS)
    }

    /// What is planned with.
    pub(super) fn slots(&self) -> usize {
        self.able.min(self.cap)
    }

    /// Takes a report in.
    pub(super) fn learn(&mut self, now: Timestamp, config: &RosterConfig, measured: Measured) {
        let stripe_bps = measured.stripe_bps.max(1) as f32;
        let everyones_cap = config.upload_cap_x * f32::from(measured.stripes);
        let own_cap = measured.own_cap_bps.map_or(everyones_cap, |bps| bps as f32 / stripe_bps);
        self.queue_ms = measured.queue_ms;
        self.cap = everyones_cap.min(own_cap) as usize;
        match measured.capacity_bps {
            Some(bps) => {
                let carried = (bps as f32 * config.planned_share / stripe_bps) as usize;
                self.is_full(now, carried);
            }
            None if measured.load > self.able => self.able = measured.load,
            // Pieces already wait: a little less.
            None if self.is_busy() && measured.load == self.able && now.since(self.changed) >= GROW_EVERY => {
                self.is_full(now, self.able.saturating_sub(self.able.div_ceil(8)).max(1));
            }
            None if measured.wanted
                && measured.load == self.able
                && now.since(self.changed) >= GROW_EVERY =>
            {
                self.able = self.grown(now, measured.queue_ms.unwrap_or(u16::MAX)).max(1);
                self.changed = now;
            }
            None => {}
        }
    }

    /// It gives `load` and refuses more.
    pub(super) fn is_full(&mut self, now: Timestamp, load: usize) {
        self.able = self.able.min(load);
        self.limit = Some((self.able, now));
        self.changed = now;
    }

    /// By half where the uplink has no queue, by a third where it has little of one, else not at all. Up to a known
    /// limit, and later one at a time beyond it.
    fn grown(&mut self, now: Timestamp, queue_ms: u16) -> usize {
        let step = match queue_ms {
            ..=QUEUE_NONE_MS => (self.able / 2).max(1),
            ..=QUEUE_EASY_MS => (self.able / 3).max(1),
            _ => 0,
        };
        match self.limit {
            Some((limit, at)) if now.since(at) < LIMIT_HOLDS => limit.min(self.able + step),
            Some(_) => {
                self.limit = Some((self.able + step.min(1), now));
                self.able + step.min(1)
            }
            None => self.able + step,
        }
    }
}
