//! What was live lately: the names of public channels whose broadcast has ended since this server started. Forgotten with
//! the process, as everything about swarms is.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wire::ChannelId;

/// Channels remembered. 24: two rows of a list on a large screen, and no more work than that at each end of a broadcast.
const LATELY_MAX: usize = 24;

/// For how long. A day: tomorrow's visitor looks for tomorrow's programme.
const LATELY_FOR: Duration = Duration::from_secs(24 * 3600);

/// Ends of broadcasts, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Lately(Mutex<VecDeque<(ChannelId, u64)>>);

impl Lately {
    /// A public broadcast has ended.
    pub(crate) fn ended(&self, channel: ChannelId, now_ms: u64) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.retain(|(other, _)| *other != channel);
        ends.push_front((channel, now_ms));
        ends.truncate(LATELY_MAX);
    }

    /// What ended lately, the newest first, with the Unix time of its end in milliseconds.
    pub(crate) fn at(&self, now_ms: u64) -> Vec<(ChannelId, u64)> {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now_ms.saturating_sub(LATELY_FOR.as_millis() as u64);
        ends.iter().copied().filter(|(_, ended_ms)| *ended_ms >= since).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_each_once_and_not_for_ever() {
        let lately = Lately::default();
        let channel = |number: u8| ChannelId([number; 32]);
        for number in 0..30 {
            lately.ended(channel(number), u64::from(number));
        }
        lately.ended(channel(20), 100);
        let names: Vec<_> = lately.at(200).into_iter().map(|(channel, _)| channel.0[0]).collect();
        assert_eq!((names.len(), names[0], names[1]), (LATELY_MAX, 20, 29));
        assert_eq!(names.iter().filter(|name| **name == 20).count(), 1);
        let day_ms = LATELY_FOR.as_millis() as u64;
        assert_eq!(lately.at(day_ms + 100), [(channel(20), 100)]);
        assert_eq!(lately.at(day_ms + 101), []);
    }
}
