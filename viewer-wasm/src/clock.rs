//! The one place that reads the browser's clocks.

use swarm::Timestamp;
use web_sys::Performance;

/// Wall and monotonic clock may drift apart by this much between two looks before the machine must have slept.
/// Where the monotonic clock goes on during sleep, the long silence is noticed instead.
const SLEPT_MS: f64 = 5_000.0;

/// Milliseconds without any look at the clock after which the page was frozen or the machine asleep: a background
/// tab's timers still run once a minute.
const SILENT_MS: f64 = 70_000.0;

thread_local! {
    static PERFORMANCE: Option<Performance> = web_sys::window().and_then(|window| window.performance());
}

/// Milliseconds since the navigation started.
pub(crate) fn now_ms() -> f64 {
    PERFORMANCE.with(|performance| performance.as_ref().map_or(0.0, Performance::now))
}

/// The same, as the engine wants it.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros((now_ms() * 1000.0) as u64)
}

/// Unix time by the machine's own clock.
pub(crate) fn unix_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// Notices that the machine slept, or that the page was frozen.
pub(crate) struct SleepWatch {
    monotonic_ms: f64,
    wall_ms: f64,
}

impl SleepWatch {
    pub(crate) fn new() -> Self {
        SleepWatch { monotonic_ms: now_ms(), wall_ms: js_sys::Date::now() }
    }

    /// Whether there was a sleep since the last look.
    pub(crate) fn look(&mut self) -> bool {
        let earlier = std::mem::replace(self, SleepWatch::new());
        let monotonic = self.monotonic_ms - earlier.monotonic_ms;
        let wall = self.wall_ms - earlier.wall_ms;
        wall - monotonic > SLEPT_MS || monotonic > SILENT_MS
    }
}
