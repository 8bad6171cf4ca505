//! How much a member can pass on, as far as is known: assumed at first, raised while it copes, lowered when it does not.

use std::time::Duration;

use super::RosterConfig;
use crate::Timestamp;

/// A member that copes with all it was given is given more no sooner than this: its next report must show it.
const GROW_EVERY: Duration = Duration::from_millis(1_900);

/// A measured limit is not tried again within this time.
const LIMIT_HOLDS: Duration = Duration::from_secs(60);

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
}

/// What a report says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// Acknowledged upload in bits a second, if the uplink was full.
    pub(super) capacity_bps: Option<u32>,
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
    pub(super) fn assumed(now: Timestamp, config: &RosterConfig, stripes: u8) -> Self {
        let able = (config.assumed_upload_x * f32::from(stripes)) as usize;
        Upload { able, cap: usize::MAX, limit: None, changed: now }
    }

    /// Of one that gives nothing.
    pub(super) fn none() -> Self {
        Upload { able: 0, cap: 0, limit: None, changed: Timestamp::default() }
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
        self.cap = everyones_cap.min(own_cap) as usize;
        match measured.capacity_bps {
            Some(bps) => {
                let carried = (bps as f32 * config.planned_share / stripe_bps) as usize;
                self.able = carried.min(self.able);
                self.limit = Some((self.able, now));
                self.changed = now;
            }
            None if measured.load > self.able => self.able = measured.load,
            None if measured.wanted
                && measured.load == self.able
                && now.since(self.changed) >= GROW_EVERY =>
            {
                self.able = self.grown(now);
                self.changed = now;
            }
            None => {}
        }
    }

    /// By half while no limit is known, then up to it, then one at a time.
    fn grown(&mut self, now: Timestamp) -> usize {
        match self.limit {
            Some((limit, at)) if now.since(at) < LIMIT_HOLDS => limit,
            Some(_) => {
                self.limit = Some((self.able + 1, now));
                self.able + 1
            }
            None => self.able + (self.able / 2).max(2),
        }
    }
}
