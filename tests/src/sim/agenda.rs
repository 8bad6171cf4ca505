//! What happens when: events in the order of their time, those of the same time in the order of their making.
//!
//! Most events are of the next two seconds, and there are millions of them: they lie in a wheel of slots, of which
//! only the present one is kept in order. The few later ones wait in a heap.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Microseconds since the simulation's start.
pub type Micros = u64;

/// Time of one slot, as a power of two: 128 µs, so that a slot's events fit a processor's nearest memory.
const SLOT_BITS: u32 = 7;
/// Slots of the wheel, a power of two: 2 s, in which nearly all events happen.
const SLOTS: usize = 1 << 14;

/// Events to come.
#[derive(Debug)]
pub struct Agenda<E> {
    now: Micros,
    made: u64,
    /// The slot of `present`, counted since the start.
    slot: u64,
    /// Events of the present slot, and any that should have been before.
    present: BinaryHeap<Entry<E>>,
    wheel: Vec<Vec<Entry<E>>>,
    in_wheel: usize,
    later: BinaryHeap<Entry<E>>,
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
        Agenda {
            now: 0,
            made: 0,
            slot: 0,
            present: BinaryHeap::new(),
            wheel: (0..SLOTS).map(|_| Vec::new()).collect(),
            in_wheel: 0,
            later: BinaryHeap::new(),
        }
    }

    /// The time of the event under way.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Puts an event on the agenda; one of the past happens next.
    pub fn at(&mut self, at: Micros, event: E) {
        self.made += 1;
        let at = at.max(self.now);
        self.put(Entry { at, order: self.made, event });
    }

    fn put(&mut self, entry: Entry<E>) {
        let slot = entry.at >> SLOT_BITS;
        if slot <= self.slot {
            self.present.push(entry);
        } else if slot - self.slot < SLOTS as u64 {
            self.wheel[slot as usize % SLOTS].push(entry);
            self.in_wheel += 1;
        } else {
            self.later.push(entry);
        }
    }

    /// As [`at`](Self::at), counted from now.
    pub fn after(&mut self, delay: Micros, event: E) {
        self.at(self.now + delay, event);
    }

    /// The next event, to whose time the clock moves.
    pub fn take(&mut self) -> Option<E> {
        while self.present.is_empty() {
            self.turn()?;
        }
        let entry = self.present.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }

    /// Turns the wheel to the next slot, or straight to the next event if the wheel is empty. `None`: there is none.
    fn turn(&mut self) -> Option<()> {
        self.slot += 1;
        if self.in_wheel == 0 {
            self.slot = self.slot.max(self.later.peek()?.at >> SLOT_BITS);
        }
        let horizon = (self.slot + SLOTS as u64) << SLOT_BITS;
        while self.later.peek().is_some_and(|entry| entry.at < horizon) {
            if let Some(entry) = self.later.pop() {
                self.put(entry);
            }
        }
        let slot = &mut self.wheel[self.slot as usize % SLOTS];
        self.in_wheel -= slot.len();
        self.present.extend(slot.drain(..));
        Some(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Random;

    #[test]
    fn events_come_in_the_order_of_their_time_and_making() {
        let mut random = Random::seeded(3);
        let mut agenda = Agenda::new();
        (0..2_000).for_each(|number| agenda.at(random.below(20_000_000), number));
        let (mut taken, mut number) = (Vec::new(), 2_000);
        while let Some(event) = agenda.take() {
            taken.push((agenda.now(), event));
            if number < 6_000 {
                // Now, within the slot, within the wheel, and behind it.
                let delay = [0, 50, 900_000, 9_000_000][number as usize % 4];
                agenda.after(delay, number);
                number += 1;
            }
        }
        assert_eq!(taken.len(), 6_000);
        assert!(taken.is_sorted_by_key(|&(at, _)| at));
        let mut agenda = Agenda::new();
        (0..10).for_each(|number| agenda.at(5_000_000, number));
        let order: Vec<_> = std::iter::from_fn(|| agenda.take()).collect();
        assert_eq!(order, (0..10).collect::<Vec<_>>());
    }
}
