//! Where a viewer's playhead belongs, and how it gets there: all viewers aim at the same lag behind capture.
//!
//! Small errors are worked off by playing up to 5 % faster or slower, which nobody hears; large ones by a jump. A viewer
//! who has gone back, or who pressed pause, is left where they are until they come back to the edge. The shell reads the
//! media element, asks [`Playout::steer`] and does what it says.

use std::cmp::Ordering;
use std::time::Duration;

use crate::Timestamp;

/// Media before a gap with which a browser may stand still for good: a few frames, at ten a second. A picture that stands
/// still with more to come is a busy machine's, and goes on when the machine does.
const STANDS_BEFORE_END_MS: i64 = 400;

/// A playhead that is found further back than this was moved by the viewer: media elements only ever run forward.
const MOVED_BACK_MS: i64 = 200;

/// How a playhead is steered. Times are milliseconds of media.
#[derive(Debug, Clone)]
pub struct PlayoutConfig {
    /// Lag that all viewers aim at.
    pub target_lag_ms: i64,
    /// Errors below this are left alone, so that the rate rests at 1. Larger ones are worked off to the end.
    pub dead_band_ms: i64,
    /// Error at which the rate is as far from 1 as it may get.
    pub full_rate_error_ms: i64,
    /// How far from 1 the rate may get.
    pub rate_span: f64,
    /// Behind the target by more than this: jump.
    pub jump_behind_ms: i64,
    /// Least media ahead of the playhead to start with, or to go on after a stall.
    pub start_ahead_ms: i64,
    /// Media kept, counted back from the newest: a minute for those who want to look back, and what a browser removes
    /// beyond what it is asked to, up to the next keyframe.
    pub keep_ms: i64,
    /// A picture that has not moved for this long, for want of media, is a stall.
    pub stall_after: Duration,
}

impl Default for PlayoutConfig {
    fn default() -> Self {
        PlayoutConfig {
            target_lag_ms: 1500,
            dead_band_ms: 40,
            full_rate_error_ms: 300,
            rate_span: 0.05,
            jump_behind_ms: 1200,
            start_ahead_ms: 120,
            keep_ms: 65_000,
            stall_after: Duration::from_millis(150),
        }
    }
}

/// What the media element shows, read by the shell.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// When it was read.
    pub now: Timestamp,
    /// Media time of what is being captured at this moment.
    pub live_ms: i64,
    /// Media time shown.
    pub position_ms: i64,
    /// Buffered ranges, `start..end`, in rising order.
    pub buffered: &'a [(i64, i64)],
    /// The viewer pressed pause.
    pub paused: bool,
    /// The page cannot be seen.
    pub hidden: bool,
}

impl View<'_> {
    /// The range that is being played.
    fn current(&self) -> Option<&(i64, i64)> {
        self.buffered.iter().find(|&&(start, end)| start <= self.position_ms && self.position_ms < end)
    }

    /// Media to be played before the next gap.
    fn ahead_ms(&self) -> i64 {
        self.current().map_or(0, |range| range.1 - self.position_ms)
    }
}

/// What to do with the media element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steer {
    /// Playback rate to set.
    pub rate: f64,
    /// Jump here.
    pub seek_ms: Option<i64>,
    /// Buffered media before this may be removed.
    pub remove_before_ms: i64,
    /// The picture stands still for want of media.
    pub stalled: bool,
}

/// The steering of one viewer's playhead.
#[derive(Debug, Clone)]
pub struct Playout {
    config: PlayoutConfig,
    /// Position last seen to change, and when.
    moved: Option<(i64, Timestamp)>,
    stalled: bool,
    started: bool,
    place: Place,
    /// Behind the target, or ahead of it, by an error that is being worked off.
    worked_off: Ordering,
}

/// Where the viewer wants to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the common lag.
    Edge,
    /// Where they paused, or went back to.
    Back,
}

impl Playout {
    /// A playhead that has not started.
    pub fn new(config: PlayoutConfig) -> Self {
        let worked_off = Ordering::Equal;
        Playout { config, moved: None, stalled: false, started: false, place: Place::Edge, worked_off }
    }

    /// Another timeline begins: the playhead starts anew.
    pub fn restart(&mut self, target_lag_ms: i64) {
        *self = Playout::new(PlayoutConfig { target_lag_ms, ..self.config.clone() });
    }

