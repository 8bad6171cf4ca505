//! How many stripes a broadcast has: fixed for its epoch, so decided before the first chunk.

/// Stripes of a usual broadcast.
const STRIPES: u8 = 6;

/// Stripes from 3 Mb/s on, where a chunk has pieces enough for all of them.
const STRIPES_FAST: u8 = 8;

const FAST_BPS: u32 = 3_000_000;

/// What is assumed of an encoder that does not say its bitrate.
const UNKNOWN_BPS: u32 = 2_500_000;

/// Sound, and what the boxes around the media add.
const BESIDES_VIDEO_BPS: u32 = 160_000;

/// Bits a second of a broadcast whose encoder announced `video_kbps`.
pub fn bitrate_bps(video_kbps: Option<u32>) -> u32 {
    match video_kbps {
        Some(kbps) if kbps > 0 => kbps.saturating_mul(1_000).saturating_add(BESIDES_VIDEO_BPS),
        _ => UNKNOWN_BPS,
    }
}

/// Stripes for a bitrate.
pub(crate) fn stripes(bitrate_bps: u32) -> u8 {
    if bitrate_bps > FAST_BPS { STRIPES_FAST } else { STRIPES }
}
