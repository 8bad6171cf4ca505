//! A programme without an encoder: chunks of the sizes that an encoder makes, whose content everybody can check.

use bytes::Bytes;
use media::{Chunk, InitSegment};

use crate::random::Random;

/// Media time of one chunk.
pub const CHUNK_MS: u32 = 100;

/// Every so many chunks start with a keyframe: one a second, as broadcasters are told to set their encoder.
pub const CHUNKS_PER_SEGMENT: u32 = 10;

/// A keyframe's chunk is so many times as long as another.
const KEYFRAME_TIMES: u32 = 4;

/// A programme of one bitrate.
#[derive(Debug, Clone, Copy)]
pub struct Programme {
    bitrate_bps: u32,
}

impl Programme {
    /// Chunks that make up `bitrate_bps` on average over each segment.
    pub fn new(bitrate_bps: u32) -> Self {
        Programme { bitrate_bps }
    }

    /// What stands for an init segment. No decoder will see it.
    pub fn init(&self) -> InitSegment {
        let (mime, bytes) = ("video/mp4".to_owned(), Bytes::from_static(b"synthetic"));
        InitSegment { mime, bytes, video: None, audio: None }
    }

    /// Chunk `number`, from 0. It is whole when the media time of its end has come.
    pub fn chunk(&self, number: u32) -> Chunk {
        let keyframe = number.is_multiple_of(CHUNKS_PER_SEGMENT);
        Chunk {
            start_ms: u64::from(number) * u64::from(CHUNK_MS),
            duration_ms: CHUNK_MS,
            keyframe,
            bytes: self.content(number, keyframe),
        }
    }

    /// Whether `bytes` are those of chunk `number`.
    pub fn is_chunk(&self, number: u32, bytes: &[u8]) -> bool {
        self.chunk(number).bytes == bytes
    }

    fn content(&self, number: u32, keyframe: bool) -> Bytes {
        let per_segment = u64::from(self.bitrate_bps) / 8 * u64::from(CHUNKS_PER_SEGMENT * CHUNK_MS) / 1000;
        let usual = per_segment / u64::from(KEYFRAME_TIMES + CHUNKS_PER_SEGMENT - 1);
        let length = if keyframe { usual * u64::from(KEYFRAME_TIMES) } else { usual }.max(1) as usize;
        let mut random = Random::seeded(number.into());
        let words = (0..length.div_ceil(8)).flat_map(|_| random.number().to_le_bytes());
        words.take(length).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_the_bitrate_and_a_keyframe_is_four_times_as_long() {
        let programme = Programme::new(3_000_000);
        let lengths: Vec<_> = (0..10).map(|number| programme.chunk(number).bytes.len()).collect();
        let whole: usize = lengths.iter().sum();
        assert!(whole.abs_diff(375_000) < 20, "{whole}");
        assert_eq!(lengths[0], 4 * lengths[1]);
        assert!(programme.chunk(20).keyframe && !programme.chunk(21).keyframe);
    }

    #[test]
    fn content_can_be_checked() {
        let programme = Programme::new(1_000_000);
        let chunk = programme.chunk(7);
        assert!(programme.is_chunk(7, &chunk.bytes));
        assert!(!programme.is_chunk(8, &chunk.bytes));
        assert!(!programme.is_chunk(7, &chunk.bytes[1..]));
    }
}
