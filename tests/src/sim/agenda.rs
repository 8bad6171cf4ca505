//! What happens when: events in the order of their time, those of the same time in the order of their making.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Microseconds since the simulation's start.
pub type Micros = u64;

/// Events to come.
#[derive(Debug)]
pub struct Agenda<E> {
    now: Micros,
    made: u64,
    heap: BinaryHeap<Entry<E>>,
}

#[derive(Debug)]
struct Entry<E> {
    at: Micros,
    order: u64,
    event: E,
}

impl<E> Agenda<E> {
    /// Nothing to come, and the clock at zero.
    pub fn new() -> Self {
        Agenda { now: 0, made: 0, heap: BinaryHeap::new() }
    }

    /// The time of the event under way.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Puts an event on the agenda; one of the past happens next.
    pub fn at(&mut self, at: Micros, event: E) {
        self.made += 1;
        self.heap.push(Entry { at: at.max(self.now), order: self.made, event });
    }

    /// As [`at`](Self::at), counted from now.
    pub fn after(&mut self, delay: Micros, event: E) {
        self.at(self.now + delay, event);
    }

    /// The next event, to whose time the clock moves.
    pub fn take(&mut self) -> Option<E> {
        let entry = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }

    /// Events made so far.
    pub fn made(&self) -> u64 {
        self.made
    }
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self::new()
    }
}

// `BinaryHeap` gives the greatest first: the earliest event is the greatest.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<E> Eq for Entry<E> {}
