//! The first moments of an encoder: its first frames come late and in a bunch, while it fills its own queues, and
//! would make everything after them look newer than it is. They are held back until the true pace is known.

use std::time::{Duration, Instant};

use media::{Announced, TagKind};

use crate::ingest::Tag;

/// How long an encoder is listened to. The bunch of FFmpeg and OBS is over within this; viewers notice nothing, as
/// what was held goes out at once.
const LISTEN: Duration = Duration::from_millis(500);

/// An encoder that is further ahead of time than this does not send live: its pace says nothing.
const AHEAD_MAX: Duration = Duration::from_secs(2);

/// The tags of an encoder that has just begun.
pub(crate) struct Opening {
    pub(crate) tags: Vec<Tag>,
    pub(crate) announced: Option<Announced>,
    pub(crate) video_kbps: Option<u32>,
    first: Option<(u32, Instant)>,
    ahead: Duration,
}

impl Opening {
    pub(crate) fn new() -> Self {
        Opening { tags: Vec::new(), announced: None, video_kbps: None, first: None, ahead: Duration::ZERO }
    }

    /// Takes a tag in; returns whether that was enough.
    pub(crate) fn hold(&mut self, tag: Tag) -> bool {
        let mut heard = false;
        if is_frame(&tag) {
            let (timestamp_ms, arrived) = *self.first.get_or_insert((tag.timestamp_ms, tag.arrived));
            let elapsed = tag.arrived.saturating_duration_since(arrived);
            self.ahead = self.ahead.max(ahead(tag.timestamp_ms.wrapping_sub(timestamp_ms), elapsed));
            heard = elapsed >= LISTEN;
        }
        self.tags.push(tag);
        heard
    }

    /// Listens anew: keeps what the encoder says only once.
    pub(crate) fn again(self) -> Self {
        let headers = self.tags.into_iter().filter(|tag| !is_frame(tag));
        Opening { tags: headers.collect(), first: None, ahead: Duration::ZERO, ..self }
    }

    /// When the first frame would have arrived at the encoder's true pace; `None` without a frame.
    pub(crate) fn began(&self) -> Option<Instant> {
        let (_, arrived) = self.first?;
        Some(arrived.checked_sub(self.ahead.min(AHEAD_MAX)).unwrap_or(arrived))
    }
}

/// How much earlier than due a frame is that is stamped `step_ms` after the first and came `elapsed` after it.
fn ahead(step_ms: u32, elapsed: Duration) -> Duration {
    // A step of more than half the range is one backwards: sound before picture.
    let step = if step_ms > u32::MAX / 2 { Duration::ZERO } else { Duration::from_millis(step_ms.into()) };
    step.saturating_sub(elapsed)
}

/// Sequence headers carry timestamps that mean nothing.
fn is_frame(tag: &Tag) -> bool {
    let has_header = match tag.kind {
        TagKind::Video => true,
        TagKind::Audio => tag.body.first().is_some_and(|format| format >> 4 == 10),
    };
    !has_header || tag.body.get(1).is_some_and(|&packet| packet != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_first_bunch_is_seen_through() {
        let ms = Duration::from_millis;
        assert_eq!(ahead(40, ms(40)), ms(0), "on time");
        assert_eq!(ahead(40, ms(1)), ms(39), "the first came late");
        assert_eq!(ahead(40, ms(90)), ms(0), "this one is late");
        assert_eq!(ahead(5u32.wrapping_sub(20), ms(1)), ms(0));
    }
}
