//! The tracker's shell, as `tracker::channel` is: the real Roster, the real relay, and the sessions between them and
//! the peers.

use std::collections::BTreeMap;

use swarm::{Config, Input, Output, Role, Roster, RosterConfig, RosterRole, Swarm};
use wire::session::{Announce, FromPeer, FromTracker, Join, Report, Welcome};
use wire::{Epoch, PeerId, PeerSecret};

use crate::sim::agenda::Micros;
use crate::sim::event::Event;
use crate::sim::model::*;
use crate::sim::payload::Payload;
use crate::sim::world::{TRACKER, World};

/// What a tracker knows of one channel, its relay aside.
pub(super) struct Tracker {
    pub(super) up: bool,
    pub(super) roster: Roster,
    /// Who has a session, and where it is in the world.
    members: BTreeMap<PeerId, u32>,
    source: Option<PeerId>,
    live: Option<(Epoch, PeerId)>,
    wake_at: Option<Micros>,
    sent_to: Vec<PeerId>,
}

impl Tracker {
    pub(super) fn new(seed: u64) -> Tracker {
        Tracker {
            up: true,
            roster: Roster::new(RosterConfig::default(), seed),
            members: BTreeMap::new(),
            source: None,
            live: None,
            wake_at: None,
            sent_to: Vec::new(),
        }
    }
}

impl World {
    /// A relay has a budget instead of a viewer's caps; here that is its line.
    pub(super) fn relay_engine(&self) -> Swarm {
        let config = Config {
            links_max: usize::MAX,
            link_creations_per_hour: usize::MAX,
            upload_cap_x: f32::MAX,
            egress_max_bps: Some(self.setup.tracker_bps() / 10 * 8),
            ..Config::default()
        };
        self.engine(Role::Relay, PeerSecret([1; 16]), config, u64::from(TRACKER))
    }

    /// A peer said something.
    pub(super) fn hear(&mut self, who: u32, message: FromPeer) {
        let (now, peer) = (self.timestamp(), self.peers[who as usize].id);
        match message {
            FromPeer::Join(join) => return self.join(who, join),
            FromPeer::Announce(announce) => return self.announce(who, announce),
            _ if !self.tracker.members.contains_key(&peer) => return,
            FromPeer::Signal { to, signal } => {
                if self.tracker.roster.may_signal(peer, to) {
                    self.say_to(to, FromTracker::Signal { from: peer, signal });
                }
            }
            FromPeer::Report(report) => self.tracker.roster.report(now, peer, &report),
            FromPeer::Orphaned { stripes, failed, fault } => {
                self.tracker.roster.orphaned(now, peer, stripes, failed, fault)
            }
            FromPeer::Sharing { on } => self.tracker.roster.sharing(now, peer, on),
            FromPeer::Clock => self.say_to(peer, FromTracker::Time { time_ms: self.unix_ms() }),
            FromPeer::Ended => {}
        }
        self.work();
    }

    fn join(&mut self, who: u32, join: Join) {
        let (now, peer) = (self.timestamp(), self.peers[who as usize].id);
        self.enter(who);
        let known = Report { links: join.links, feeds: join.feeds, ..Report::default() };
        self.tracker.roster.join(now, peer, RosterRole::Viewer, join.sharing, known);
        self.tell(TRACKER, Input::LinkOpened { peer });
    }

    fn announce(&mut self, who: u32, announce: Announce) {
        let (now, peer) = (self.timestamp(), self.peers[who as usize].id);
        self.tracker.source = Some(peer);
        let mut welcome = self.enter(who);
        self.tracker.roster.join(now, peer, RosterRole::Source, true, Report::default());
        welcome.peer = PeerId::RELAY;
        welcome.epoch = announce.epoch;
        self.tell(TRACKER, Input::Told(FromTracker::Welcome(welcome)));
        self.tell(TRACKER, Input::LinkOpened { peer });
        match announce.epoch {
            Some(epoch) => self.go_live(epoch),
            None => self.go_offline(),
        }
    }

    fn enter(&mut self, who: u32) -> Welcome {
        let peer = self.peers[who as usize].id;
        let welcome = Welcome {
            peer,
            channel: self.media.signer().channel(),
            name: "demo".into(),
            time_ms: self.unix_ms(),
            epoch: self.tracker.live.map(|(epoch, _)| epoch),
            source: self.tracker.source,
            stun_port: None,
            sharing: None,
            pass: None,
            turn: None,
            viewers: self.tracker.roster.viewers() as u32,
        };
        self.tracker.members.insert(peer, who);
        self.say_to(peer, FromTracker::Welcome(welcome.clone()));
        welcome
    }

    /// The tracker learns that a session is over.
    pub(super) fn session_gone(&mut self, who: u32) {
        if let Some(session) = self.peers[who as usize].session.take() {
            self.network.close(session.up);
        }
        let (now, peer) = (self.timestamp(), self.peers[who as usize].id);
        if self.tracker.members.remove(&peer).is_none() {
            return;
        }
        self.tracker.roster.leave(now, peer);
        if self.tracker.source.take_if(|source| *source == peer).is_some() {
            self.go_offline();
        }
        self.tell(TRACKER, Input::LinkClosed { peer });
    }

    fn go_live(&mut self, epoch: Epoch) {
        let Some(source) = self.tracker.source else { return };
        if self.tracker.live.replace((epoch, source)) != Some((epoch, source)) {
            self.say_to_all_but(source, &FromTracker::Live { epoch, source: Some(source) });
        }
    }

