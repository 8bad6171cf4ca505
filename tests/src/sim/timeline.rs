//! What happens when: shares over all viewers, for each half second since measuring began.

use crate::sim::agenda::Micros;
use crate::sim::measure::Share;
use crate::sim::model::*;

/// Time that is summed up in one [`Moment`].
pub const MOMENT: Micros = 500 * MS;

/// Half a second of all viewers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// Looks at screens that found the picture standing still.
    pub standing: Share,
    /// Pieces held when they were due.
    pub on_time: Share,
    /// Pieces that came from the relay, copies of what was held included.
    pub from_relay: Share,
}

/// Moments, one after another.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// When the first one begins; `None`: not yet.
    pub(super) begun: Option<Micros>,
    pub(super) moments: Vec<Moment>,
}

impl Timeline {
    /// A look at a screen, and the pieces that have been due there since the last one.
    pub(super) fn look(&mut self, now: Micros, standing: bool, due: Share) {
        if let Some(moment) = self.moment(now) {
            moment.standing.add(Share { part: standing.into(), all: 1 });
            moment.on_time.add(due);
        }
    }

    /// A piece has come.
    pub(super) fn came(&mut self, now: Micros, from_relay: bool) {
        if let Some(moment) = self.moment(now) {
            moment.from_relay.add(Share { part: from_relay.into(), all: 1 });
        }
    }

    fn moment(&mut self, now: Micros) -> Option<&mut Moment> {
        let at = (now.checked_sub(self.begun?)? / MOMENT) as usize;
        if at >= self.moments.len() {
            self.moments.resize(at + 1, Moment::default());
        }
        self.moments.get_mut(at)
    }
}
