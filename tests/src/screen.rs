//! A viewer's screen without a decoder: what a media element does with ranges of media, steered by the real
//! [`swarm::Playout`]. It plays in real time, stands still where media is missing, and goes on when it is there.

use std::time::Duration;

use swarm::{Playout, PlayoutConfig, Timestamp, View};

/// A run of media that ends less than this before the next one begins is played through.
const TOUCHES_MS: i64 = 2;

/// The picture stood still for want of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// When the picture came to stand.
    pub since: Timestamp,
    /// How long it stood.
    pub length: Duration,
}

/// What one look at the screen found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Media time shown.
    pub position_ms: i64,
    /// The picture stands still for want of media.
    pub stalled: bool,
}

/// A media element and the steering of its playhead.
#[derive(Debug)]
pub struct Screen {
    playout: Playout,
    /// Buffered media, in rising order, none touching the next.
    ranges: Vec<(i64, i64)>,
    position_ms: f64,
    rate: f64,
    /// Up to when the position has been moved.
    moved_at: Timestamp,
    first_frame_at: Option<Timestamp>,
    standing_since: Option<Timestamp>,
    stalls: Vec<Stall>,
    jumps: u32,
}

impl Screen {
    /// A black screen.
    pub fn new(now: Timestamp) -> Self {
        Screen {
            playout: Playout::new(PlayoutConfig::default()),
            ranges: Vec::new(),
            position_ms: 0.0,
            rate: 1.0,
            moved_at: now,
            first_frame_at: None,
            standing_since: None,
            stalls: Vec::new(),
            jumps: 0,
        }
    }

    /// A timeline begins, whose viewers aim at this lag.
    pub fn restart(&mut self, target_lag_ms: i64) {
        self.playout.restart(target_lag_ms);
        self.ranges.clear();
    }

    /// A chunk is there, whole.
    pub fn append(&mut self, now: Timestamp, start_ms: i64, end_ms: i64) {
        self.advance(now);
        let touches =
            |range: &&mut (i64, i64)| start_ms <= range.1 + TOUCHES_MS && range.0 <= end_ms + TOUCHES_MS;
        match self.ranges.iter_mut().find(touches) {
            Some(range) => *range = (range.0.min(start_ms), range.1.max(end_ms)),
            None => {
                let at = self.ranges.partition_point(|range| range.0 < start_ms);
                self.ranges.insert(at, (start_ms, end_ms));
            }
        }
        self.note_standing(now);
    }

    /// Lets the playhead run on to this moment.
    pub fn advance(&mut self, now: Timestamp) {
        let elapsed = now.since(self.moved_at);
        let from = self.moved_at;
        self.moved_at = from.max(now);
        if self.first_frame_at.is_none() {
            return;
        }
        let wanted_ms = elapsed.as_secs_f64() * 1000.0 * self.rate;
        let moved_ms = wanted_ms.min(self.ahead_ms());
        self.position_ms += moved_ms;
        if moved_ms < wanted_ms {
            let stands_at = from + Duration::from_secs_f64(moved_ms / self.rate / 1000.0);
            self.standing_since.get_or_insert(stands_at);
        }
    }

    /// Reads and steers. `live_ms`: media time of what is being captured at this moment.
    pub fn look(&mut self, now: Timestamp, live_ms: i64) -> Look {
        self.advance(now);
        let position_ms = self.position_ms as i64;
        let view = View { now, live_ms, position_ms, buffered: &self.ranges, paused: false, hidden: false };
        let steer = self.playout.steer(view);
        self.rate = steer.rate;
        if let Some(to_ms) = steer.seek_ms {
            self.jump(now, to_ms);
        }
        self.ranges.retain(|range| range.1 > steer.remove_before_ms);
        Look { position_ms: self.position_ms as i64, stalled: steer.stalled }
    }

    fn jump(&mut self, now: Timestamp, to_ms: i64) {
        self.position_ms = to_ms as f64;
        match self.first_frame_at {
            Some(_) => self.jumps += 1,
            None => self.first_frame_at = Some(now),
        }
        self.note_standing(now);
    }

    /// Media to play from the playhead on, without a gap, in milliseconds.
    fn ahead_ms(&self) -> f64 {
        let here =
            |range: &&(i64, i64)| range.0 as f64 <= self.position_ms && self.position_ms < range.1 as f64;
        self.ranges.iter().find(here).map_or(0.0, |range| range.1 as f64 - self.position_ms)
    }

    fn note_standing(&mut self, now: Timestamp) {
        if self.ahead_ms() > 0.0
            && let Some(since) = self.standing_since.take()
        {
            self.stalls.push(Stall { since, length: now.since(since) });
        }
    }

    /// Media time shown, as far as the playhead has been moved.
    pub fn position_ms(&self) -> i64 {
        self.position_ms as i64
    }

    /// When the first picture was there.
    pub fn first_frame_at(&self) -> Option<Timestamp> {
        self.first_frame_at
    }

    /// Every time that the picture stood still, one that goes on included.
    pub fn stalls(&self) -> Vec<Stall> {
        let standing = self.standing_since.map(|since| Stall { since, length: self.moved_at.since(since) });
        self.stalls.iter().copied().chain(standing).collect()
    }

    /// Jumps since the first picture: media left out.
    pub fn jumps(&self) -> u32 {
        self.jumps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// A screen that plays from 500 ms on, at the target lag: live is the time itself.
    fn playing() -> Screen {
        let mut screen = Screen::new(at(0));
        for start in (0..2_000).step_by(100) {
            screen.append(at(2_000), start, start + 100);
        }
        assert_eq!(screen.look(at(2_000), 2_000), Look { position_ms: 500, stalled: false });
        screen
    }

    #[test]
    fn it_starts_at_the_target_lag_and_plays_in_real_time() {
        let mut screen = playing();
        assert_eq!(screen.first_frame_at(), Some(at(2_000)));
        assert_eq!(screen.look(at(2_700), 2_700).position_ms, 1_200);
        assert_eq!(screen.stalls(), []);
    }

    #[test]
    fn it_stands_still_where_media_ends_and_goes_on_when_more_comes() {
        let mut screen = playing();
        screen.look(at(3_600), 3_600);
        let look = screen.look(at(3_800), 3_800);
        assert_eq!(look.position_ms, 2_000);
        screen.append(at(4_000), 2_000, 2_100);
        assert_eq!(screen.stalls(), [Stall { since: at(3_500), length: Duration::from_millis(500) }]);
        screen.advance(at(4_050));
        assert_eq!(screen.stalls().len(), 1);
    }

    #[test]
    fn a_stall_that_goes_on_is_counted_as_far_as_it_has_come() {
        let mut screen = playing();
        screen.advance(at(3_900));
        assert_eq!(screen.stalls(), [Stall { since: at(3_500), length: Duration::from_millis(400) }]);
    }

    #[test]
    fn behind_a_gap_it_goes_on_with_a_jump() {
        let mut screen = playing();
        screen.append(at(3_400), 2_500, 3_500);
        for ms in (3_450..4_200).step_by(50) {
            screen.look(at(ms), ms as i64);
        }
        assert!(screen.jumps() == 1 && screen.look(at(4_200), 4_200).position_ms > 2_500);
        assert!(screen.stalls().iter().all(|stall| stall.length <= Duration::from_millis(50)));
    }
}
