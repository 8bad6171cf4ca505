//! What a scenario does to the swarm: who leaves, what dies and returns, who lies.

use std::collections::BTreeSet;

use std::cmp::Reverse;
use swarm::{Input, Role, Roster, RosterConfig, RosterRole};
use wire::session::{FromTracker, Report};
use wire::{Epoch, PeerId};

use super::{EPOCH, Event, World, engine, secret};

impl World {
    pub fn remove(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.screens.remove(&peer);
        let (gone, kept) = self.links.iter().partition(|(a, b)| *a == peer || *b == peer);
        self.links = kept;
        let gone: BTreeSet<(PeerId, PeerId)> = gone;
        for (a, b) in gone {
            let other = if a == peer { b } else { a };
            // A browser that is closed says nothing to its neighbors; they notice by themselves.
            self.schedule(4_000, Event::ToPeer(other, Input::LinkClosed { peer }));
        }
        if self.tracker_up {
            self.roster.leave(self.now(), peer);
            self.roster.outpost_gone(self.now(), peer);
            self.relay.handle(self.now(), Input::LinkClosed { peer });
            self.flush_tracker();
        }
    }

    pub fn kill_tracker(&mut self) {
        self.tracker_up = false;
        let everyone: Vec<_> = self.peers.keys().copied().collect();
        everyone.into_iter().for_each(|peer| self.tell_peer(peer, Input::SessionClosed));
    }

    pub fn restart_tracker(&mut self) {
        self.tracker_up = true;
        self.roster = Roster::new(RosterConfig::default(), 1);
        self.relay = engine(Role::Relay, secret(0), &self.signer);
        let source = self.source;
        self.relay.handle(self.now(), Input::Told(self.welcome(source)));
        self.roster.join(self.now(), source, RosterRole::Source, true, Report::default());
        self.tell_peer(source, Input::SessionOpened);
        self.tell_peer(source, Input::Told(self.welcome(source)));
        self.tell_peer(source, Input::LinkOpened { peer: PeerId::RELAY });
        self.relay.handle(self.now(), Input::LinkOpened { peer: source });
        self.flush_tracker();
        let viewers: Vec<_> = self.screens.keys().copied().collect();
        viewers.into_iter().for_each(|viewer| self.tell_peer(viewer, Input::SessionOpened));
    }

    pub fn kill_source(&mut self) {
        self.publishing = false;
        let source = self.source;
        self.peers.remove(&source);
        self.links.retain(|(a, b)| *a != source && *b != source);
        self.roster.leave(self.now(), source);
        self.relay.handle(self.now(), Input::LinkClosed { peer: source });
        self.tell_viewers(FromTracker::Offline { ended: false });
        self.flush_tracker();
    }

    pub fn restart_source(&mut self) {
        self.publishing = true;
        (self.chunk, self.seq, self.generation) = (0, 0, 0);
        self.epoch = Epoch(EPOCH.0 + self.now_ms);
        self.start_source();
        self.tell_viewers(FromTracker::Live { epoch: self.epoch, source: Some(self.source) });
    }

    /// All machines and all lines stand still; then what was due meanwhile happens at once, in its order.
    pub fn stand_still_for(&mut self, ms: u64) {
        self.now_ms += ms;
        let late = std::mem::take(&mut self.events);
        let now_ms = self.now_ms;
        self.events = late
            .into_iter()
            .map(|Reverse((at, order, body))| Reverse((at.max(now_ms), order, body)))
            .collect();
    }

    pub fn make_liar(&mut self, peer: PeerId) {
        self.liars.insert(peer);
    }

    /// The encoder sends nothing for a while, and goes on.
    pub fn pause_programme_for(&mut self, ms: u64) {
        self.publishing = false;
        self.run_for(ms);
        self.publishing = true;
    }

    /// It lives, says what it has, and sends no piece over any link.
    pub fn make_mute(&mut self, peer: PeerId) {
        self.mutes.insert(peer);
    }

    pub fn block_links(&mut self, peer: PeerId) {
        self.unlinkable.insert(peer);
    }

    pub fn tell_peer(&mut self, peer: PeerId, input: Input) {
        let now = self.now();
        if let Some(swarm) = self.peers.get_mut(&peer) {
            swarm.handle(now, input);
            self.flush(peer);
        }
    }
}
