//! The simulated world: real engines, the real Roster and real playouts in one thread and one time. This file holds it
//! together and lets things happen; what a peer's shell does is in `shell`, the tracker's in `tracker`, the making of
//! links in `links`, what goes wrong in `incidents`.
//!
//! Everything follows from the seed: there is no other clock, no thread and no walk through a hash table.

use std::collections::HashMap;

use swarm::{Config, Identity, Input, Role, Swarm, Timestamp};
use wire::{PeerId, PeerSecret};

use crate::sim::agenda::{Agenda, Micros};
use crate::sim::distance::{Place, delay};
use crate::sim::event::{Event, Incident};
use crate::sim::links::LinkEnd;
use crate::sim::measure::Measure;
use crate::sim::media::{Media, ZERO_UNIX_MS, is_proven};
use crate::sim::model::*;
use crate::sim::network::{Delivery, FlowId, Network};
use crate::sim::payload::{Payload, piece_seq};
use crate::sim::progress::Progress;
use crate::sim::random::{Random, mix};
use crate::sim::setup::{Baseline, Scenario, Setup, Traits};
use crate::sim::timeline::Timeline;
use crate::sim::totals::Totals;
use crate::sim::trace::Recorder;
use crate::sim::tracker::Tracker;
use crate::sim::viewer::Viewer;

/// The tracker's place among hosts and peers; its engine is the relay.
pub const TRACKER: u32 = 0;
/// The broadcaster's.
pub const SOURCE: u32 = 1;

/// A participant: its engine, and what its shell holds.
pub struct Peer {
    /// Its id.
    pub id: PeerId,
    /// `None`: it has left.
    pub engine: Option<Box<Swarm>>,
    /// `None`: the tracker and the source.
    pub viewer: Option<Box<Viewer>>,
    pub(super) links: Vec<LinkEnd>,
    pub(super) links_made: u32,
    pub(super) session: Option<Session>,
    pub(super) wake_at: Option<Micros>,
    pub(super) looks_at_queues: bool,
    /// What it will be told when its machine goes on, while that is held up.
    pub(super) held_up: Option<Vec<Input>>,
}

/// A connection to the tracker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) up: FlowId,
    pub(super) down: FlowId,
}

/// All of it.
pub struct World {
    /// What is simulated.
    pub setup: Setup,
    pub(super) agenda: Agenda<Event>,
    pub(super) network: Network,
    /// By their place; [`TRACKER`] and [`SOURCE`] come first.
    pub peers: Vec<Peer>,
    /// Asked for single peers only.
    pub(super) places: HashMap<PeerId, u32>,
    pub(super) media: Media,
    /// What has been measured.
    pub measure: Measure,
    pub(super) totals: Totals,
    pub(super) timeline: Timeline,
    pub(super) tracker: Tracker,
    pub(super) random: Random,
    pub(super) attempts: u32,
    pub(super) sent_to: Vec<PeerId>,
    pub(super) recorder: Option<Recorder>,
    /// Which visitor's inputs are recorded.
    recorded: Option<u64>,
    visits: u64,
    pub(super) publishing: bool,
    end: Micros,
    progress: Progress,
}

impl World {
    /// A world in which the source is about to go live.
    pub fn new(setup: &Setup) -> World {
        let media = Media::new(setup.bitrate_bps, setup.stripes(), setup.seed);
        let mut world = World {
            agenda: Agenda::new(),
            network: Network::default(),
            peers: Vec::new(),
            places: HashMap::new(),
            measure: Measure::default(),
            totals: Totals::default(),
            timeline: Timeline::default(),
            tracker: Tracker::new(setup.seed),
            random: Random::seeded(setup.seed).fork(0x776f_726c),
            attempts: 0,
            sent_to: Vec::new(),
            recorder: None,
            recorded: None,
            visits: 0,
            publishing: false,
            end: 0,
            progress: Progress::hidden(),
            media,
            setup: setup.clone(),
        };
        world.add_tracker();
        world.add_source();
        world.plan();
        world
    }

    /// What the viewer of this number is told is to be recorded.
    pub fn record(&mut self, viewer: u64) {
        self.recorded = Some(viewer);
    }

    /// The recorded trace, when all is over; `None` if that viewer never came.
    pub fn trace(&mut self) -> Option<String> {
        self.recorder.take().map(Recorder::finish)
    }

    /// Runs to the end.
    pub fn run(&mut self) {
        self.progress = Progress::new(self.setup.progress, self.end);
        let mut deliveries = Vec::new();
        while let Some(event) = self.agenda.take() {
            if let Event::Net(motion) = event {
                self.network.happen(&mut self.agenda, motion, &mut deliveries);
                deliveries.drain(..).for_each(|delivery| self.delivered(delivery));
            } else if let Event::End = event {
                break;
            } else {
                self.happen(event);
            }
        }
        self.finish();
        self.progress.finish();
    }

