//! The video element as a screen: where the playhead is, where `swarm::Playout` wants it, and when it stood still.

use js_sys::{Function, Reflect};
use swarm::{Playout, PlayoutConfig, View};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::HtmlVideoElement;

use crate::clock;
use crate::event::{Event, Listener, Mailbox, MediaEvent};
use crate::figures::Figures;

/// Stalls remembered, newest last: an evening's worth of a bad line.
const STALLS_MAX: usize = 256;

/// The picture stood still for want of media.
#[derive(Clone, Copy)]
pub(crate) struct Stall {
    /// Seconds since the navigation started.
    at_s: f64,
    duration_ms: f64,
}

impl Stall {
    pub(crate) fn figures(self) -> Figures {
        Figures::empty().with("at_s", self.at_s).with("duration_ms", self.duration_ms)
    }
}

/// A video element and the steering of its playhead.
pub(crate) struct Screen {
    video: HtmlVideoElement,
    playout: Playout,
    /// Where the playhead was last seen, and when it got there.
    moved: (i64, f64),
    /// Since when it stands still.
    standing_since_ms: Option<f64>,
    stalls: Vec<Stall>,
    pub first_frame_ms: Option<f64>,
    _listeners: Vec<Listener>,
    _first_frame: Closure<dyn Fn(f64)>,
}

/// What one look at the screen found.
pub(crate) struct Look {
    pub position_ms: i64,
    pub stalled: bool,
    /// Buffered media before this may be removed.
    pub remove_before_ms: i64,
}

impl Screen {
    pub(crate) fn new(video: HtmlVideoElement, mailbox: &Mailbox) -> Self {
        let listeners = vec![
            Listener::posting(&video, "timeupdate", mailbox, |_| Some(Event::Media(MediaEvent::TimeUpdate))),
            Listener::posting(&video, "error", mailbox, |_| Some(Event::Media(MediaEvent::ElementFailed))),
        ];
        let first_frame = {
            let mailbox = mailbox.clone();
            Closure::<dyn Fn(f64)>::new(move |at_ms| {
                mailbox.post(Event::Media(MediaEvent::FirstFrame(at_ms)))
            })
        };
        let mut screen = Screen {
            playout: Playout::new(PlayoutConfig::default()),
            moved: (0, clock::now_ms()),
            standing_since_ms: None,
            stalls: Vec::new(),
            first_frame_ms: None,
            _listeners: listeners,
            _first_frame: first_frame,
            video,
        };
        screen.await_first_frame(mailbox);
        screen
    }

    /// By `requestVideoFrameCallback`, or where that is missing by the event that playing has begun.
    fn await_first_frame(&mut self, mailbox: &Mailbox) {
        let ask = Reflect::get(&self.video, &"requestVideoFrameCallback".into());
        match ask.ok().and_then(|ask| ask.dyn_into::<Function>().ok()) {
            Some(ask) => drop(ask.call1(&self.video, self._first_frame.as_ref())),
            None => self._listeners.push(Listener::posting(&self.video, "playing", mailbox, |_| {
                Some(Event::Media(MediaEvent::FirstFrame(clock::now_ms())))
            })),
        }
    }

    /// Another timeline begins.
    pub(crate) fn restart(&mut self, target_lag_ms: i64) {
        self.playout.restart(target_lag_ms);
    }

    /// The same timeline on a fresh media source.
    pub(crate) fn again(&mut self) {
        self.playout.restart(self.playout.target_lag_ms());
    }

    /// The viewer wants to be at the common lag again.
    pub(crate) fn follow(&mut self) {
        self.playout.follow();
    }

    /// Whether the viewer is kept at the common lag.
    pub(crate) fn follows(&self) -> bool {
        self.playout.follows()
    }

    /// Reads the element and steers it.
    pub(crate) fn look(&mut self, live_ms: Option<i64>, hidden: bool) -> Look {
        let (position_ms, buffered) = (position_ms(&self.video), buffered(&self.video));
        let edge_ms = buffered.last().map_or(position_ms, |range| range.1);
        let view = View {
            now: clock::now(),
            live_ms: live_ms.unwrap_or(edge_ms + self.playout.target_lag_ms()),
            position_ms,
            buffered: &buffered,
            paused: self.video.paused(),
            hidden,
        };
        let steer = self.playout.steer(view);
        self.note_stall(position_ms, steer.stalled);
        if let Some(to_ms) = steer.seek_ms {
            self.video.set_current_time(to_ms as f64 / 1000.0);
            self.moved.0 = to_ms;
        }
        if self.video.playback_rate() != steer.rate {
            self.video.set_playback_rate(steer.rate);
        }
        Look { position_ms, stalled: steer.stalled, remove_before_ms: steer.remove_before_ms }
    }

    /// A stall begins when the playhead was last seen to move, and ends when it moves again by itself. A busy page sees that
    /// late: what was played by then is not part of the stall.
    fn note_stall(&mut self, position_ms: i64, stalled: bool) {
        let now_ms = clock::now_ms();
        let moves = position_ms != self.moved.0;
        if let Some(first_frame_ms) = self.first_frame_ms.filter(|_| stalled) {
            // The wait for the first picture is no stall.
            self.standing_since_ms.get_or_insert(self.moved.1.max(first_frame_ms));
        } else if moves {
            if let Some(since_ms) = self.standing_since_ms.take() {
                let played_ms = (position_ms - self.moved.0).max(0) as f64 / self.video.playback_rate();
                let duration_ms = (now_ms - played_ms - since_ms).max(0.0);
                self.stalls.push(Stall { at_s: since_ms / 1000.0, duration_ms });
            }
            let surplus = self.stalls.len().saturating_sub(STALLS_MAX);
            self.stalls.drain(..surplus);
        }
        if moves {
            self.moved = (position_ms, now_ms);
        }
    }

    /// All stalls, one that goes on included.
    pub(crate) fn stalls(&self) -> impl Iterator<Item = Stall> {
        let standing = self
            .standing_since_ms
            .map(|since_ms| Stall { at_s: since_ms / 1000.0, duration_ms: clock::now_ms() - since_ms });
        self.stalls.iter().copied().chain(standing)
    }

    pub(crate) fn position_ms(&self) -> i64 {
        position_ms(&self.video)
    }

    /// Media ahead of the playhead, in milliseconds.
    pub(crate) fn ahead_ms(&self) -> i64 {
        let position_ms = self.position_ms();
        let current = buffered(&self.video)
            .into_iter()
            .find(|&(start, end)| start <= position_ms && position_ms <= end);
        current.map_or(0, |(_, end)| end - position_ms)
    }

    pub(crate) fn playback_rate(&self) -> f64 {
        self.video.playback_rate()
    }

    pub(crate) fn target_lag_ms(&self) -> i64 {
        self.playout.target_lag_ms()
    }
}

/// Media time shown.
pub(crate) fn position_ms(video: &HtmlVideoElement) -> i64 {
    (video.current_time() * 1000.0) as i64
}

/// Buffered ranges in milliseconds, rounded inwards: a playhead at either end is inside.
pub(crate) fn buffered(video: &HtmlVideoElement) -> Vec<(i64, i64)> {
    let ranges = video.buffered();
    let range =
        |i| Some(((ranges.start(i).ok()? * 1000.0).ceil() as i64, (ranges.end(i).ok()? * 1000.0) as i64));
    (0..ranges.length()).filter_map(range).collect()
}