    /// Lag behind capture that is aimed at.
    pub fn target_lag_ms(&self) -> i64 {
        self.config.target_lag_ms
    }

    /// Whether the playhead is kept at the common lag, and not where the viewer left it.
    pub fn follows(&self) -> bool {
        self.place == Place::Edge
    }

    /// The viewer wants to be at the common lag again.
    pub fn follow(&mut self) {
        self.place = Place::Edge;
    }

    /// Decides for what is shown at this moment.
    pub fn steer(&mut self, view: View<'_>) -> Steer {
        self.find_place(&view);
        let stalled = self.stalled(&view);
        let newest_ms = view.buffered.last().map_or(view.position_ms, |range| range.1);
        let remove_before_ms = newest_ms - self.config.keep_ms;
        let seek_ms = if view.paused { None } else { self.jump(&view, stalled) };
        if let Some(to) = seek_ms {
            self.moved = Some((to, view.now));
            self.started = true;
        }
        let steered = self.follows() && !view.paused && !view.hidden && seek_ms.is_none();
        let rate = if steered { self.rate(&view) } else { 1.0 };
        Steer { rate, seek_ms, remove_before_ms, stalled: stalled && !view.paused }
    }

    /// Notices a viewer who goes back, and one who is near the edge again. A pause of a page out of sight is the browser's.
    fn find_place(&mut self, view: &View<'_>) {
        if !self.started {
            return;
        }
        let moved_back = self.moved.is_some_and(|(last, _)| view.position_ms < last - MOVED_BACK_MS);
        let far_behind = self.behind(view) > self.config.jump_behind_ms;
        if !far_behind {
            self.place = Place::Edge;
        } else if moved_back || view.paused && !view.hidden {
            self.place = Place::Back;
        }
    }

    /// A stall begins for want of media, and lasts until the picture moves.
    fn stalled(&mut self, view: &View<'_>) -> bool {
        match self.moved {
            Some((position, since)) if position == view.position_ms && !view.paused => {
                let stands = view.now.since(since) >= self.config.stall_after;
                self.stalled |= self.started && stands && view.ahead_ms() < STANDS_BEFORE_END_MS;
            }
            _ => {
                self.moved = Some((view.position_ms, view.now));
                self.stalled = false;
            }
        }
        self.stalled
    }

    /// Where to jump, if a jump is called for: at the start, out of a gap, and when hopelessly late.
    fn jump(&self, view: &View<'_>, stalled: bool) -> Option<i64> {
        let target = view.live_ms - self.config.target_lag_ms;
        let playable = |&&(start, end): &&(i64, i64)| end - start >= self.config.start_ahead_ms;
        let newest = *view.buffered.iter().rev().find(playable)?;
        let latest_start = newest.1 - self.config.start_ahead_ms;
        let best = target.clamp(newest.0, latest_start.max(newest.0));
        if !self.started {
            return Some(best);
        }
        let current = view.current();
        // A decoder that reorders frames stands still before the last of them.
        let spent_ms = if stalled { STANDS_BEFORE_END_MS } else { 40 };
        let exhausted = current.is_none_or(|range| range.1 - view.position_ms < spent_ms);
        if !self.follows() {
            let ahead = view.buffered.iter().filter(playable).find(|range| range.0 > view.position_ms);
            return ahead.filter(|_| exhausted && (stalled || current.is_none())).map(|range| range.0);
        }
        if exhausted && (stalled || current.is_none()) && newest.0 > view.position_ms {
            return Some(best);
        }
        if current.is_none() && newest.1 < view.position_ms {
            return Some(best);
        }
        (self.behind(view) > self.config.jump_behind_ms
            && best - view.position_ms > self.config.jump_behind_ms / 2)
            .then_some(best)
    }

    /// Milliseconds behind the common lag.
    fn behind(&self, view: &View<'_>) -> i64 {
        view.live_ms - self.config.target_lag_ms - view.position_ms
    }