    /// The time of the event under way.
    pub fn now(&self) -> Micros {
        self.agenda.now()
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::from_micros(self.now())
    }

    /// What the tracker's clock says.
    pub(super) fn unix_ms(&self) -> u64 {
        ZERO_UNIX_MS + self.now() / MS
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.agenda.made()
    }

    // How it begins.

    fn plan(&mut self) {
        let first = self.setup.viewers_first() as u64;
        let every = self.setup.arrival_every();
        for number in 0..first {
            self.agenda.at(HEAD_START + number * every, Event::Visit);
        }
        let begin = HEAD_START + self.setup.warm_up();
        self.end = begin + self.setup.seconds * SECOND;
        self.agenda.at(begin, Event::Begin);
        self.agenda.at(self.end, Event::End);
        let incident = begin + INCIDENT_AFTER;
        let mut plan = |at, incident| self.agenda.at(at, Event::Incident(incident));
        match self.setup.scenario {
            Scenario::MassDeparture => plan(incident, Incident::MassDeparture),
            Scenario::TrackerDown => {
                plan(incident, Incident::TrackerDies);
                plan(incident + TRACKER_AWAY, Incident::TrackerReturns);
            }
            Scenario::SourceRestart => {
                plan(incident, Incident::SourceDies);
                plan(incident + SOURCE_AWAY, Incident::SourceReturns);
            }
            Scenario::FlashCrowd => {
                let crowd = self.setup.viewers as u64 - first;
                for number in 0..crowd {
                    self.agenda.at(begin + number * ARRIVAL_SECONDS * SECOND / crowd, Event::Visit);
                }
            }
            _ => {}
        }
        self.publishing = true;
        self.agenda.at(MS, Event::SessionOpens(SOURCE));
        self.agenda.at(500 * MS, Event::Publish);
    }

    fn add_tracker(&mut self) {
        let engine = self.relay_engine();
        self.add_host(Traits::tracker(&self.setup), 0.0);
        self.add_peer(engine, None);
    }

    fn add_source(&mut self) {
        let traits = Traits {
            up_bps: self.setup.source_uplink_bps(),
            down_bps: SOURCE_UPLINK_BPS * 2,
            ..Traits::tracker(&self.setup)
        };
        self.add_host(traits, self.setup.loss_share() / 2.0);
        let engine = self.source_engine();
        self.add_peer(engine, None);
        self.publish_header();
    }

    pub(super) fn source_engine(&self) -> Swarm {
        let secret = self.media.signer().peer_secret();
        self.engine(Role::Source, secret, Config::default(), u64::from(SOURCE))
    }

    pub(super) fn engine(&self, role: Role, secret: PeerSecret, config: Config, number: u64) -> Swarm {
        let config = Config { proven: Some(is_proven), ..config };
        Swarm::new(config, self.identity(role, secret), self.engine_seed(number))
    }

    fn identity(&self, role: Role, secret: PeerSecret) -> Identity {
        Identity { role, secret, channel: "demo".into(), expected: Some(self.media.signer().channel()) }
    }

    fn engine_seed(&self, number: u64) -> u64 {
        mix(self.setup.seed ^ mix(number))
    }

    fn add_host(&mut self, traits: Traits, loss_share: f64) {
        let number = self.network.hosts.len() as u32;
        self.network.hosts.push(traits.host(self.setup.seed, number, loss_share));
    }

    fn add_peer(&mut self, engine: Swarm, viewer: Option<Viewer>) -> u32 {
        let place = self.peers.len() as u32;
        let id = engine.peer();
        self.places.insert(id, place);
        self.peers.push(Peer {
            id,
            engine: Some(Box::new(engine)),
            viewer: viewer.map(Box::new),
            links: Vec::new(),
            links_made: 0,
            session: None,
            wake_at: None,
            looks_at_queues: false,
            held_up: None,
        });
        place
    }

    /// One way between two hosts.
    pub(super) fn delay(&self, a: u32, b: u32) -> Micros {
        let place = |number| Place::of(&self.network.hosts, number);
        delay(self.setup.seed, place(a), place(b))
    }

