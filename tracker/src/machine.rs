//! What only the machine can say: the time, and random bytes. Nothing else in the crate asks for either.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use swarm::Timestamp;

/// The machine's clock, with a zero of our own for the cores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock that reads zero now.
    pub(crate) fn start() -> Self {
        Clock { zero: Instant::now() }
    }

    /// Monotonic time, for the cores.
    pub(crate) fn now(self) -> Timestamp {
        Timestamp::from_micros(self.zero.elapsed().as_micros() as u64)
    }

    /// The moment that a core has named, for a timer.
    pub(crate) fn instant(self, at: Timestamp) -> Instant {
        self.zero + Duration::from_micros(at.as_micros())
    }

    /// Time since the clock was started.
    pub(crate) fn uptime(self) -> Duration {
        self.zero.elapsed()
    }
}

/// Monotonic time, for limits.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}

/// Bytes that nobody can guess. A system that has none to give cannot run a server.
pub(crate) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
