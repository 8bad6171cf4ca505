//! What goes wrong: viewers that leave, one by one or all at once, and a source that dies and comes back.

use crate::sim::event::{Event, Incident};
use crate::sim::model::*;
use crate::sim::world::{SOURCE, TRACKER, World};

impl World {
    /// A viewer is gone from one moment to the next. After a power cut nobody is told.
    pub(super) fn depart(&mut self, who: u32, power_cut: bool) {
        self.collect(who);
        let now = self.now();
        let peer = &mut self.peers[who as usize];
        peer.engine = None;
        let Some(viewer) = peer.viewer.take() else { return };
        if let Some(since) = viewer.watching_since {
            self.measure.left(now, since, |seq| viewer.held.contains(seq));
        }
        self.network.hosts[who as usize].gone = true;
        let notice = if power_cut { POWER_CUT_NOTICED } else { self.delay(who, TRACKER) };
        self.agenda.after(notice, Event::SessionGone(who));
        for link in std::mem::take(&mut self.peers[who as usize].links) {
            let gone = Event::LinkGone { who: link.place, number: link.number, unopened: false };
            self.agenda.after(SILENCE_NOTICED, gone);
        }
    }

    pub(super) fn incident(&mut self, incident: Incident) {
        match incident {
            Incident::MassDeparture => {
                let mut viewers = self.viewers();
                self.random.shuffle(&mut viewers);
                viewers.truncate((viewers.len() as f64 * DEPARTING_SHARE) as usize);
                viewers.into_iter().for_each(|who| self.depart(who, true));
            }
            Incident::TrackerDies => self.tracker_dies(),
            Incident::TrackerReturns => self.tracker_returns(),
            Incident::SourceDies => self.source_dies(),
            Incident::SourceReturns => self.source_returns(),
        }
    }

    fn source_dies(&mut self) {
        self.publishing = false;
        self.totals.add_source(&self.source_stats());
        self.totals.source_before = Default::default();
        self.peers[SOURCE as usize].engine = None;
        self.agenda.after(self.delay(SOURCE, TRACKER), Event::SessionGone(SOURCE));
        for link in std::mem::take(&mut self.peers[SOURCE as usize].links) {
            // A process that ends closes its links: the neighbors hear of it at once.
            let gone = Event::LinkGone { who: link.place, number: link.number, unopened: false };
            self.agenda.after(self.delay(SOURCE, link.place), gone);
        }
    }

    fn source_returns(&mut self) {
        let now = self.now();
        self.media.restart(now);
        self.measure.restart();
        for peer in &mut self.peers {
            if let Some(viewer) = &mut peer.viewer {
                viewer.advance(now, &self.media);
                viewer.restart();
            }
        }
        let engine = self.source_engine();
        self.peers[SOURCE as usize].engine = Some(Box::new(engine));
        self.publishing = true;
        self.publish_header();
        self.session_opens(SOURCE);
    }
}
