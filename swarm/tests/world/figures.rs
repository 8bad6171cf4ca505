//! What a scenario can see of the swarm.

use std::collections::BTreeMap;

use swarm::{ByteCounts, Phase, Stats};
use wire::PeerId;

use super::World;

impl World {
    pub fn stats(&self, peer: PeerId) -> Stats {
        self.peers[&peer].stats()
    }

    /// Share of all viewers' bytes since `since` that came from other viewers.
    pub fn offload_since(&self, since: &BTreeMap<PeerId, ByteCounts>) -> f64 {
        let (mut viewers, mut all) = (0, 0);
        for peer in self.screens.keys() {
            let (now, then) = (self.stats(*peer).bytes, since.get(peer).copied().unwrap_or_default());
            viewers += now.viewers - then.viewers;
            all += now.viewers + now.source + now.relay - then.viewers - then.source - then.relay;
        }
        viewers as f64 / all.max(1) as f64
    }

    pub fn bytes(&self) -> BTreeMap<PeerId, ByteCounts> {
        self.screens.keys().map(|&peer| (peer, self.stats(peer).bytes)).collect()
    }

    pub fn phase(&self, peer: PeerId) -> Phase {
        self.peers[&peer].phase(self.now())
    }

    pub fn lag_ms(&self, viewer: PeerId) -> i64 {
        let live_ms = (self.unix_ms() - self.epoch.0) as i64;
        live_ms - self.screens[&viewer].position_ms
    }

    pub fn forget_stalls(&mut self) {
        for screen in self.screens.values_mut() {
            (screen.stalled_ms, screen.longest_stall_ms, screen.stall_ms) = (0, 0, 0);
        }
    }

    pub fn longest_stall_ms(&self) -> u64 {
        self.screens.values().map(|screen| screen.longest_stall_ms).max().unwrap_or(0)
    }
}
