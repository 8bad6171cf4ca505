//! What all sessions together have seen, counted by each as it happens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counters of a crowd.
#[derive(Debug, Default)]
pub struct Tally {
    /// Sessions that were let in.
    pub welcomed: AtomicU64,
    /// Sessions that were told whom to link with.
    pub matched: AtomicU64,
    /// Offers and answers that arrived.
    pub signals: AtomicU64,
    /// Texts other than offers, answers and counts of viewers.
    pub news: AtomicU64,
    /// Connections and sessions refused with a reason.
    pub refused: AtomicU64,
    /// Connections and sessions that ended otherwise.
    pub broken: AtomicU64,
    matches_us: Mutex<Vec<u64>>,
    first_fault: Mutex<Option<String>>,
}

impl Tally {
    /// One more of `counter`.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// So many of `counter`.
    pub fn of(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// A session was matched, so long after its join.
    pub fn matched_after(&self, waited: Duration) {
        Self::add(&self.matched);
        let mut matches = self.matches_us.lock().unwrap_or_else(PoisonError::into_inner);
        matches.push(waited.as_micros() as u64);
    }

    /// All waits for a match so far, in milliseconds.
    pub fn matches_ms(&self) -> Vec<f64> {
        let matches = self.matches_us.lock().unwrap_or_else(PoisonError::into_inner);
        matches.iter().map(|&wait| wait as f64 / 1000.0).collect()
    }

    /// A session ended that should not have; the first one's reason is kept.
    pub fn broke(&self, why: impl std::fmt::Display) {
        Self::add(&self.broken);
        let mut first = self.first_fault.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| why.to_string());
    }

    /// Why the first of the broken sessions broke.
    pub fn first_fault(&self) -> Option<String> {
        self.first_fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
