//! RTMP timestamps become media time: milliseconds since the broadcast's epoch began. Per-track order is enforced
//! by [`crate::Cutter`]; this file only says where on the time axis a tag belongs.

/// How far tags of the two tracks may be interleaved out of order, and how much a pause in the timestamps may
/// exceed the pause on the wire, before the encoder is taken to have jumped, ms.
const JUMP_TOLERANCE_MS: i64 = 3_000;

/// Where on the broadcast's time axis the tags of the present encoder lie.
///
/// Media time never leads back: an encoder that returns continues at the time of its return, one whose
/// timestamps jump continues where it was plus the time that really passed. Both tracks share one mapping, so
/// sound and picture stay together across wraps, jumps and returns.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    base_ms: u64,
    last: Option<Anchor>,
}

/// The newest tag: its RTMP timestamp, media time and arrival.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    timestamp_ms: u32,
    media_ms: i64,
    arrived_ms: i64,
}

impl Timeline {
    /// A broadcast that begins: media time 0 is the first tag's.
    pub fn new() -> Self {
        Self::default()
    }

    /// An encoder (re)appears: its next tag is placed at `start_ms`, which the caller chooses as the time since
    /// the epoch began, but not before the end of what was sent already.
    pub fn rebase(&mut self, start_ms: u64) {
        *self = Self { base_ms: start_ms.max(self.base_ms), last: None };
    }

    /// The media time, ms, of a frame stamped `timestamp_ms` by RTMP that arrived at `now_ms` (since the epoch
    /// began). Not for sequence headers: their timestamps are arbitrary.
    pub fn place(&mut self, timestamp_ms: u32, now_ms: u64) -> u64 {
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let media_ms = match self.last {
            None => i64::try_from(self.base_ms).unwrap_or(i64::MAX),
            Some(last) => last.next_media_ms(timestamp_ms, now_ms),
        };
        self.last = Some(Anchor { timestamp_ms, media_ms, arrived_ms: now_ms });
        u64::try_from(media_ms).unwrap_or(0).max(self.base_ms)
    }
}

impl Anchor {
    fn next_media_ms(&self, timestamp_ms: u32, now_ms: i64) -> i64 {
        let step = difference_31_bit(timestamp_ms, self.timestamp_ms);
        let elapsed = now_ms.saturating_sub(self.arrived_ms).max(0);
        let jumped = step < -JUMP_TOLERANCE_MS || step > elapsed.saturating_add(JUMP_TOLERANCE_MS);
        self.media_ms.saturating_add(if jumped { elapsed.max(1) } else { step })
    }
}

/// `later - earlier` modulo 2^31, as a signed number. RTMP counts to 2^32, FFmpeg masks to 31 bits: modulo 2^31
/// both wraps are steps of the right size.
fn difference_31_bit(later: u32, earlier: u32) -> i64 {
    let difference = later.wrapping_sub(earlier) << 1;
    i64::from(difference as i32 >> 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_offset_start_begins_at_the_base() {
        let mut timeline = Timeline::new();
        timeline.rebase(500);
        assert_eq!(timeline.place(7_200_000, 500), 500);
        assert_eq!(timeline.place(7_200_033, 540), 533);
    }

    #[test]
    fn both_wraps_are_small_steps() {
        for top in [0x7fff_ffff_u32, 0xffff_ffff] {
            let mut timeline = Timeline::new();
            assert_eq!(timeline.place(top - 9, 0), 0);
            assert_eq!(timeline.place(top.wrapping_add(11) & top, 20), 20);
        }
    }

    #[test]
    fn a_returning_encoder_continues_at_the_time_of_its_return() {
        let mut timeline = Timeline::new();
        assert_eq!(timeline.place(0, 0), 0);
        assert_eq!(timeline.place(1_000, 1_000), 1_000);
        timeline.rebase(31_000);
        assert_eq!(timeline.place(0, 31_000), 31_000);
        timeline.rebase(5); // an earlier time cannot be had
        assert!(timeline.place(0, 31_500) >= 31_000);
    }

    #[test]
    fn jumps_become_the_time_that_really_passed() {
        let mut timeline = Timeline::new();
        timeline.place(1_000_000, 10);
        assert_eq!(timeline.place(5, 50), 40, "backwards");
        assert_eq!(timeline.place(3_600_005, 90), 80, "forwards");
        assert_eq!(timeline.place(3_600_045, 130), 120, "and on");
    }

    #[test]
    fn a_stall_on_the_wire_is_no_jump() {
        let mut timeline = Timeline::new();
        timeline.place(0, 0);
        assert_eq!(timeline.place(40, 20_000), 40, "held back, then delivered");
        assert_eq!(timeline.place(20_000, 20_010), 40 + 10, "frames cannot come from the future");
        let mut timeline = Timeline::new();
        timeline.place(0, 0);
        assert_eq!(timeline.place(20_000, 20_100), 20_000, "frames were dropped at the source");
    }

    #[test]
    fn interleaving_keeps_the_tracks_together() {
        let mut timeline = Timeline::new();
        timeline.rebase(1_000);
        assert_eq!(timeline.place(500, 0), 1_000);
        assert_eq!(timeline.place(480, 0), 1_000, "never before the base");
        assert_eq!(timeline.place(520, 30), 1_020, "and no drift from that");
    }

    proptest! {
        #[test]
        fn any_timestamps_stay_on_the_axis(steps in prop::collection::vec((any::<u32>(), any::<u64>()), 1..200)) {
            let mut timeline = Timeline::new();
            timeline.rebase(77);
            for (timestamp, now) in steps {
                prop_assert!(timeline.place(timestamp, now) >= 77);
            }
        }
    }
}
