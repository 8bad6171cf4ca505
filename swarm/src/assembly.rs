//! Chunks.
use bytes::Bytes;
use wire::Epoch;

/// A whole chunk, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The broadcast.
    pub epoch: Epoch,
    /// Number in the broadcast.
    pub number: u32,
    /// Which stream header it needs.
    pub generation: u16,
    /// Capture time of its first frame, in milliseconds since the epoch.
    pub time_ms: u32,
    /// Media time that it covers, in milliseconds.
    pub duration_ms: u16,
    /// It starts a segment.
    pub keyframe: bool,
    /// CMAF chunk: `moof` and `mdat`.
    pub bytes: Bytes,
}
