//! How much a member can pass on, as far as is known: assumed at first, raised while it copes, lowered when it does not.

use std::time::Duration;

use super::RosterConfig;
use crate::Timestamp;

/// A member that copes with all it was given is given more no sooner than this: its next report must show it.
const GROW_EVERY: Duration = Duration::from_millis(1_900);

/// The same where nobody else can feed those who lack a feed: what is known by now must do.
const GROW_EVERY_IN_NEED: Duration = Duration::from_millis(950);

/// Percent of time below which an uplink can surely carry twice as much.
const IDLE: u8 = 20;

/// And from which on it is busy: bursts pile up behind each other.
const BUSY: u8 = 70;

/// And at which it is full: pieces are late.
const FULL: u8 = 100;

/// One that was full is given no more within this time.
const LIMIT_HOLDS: Duration = Duration::from_secs(6);

/// One that was found to give nothing is tried again after this long.
const TRIED_AGAIN: Duration = Duration::from_secs(30);

/// Upload of one member, in stripe feeds that it can give at once.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// What it copes with, as far as is known.
    pub(super) able: usize,
    /// What it is willing to give.
    pub(super) cap: usize,
    /// When it was last seen to be full.
    full_at: Option<Timestamp>,
    changed: Timestamp,
    /// Percent of time for which it is busy; `None` where that says nothing.
    busy: Option<u8>,
    /// The same as reported.
    reported_busy: Option<u8>,
}

/// What a report says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// Bits a second that the uplink can carry, as measured.
    pub(super) capacity_bps: Option<u32>,
    /// Percent of time for which it is busy.
    pub(super) busy: Option<u8>,
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
    /// Some lack a feed, and the relay has no room for them.
    pub(super) in_need: bool,
    /// There are few others.
    pub(super) few: bool,
}

impl Upload {
    /// Of one that nothing is known of.
    pub(super) fn assumed(now: Timestamp, upload_x: f32, stripes: u8) -> Self {
        let able = (upload_x * f32::from(stripes)) as usize;
        Upload { able, cap: usize::MAX, full_at: None, changed: now, busy: None, reported_busy: None }
    }

    /// Of one that gives nothing.
    pub(super) fn none() -> Self {
        Upload {
            able: 0,
            cap: 0,
            full_at: None,
            changed: Timestamp::default(),
            busy: None,
            reported_busy: None,
        }
    }

    /// It copes, but has no room for more now, whatever it could give before.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.is_some_and(|busy| busy >= BUSY)
    }

    /// It says that it is busy, whatever that is worth.
    pub(super) fn says_busy(&self) -> bool {
        self.reported_busy.is_some_and(|busy| busy >= BUSY)
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
        // Few are needed all, and a busy machine looks like a busy uplink.
        self.busy = measured.busy.filter(|_| !measured.few);
        self.reported_busy = measured.busy;
        self.cap = everyones_cap.min(own_cap) as usize;
        let capacity_bps = measured.capacity_bps.unwrap_or_default() as f32;
        let planned = if measured.few { config.planned_share_few } else { config.planned_share };
        let carries = (capacity_bps * planned / stripe_bps) as usize;
        let grow_every = if measured.in_need { GROW_EVERY_IN_NEED } else { GROW_EVERY };
        let settled = measured.load == self.able && now.since(self.changed) >= grow_every;
        match measured.busy {
            // What got through lately may be less than it carries: half of it goes at once at most.
            Some(FULL..) => self.is_full(now, carries.max(self.able / 2)),
            _ if measured.load > self.able => self.able = measured.load,
            // A guess that is too low now and then must not add up.
            Some(BUSY..) if settled && !measured.few => {
                self.is_full(now, carries.max(self.able.saturating_sub(1)).max(1));
            }
            Some(..BUSY) if settled && measured.wanted => {
                self.able = self.grown(now, carries, measured.in_need);
                self.changed = now;
            }
            None if self.able == 0 && measured.wanted && now.since(self.changed) >= TRIED_AGAIN => {
                self.able = 1;
                self.changed = now;
            }
            _ => {}
        }
    }

    /// It gives `load` and refuses more.
    pub(super) fn is_full(&mut self, now: Timestamp, load: usize) {
        self.able = self.able.min(load);
        self.full_at = Some(now);
        self.changed = now;
    }

    /// To what it carries, by half at a time: an idle uplink says little of a full one. With care once it was full, and with
    /// less care in need.
    fn grown(&self, now: Timestamp, carries: usize, in_need: bool) -> usize {
        let step = match self.full_at {
            Some(at) if now.since(at) < LIMIT_HOLDS => return self.able,
            Some(_) => self.able / 8,
            None if in_need || self.busy.is_some_and(|busy| busy < IDLE) => self.able,
            None => self.able / 2,
        };
        carries.clamp(self.able, self.able + step.max(1))
    }
}
