//! How a hosted broadcast's encoder does, for monitors.

use std::sync::Arc;
use std::time::Instant;

use uploader::Counters;

use crate::figures::{ChannelFigures, Part};

/// One broadcast's books.
pub(crate) struct IngestHealth {
    figures: Arc<ChannelFigures>,
    encoders: Part,
    connected: Part,
    bitrate_bps: Part,
    keyframe_interval_ms: Part,
    last: Counters,
    at: Instant,
}

impl IngestHealth {
    /// Books in `figures`, opened now.
    pub(crate) fn new(figures: Arc<ChannelFigures>, now: Instant) -> Self {
        IngestHealth {
            encoders: Part::of(&figures, |of| &of.encoders),
            connected: Part::of(&figures, |of| &of.connected),
            bitrate_bps: Part::of(&figures, |of| &of.bitrate_bps),
            keyframe_interval_ms: Part::of(&figures, |of| &of.keyframe_interval_ms),
            figures,
            last: Counters::default(),
            at: now,
        }
    }

    /// Takes over what the broadcast has counted.
    pub(crate) fn note(&mut self, now: Instant, counters: Counters) {
        let bytes = counters.payload_bytes.saturating_sub(self.last.payload_bytes);
        let warnings = counters.keyframe_warnings.saturating_sub(self.last.keyframe_warnings);
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.encoders.set(counters.encoding.into());
        self.connected.set(counters.connected.into());
        if elapsed > 0.0 {
            self.bitrate_bps.set((bytes as f64 * 8.0 / elapsed) as u64);
        }
        let interval_ms = if counters.encoding { counters.keyframe_interval_ms } else { 0 };
        self.keyframe_interval_ms.set(interval_ms.into());
        self.figures.ingest_bytes.add(bytes);
        self.figures.keyframe_warnings.add(warnings);
        (self.last, self.at) = (counters, now);
    }
}
