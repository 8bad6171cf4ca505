//! When is measured. Each process is told the same two moments of the machine's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;

/// Records go on for so long behind the window: what was published inside of it has arrived by then, or never will.
pub const LINGER: Duration = Duration::from_secs(3);

/// The measured time, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Window {
    /// The measurement begins, in Unix milliseconds.
    #[arg(long)]
    pub from_ms: u64,
    /// The measurement ends, in Unix milliseconds.
    #[arg(long)]
    pub until_ms: u64,
}

impl Window {
    /// Whether a moment, in Unix microseconds, is inside.
    pub fn contains_us(&self, at_us: u64) -> bool {
        (self.from_ms * 1000..self.until_ms * 1000).contains(&at_us)
    }

    /// Waits until the window and what lingers behind it are over.
    pub async fn over(&self) {
        sleep_until_ms(self.until_ms).await;
        sleep(LINGER).await;
    }
}

/// The machine's Unix time in microseconds.
pub fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// Waits for a moment of the machine's clock; not at all, if it is past.
pub async fn sleep_until_ms(unix_ms: u64) {
    sleep(Duration::from_micros((unix_ms * 1000).saturating_sub(unix_us()))).await;
}
