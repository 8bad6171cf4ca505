//! One viewer beside its engine: its circumstances, its screen, and what it has got in time.

use swarm::Stats;

use crate::sim::agenda::Micros;
use crate::sim::held::Held;
use crate::sim::measure::Share;
use crate::sim::media::Media;
use crate::sim::screen::Screen;
use crate::sim::setup::Traits;

/// What the world knows of a viewer.
#[derive(Debug)]
pub struct Viewer {
    /// As drawn.
    pub traits: Traits,
    /// Its media element.
    pub screen: Screen,
    /// Pieces of the present broadcast that it has got.
    pub held: Held,
    /// When its page was opened.
    pub visited: Micros,
    /// It was there when measuring began.
    pub veteran: bool,
    /// Since when it counts as watching: the first look after its first picture.
    pub watching_since: Option<Micros>,
    /// The engine's counters when measuring began, or when it came.
    pub before: Stats,
    /// First chunk whose deadline has not come.
    next_due: Option<u32>,
    /// Pieces below this one have been due.
    due_below: u32,
    /// Pieces due, and held by then, since measuring began.
    pub due: Share,
    /// Of these, already told by [`Viewer::newly_due`].
    due_told: Share,
    /// Pieces that came when they had been due.
    pub late: u64,
}

impl Viewer {
    /// Somebody opens the page.
    pub fn new(traits: Traits, now: Micros) -> Viewer {
        Viewer {
            traits,
            screen: Screen::new(now),
            held: Held::default(),
            visited: now,
            veteran: false,
            watching_since: None,
            before: Stats::default(),
            next_due: None,
            due_below: 0,
            due: Share::default(),
            due_told: Share::default(),
            late: 0,
        }
    }

    /// Measuring begins.
    pub fn begin(&mut self, now: Micros, media: &Media, stats: Stats) {
        self.advance(now, media);
        self.screen.begin(now);
        self.veteran = true;
        self.before = stats;
        self.due = Share::default();
        self.due_told = Share::default();
        self.late = 0;
    }

    /// Another broadcast.
    pub fn restart(&mut self) {
        self.held = Held::default();
        self.next_due = None;
        self.due_below = 0;
    }

    /// A piece has come. Whether it was not held before.
    pub fn take(&mut self, seq: u32) -> bool {
        let new = self.held.insert(seq);
        self.late += u64::from(new && seq < self.due_below && self.due.all > 0);
        new
    }

    /// Pieces that have been due since this was asked last.
    pub fn newly_due(&mut self) -> Share {
        let told = std::mem::replace(&mut self.due_told, self.due);
        Share { part: self.due.part - told.part, all: self.due.all - told.all }
    }

    /// Plays up to now, and judges what was due by then.
    pub fn advance(&mut self, now: Micros, media: &Media) {
        self.screen.advance(now);
        let Some(due_ms) = self.screen.due_ms() else { return };
        let numbers = media.chunk_numbers();
        // The chunk at which it starts was there.
        let mut next = self.next_due.unwrap_or_else(|| {
            let from = numbers
                .clone()
                .rev()
                .find(|&number| media.chunk(number).is_some_and(|chunk| i64::from(chunk.time_ms) <= due_ms));
            from.map_or(numbers.start, |from| from + 1)
        });
        next = next.max(numbers.start);
        while let Some(chunk) = media.chunk(next).filter(|chunk| i64::from(chunk.time_ms) <= due_ms) {
            let pieces = chunk.first_seq..chunk.first_seq + u32::from(chunk.count);
            self.due_below = pieces.end;
            let all = pieces.len() as u64;
            let part = pieces.filter(|&seq| self.held.contains(seq)).count() as u64;
            self.due.add(Share { part, all });
            next += 1;
        }
        self.next_due = Some(next);
    }
}