    fn rate(&mut self, view: &View<'_>) -> f64 {
        let behind = self.behind(view);
        let side = behind.cmp(&0);
        if behind.abs() > self.config.dead_band_ms {
            self.worked_off = side;
        } else if side != self.worked_off {
            self.worked_off = Ordering::Equal;
        }
        if self.worked_off == Ordering::Equal {
            return 1.0;
        }
        let share = (behind as f64 / self.config.full_rate_error_ms as f64).clamp(-1.0, 1.0);
        // In steps of 1 %, one at least: each change of rate costs the audio pipeline a little.
        let steps = (share * self.config.rate_span * 100.0).round();
        1.0 + if steps == 0.0 { behind.signum() as f64 } else { steps } / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(now_ms: u64, position_ms: i64, buffered: &[(i64, i64)]) -> View<'_> {
        let now = Timestamp::from_millis(now_ms);
        View { now, live_ms: now_ms as i64, position_ms, buffered, paused: false, hidden: false }
    }

    fn started(at_ms: i64, now_ms: u64) -> Playout {
        let mut playout = Playout::new(PlayoutConfig::default());
        let steer = playout.steer(view(now_ms, 0, &[(0, now_ms as i64)]));
        assert_eq!(steer.seek_ms, Some(at_ms));
        playout
    }

    #[test]
    fn starts_at_the_target_lag_where_it_is_buffered() {
        started(8_500, 10_000);
    }

    #[test]
    fn starts_at_the_oldest_media_when_all_is_newer_than_the_target() {
        let mut playout = Playout::new(PlayoutConfig::default());
        assert_eq!(playout.steer(view(10_000, 0, &[(9_000, 9_050)])).seek_ms, None, "too little to start");
        let steer = playout.steer(view(10_000, 0, &[(9_000, 9_900)]));
        assert_eq!(steer.seek_ms, Some(9_000));
        let steer = playout.steer(view(10_100, 9_100, &[(9_000, 10_000)]));
        assert_eq!((steer.rate, steer.seek_ms), (0.95, None), "drifts back to the common lag");
    }

    #[test]
    fn small_errors_are_steered_and_tiny_ones_left_alone() {
        let mut playout = started(8_500, 10_000);
        let buffered = [(0, 10_000)];
        assert_eq!(playout.steer(view(10_100, 8_590, &buffered)).rate, 1.0);
        assert_eq!(playout.steer(view(10_200, 8_520, &buffered)).rate, 1.03);
        assert_eq!(playout.steer(view(10_300, 9_900, &buffered)).rate, 0.95);
    }

    #[test]
    fn what_is_steered_at_all_is_steered_to_the_target() {
        let mut playout = started(8_500, 10_000);
        let buffered = [(0, 12_000)];
        let looks = [(10_100, 8_550), (10_200, 8_670), (10_300, 8_790), (10_400, 8_905), (10_500, 8_970)];
        let rates =
            looks.map(|(now_ms, position_ms)| playout.steer(view(now_ms, position_ms, &buffered)).rate);
        assert_eq!(rates, [1.01, 1.01, 1.01, 1.0, 1.0]);
    }

    #[test]
    fn jumps_when_far_behind_but_only_to_media_that_is_there() {
        let mut playout = started(8_500, 10_000);
        assert_eq!(playout.steer(view(20_000, 8_600, &[(0, 20_000)])).seek_ms, Some(18_500));
        let mut starved = started(8_500, 10_000);
        assert_eq!(starved.steer(view(20_000, 8_600, &[(0, 9_000)])).seek_ms, None);
    }

    #[test]
    fn a_gap_is_jumped_when_the_playhead_reaches_it() {
        let mut playout = started(8_500, 10_000);
        let buffered = [(0, 9_000), (9_500, 11_000)];
        assert_eq!(playout.steer(view(10_400, 8_900, &buffered)).seek_ms, None);
        assert_eq!(playout.steer(view(10_480, 8_990, &buffered)).seek_ms, None, "still moving");
        let steer = playout.steer(view(10_700, 8_990, &buffered));
        assert_eq!((steer.stalled, steer.seek_ms), (true, Some(9_500)));
    }

    #[test]
    fn a_playhead_that_stands_still_shortly_before_a_gap_is_helped_over_it() {
        let mut playout = started(8_500, 10_000);
        let buffered = [(0, 9_000), (9_500, 11_000)];
        assert_eq!(playout.steer(view(10_380, 8_870, &buffered)).seek_ms, None);
        assert_eq!(playout.steer(view(10_600, 8_870, &buffered)).seek_ms, Some(9_500));
    }

