//! What is measured while a simulation runs: how far each piece has come, lags, and counts. Formulas are in
//! `docs/simulator.md`; what becomes of them is in `figures`.

use std::collections::VecDeque;

use crate::sim::agenda::Micros;
use crate::sim::model::*;

/// A piece that has not come far enough by then counts as having taken this long.
const GIVEN_UP: Micros = 12 * SECOND;

/// At the end, a piece that has not come far enough in this time counts with the time it has had; younger ones do not
/// count.
const JUDGED_AFTER: Micros = 2 * SECOND;

/// Share of the viewers that is "all", for dissemination.
pub const NEARLY_ALL: f64 = 0.99;

/// Lags are counted by the millisecond, up to this many.
const LAG_MAX_MS: usize = 30_000;

/// Everything that is counted over all viewers.
#[derive(Debug)]
pub struct Measure {
    /// Measuring has begun.
    pub begun: Option<Micros>,
    /// Viewers that watch: their first picture has been shown.
    pub watching: u32,
    open: VecDeque<PieceRecord>,
    /// Piece of the first record in `open`.
    open_from: u32,
    /// How long each piece took to nearly all.
    pub disseminations: Vec<Micros>,
    lags: Vec<u32>,
    /// Bytes of media published.
    pub published_bytes: u64,
    /// Bytes of frames other than pieces and headers, sent by anyone.
    pub control_bytes: u64,
    /// Chunks handed to a decoder that are not what the source published.
    pub unverified_chunks: u64,
    /// Altered pieces sent by those who do not alter.
    pub second_hops: u64,
    /// Links that were asked for, and that opened.
    pub links_tried: u64,
    /// Of these, opened.
    pub links_opened: u64,
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    /// Of these.
    pub part: u64,
    /// All.
    pub all: u64,
}

impl Share {
    /// As a fraction; `None` of nothing.
    pub fn fraction(self) -> Option<f64> {
        (self.all > 0).then(|| self.part as f64 / self.all as f64)
    }

    /// Adds another count.
    pub fn add(&mut self, other: Share) {
        self.part += other.part;
        self.all += other.all;
    }
}

#[derive(Debug)]
struct PieceRecord {
    published: Micros,
    /// Viewers that watched then, less those who have left without it.
    expected: u32,
    holders: u32,
    measured: bool,
    done: bool,
}

impl PieceRecord {
    fn is_nearly_everywhere(&self) -> bool {
        f64::from(self.holders) >= NEARLY_ALL * f64::from(self.expected)
    }
}

impl Default for Measure {
    fn default() -> Self {
        Measure {
            begun: None,
            watching: 0,
            open: VecDeque::new(),
            open_from: 0,
            disseminations: Vec::new(),
            lags: vec![0; LAG_MAX_MS + 1],
            published_bytes: 0,
            control_bytes: 0,
            unverified_chunks: 0,
            second_hops: 0,
            links_tried: 0,
            links_opened: 0,
        }
    }
}

impl Measure {
    /// Another broadcast: pieces on their way are of no more interest.
    pub fn restart(&mut self) {
        self.open.clear();
        self.open_from = 0;
    }

    /// A piece leaves the source.
    pub fn published(&mut self, now: Micros, seq: u32) {
        if self.open.is_empty() {
            self.open_from = seq;
        }
        self.open.push_back(PieceRecord {
            published: now,
            expected: self.watching,
            holders: 0,
            measured: self.begun.is_some(),
            done: self.watching == 0,
        });
        self.expire(now);
    }

    /// A viewer that has watched since `shown_at` holds a piece from now on.
    pub fn arrived(&mut self, now: Micros, seq: u32, shown_at: Option<Micros>) {
        let Some(at) = seq.checked_sub(self.open_from) else { return };
        let Some(record) = self.open.get_mut(at as usize).filter(|record| !record.done) else { return };
        if shown_at.is_none_or(|shown_at| shown_at > record.published) {
            return;
        }
        record.holders += 1;
        if record.is_nearly_everywhere() {
            record.done = true;
            if record.measured {
                self.disseminations.push(now - record.published);
            }
        }
    }

    /// A viewer that has watched since `shown_at` leaves; `holds` says which pieces it has got.
    pub fn left(&mut self, now: Micros, shown_at: Micros, holds: impl Fn(u32) -> bool) {
        self.watching = self.watching.saturating_sub(1);
        for (record, seq) in self.open.iter_mut().zip(self.open_from..) {
            if record.done || record.published < shown_at || holds(seq) {
                continue;
            }
            record.expected = record.expected.saturating_sub(1);
            if record.is_nearly_everywhere() {
                record.done = true;
                if record.measured {
                    self.disseminations.push(now - record.published);
                }
            }
        }
    }

    fn expire(&mut self, now: Micros) {
        while self.open.front().is_some_and(|record| record.done || record.published + GIVEN_UP < now) {
            let Some(record) = self.open.pop_front() else { return };
            self.open_from += 1;
            if !record.done && record.measured {
                self.disseminations.push(GIVEN_UP);
            }
        }
    }

    /// The end: what is still on its way has taken so long at least.
    pub fn finish(&mut self, now: Micros) {
        let waited = |record: &PieceRecord| now - record.published;
        let open = self.open.iter().filter(|record| !record.done && record.measured);
        self.disseminations.extend(open.map(waited).filter(|&waited| waited >= JUDGED_AFTER));
    }

    /// A look at a screen found this lag.
    pub fn lag(&mut self, lag_ms: i64) {
        self.lags[lag_ms.clamp(0, LAG_MAX_MS as i64) as usize] += 1;
    }

    /// The lag below which this share of all looks lies, in seconds.
    pub fn lag_s(&self, share: f64) -> Option<f64> {
        let all: u64 = self.lags.iter().map(|&count| u64::from(count)).sum();
        let wanted = (share * all as f64).ceil() as u64;
        let mut seen = 0;
        let at = self.lags.iter().position(|&count| {
            seen += u64::from(count);
            seen >= wanted.max(1)
        });
        at.map(|ms| ms as f64 / 1e3)
    }
}

/// The value below or at which this share of `values` lies, by nearest rank.
pub fn percentile(values: &mut [Micros], share: f64) -> Option<f64> {
    values.sort_unstable();
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).map(|&value| value as f64 / 1e6)
}
