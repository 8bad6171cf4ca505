//! A viewer's media element in simulated time, steered by the real `swarm::Playout`: it plays what is buffered, stands
//! still where nothing is, and is looked at as the browser's shell looks at it.

use swarm::{Playout, PlayoutConfig, Timestamp, View};

use crate::sim::agenda::Micros;
use crate::sim::model::*;

/// Media ranges closer than this are one, as in a SourceBuffer.
const JOINED_MS: i64 = 5;

/// A media element and its steering.
#[derive(Debug)]
pub struct Screen {
    playout: Playout,
    /// Buffered media, `start..end` in milliseconds, rising.
    ranges: Vec<(i64, i64)>,
    position_us: i64,
    rate: f64,
    /// Up to when the element has played.
    played_to: Micros,
    /// The element decodes until then and shows nothing new.
    busy_until: Micros,
    started: bool,
    /// When the first picture was shown.
    pub shown_at: Option<Micros>,
    /// Media time that must be there by now: the position, or where it would be had nothing been missing.
    due_us: i64,
    standing: Micros,
    told_at: Option<Micros>,
    /// What is measured.
    pub tally: Tally,
}

/// What a screen has seen since the start of measuring.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Time since the first picture.
    pub watched: Micros,
    /// Of it, standing still.
    pub stalled: Micros,
    /// Longest standstill.
    pub longest: Micros,
    /// Standstills.
    pub stalls: u32,
}

/// What the engine is to be told after a look.
pub struct Look {
    /// Media time shown, and whether it stands still; `None`: it is not time.
    pub playhead: Option<(u32, bool)>,
}

impl Screen {
    /// Dark.
    pub fn new(now: Micros) -> Screen {
        Screen {
            playout: Playout::new(PlayoutConfig::default()),
            ranges: Vec::new(),
            position_us: 0,
            rate: 1.0,
            played_to: now,
            busy_until: now,
            started: false,
            shown_at: None,
            due_us: 0,
            standing: 0,
            told_at: None,
            tally: Tally::default(),
        }
    }

    /// Another timeline begins.
    pub fn restart(&mut self, now: Micros, target_lag_ms: u16) {
        self.advance(now);
        self.playout.restart(i64::from(target_lag_ms));
        self.ranges.clear();
        self.started = false;
        self.due_us = 0;
        self.position_us = 0;
    }

    /// Nothing has been asked of it on this timeline yet.
    pub fn is_dark(&self) -> bool {
        !self.started
    }

    /// Media time shown, in milliseconds since the epoch.
    pub fn position_ms(&self) -> i64 {
        self.position_us / 1_000
    }

    /// Media time that must be there by now; `None` before the start.
    pub fn due_ms(&self) -> Option<i64> {
        self.started.then_some(self.due_us / 1_000)
    }

    /// Whether the picture stands still at this moment.
    pub fn is_standing(&self) -> bool {
        self.standing > 0
    }

    /// Starts measuring anew.
    pub fn begin(&mut self, now: Micros) {
        self.advance(now);
        self.tally = Tally::default();
        self.standing = 0;
    }

    /// Plays up to `now`.
    pub fn advance(&mut self, now: Micros) {
        let from = self.played_to.max(self.shown_at.unwrap_or(now)).min(now);
        self.played_to = now;
        let elapsed = now - from;
        if elapsed == 0 {
            return;
        }
        self.tally.watched += elapsed;
        if !self.started {
            return self.stand(elapsed);
        }
        let decoding = self.busy_until.saturating_sub(from).min(elapsed);
        let playing = elapsed - decoding;
        let wanted_us = (playing as f64 * self.rate) as i64;
        let room_us = self.room_us();
        let step_us = wanted_us.min(room_us);
        let frozen = if step_us < wanted_us { playing - (step_us as f64 / self.rate) as u64 } else { 0 };
        self.due_us = self.due_us.max(self.position_us) + wanted_us;
        self.position_us += step_us;
        self.stand(decoding);
        if step_us > 0 {
            self.end_standstill();
        }
        self.stand(frozen);
        if self.standing == 0 {
            self.due_us = self.position_us;
        }
    }