    #[test]
    fn a_stall_begins_for_want_of_media_and_lasts_until_the_picture_moves() {
        let mut playout = started(8_500, 10_000);
        let stalled = [
            (10_200, 8_500, 10_000),
            (10_400, 8_500, 8_700),
            (10_500, 8_500, 10_500),
            (10_600, 8_520, 10_600),
        ]
        .map(|(now_ms, position_ms, end_ms)| {
            playout.steer(view(now_ms, position_ms, &[(0, end_ms)])).stalled
        });
        assert_eq!(
            stalled,
            [false, true, true, false],
            "a busy machine, no media, media again, the picture moves"
        );
    }

    #[test]
    fn a_pause_is_no_stall_and_play_goes_on_where_it_stopped() {
        let mut playout = started(8_500, 10_000);
        let paused = View { paused: true, ..view(30_000, 8_500, &[(0, 30_000)]) };
        let steer = playout.steer(paused);
        assert_eq!((steer.stalled, steer.seek_ms), (false, None));
        let steer = playout.steer(view(30_100, 8_500, &[(0, 30_000)]));
        assert_eq!((steer.rate, steer.seek_ms), (1.0, None));
    }

    #[test]
    fn after_a_short_pause_the_common_lag_is_caught_up_with() {
        let mut playout = started(8_500, 10_000);
        playout.steer(View { paused: true, ..view(11_000, 8_500, &[(0, 11_000)]) });
        let steer = playout.steer(view(11_050, 8_500, &[(0, 11_000)]));
        assert_eq!((steer.rate, steer.seek_ms), (1.05, None));
    }

    #[test]
    fn a_pause_of_a_page_out_of_sight_is_the_browsers_and_ends_at_the_edge() {
        let mut playout = started(8_500, 10_000);
        playout.steer(View { paused: true, hidden: true, ..view(30_000, 8_500, &[(0, 30_000)]) });
        assert_eq!(playout.steer(view(30_100, 8_500, &[(0, 30_000)])).seek_ms, Some(28_600));
    }

    #[test]
    fn a_viewer_who_has_gone_back_is_left_there_until_they_ask_for_the_edge() {
        let mut playout = started(58_500, 60_000);
        for played_ms in [0, 200, 20_000] {
            let now_ms = 60_200 + played_ms;
            let steer = playout.steer(view(now_ms, 30_000 + played_ms as i64, &[(0, now_ms as i64)]));
            assert_eq!((steer.rate, steer.seek_ms, playout.follows()), (1.0, None, false));
        }
        playout.follow();
        assert_eq!(playout.steer(view(80_400, 50_200, &[(0, 80_400)])).seek_ms, Some(78_900));
        assert!(playout.follows());
    }

    #[test]
    fn a_viewer_who_comes_near_the_edge_by_hand_follows_it_again() {
        let mut playout = started(58_500, 60_000);
        playout.steer(view(60_200, 30_000, &[(0, 60_000)]));
        let steer = playout.steer(view(60_400, 58_000, &[(0, 60_000)]));
        assert_eq!((steer.rate, steer.seek_ms, playout.follows()), (1.05, None, true));
    }

    #[test]
    fn a_viewer_who_has_gone_back_is_taken_over_a_gap_and_no_further() {
        let mut playout = started(58_500, 60_000);
        let buffered = [(0, 31_000), (33_000, 60_200)];
        playout.steer(view(60_200, 30_000, &buffered));
        playout.steer(view(61_180, 30_980, &buffered));
        assert_eq!(playout.steer(view(61_400, 30_980, &buffered)).seek_ms, Some(33_000));
        assert!(!playout.follows());
    }

    #[test]
    fn who_pauses_for_longer_than_media_is_kept_goes_on_at_the_oldest() {
        let mut playout = started(8_500, 10_000);
        playout.steer(View { paused: true, ..view(100_000, 8_500, &[(35_000, 100_000)]) });
        assert_eq!(playout.steer(view(100_100, 8_500, &[(35_000, 100_000)])).seek_ms, Some(35_000));
    }

    #[test]
    fn what_is_older_than_a_minute_may_go_wherever_the_playhead_is() {
        let mut playout = started(98_500, 100_000);
        assert_eq!(playout.steer(view(100_100, 98_600, &[(0, 100_000)])).remove_before_ms, 35_000);
        assert_eq!(playout.steer(view(100_300, 50_000, &[(0, 100_200)])).remove_before_ms, 35_200);
    }
}
