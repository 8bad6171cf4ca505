//! What neighbors ask for, and how much of it is given: repairs are bounded, so that the feeds that were promised do not
//! wait behind them.
//!
//! Without a bound a swarm that lacks feeds for a moment never recovers: those who have none live off repairs, which are
//! asked of anyone, fill every uplink and make it look as if it could carry no feeds.

use std::time::Duration;

use wire::{Epoch, Frame, PeerId};

use crate::engine::Swarm;
use crate::neighbor::{Neighbor, Outgoing};
use crate::{Role, Timestamp};

/// Repairs that may wait for one neighbor; more are declined. A link's queue holds about ten pieces.
const REPAIRS_WAITING_MAX: usize = 64;

/// A neighbor that has declined a request is not asked for anything for so long.
const DECLINED_FOR: Duration = Duration::from_millis(250);

/// Share of a measured uplink that feeds and repairs together may take; acknowledgements and headers need the rest.
const UPLINK_SHARE: f64 = 0.8;

/// Share of what feeds leave of it.
const SPARE_SHARE: f64 = 0.5;

/// Stripes' worth that is given whatever is known of the uplink: what a few lost packets of all neighbors come to.
const STRIPES_MIN: f64 = 1.0;

/// Share of a relay's budget: whoever has no feed is better served by one.
const RELAY_SHARE: f64 = 0.25;

/// What is not given is saved up for so long.
const SAVED: Duration = Duration::from_millis(500);

/// Bytes that may be given, as a bucket that fills at a changing rate.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    bytes: f64,
    at: Timestamp,
}

impl Allowance {
    /// What has come in at `bytes_per_second` since it was last looked at.
    fn fill(&mut self, now: Timestamp, bytes_per_second: f64) {
        let come = now.since(self.at).as_secs_f64() * bytes_per_second;
        self.bytes = (self.bytes + come).min(bytes_per_second * SAVED.as_secs_f64());
        self.at = now;
    }

    fn take(&mut self, bytes: usize) -> bool {
        let enough = self.bytes >= bytes as f64;
        if enough {
            self.bytes -= bytes as f64;
        }
        enough
    }
}

impl Swarm {
    /// Puts in line what may be given, and says what may not.
    pub(crate) fn requested(&mut self, now: Timestamp, peer: PeerId, epoch: Epoch, pieces: &[u32]) {
        let waiting = self.neighbors.get(&peer).map_or(0, Neighbor::repairs_waiting);
        let willing = match self.identity.role {
            Role::Viewer => {
                let gives = self.sharing && self.config.upload_cap_x > 0.0;
                gives && !self.is_uplink_busy() && waiting < REPAIRS_WAITING_MAX
            }
            Role::Source => waiting < REPAIRS_WAITING_MAX,
            Role::Relay => self.config.egress_max_bps.is_none_or(|max| self.egress.bps < max),
        };
        let willing = willing && self.epoch == Some(epoch);
        let bits_per_second = self.repairs_bps();
        bits_per_second.into_iter().for_each(|bps| self.allowance.fill(now, bps / 8.0));
        let oldest_ms = if self.is_source_full() { self.stale_ms() } else { 0 };
        let (store, allowance) = (&self.store, &mut self.allowance);
        let piece = |seq| store.piece(seq).filter(|piece| willing && piece.header.time_ms >= oldest_ms);
        let bytes = |seq| piece(seq).map(|piece| piece.frame().len());
        let mut allow = |bytes| bits_per_second.is_none() || allowance.take(bytes);
        let (given, missing): (Vec<u32>, Vec<u32>) =
            pieces.iter().partition(|&&seq| bytes(seq).is_some_and(&mut allow));
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            given.into_iter().for_each(|seq| neighbor.enqueue(Outgoing { seq, repair: true }));
        }
        if !missing.is_empty() {
            self.send(peer, &Frame::Missing { pieces: missing });
        }
    }

    /// The peer does not give these: it has let go of them, or gives enough as it is. It is left alone for a while.
    pub(crate) fn missing(&mut self, now: Timestamp, peer: PeerId, pieces: &[u32]) {
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            neighbor.rests_until = now + DECLINED_FOR;
        }
        // There is nobody else to turn to: it is asked again, in its time.
        if Some(peer) != self.fallback() {
            pieces.iter().for_each(|&seq| self.repair.refused(peer, seq));
        }
    }

    /// Bits a second for repairs; `None`: no bound.
    fn repairs_bps(&self) -> Option<f64> {
        match self.identity.role {
            Role::Source => None,
            Role::Relay => self.config.egress_max_bps.map(|max| max as f64 * RELAY_SHARE),
            Role::Viewer => {
                let stripe_bps = self.stripe_bps() as f64;
                let pushed: usize = self.neighbors.values().map(|neighbor| neighbor.pushes.len()).sum();
                let carries = self.uplink.measured().map_or(0.0, |uplink| uplink.capacity_bps as f64);
                let spare_bps = carries * UPLINK_SHARE - pushed as f64 * stripe_bps;
                Some((spare_bps * SPARE_SHARE).max(stripe_bps * STRIPES_MIN))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_with_time_and_saves_up_little() {
        let mut allowance = Allowance::default();
        allowance.fill(Timestamp::from_millis(10_000), 60_000.0);
        let taken = (0..10).filter(|_| allowance.take(6_000)).count();
        assert_eq!(taken, 5, "half a second of 60 kB/s");
        allowance.fill(Timestamp::from_millis(10_050), 60_000.0);
        assert!(!allowance.take(6_000), "3 kB have come");
        allowance.fill(Timestamp::from_millis(10_100), 60_000.0);
        assert!(allowance.take(6_000));
    }
}