    fn stand(&mut self, time: Micros) {
        self.standing += time;
    }

    fn end_standstill(&mut self) {
        if self.standing >= STALL_MIN {
            self.tally.stalled += self.standing;
            self.tally.longest = self.tally.longest.max(self.standing);
            self.tally.stalls += 1;
        }
        self.standing = 0;
    }

    /// What was seen so far, a standstill that goes on included.
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        if self.standing >= STALL_MIN {
            tally.stalled += self.standing;
            tally.longest = tally.longest.max(self.standing);
            tally.stalls += 1;
        }
        tally
    }

    fn room_us(&self) -> i64 {
        let at = self.position_us;
        let current = self.ranges.iter().rev().find(|range| range.0 * 1_000 <= at && at < range.1 * 1_000);
        current.map_or(0, |range| range.1 * 1_000 - at)
    }

    /// A chunk has been appended. What was to be shown until now has been.
    pub fn append(&mut self, now: Micros, start_ms: i64, duration_ms: i64) {
        self.advance(now);
        let end_ms = start_ms + duration_ms;
        match self.ranges.last_mut() {
            Some(last) if start_ms <= last.1 + JOINED_MS => last.1 = last.1.max(end_ms),
            _ => self.ranges.push((start_ms, end_ms)),
        }
    }

    /// Reads the element and steers it. `live_ms` is what the engine believes.
    pub fn look(&mut self, now: Micros, live_ms: Option<i64>, hidden: bool) -> Look {
        self.advance(now);
        let position_ms = self.position_ms();
        let edge_ms = self.ranges.last().map_or(position_ms, |range| range.1);
        let steer = self.playout.steer(View {
            now: Timestamp::from_micros(now),
            live_ms: live_ms.unwrap_or(edge_ms + self.playout.target_lag_ms()),
            position_ms,
            buffered: &self.ranges,
            paused: false,
            hidden,
        });
        if let Some(to_ms) = steer.seek_ms {
            self.seek(now, to_ms);
        }
        self.rate = steer.rate;
        self.remove_before(steer.remove_before_ms);
        let shown = self.shown_at.is_some_and(|at| at <= now);
        let due = self.told_at.is_none_or(|at| now >= at + PLAYHEAD_EVERY);
        if !shown || !due {
            return Look { playhead: None };
        }
        self.told_at = Some(now);
        Look { playhead: Some((u32::try_from(self.position_ms()).unwrap_or(0), steer.stalled)) }
    }

    fn seek(&mut self, now: Micros, to_ms: i64) {
        self.position_us = to_ms * 1_000;
        self.due_us = self.due_us.max(self.position_us);
        self.busy_until = now + DECODE;
        self.started = true;
        self.shown_at.get_or_insert(now + DECODE);
    }

    fn remove_before(&mut self, before_ms: i64) {
        // Nobody looks back here: it is enough that the list stays short.
        if self.ranges.len() > 1 {
            self.ranges.retain(|range| range.1 > before_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> Screen {
        let mut screen = Screen::new(0);
        (0..20).for_each(|chunk| screen.append(2_000 * MS, chunk * 100, 100));
        screen.look(2_000 * MS, Some(2_000), false);
        screen
    }

    #[test]
    fn the_first_picture_comes_after_its_decoding_and_play_goes_on_in_real_time() {
        let mut screen = started();
        assert_eq!(screen.shown_at, Some(2_080 * MS));
        screen.advance(2_580 * MS);
        assert_eq!(screen.position_ms(), 1_000);
        assert_eq!(screen.tally().stalled, 0);
    }

    #[test]
    fn what_is_missing_makes_it_stand_still_until_it_comes() {
        let mut screen = started();
        screen.advance(4_000 * MS);
        assert_eq!(screen.position_ms(), 2_000);
        assert_eq!(screen.due_ms(), Some(2_420));
        screen.append(4_000 * MS, 2_000, 100);
        screen.advance(4_050 * MS);
        let tally = screen.tally();
        assert_eq!((tally.stalled, tally.longest, tally.stalls), (420 * MS, 420 * MS, 1));
        assert_eq!(screen.position_ms(), 2_050);
    }
}
