//! The clock that a connection of the WebRTC crate lives by: faster than the real one.
//!
//! The crate's SCTP waits at least a second (RFC 9260, RTO.Min) before it sends again what no later packet tells to be
//! lost, and there is no setting for it. The last packets of a piece are of that kind: a link that carries four pieces
//! a second stood still for a second at every such loss, with everything behind it. A state machine that is told the
//! time can be told another one.

use std::time::{Duration, Instant};

/// 5 to 2: the crate's second is 400 ms, as in Chromium's SCTP (`rto_min` of dcSCTP's options), and its delayed acknowledgement 80 ms. What is derived
/// from measured round trips stays right, as those are measured by the same clock.
const NUMERATOR: u32 = 5;
const DENOMINATOR: u32 = 2;

/// One connection's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Haste {
    zero: Instant,
}

impl Haste {
    /// Both clocks show the same at `zero`.
    pub(super) fn since(zero: Instant) -> Self {
        Haste { zero }
    }

    /// What the connection's clock shows.
    pub(super) fn hurried(self, real: Instant) -> Instant {
        self.zero + Self::stretched(real.saturating_duration_since(self.zero))
    }

    /// When the connection's clock shows this.
    pub(super) fn real(self, hurried: Instant) -> Instant {
        // Rounded up, so that what was due at this moment is due then.
        let elapsed = hurried.saturating_duration_since(self.zero);
        self.zero + elapsed * DENOMINATOR / NUMERATOR + Duration::from_nanos(1)
    }

    /// How long a real duration is by the connection's clock.
    pub(super) fn stretched(real: Duration) -> Duration {
        real * NUMERATOR / DENOMINATOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_the_crate_is_as_long_as_chromiums_shortest_wait() {
        let zero = Instant::now();
        let haste = Haste::since(zero);
        let due = haste.real(zero + Duration::from_secs(1));
        assert!(due.duration_since(zero).abs_diff(Duration::from_millis(400)) < Duration::from_micros(1));
        assert_eq!(haste.hurried(zero + Duration::from_millis(400)), zero + Duration::from_secs(1));
    }

    #[test]
    fn what_is_due_is_due_when_the_real_time_has_come() {
        let zero = Instant::now();
        let haste = Haste::since(zero);
        for nanos in (0..2_000).chain([1_234_567_891, 86_400_000_000_001]) {
            let due = zero + Duration::from_nanos(nanos);
            assert!(haste.hurried(haste.real(due)) >= due);
        }
    }
}