    fn go_offline(&mut self) {
        if let Some((_, source)) = self.tracker.live.take() {
            self.say_to_all_but(source, &FromTracker::Offline { ended: false });
        }
    }

    fn say_to_all_but(&mut self, except: PeerId, message: &FromTracker) {
        let others: Vec<_> = self.tracker.members.keys().copied().filter(|&peer| peer != except).collect();
        others.into_iter().for_each(|peer| self.say_to(peer, message.clone()));
    }

    fn say_to(&mut self, peer: PeerId, message: FromTracker) {
        let who = self.tracker.members.get(&peer);
        if let Some(session) = who.and_then(|&who| self.peers[who as usize].session) {
            self.network.send(&mut self.agenda, session.down, 0, Payload::Told(Box::new(message)));
        }
    }

    /// Carries out what relay and Roster have decided, until they have no more to say.
    pub(super) fn work(&mut self) {
        let mut sent_to = std::mem::take(&mut self.tracker.sent_to);
        loop {
            while let Some(output) = self.relay().and_then(Swarm::poll_output) {
                self.perform(output, &mut sent_to);
            }
            while let Some(output) = self.tracker.roster.poll_output() {
                self.say_to(output.to, output.message);
            }
            if sent_to.is_empty() {
                break;
            }
            sent_to.sort_unstable();
            sent_to.dedup();
            sent_to.drain(..).for_each(|peer| self.report_queue(peer));
        }
        self.tracker.sent_to = sent_to;
        self.arm_tracker();
    }

    fn relay(&mut self) -> Option<&mut Swarm> {
        self.peers[TRACKER as usize].engine.as_deref_mut()
    }

    fn perform(&mut self, output: Output, sent_to: &mut Vec<PeerId>) {
        match output {
            Output::Send { peer, frame, .. } => {
                let frame = self.inspect(TRACKER, frame);
                let who = self.tracker.members.get(&peer);
                if let Some(session) = who.and_then(|&who| self.peers[who as usize].session) {
                    self.network.send(&mut self.agenda, session.down, 1, Payload::Frame(frame));
                }
                sent_to.push(peer);
            }
            Output::Stream(header) => {
                let now = self.timestamp();
                self.tracker.roster.set_stream(now, header.stripes, header.bitrate_bps);
                self.go_live(header.epoch);
            }
            Output::Violation { .. } => self.totals.violations += 1,
            Output::CloseLink { peer } => self.turn_away(peer),
            Output::Tell(_) | Output::OpenLink { .. } | Output::Signal { .. } | Output::Chunk(_) => {}
        }
    }

    /// The relay ends a session.
    fn turn_away(&mut self, peer: PeerId) {
        if let Some(&who) = self.tracker.members.get(&peer) {
            self.agenda.after(self.delay(who, TRACKER), Event::SessionLost(who));
            self.agenda.after(0, Event::SessionGone(who));
        }
    }

    /// Tells the relay what waits for one session, as the tracker's outbox counts it.
    pub(super) fn report_queue(&mut self, peer: PeerId) {
        let who = self.tracker.members.get(&peer);
        let session = who.and_then(|&who| self.peers[who as usize].session);
        let Some(flow) = session.and_then(|session| self.network.flow(session.down)) else { return };
        let unsent = flow.unsent_bytes().saturating_sub(KERNEL_UNSENT_BYTES);
        let bytes = if unsent < SESSION_WORTH_TELLING_BYTES { 0 } else { unsent as usize };
        let now = self.timestamp();
        if let Some(relay) = self.relay() {
            relay.handle(now, Input::Queued { peer, bytes });
        }
    }

    fn arm_tracker(&mut self) {
        let relay = self.peers[TRACKER as usize].engine.as_ref().and_then(|relay| relay.poll_timeout());
        let due = [relay, self.tracker.roster.poll_timeout()].into_iter().flatten().min();
        let Some(at) = due.map(|at| at.as_micros().max(self.now() + MS)) else { return };
        if self.tracker.up && self.tracker.wake_at.is_none_or(|armed| at < armed) {
            self.tracker.wake_at = Some(at);
            self.agenda.at(at, Event::WakeTracker);
        }
    }

    pub(super) fn wake_tracker(&mut self) {
        if self.tracker.wake_at != Some(self.now()) {
            return;
        }
        self.tracker.wake_at = None;
        let now = self.timestamp();
        let without = self.relay().is_some_and(|relay| !relay.has_room_for_viewer());
        self.tracker.roster.without_relay(without);
        self.tracker.roster.wake(now);
        self.tell(TRACKER, Input::Wake);
    }

    pub(super) fn tracker_dies(&mut self) {
        self.totals.add_relay(&self.relay_stats());
        self.totals.relay_before = Default::default();
        self.tracker.up = false;
        self.peers[TRACKER as usize].engine = None;
        for who in 0..self.peers.len() as u32 {
            if let Some(session) = self.peers[who as usize].session.take() {
                self.network.close(session.up);
                self.agenda.after(self.delay(who, TRACKER), Event::SessionLost(who));
            }
        }
    }

    pub(super) fn tracker_returns(&mut self) {
        self.tracker = Tracker::new(self.setup.seed);
        let relay = self.relay_engine();
        self.peers[TRACKER as usize].engine = Some(Box::new(relay));
        self.totals.relay_before = Default::default();
    }
}
