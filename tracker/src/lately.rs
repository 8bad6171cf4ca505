//! What was live lately: channels whose broadcast for everyone has ended since this server started, and the last picture of
//! each. Forgotten with the process, as everything about swarms is.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use swarm::Still;
use wire::ChannelId;

/// Channels remembered. 24: two rows of a list on a large screen, and no more work than that at each end of a broadcast. Their
/// pictures are 12 MiB at most.
const LATELY_MAX: usize = 24;

/// For how long. A day: tomorrow's visitor looks for tomorrow's programme.
const LATELY_FOR: Duration = Duration::from_secs(24 * 3600);

/// Ends of broadcasts, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Lately(Mutex<VecDeque<End>>);

/// How a broadcast ended.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) channel: ChannelId,
    /// Unix time, in milliseconds.
    pub(crate) at_ms: u64,
    /// What was seen last.
    pub(crate) still: Option<Still>,
}

impl Lately {
    /// A broadcast for everyone has ended.
    pub(crate) fn ended(&self, end: End) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.retain(|other| other.channel != end.channel);
        ends.push_front(end);
        ends.truncate(LATELY_MAX);
    }

    /// What ended lately, the newest first.
    pub(crate) fn at(&self, now_ms: u64) -> Vec<End> {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now_ms.saturating_sub(LATELY_FOR.as_millis() as u64);
        ends.iter().filter(|end| end.at_ms >= since).cloned().collect()
    }

    /// How the last broadcast of one channel ended, if that was lately.
    pub(crate) fn of(&self, channel: ChannelId, now_ms: u64) -> Option<End> {
        self.at(now_ms).into_iter().find(|end| end.channel == channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_each_once_and_not_for_ever() {
        let lately = Lately::default();
        let end = |number: u8, at_ms| End { channel: ChannelId([number; 32]), at_ms, still: None };
        for number in 0..30 {
            lately.ended(end(number, u64::from(number)));
        }
        lately.ended(end(20, 100));
        let names: Vec<_> = lately.at(200).into_iter().map(|end| end.channel.0[0]).collect();
        assert_eq!((names.len(), names[0], names[1]), (LATELY_MAX, 20, 29));
        assert_eq!(names.iter().filter(|name| **name == 20).count(), 1);
        let day_ms = LATELY_FOR.as_millis() as u64;
        assert_eq!(lately.of(ChannelId([20; 32]), day_ms + 100).map(|end| end.at_ms), Some(100));
        assert!(lately.of(ChannelId([29; 32]), day_ms + 100).is_none());
        assert!(lately.at(day_ms + 101).is_empty());
    }
}
