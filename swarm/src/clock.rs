//! The tracker's clock as a participant estimates it: the one time that all of a swarm share.

use std::time::Duration;

use crate::Timestamp;

/// From the welcome to the first question. Doubles up to a minute.
const ASK_FIRST: Duration = Duration::from_millis(400);

/// Offset between the shell's monotonic clock and the tracker's Unix time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    asked: Option<Timestamp>,
    known: Option<Sample>,
    readings: u32,
}

/// One reading of the tracker's clock.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Tracker's Unix time, in milliseconds, at the shell's zero.
    offset_ms: i64,
    /// Within how long a round trip it was read: half of that is how wrong it can be.
    round_trip_ms: u64,
}

/// A reading within this round trip is good enough to replace any other.
const GOOD_MS: u64 = 60;

/// What a reading without a question is taken for.
const GUESS_MS: u64 = 400;

impl Clock {
    /// When to ask again: soon at first, since a page that has just opened is too busy to read a clock, then seldom.
    pub(crate) fn ask_after(&self) -> Duration {
        ASK_FIRST * 2u32.pow(self.readings.min(7))
    }

    /// An answer is due: asking once more now would mix up the two.
    pub(crate) fn is_waiting(&self) -> bool {
        self.asked.is_some()
    }

    /// A question went out that the tracker answers with its time.
    pub(crate) fn ask(&mut self, now: Timestamp) {
        self.asked = Some(now);
    }

    /// The tracker said `time_ms` in answer: half a round trip ago, as far as one can know. An answer that took long
    /// (a tracker that has just started holds joins back) says less than an earlier, quicker one.
    pub(crate) fn answer(&mut self, now: Timestamp, time_ms: u64) {
        let Some(asked) = self.asked.take() else { return self.guess(now, time_ms) };
        self.readings += 1;
        let round_trip_ms = now.since(asked).as_millis() as u64;
        if self.known.is_none_or(|known| round_trip_ms <= known.round_trip_ms.max(GOOD_MS)) {
            let offset_ms = time_ms as i64 + round_trip_ms as i64 / 2 - now.as_millis() as i64;
            self.known = Some(Sample { offset_ms, round_trip_ms });
        }
    }

    /// The tracker said `time_ms` without being asked: better than nothing.
    pub(crate) fn guess(&mut self, now: Timestamp, time_ms: u64) {
        let offset_ms = time_ms as i64 - now.as_millis() as i64;
        self.known.get_or_insert(Sample { offset_ms, round_trip_ms: GUESS_MS });
    }

    /// The tracker's Unix time in milliseconds.
    pub(crate) fn tracker_ms(&self, now: Timestamp) -> Option<i64> {
        self.known.map(|known| now.as_millis() as i64 + known.offset_ms)
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
    #[test]
    fn an_answer_that_was_held_back_does_not_move_a_good_clock() {
        let mut clock = Clock::default();
        let at = Timestamp::from_millis;
        clock.ask(at(0));
        clock.answer(at(40), 50_020);
        clock.ask(at(1_000));
        clock.answer(at(9_000), 59_000);
        assert_eq!(clock.tracker_ms(at(9_000)), Some(59_000));
        clock.ask(at(10_000));
        clock.answer(at(10_060), 70_030);
        assert_eq!(clock.tracker_ms(at(10_060)), Some(70_060), "a good reading replaces any");
    }
}
