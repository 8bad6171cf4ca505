//! Those who lack a parent: when they are looked at again, and how many at once.

use std::time::Duration;

use super::tree::{Seat, Tree};
use super::{LOOK_FOR, Roster};
use crate::Timestamp;

/// Members that are looked at again in one tick because a stripe of theirs has no parent.
const UNFED_A_TICK: usize = 256;

/// While nothing changes they are looked for again after as long, and after twice as long each time: up to this.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(160);

/// Members that get another parent at once when theirs leaves, and how soon the next ones do: when thousands leave, most of
/// those who lose a parent are about to leave themselves, and other members are heard in between.
pub(super) const REPAIRS_AT_ONCE: usize = 1_024;
const REPAIR_PAUSE: Duration = Duration::from_millis(100);

impl Roster {
    pub(super) fn note_fed(&mut self, seat: Seat) {
        let takes_part = self.member(seat).is_some_and(|member| member.takes_part());
        if takes_part && self.trees.iter().any(|tree| tree.parent(seat).is_none()) {
            self.unfed.insert(seat);
        } else {
            self.unfed.remove(&seat);
        }
    }

    /// Something has changed: whoever lacks a parent may find one now, or somebody to link with.
    pub(super) fn look_again(&mut self) {
        self.has_changed = true;
    }

    /// The next few of those who lack a parent, until all have had their turn since the last change, and for as long as
    /// that may still bring them one: attempts and limits that it began take their time to end.
    pub(super) fn unfed_due(&mut self, now: Timestamp) -> Vec<Seat> {
        if std::mem::take(&mut self.has_changed) {
            (self.unfed_left, self.look_until, self.look_pause) =
                (self.unfed.len(), now + LOOK_FOR, LOOK_FOR);
        }
        if self.unfed_left == 0 {
            let again_at = self.look_until + self.look_pause;
            let pauses = (self.look_until..again_at).contains(&now);
            if pauses || self.unfed.is_empty() || !self.can_anyone_give() {
                return Vec::new();
            }
            if now >= again_at {
                // What time alone may have changed: seen to ever less often.
                self.unfed_left = self.unfed.len();
                (self.look_until, self.look_pause) = (now, (self.look_pause * 2).min(LOOK_PAUSE_MAX));
            }
        }
        let next = self.unfed_next();
        self.unfed_left = self.unfed_left.saturating_sub(next.len().max(1));
        next
    }

    /// Whether there is any upload that nobody uses. Where there is none, time alone brings nobody a parent.
    fn can_anyone_give(&self) -> bool {
        let has_place = |tree: &Tree| tree.open().next().is_some();
        !self.spare.is_empty() || !self.outposts.is_empty() || self.trees.iter().any(has_place)
    }

    /// The next few of those who lack a parent; all of them have their turn.
    pub(super) fn unfed_next(&mut self) -> Vec<Seat> {
        let behind = self.unfed.range(self.unfed_from..).chain(self.unfed.range(..self.unfed_from));
        let next: Vec<_> = behind.copied().take(UNFED_A_TICK).collect();
        self.unfed_from = next.last().map_or(Seat::ROOT, |last| Seat(last.0 + 1));
        next
    }

    /// Whether one more may be given another parent at once; counts it.
    pub(super) fn may_repair(&mut self, now: Timestamp) -> bool {
        if now >= self.next_repairs {
            (self.repairs_left, self.next_repairs) = (REPAIRS_AT_ONCE, now + REPAIR_PAUSE);
        }
        let may = self.repairs_left > 0;
        self.repairs_left = self.repairs_left.saturating_sub(1);
        may
    }

    /// The next of those who have waited for another parent.
    pub(super) fn repair(&mut self, now: Timestamp) {
        while !self.unrepaired.is_empty() && self.may_repair(now) {
            if let Some(orphan) = self.unrepaired.pop_first() {
                self.settle(now, orphan);
            }
        }
    }
}
