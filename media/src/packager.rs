//! One broadcast from RTMP tags to chunks: reading, timing and cutting put together.

use bytes::Bytes;

use crate::cutter::{Cutter, CutterConfig, MediaEvent};
use crate::error::MediaError;
use crate::tag::{self, TagKind, Unit};
use crate::timeline::Timeline;

/// Which tracks the encoder's metadata promises. Known promises spare the wait for a track that never comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// There will be video.
    pub video: bool,
    /// There will be audio.
    pub audio: bool,
}

/// Makes one broadcast, of one epoch, out of the tags of one encoder after another.
#[derive(Debug)]
pub struct Packager {
    timeline: Timeline,
    cutter: Cutter,
    config: CutterConfig,
}

impl Packager {
    /// For a new epoch; media time is 0 at its beginning.
    pub fn new(config: CutterConfig) -> Self {
        Self { timeline: Timeline::new(), cutter: Cutter::new(config.clone()), config }
    }

    /// An encoder begins to publish: the first one, one that returned, or one that takes over. What was held
    /// of the one before is emitted; the first chunk of the new one starts with a keyframe, not before
    /// `now_ms` (ms since the epoch began) and not before the end of what was emitted.
    pub fn publish(&mut self, now_ms: u64) {
        self.cutter.flush();
        self.cutter.restart();
        self.timeline.rebase(now_ms.max(self.cutter.end_ms()));
    }

    /// What the encoder's metadata says about its tracks; see [`Announced`].
    pub fn announce(&mut self, announced: Announced) {
        self.cutter.announce(announced);
    }

    /// One RTMP tag: its timestamp as received and the time of its arrival, ms since the epoch began.
    pub fn push(
        &mut self,
        kind: TagKind,
        timestamp_ms: u32,
        now_ms: u64,
        body: Bytes,
    ) -> Result<(), MediaError> {
        let unit = tag::parse(kind, body, &self.config)?;
        let time_ms = match unit {
            Unit::VideoFrame { .. } | Unit::AudioFrame { .. } => self.timeline.place(timestamp_ms, now_ms),
            _ => 0,
        };
        self.cutter.push(unit, time_ms)
    }

    /// What happened since; call until `None`.
    pub fn poll(&mut self) -> Option<MediaEvent> {
        self.cutter.poll()
    }

    /// The encoder is gone: emits what is held.
    pub fn flush(&mut self) {
        self.cutter.flush();
    }

    /// Where the emitted media ends, ms since the epoch began.
    pub fn end_ms(&self) -> u64 {
        self.cutter.end_ms()
    }
}
