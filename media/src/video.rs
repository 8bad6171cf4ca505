//! The video track of a cutter: gives each frame its duration, which is known when the next one arrives, so
//! exactly one frame is held back. When a chunk is complete is decided by the cutter.

use bytes::Bytes;

use crate::error::MediaError;
use crate::parameters::VideoParameters;

/// NAL unit type of a picture that needs no other (ITU-T H.264, table 7-1).
const NAL_IDR: u8 = 5;

/// What the first frame of a track lasts when no second one ever comes, ms: one frame at 30 a second.
const FIRST_DURATION_MS: u32 = 33;

/// A frame that is ready for a chunk.
#[derive(Debug, Clone)]
pub(crate) struct VideoSample {
    pub duration_ms: u32,
    pub composition_ms: i32,
    pub keyframe: bool,
    pub data: Bytes,
}

/// A frame whose duration is not known yet.
#[derive(Debug, Clone)]
struct Held {
    decode_ms: u64,
    composition_ms: i32,
    keyframe: bool,
    data: Bytes,
}

/// Frames on their way into a chunk.
#[derive(Debug, Default)]
pub(crate) struct VideoTrack {
    /// Of the present encoder, once it has sent them.
    pub parameters: Option<VideoParameters>,
    pub ready: Vec<VideoSample>,
    /// Decoding time of the first ready frame, ms.
    pub ready_start_ms: u64,
    pub ready_bytes: usize,
    held: Option<Held>,
    last_duration_ms: Option<u32>,
}

impl VideoTrack {
    /// Takes a frame in: the one before gets its duration and becomes ready. Returns the decoding time given to
    /// the new one, at least 1 ms after the last.
    pub fn push(&mut self, time_ms: u64, composition_ms: i32, keyframe: bool, data: Bytes) -> u64 {
        let earliest_ms = self.held.as_ref().map_or(0, |held| held.decode_ms + 1);
        let decode_ms = time_ms.max(earliest_ms);
        self.release(Some(decode_ms));
        // A frame pushed later to keep the order is still shown when it was meant to be.
        let moved_ms = i32::try_from(decode_ms - time_ms).unwrap_or(i32::MAX);
        let composition_ms = composition_ms.saturating_sub(moved_ms);
        self.held = Some(Held { decode_ms, composition_ms, keyframe, data });
        decode_ms
    }

    /// Makes the held frame ready, lasting until `until_ms`, or as long as the one before it.
    pub fn release(&mut self, until_ms: Option<u64>) {
        let Some(held) = self.held.take() else { return };
        let duration_ms = match until_ms {
            Some(until_ms) => u32::try_from(until_ms - held.decode_ms).unwrap_or(u32::MAX),
            None => self.last_duration_ms.unwrap_or(FIRST_DURATION_MS),
        };
        self.last_duration_ms = Some(duration_ms);
        if self.ready.is_empty() {
            self.ready_start_ms = held.decode_ms;
        }
        self.ready_bytes += held.data.len();
        let Held { composition_ms, keyframe, data, .. } = held;
        self.ready.push(VideoSample { duration_ms, composition_ms, keyframe, data });
    }

    pub fn ready_ms(&self) -> u64 {
        self.ready.iter().map(|sample| u64::from(sample.duration_ms)).sum()
    }

    pub fn last_duration_ms(&self) -> u32 {
        self.last_duration_ms.unwrap_or(FIRST_DURATION_MS)
    }

    /// Forgets the ready frames, after they were written.
    pub fn clear_ready(&mut self) {
        self.ready.clear();
        self.ready_bytes = 0;
    }

    /// Forgets the encoder; ready and held frames must have been dealt with.
    pub fn restart(&mut self) {
        *self = Self::default();
    }
}

/// Whether the access unit can be decoded on its own. Also checks that the length prefixes add up, because a
/// broken one would silence the browser's decoder for good.
pub(crate) fn contains_idr(data: &[u8], nal_length_bytes: usize) -> Result<bool, MediaError> {
    let (mut rest, mut idr) = (data, false);
    while !rest.is_empty() {
        let (length, after) = rest
            .split_at_checked(nal_length_bytes)
            .ok_or_else(|| MediaError::malformed("NAL length cut off"))?;
        let length = length.iter().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
        let (nal, after) = after
            .split_at_checked(length)
            .ok_or_else(|| MediaError::malformed("NAL longer than its frame"))?;
        idr |= nal.first().is_some_and(|header| header & 0x1f == NAL_IDR);
        rest = after;
    }
    Ok(idr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_come_from_the_next_frame_and_sum_up() {
        let mut track = VideoTrack::default();
        for time_ms in [100, 133, 167, 200] {
            track.push(time_ms, 0, false, Bytes::from_static(b"x"));
        }
        let durations: Vec<u32> = track.ready.iter().map(|sample| sample.duration_ms).collect();
        assert_eq!((track.ready_start_ms, durations), (100, vec![33, 34, 33]));
    }

    #[test]
    fn a_frame_from_the_past_is_decoded_later_and_shown_in_time() {
        let mut track = VideoTrack::default();
        track.push(100, 0, false, Bytes::new());
        assert_eq!(track.push(95, 40, false, Bytes::new()), 101);
        track.release(None);
        assert_eq!(101 + track.ready[1].composition_ms, 95 + 40);
    }

    #[test]
    fn idr_is_found_behind_other_units() {
        let frame = [0, 0, 0, 2, 0x09, 0xf0, 0, 0, 0, 1, 0x65];
        assert_eq!(contains_idr(&frame, 4), Ok(true));
        assert_eq!(contains_idr(&frame[..6], 4), Ok(false));
        assert!(contains_idr(&frame[..9], 4).is_err());
        assert!(contains_idr(&[0, 0, 0, 9, 0x65], 4).is_err());
    }
}
