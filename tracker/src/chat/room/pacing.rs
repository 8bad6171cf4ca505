//! How fast a speaker, a household and everybody may write.

use std::time::Duration;

use swarm::Timestamp;

use super::{Refused, Room, Visitor};
use crate::chat::message::{Objection, Role};

/// Households whose pace is known. 4,096, as speakers.
const HOUSEHOLDS_MAX: usize = 4_096;

/// Lines of one speaker at once. 4: a thought in pieces.
const LINES_AT_ONCE: u32 = 4;

/// Lines of one household: two a second and 20 at once, for a class behind one address.
const HOUSEHOLD_LINES: Pacing = Pacing { every: Duration::from_millis(500), at_once: 20 };

/// Names taken by one household: one in five seconds, 30 at once, for the same class.
pub(super) const HOUSEHOLD_NAMES: Pacing = Pacing { every: Duration::from_secs(5), at_once: 30 };

/// How fast: one every so often on average, and so many at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pacing {
    every: Duration,
    at_once: u32,
}

/// When the next would be due if all came at the average pace.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace(Timestamp);

impl Pace {
    /// Takes one, or says how long to wait for it.
    pub(super) fn take(&mut self, now: Timestamp, pacing: Pacing) -> Result<(), Duration> {
        let due = self.0.max(now);
        let ahead = due.since(now);
        let allowed = pacing.every * (pacing.at_once - 1);
        if ahead > allowed {
            return Err(ahead - allowed);
        }
        self.0 = due + pacing.every;
        Ok(())
    }

    pub(super) fn is_rested(self, now: Timestamp) -> bool {
        self.0 <= now
    }
}

#[derive(Debug, Default)]
pub(super) struct Household {
    lines: Pace,
    pub(super) names: Pace,
}

impl Room {
    /// Holds a speaker, the household and everybody to their pace.
    pub(super) fn keep_pace(&mut self, now: Timestamp, visitor: Visitor, role: Role) -> Result<(), Refused> {
        let slow = Duration::from_secs(self.slow_s.into());
        let pacing = Pacing { every: self.bounds.line_every, at_once: LINES_AT_ONCE };
        let speaker = self.speakers.get_mut(&visitor.speaker).ok_or((Objection::NoName, None))?;
        let waited = speaker.said_at.map_or(slow, |said_at| now.since(said_at));
        if role == Role::Guest && waited < slow {
            return Err((Objection::Slow, Some(slow - waited)));
        }
        let mut own = speaker.lines;
        own.take(now, pacing).map_err(|wait| (Objection::TooFast, Some(wait)))?;
        if role == Role::Guest {
            if let Some(household) = self.household(now, visitor) {
                household
                    .lines
                    .take(now, HOUSEHOLD_LINES)
                    .map_err(|wait| (Objection::TooFast, Some(wait)))?;
            }
            let rate = self.bounds.lines_per_second.max(1);
            let pacing = Pacing { every: Duration::from_secs(1) / rate, at_once: rate };
            self.pace.take(now, pacing).map_err(|wait| (Objection::Busy, Some(wait)))?;
        }
        if let Some(speaker) = self.speakers.get_mut(&visitor.speaker) {
            (speaker.lines, speaker.said_at, speaker.used_at) = (own, Some(now), now);
        }
        Ok(())
    }

    pub(super) fn household(&mut self, now: Timestamp, visitor: Visitor) -> Option<&mut Household> {
        let id = visitor.household?;
        if self.households.len() >= HOUSEHOLDS_MAX && !self.households.contains_key(&id) {
            self.households
                .retain(|_, household| !(household.lines.is_rested(now) && household.names.is_rested(now)));
        }
        if self.households.len() >= HOUSEHOLDS_MAX && !self.households.contains_key(&id) {
            self.households.pop_first();
        }
        Some(self.households.entry(id).or_default())
    }
}
