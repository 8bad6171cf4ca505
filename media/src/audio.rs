//! The audio track of a cutter: its clock counts samples, so that consecutive frames meet exactly, and is set
//! right only when it drifts from the timestamps, which are rounded to milliseconds.

use bytes::Bytes;

use crate::parameters::AudioParameters;

/// How far the sample count may be from the timestamps before it gives way, ms. Encoders round to 1 ms and
/// jitter by a frame (21 ms at 48 kHz); 45 ms is where people begin to see sound and lips apart (ITU-R BT.1359).
const DRIFT_MAX_MS: u64 = 45;

/// A frame that is ready for a chunk.
#[derive(Debug, Clone)]
pub(crate) struct AudioSample {
    /// In samples.
    pub duration: u32,
    pub data: Bytes,
}

/// Frames on their way into a chunk.
#[derive(Debug, Default)]
pub(crate) struct AudioTrack {
    /// Of the present encoder, once it has sent them.
    pub parameters: Option<AudioParameters>,
    pub ready: Vec<AudioSample>,
    /// Decoding time of the first ready frame, in samples.
    pub ready_start: u64,
    pub ready_bytes: usize,
    /// Where the next frame begins, in samples.
    next: Option<u64>,
}

impl AudioTrack {
    /// Takes a frame in. One that comes too early by more than the drift allowed is dropped: it would overlap.
    pub fn push(&mut self, time_ms: u64, data: Bytes) {
        let Some(parameters) = &self.parameters else { return };
        let (rate_hz, frame_samples) = (u64::from(parameters.sample_rate_hz()), parameters.frame_samples());
        let due = time_ms.saturating_mul(rate_hz) / 1_000;
        let drift_max = DRIFT_MAX_MS * rate_hz / 1_000;
        let mut start = *self.next.get_or_insert(due);
        if due.saturating_add(drift_max) < start {
            return;
        }
        let mut duration = frame_samples;
        let late = due.saturating_sub(start);
        if late > drift_max {
            // Sound was lost. A hole in the track would stall the player, a longer frame does not.
            let gap = u32::try_from(late).unwrap_or(u32::MAX - frame_samples);
            match self.ready.last_mut() {
                Some(last) => {
                    last.duration = last.duration.saturating_add(gap);
                    start += u64::from(gap);
                }
                None => duration += gap,
            }
        }
        if self.ready.is_empty() {
            self.ready_start = start;
        }
        self.next = Some(start + u64::from(duration));
        self.ready_bytes += data.len();
        self.ready.push(AudioSample { duration, data });
    }

    /// How much is ready, ms.
    pub fn ready_ms(&self) -> u64 {
        let samples: u64 = self.ready.iter().map(|sample| u64::from(sample.duration)).sum();
        self.to_ms(samples)
    }

    /// Where the first ready frame begins, ms.
    pub fn ready_start_ms(&self) -> u64 {
        self.to_ms(self.ready_start)
    }

    /// Where the track ends so far, ms, rounded up.
    pub fn end_ms(&self) -> u64 {
        self.next.map_or(0, |next| self.to_ms(next) + 1)
    }

    /// What one frame lasts, ms.
    pub fn frame_ms(&self) -> u64 {
        self.to_ms(self.parameters.as_ref().map_or(0, |parameters| parameters.frame_samples().into()))
    }

    /// Forgets the ready frames, after they were written.
    pub fn clear_ready(&mut self) {
        self.ready.clear();
        self.ready_bytes = 0;
    }

    /// The next frame begins where its timestamp says.
    pub fn forget_clock(&mut self) {
        self.next = None;
    }

    /// Forgets the encoder.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    fn rate_hz(&self) -> Option<u64> {
        self.parameters.as_ref().map(|parameters| u64::from(parameters.sample_rate_hz()))
    }

    fn to_ms(&self, samples: u64) -> u64 {
        self.rate_hz().map_or(0, |rate_hz| samples.saturating_mul(1_000) / rate_hz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stereo_44100() -> AudioTrack {
        let parameters = AudioParameters::new(&[0x12, 0x10]).unwrap();
        AudioTrack { parameters: Some(parameters), ..AudioTrack::default() }
    }

    fn frame() -> Bytes {
        Bytes::from_static(b"aac")
    }

    #[test]
    fn rounded_timestamps_leave_no_gaps() {
        let mut track = stereo_44100();
        for index in 0..1_000_u64 {
            track.push(index * 1024 * 1000 / 44_100, frame());
        }
        assert!(track.ready.iter().all(|sample| sample.duration == 1024));
        assert_eq!(track.ready.len(), 1_000);
    }

    #[test]
    fn lost_sound_stretches_the_frame_before_it() {
        let mut track = stereo_44100();
        track.push(0, frame());
        track.push(1_000, frame());
        assert_eq!(track.ready[0].duration, 44_100);
        track.clear_ready();
        track.push(3_000, frame());
        assert_eq!(track.ready_start, 44_100 + 1024, "and never leaves a hole between chunks");
        assert_eq!(track.ready_start + u64::from(track.ready[0].duration), 3 * 44_100 + 1024);
    }

    #[test]
    fn too_much_sound_is_dropped_not_overlapped() {
        let mut track = stereo_44100();
        // Twice as many frames as time passes.
        for index in 0..1_000_u64 {
            track.push(index * 10, frame());
        }
        let end_ms = track.end_ms();
        assert!((9_900..10_100).contains(&end_ms), "{end_ms}");
    }
}
