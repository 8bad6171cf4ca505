//! What one channel's task writes down for monitors. Kept by the task alone: the numbers are atomic only to be read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use swarm::{Received, Roster};
use wire::PeerId;
use wire::session::FromTracker;

use crate::figures::{ChannelFigures, Part};
use crate::machine;
use crate::metrics::Metrics;
use crate::refusals::{Door, Reason};

/// One channel's books.
pub(crate) struct Ledger {
    metrics: Arc<Metrics>,
    figures: Arc<ChannelFigures>,
    live: Part,
    viewers: Part,
    sharing: Part,
    received: Received,
    /// Viewers that wait for their first neighbors, and since when.
    waiting: HashMap<PeerId, Instant>,
}

impl Ledger {
    /// The books of the channel `name`.
    pub(crate) fn open(name: &str, metrics: &Arc<Metrics>) -> Self {
        let figures = metrics.channels.of(name);
        Ledger {
            metrics: Arc::clone(metrics),
            live: Part::of(&figures, |of| &of.live),
            viewers: Part::of(&figures, |of| &of.viewers),
            sharing: Part::of(&figures, |of| &of.sharing),
            figures,
            received: Received::default(),
            waiting: HashMap::new(),
        }
    }

    /// A viewer was let in, that had asked at `asked`. Who does not share is told no neighbors.
    pub(crate) fn viewer_came(&mut self, peer: PeerId, sharing: bool, asked: Instant) {
        self.metrics.viewers.add_one();
        if sharing {
            self.waiting.insert(peer, asked);
        }
    }

    /// The broadcaster was let in, and gives the channel its name.
    pub(crate) fn source_came(&mut self, name: &str) {
        self.metrics.sources.add_one();
        if self.figures.name() != name {
            let figures = self.metrics.channels.of(name);
            // Those without a name of their own go on as they are.
            if !Arc::ptr_eq(&figures, &self.figures) {
                (self.live, self.viewers, self.sharing) = (
                    Part::of(&figures, |of| &of.live),
                    Part::of(&figures, |of| &of.viewers),
                    Part::of(&figures, |of| &of.sharing),
                );
                self.figures = figures;
            }
        }
    }

    /// A member has left.
    pub(crate) fn left(&mut self, peer: PeerId) {
        self.waiting.remove(&peer);
    }

    /// A member is told something by the Roster.
    pub(crate) fn told(&mut self, to: PeerId, message: &FromTracker) {
        if !self.waiting.is_empty()
            && matches!(message, FromTracker::Parents { .. } | FromTracker::Link { .. })
            && let Some(asked) = self.waiting.remove(&to)
        {
            self.metrics.matched(machine::instant().saturating_duration_since(asked));
        }
    }

    /// The relay has sent a frame.
    pub(crate) fn relayed(&self, bytes: usize) {
        self.figures.relay_bytes.add(bytes as u64);
    }

    /// A member was refused.
    pub(crate) fn refused(&self, reason: Reason) {
        self.metrics.refused(Door::Session, reason);
    }

    /// Takes over what the Roster knows.
    pub(crate) fn note(&mut self, roster: &Roster, live: bool) {
        self.live.set(live.into());
        self.viewers.set(roster.viewers() as u64);
        self.sharing.set(roster.sharing_viewers() as u64);
        let received = roster.received();
        if received != self.received {
            self.figures.add_received(received.since(self.received));
            self.received = received;
        }
    }
}
