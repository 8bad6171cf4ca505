//! How pieces spread: when they were where, against when they left the source and when they were due on screen.

use std::collections::HashMap;

use super::percentile::{percentile, share};
use super::record::{Published, SourceRecord, ViewerRecord};
use super::window::Window;

/// A piece has spread when this part of the viewers hold it.
const SPREAD: f64 = 0.99;

/// When each viewer first had each piece, in Unix microseconds.
pub struct Arrivals<'a> {
    source: &'a SourceRecord,
    viewers: Vec<HashMap<u32, u64>>,
    window: Window,
}

impl<'a> Arrivals<'a> {
    /// Of one run.
    pub fn new(source: &'a SourceRecord, viewers: &[ViewerRecord], window: Window) -> Self {
        let held = |viewer: &ViewerRecord| viewer.traffic.arrivals.iter().copied().collect();
        Arrivals { source, viewers: viewers.iter().map(held).collect(), window }
    }

    /// Pieces that were published inside of the window.
    pub fn published(&self) -> impl Iterator<Item = &Published> {
        self.source.pieces.iter().filter(|piece| self.window.contains_us(piece.at_us))
    }

    /// 95th percentile over pieces of the time from leaving the source until 99 % of the viewers hold it, in
    /// seconds; `None` if so many pieces never spread as far.
    pub fn dissemination_last_p95_s(&self) -> Option<f64> {
        let rank = ((SPREAD * self.viewers.len() as f64).ceil() as usize).max(1);
        let spread = |piece: &Published| {
            let mut delays: Vec<f64> = self.delays_s(piece).collect();
            delays.sort_by(f64::total_cmp);
            delays.get(rank - 1).copied().unwrap_or(f64::INFINITY)
        };
        percentile(self.published().map(spread), 0.95).filter(|seconds| seconds.is_finite())
    }

    /// Median over pieces and viewers of the time from leaving the source until it is there, in seconds.
    pub fn dissemination_p50_s(&self) -> Option<f64> {
        percentile(self.published().flat_map(|piece| self.delays_s(piece)), 0.5)
    }

    fn delays_s(&self, piece: &Published) -> impl Iterator<Item = f64> {
        let (seq, left_us) = (piece.seq, piece.at_us);
        let arrived = self.viewers.iter().filter_map(move |held| held.get(&seq));
        arrived.map(move |&at_us| at_us.saturating_sub(left_us) as f64 / 1e6)
    }

    /// The part of all pieces, over viewers, that were held when a picture at the target lag would have needed them.
    pub fn on_time(&self) -> f64 {
        let due_us = |piece: &Published| {
            self.source.began_us + u64::from(piece.time_ms + self.source.target_lag_ms) * 1000
        };
        let due = self.source.pieces.iter().map(|piece| (piece.seq, due_us(piece)));
        let due: Vec<_> = due.filter(|&(_, due_us)| self.window.contains_us(due_us)).collect();
        let in_time = |held: &HashMap<u32, u64>| {
            due.iter().filter(|(seq, due_us)| held.get(seq).is_some_and(|at_us| at_us <= due_us)).count()
        };
        let held: usize = self.viewers.iter().map(in_time).sum();
        share(held as f64, (due.len() * self.viewers.len()) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::record::Traffic;

    const WINDOW: Window = Window { from_ms: 1_000, until_ms: 10_000 };

    /// Piece `n` of media time 100 n leaves the source 100 ms after it.
    fn source(pieces: u32) -> SourceRecord {
        let piece = |seq: u32| Published {
            seq,
            time_ms: seq * 100,
            payload_bytes: 5_000,
            at_us: u64::from(seq + 1) * 100_000,
        };
        SourceRecord { target_lag_ms: 1_500, pieces: (0..pieces).map(piece).collect(), ..Default::default() }
    }

    /// A viewer that has each piece so long after it left.
    fn viewer(pieces: u32, delay_us: u64) -> ViewerRecord {
        let arrivals = (0..pieces).map(|seq| (seq, u64::from(seq + 1) * 100_000 + delay_us)).collect();
        ViewerRecord { traffic: Traffic { arrivals, ..Traffic::default() }, ..ViewerRecord::default() }
    }

    #[test]
    fn the_last_viewer_counts() {
        let source = source(120);
        let viewers = [viewer(120, 100_000), viewer(120, 200_000), viewer(120, 700_000)];
        let arrivals = Arrivals::new(&source, &viewers, WINDOW);
        assert_eq!(arrivals.published().count(), 90);
        assert_eq!(arrivals.dissemination_last_p95_s(), Some(0.7));
        assert_eq!(arrivals.dissemination_p50_s(), Some(0.2));
        assert_eq!(arrivals.on_time(), 1.0);
    }

    #[test]
    fn what_never_comes_is_never_there() {
        let source = source(120);
        let viewers = [viewer(120, 100_000), viewer(50, 100_000)];
        let arrivals = Arrivals::new(&source, &viewers, WINDOW);
        assert_eq!(arrivals.dissemination_last_p95_s(), None);
        assert!(arrivals.on_time() < 1.0);
    }

    #[test]
    fn late_is_not_on_time() {
        let source = source(120);
        let viewers = [viewer(120, 1_500_000)];
        assert_eq!(Arrivals::new(&source, &viewers, WINDOW).on_time(), 0.0);
    }
}
