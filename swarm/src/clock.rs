//! The tracker's clock as a participant estimates it: the one time that all of a swarm share.

use crate::Timestamp;

/// Offset between the shell's monotonic clock and the tracker's Unix time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    asked: Option<Timestamp>,
    /// Tracker's Unix time, in milliseconds, at the shell's zero.
    offset_ms: Option<i64>,
}

impl Clock {
    /// A question went out that the tracker answers with its time.
    pub(crate) fn ask(&mut self, now: Timestamp) {
        self.asked = Some(now);
    }

    /// The tracker said `time_ms` in answer: half a round trip ago, as far as one can know.
    pub(crate) fn answer(&mut self, now: Timestamp, time_ms: u64) {
        let Some(asked) = self.asked.take() else { return self.guess(now, time_ms) };
        let half_ms = now.since(asked).as_millis() as i64 / 2;
        self.offset_ms = Some(time_ms as i64 + half_ms - now.as_millis() as i64);
    }

    /// The tracker said `time_ms` without being asked: better than nothing.
    pub(crate) fn guess(&mut self, now: Timestamp, time_ms: u64) {
        self.offset_ms.get_or_insert(time_ms as i64 - now.as_millis() as i64);
    }

    /// The tracker's Unix time in milliseconds.
    pub(crate) fn tracker_ms(&self, now: Timestamp) -> Option<i64> {
        self.offset_ms.map(|offset| now.as_millis() as i64 + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_round_trip_is_allowed_for() {
        let mut clock = Clock::default();
        let at = Timestamp::from_millis;
        assert_eq!(clock.tracker_ms(at(0)), None);
        clock.ask(at(1_000));
        clock.answer(at(1_100), 50_000);
        assert_eq!(clock.tracker_ms(at(1_100)), Some(50_050));
        assert_eq!(clock.tracker_ms(at(2_100)), Some(51_050));
    }

    #[test]
    fn a_clock_without_question_is_only_a_first_guess() {
        let mut clock = Clock::default();
        let at = Timestamp::from_millis;
        clock.guess(at(1_000), 50_000);
        clock.ask(at(1_000));
        clock.answer(at(1_020), 50_030);
        assert_eq!(clock.tracker_ms(at(1_020)), Some(50_040));
        clock.answer(at(9_000), 1);
        assert_eq!(clock.tracker_ms(at(1_020)), Some(50_040), "a message without question does not move it");
    }
}
