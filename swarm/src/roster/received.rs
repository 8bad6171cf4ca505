//! What viewers report to have received, summed over a broadcast's life. Reports are claims: a step that no line can
//! have brought is not counted.

use std::time::Duration;

use wire::session::Report;

use crate::Timestamp;

/// A viewer may have received this many times the bitrate: a join's burst, and feeds that change over.
const RATE_MAX_X: u64 = 4;

/// Time that is added to the time between two reports: what was on its way at the first of them.
const SLACK: Duration = Duration::from_secs(4);

/// Payload bytes by origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// From other viewers.
    pub viewers: u64,
    /// From the broadcaster.
    pub source: u64,
    /// From the relay.
    pub relay: u64,
}

impl Received {
    pub(super) fn reported(report: &Report) -> Self {
        Received { viewers: report.from_viewers, source: report.from_source, relay: report.from_relay }
    }

    /// All of it.
    pub fn all(self) -> u64 {
        self.viewers.saturating_add(self.source).saturating_add(self.relay)
    }

    /// The share that came from viewers; 0 of nothing.
    pub fn offload(self) -> f64 {
        self.viewers as f64 / self.all().max(1) as f64
    }

    /// What was added since `before`.
    pub fn since(self, before: Received) -> Received {
        Received {
            viewers: self.viewers.saturating_sub(before.viewers),
            source: self.source.saturating_sub(before.source),
            relay: self.relay.saturating_sub(before.relay),
        }
    }

    /// Both together.
    pub fn plus(self, more: Received) -> Received {
        Received {
            viewers: self.viewers.saturating_add(more.viewers),
            source: self.source.saturating_add(more.source),
            relay: self.relay.saturating_add(more.relay),
        }
    }

    /// Whether a line can have brought it within `elapsed`. What a peer had before it came back to a restarted
    /// tracker cannot, either.
    pub(super) fn is_plausible(self, elapsed: Duration, bitrate_bps: u32) -> bool {
        let seconds = (elapsed + SLACK).as_secs_f64();
        self.all() as f64 <= seconds * f64::from(bitrate_bps) / 8.0 * RATE_MAX_X as f64
    }
}

/// What a member reported last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LastReport {
    at: Timestamp,
    received: Received,
}

impl LastReport {
    /// The report of a session that begins.
    pub(super) fn begin(now: Timestamp, report: &Report) -> Self {
        LastReport { at: now, received: Received::reported(report) }
    }

    /// Time since then.
    pub(super) fn age(&self, now: Timestamp) -> Duration {
        now.since(self.at)
    }

    /// Takes over `report` and returns what is new in it, and believable.
    pub(super) fn replace(&mut self, now: Timestamp, report: &Report, bitrate_bps: u32) -> Received {
        let before = std::mem::replace(self, LastReport::begin(now, report));
        let step = self.received.since(before.received);
        if step.is_plausible(now.since(before.at), bitrate_bps) { step } else { Received::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(bytes: u64) -> Report {
        Report { from_viewers: bytes, from_relay: bytes / 3, ..Report::default() }
    }

    #[test]
    fn steps_are_counted_and_lies_are_not() {
        let at = |s: u64| Timestamp::from_micros(s * 1_000_000);
        let mut last = LastReport::begin(at(0), &Report::default());
        let first = last.replace(at(2), &report(600_000), 3_000_000);
        assert_eq!((first.viewers, first.relay, first.offload()), (600_000, 200_000, 0.75));
        // More than can have come, and numbers that would overflow the sum.
        assert_eq!(last.replace(at(4), &report(90_000_000), 3_000_000).all(), 0);
        assert_eq!(last.replace(at(6), &report(u64::MAX), 3_000_000).all(), 0);
        // From there on it counts again; less than before counts as nothing.
        assert_eq!(last.replace(at(8), &report(300), 3_000_000).all(), 0);
        assert_eq!(last.replace(at(10), &report(600), 3_000_000).all(), 400);
    }
}
