//! Sums over viewers: what each of them got, kept when it leaves and when the simulation ends.

use swarm::Stats;

use crate::sim::agenda::Micros;
use crate::sim::measure::Share;
use crate::sim::model::*;
use crate::sim::screen::Tally;
use crate::sim::viewer::Viewer;
use crate::sim::world::{SOURCE, TRACKER, World};

/// Sums since the start of measuring.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Bytes of piece frames that viewers got.
    pub(super) from_viewers: u64,
    pub(super) from_source: u64,
    pub(super) from_relay: u64,
    pub(super) duplicates: u64,
    pub(super) pieces_new: u64,
    pub(super) pieces_repaired: u64,
    pub(super) pieces_rejected: u64,
    pub(super) source_sent: u64,
    pub(super) source_sent_to_relay: u64,
    pub(super) relay_sent: u64,
    pub(super) due: Share,
    pub(super) due_givers: Share,
    /// Pieces that came when they had been due.
    pub(super) late: u64,
    pub(super) watched: Micros,
    pub(super) stalled: Micros,
    pub(super) stalls: u64,
    /// Longest stall of each viewer.
    pub(super) longest: Vec<Micros>,
    /// The same of those who were there when measuring began.
    pub(super) longest_veterans: Vec<Micros>,
    /// From navigation to the first picture: of those who came before measuring began, and after.
    pub(super) first_frames: [Vec<Micros>; 2],
    pub(super) chunks_skipped: u64,
    pub(super) viewer_seconds: f64,
    pub(super) links: u64,
    pub(super) linked: u64,
    pub(super) violations: u64,
    pub(super) source_before: Stats,
    pub(super) relay_before: Stats,
    pub(super) source_wire_before: u64,
}

impl Totals {
    /// A first picture has been shown.
    pub(super) fn first_frame(&mut self, viewer: &Viewer, begun: Option<Micros>) {
        let after = begun.is_some_and(|begun| viewer.visited >= begun);
        let shown = viewer.screen.shown_at.unwrap_or(viewer.visited);
        self.first_frames[usize::from(after)].push(shown - viewer.visited);
    }

    pub(super) fn add_source(&mut self, now: &Stats) {
        let before = &self.source_before;
        self.source_sent += now.uploaded_bytes - before.uploaded_bytes;
        self.source_sent_to_relay += now.uploaded_to_relay_bytes - before.uploaded_to_relay_bytes;
    }

    pub(super) fn add_relay(&mut self, now: &Stats) {
        self.relay_sent += now.uploaded_bytes - self.relay_before.uploaded_bytes;
    }

    fn add_bytes(&mut self, now: &Stats, before: &Stats) {
        self.from_viewers += now.bytes.viewers - before.bytes.viewers;
        self.from_source += now.bytes.source - before.bytes.source;
        self.from_relay += now.bytes.relay - before.bytes.relay;
        self.duplicates += now.bytes.duplicates - before.bytes.duplicates;
        self.pieces_new += now.pieces.verified - before.pieces.verified;
        self.pieces_repaired += now.pieces.repaired - before.pieces.repaired;
        self.pieces_rejected += now.pieces.rejected - before.pieces.rejected;
        self.chunks_skipped += now.chunks_skipped - before.chunks_skipped;
    }

    fn add_watching(&mut self, viewer: &Viewer, tally: &Tally) {
        self.watched += tally.watched;
        self.stalled += tally.stalled;
        self.stalls += u64::from(tally.stalls);
        self.longest.push(tally.longest);
        if viewer.veteran {
            self.longest_veterans.push(tally.longest);
        }
        self.due.add(viewer.due);
        self.late += viewer.late;
        if viewer.traits.gives {
            self.due_givers.add(viewer.due);
        }
    }
}

impl World {
    /// Measuring begins.
    pub(super) fn begin(&mut self) {
        let now = self.now();
        self.measure.begun = Some(now);
        self.timeline.begun = Some(now);
        self.totals.source_before = self.source_stats();
        self.totals.relay_before = self.relay_stats();
        self.totals.source_wire_before = self.network.hosts[SOURCE as usize].up.bytes;
        for peer in &mut self.peers {
            if let (Some(viewer), Some(engine)) = (peer.viewer.as_mut(), peer.engine.as_ref()) {
                viewer.begin(now, &self.media, engine.stats());
            }
        }
    }

    /// A viewer leaves, or the simulation ends.
    pub(super) fn collect(&mut self, who: u32) {
        let now = self.now();
        let Some(begun) = self.measure.begun else { return };
        let peer = &mut self.peers[who as usize];
        let (Some(viewer), Some(engine)) = (peer.viewer.as_mut(), peer.engine.as_ref()) else { return };
        viewer.advance(now, &self.media);
        let stats = engine.stats();
        if !viewer.traits.lies {
            self.totals.add_bytes(&stats, &viewer.before);
            self.totals.add_watching(viewer, &viewer.screen.tally());
        }
        self.totals.links += stats.links.iter().filter(|link| link.kind != swarm::Role::Relay).count() as u64;
        self.totals.linked += 1;
        self.totals.viewer_seconds += (now - begun.max(viewer.visited)) as f64 / SECOND as f64;
        if viewer.watching_since.is_none() && now > viewer.visited + SECOND {
            // Still dark: it counts with what it has waited so far.
            let after = usize::from(viewer.visited >= begun);
            self.totals.first_frames[after].push(now - viewer.visited);
        }
    }

    pub(super) fn finish(&mut self) {
        self.measure.finish(self.now());
        self.viewers().into_iter().for_each(|who| self.collect(who));
        let (source, relay) = (self.source_stats(), self.relay_stats());
        self.totals.add_source(&source);
        self.totals.add_relay(&relay);
    }

    pub(super) fn source_stats(&self) -> Stats {
        self.stats(SOURCE)
    }

    pub(super) fn relay_stats(&self) -> Stats {
        self.stats(TRACKER)
    }

    fn stats(&self, who: u32) -> Stats {
        self.peers[who as usize].engine.as_ref().map(|engine| engine.stats()).unwrap_or_default()
    }
}