    // What happens.

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake(who) => self.wake(who),
            Event::HeldUp(who) => self.hold_up(who),
            Event::GoesOn(who) => self.go_on(who),
            Event::WakeTracker => self.wake_tracker(),
            Event::Look(who) => self.look(who),
            Event::LookAtQueues(who) => self.look_at_queues(who),
            Event::Publish => self.publish(),
            Event::Visit => self.visit(),
            Event::SessionOpens(who) => self.session_opens(who),
            Event::SessionLost(who) => self.session_lost(who),
            Event::SessionGone(who) => self.session_gone(who),
            Event::LinkUp { from, to, number } => self.link_up(from, to, number),
            Event::LinkGone { who, number, unopened } => self.link_gone(who, number, unopened),
            Event::Depart(who) => {
                self.depart(who, false);
                self.agenda.after(0, Event::Visit);
            }
            Event::Incident(incident) => self.incident(incident),
            Event::Begin => self.begin(),
            Event::Net(_) | Event::End => {}
        }
    }

    fn delivered(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Drained(flow) => self.drained(flow),
            Delivery::Message(flow, payload) => {
                let Some((from, to)) = self.network.flow(flow).map(|flow| (flow.from, flow.to)) else {
                    return;
                };
                match payload {
                    Payload::Said(message) => self.hear(from, *message),
                    Payload::Told(message) => self.told(to, *message),
                    Payload::Pull(_) => {}
                    Payload::Frame(bytes) => {
                        self.note_piece(from, to, &bytes);
                        let peer = self.peers[from as usize].id;
                        self.tell(to, Input::Frame { peer, bytes });
                    }
                }
            }
        }
    }

    /// What is measured when a frame reaches a viewer.
    fn note_piece(&mut self, from: u32, to: u32, frame: &bytes::Bytes) {
        let Some(viewer) = self.peers[to as usize].viewer.as_mut() else { return };
        let Some(seq) = piece_seq(frame).filter(|_| is_proven(frame) && self.media.is_current(frame)) else {
            return;
        };
        let now = self.agenda.now();
        viewer.advance(now, &self.media);
        let excluded = self.setup.scenario == Scenario::Capacity && from == TRACKER;
        if excluded && now > viewer.visited + JOINING {
            return;
        }
        self.timeline.came(now, from == TRACKER);
        if viewer.take(seq) {
            self.measure.arrived(now, seq, viewer.watching_since);
        }
    }

    fn publish(&mut self) {
        let now = self.now();
        self.agenda.after(CHUNK_MS * MS, Event::Publish);
        self.progress.at(now, self.measure.watching);
        if !self.publishing {
            return;
        }
        for piece in self.media.publish(now) {
            self.measure.published(now, piece.header.seq);
            if self.measure.begun.is_some() {
                self.measure.published_bytes += piece.payload().len() as u64;
            }
            self.tell(SOURCE, Input::Publish(piece));
        }
    }

    pub(super) fn publish_header(&mut self) {
        let (header, frame) = self.media.header();
        self.tell(SOURCE, Input::PublishStream(header, frame));
    }

    fn visit(&mut self) {
        let number = self.visits;
        self.visits += 1;
        let traits = self.setup.viewer(number);
        let mut draw = Random::seeded(self.setup.seed).fork(number << 8 | 0xb0);
        let secret = PeerSecret((u128::from(draw.bits()) << 64 | u128::from(draw.bits())).to_be_bytes());
        let engine = self.engine(Role::Viewer, secret, Config::default(), number << 8 | 0xb1);
        self.add_host(traits.clone(), self.setup.loss_share() / 2.0);
        let place = self.add_peer(engine, Some(Viewer::new(traits.clone(), self.now())));
        if self.recorded == Some(number) {
            let identity = self.identity(Role::Viewer, secret);
            self.recorder = Some(Recorder::new(place, self.engine_seed(number << 8 | 0xb1), &identity));
        }
        if !traits.gives {
            self.feed(place, Input::UploadCap(0.0));
        }
        if self.setup.baseline == Some(Baseline::Server) {
            self.feed(place, Input::Sharing(false));
        }
        let round_trip = 2 * self.delay(place, TRACKER);
        self.agenda.after(PAGE_ROUND_TRIPS * round_trip + MODULE_START, Event::SessionOpens(place));
        self.agenda.after(MODULE_START + draw.below(LOOK_EVERY), Event::Look(place));
        if self.setup.holds_up() {
            self.agenda.after(draw.below(HELD_UP_EVERY), Event::HeldUp(place));
        }
        if self.setup.churns() {
            let stay = draw.exponential(CHURN_SESSION_SECONDS) * SECOND as f64;
            self.agenda.after(stay as Micros, Event::Depart(place));
        }
    }

    /// Places of the viewers that are there.
    pub fn viewers(&self) -> Vec<u32> {
        let places = (0..).zip(&self.peers);
        places.filter(|(_, peer)| peer.viewer.is_some()).map(|(place, _)| place).collect()
    }
}
