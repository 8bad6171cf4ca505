//! The figures of each channel. So many channels have their own, the rest share one set, so that nobody who can
//! register channels can make a monitor keep a series for each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use swarm::Received;

use crate::metrics::Count;

/// What the figures of channels without their own are named: no channel can have this name.
const OTHERS: &str = "(others)";

/// All channels' figures.
#[derive(Debug)]
pub(crate) struct Channels {
    named_max: usize,
    named: Mutex<HashMap<String, Arc<ChannelFigures>>>,
    others: Arc<ChannelFigures>,
}

/// The figures of one channel, or of those that share.
#[derive(Debug, Default)]
pub(crate) struct ChannelFigures {
    name: String,
    /// Broadcasts under way.
    pub(crate) live: Level,
    pub(crate) viewers: Level,
    /// Viewers that pass it on.
    pub(crate) sharing: Level,
    /// Frames that the relay has sent, in bytes.
    pub(crate) relay_bytes: Count,
    /// Payload that viewers report to have received, in bytes: from viewers, from the source, from the relay.
    pub(crate) received: [Count; 3],
    /// Encoders that publish to a hosted channel.
    pub(crate) encoders: Level,
    /// Hosted broadcasts that the server knows.
    pub(crate) connected: Level,
    pub(crate) bitrate_bps: Level,
    pub(crate) keyframe_interval_ms: Level,
    pub(crate) ingest_bytes: Count,
    pub(crate) keyframe_warnings: Count,
    /// Share of bytes that came from viewers in the last minute, in millionths.
    offload_ppm: AtomicU64,
}

/// A number that goes up and down, to which several may contribute.
#[derive(Debug, Default)]
pub(crate) struct Level(AtomicU64);

/// One contribution to a [`Level`], taken back on drop.
#[derive(Debug)]
pub(crate) struct Part {
    figures: Arc<ChannelFigures>,
    level: fn(&ChannelFigures) -> &Level,
    value: u64,
}

impl Channels {
    /// At most `named_max` channels have figures of their own.
    pub(crate) fn new(named_max: usize) -> Self {
        let others = ChannelFigures { name: OTHERS.to_owned(), ..ChannelFigures::default() };
        Channels { named_max, named: Mutex::default(), others: Arc::new(others) }
    }

    /// The figures that the channel `name` counts in while the answer is held. A channel that has left makes room.
    pub(crate) fn of(&self, name: &str) -> Arc<ChannelFigures> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(figures) = named.get(name) {
            return Arc::clone(figures);
        }
        if named.len() >= self.named_max {
            let unused = named.iter().find(|(_, figures)| Arc::strong_count(figures) == 1);
            let Some(unused) = unused.map(|(name, _)| name.clone()) else { return Arc::clone(&self.others) };
            named.remove(&unused);
        }
        let figures = Arc::new(ChannelFigures { name: name.to_owned(), ..ChannelFigures::default() });
        named.insert(name.to_owned(), Arc::clone(&figures));
        figures
    }

    /// The figures of a channel that has its own.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<ChannelFigures>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Those with a name, by name, and the sum of all others.
    pub(crate) fn all(&self) -> Vec<Arc<ChannelFigures>> {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = named.values().cloned().collect();
        drop(named);
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.push(Arc::clone(&self.others));
        all
    }
}

impl ChannelFigures {
    /// The channel's name; in parentheses that of those who share.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Viewers have received so much more.
    pub(crate) fn add_received(&self, more: Received) {
        let Received { viewers, source, relay } = more;
        self.received.iter().zip([viewers, source, relay]).for_each(|(count, more)| count.add(more));
    }

    /// What viewers have received.
    pub(crate) fn received(&self) -> Received {
        let [viewers, source, relay] = &self.received;
        Received { viewers: viewers.total(), source: source.total(), relay: relay.total() }
    }

    /// Share of bytes that came from viewers in the last minute; 0 if there were none.
    pub(crate) fn offload(&self) -> f64 {
        self.offload_ppm.load(Relaxed) as f64 / 1e6
    }

    /// Notes what was received in the last minute.
    pub(crate) fn note_minute(&self, minute: Received) {
        self.offload_ppm.store((minute.offload() * 1e6) as u64, Relaxed);
    }
}

impl Level {
    /// The sum of all contributions.
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Part {
    /// A contribution of nothing.
    pub(crate) fn of(figures: &Arc<ChannelFigures>, level: fn(&ChannelFigures) -> &Level) -> Self {
        Part { figures: Arc::clone(figures), level, value: 0 }
    }

    /// Contributes `value` from now on.
    pub(crate) fn set(&mut self, value: u64) {
        if value != self.value {
            // In two's complement a difference below zero wraps to the right sum.
            (self.level)(&self.figures).0.fetch_add(value.wrapping_sub(self.value), Relaxed);
            self.value = value;
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_channels_than_names_share_one_set() {
        let channels = Channels::new(2);
        let held: Vec<_> = ["a", "b", "c", "d"].map(|name| channels.of(name)).into();
        let mut viewers: Vec<_> = held.iter().map(|figures| Part::of(figures, |of| &of.viewers)).collect();
        viewers.iter_mut().zip(1..).for_each(|(viewers, count)| viewers.set(count));
        let shown = |channels: &Channels| {
            let all = channels.all();
            all.iter().map(|of| (of.name().to_owned(), of.viewers.now())).collect::<Vec<_>>()
        };
        let expected = [("a", 1), ("b", 2), (OTHERS, 7)].map(|(name, viewers)| (name.to_owned(), viewers));
        assert_eq!(shown(&channels), expected);
        // One leaves, and its name is free for another.
        drop((held, viewers));
        assert_eq!(channels.of("e").name(), "e");
        assert_eq!(channels.all().iter().map(|of| of.viewers.now()).sum::<u64>(), 0);
    }
}
