//! A small swarm in simulated time: the real engines and the real Roster, with only network, clock and media made
//! up. Everything follows from the seed.

mod figures;
mod interventions;
mod signing;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use bytes::Bytes;
use swarm::*;
use wire::session::{FromPeer, FromTracker, Report, Signal, Welcome};
use wire::{Epoch, MediaKey, PeerId, PeerSecret, Piece, PieceHeader, Seal, Signer};

pub const EPOCH: Epoch = Epoch(1_700_000_000_000);
const STRIPES: u8 = 6;
const PIECES_PER_CHUNK: u16 = 6;
const CHUNK_MS: u64 = 100;
const CHUNKS_PER_SEGMENT: u32 = 10;
const LINK_DELAY_MS: u64 = 25;
const SESSION_DELAY_MS: u64 = 10;
/// Six round trips.
const LINK_SETUP_MS: u64 = 12 * LINK_DELAY_MS;

/// A longer frame on a link is a piece.
const PIECE_BYTES_MIN: usize = 500;

/// What is on its way, and to whom.
enum Event {
    ToPeer(PeerId, Input),
    ToTracker(PeerId, FromPeer),
    FrameToRelay(PeerId, Bytes),
    Publish,
    Wake(PeerId),
    WakeTracker,
    Look(PeerId),
}

/// A viewer's screen: what was handed to its player, and how play goes.
#[derive(Default)]
pub struct Screen {
    pub chunks: Vec<u32>,
    pub generations: Vec<(Epoch, u16)>,
    buffered_ms: Option<(i64, i64)>,
    position_ms: i64,
    playing: bool,
    looked_at_ms: u64,
    pub stalled_ms: u64,
    pub longest_stall_ms: u64,
    stall_ms: u64,
    pub altered: usize,
    pub violations: Vec<(PeerId, Violation)>,
    /// How far the viewer has gone back; there, nothing stalls.
    pub back_ms: i64,
}

pub struct World {
    pub now_ms: u64,
    order: u64,
    events: BinaryHeap<Reverse<(u64, u64, usize)>>,
    bodies: BTreeMap<usize, Event>,
    random: u64,
    loss_per_mille: u64,
    signer: Signer,
    epoch: Epoch,
    chunk: u32,
    seq: u32,
    publishing: bool,
    pub roster: Roster,
    pub relay: Swarm,
    pub peers: BTreeMap<PeerId, Swarm>,
    pub screens: BTreeMap<PeerId, Screen>,
    links: BTreeSet<(PeerId, PeerId)>,
    pub source: PeerId,
    wakes: BTreeMap<PeerId, u64>,
    tracker_up: bool,
    liars: BTreeSet<PeerId>,
    mutes: BTreeSet<PeerId>,
    unlinkable: BTreeSet<PeerId>,
    outposts: BTreeSet<PeerId>,
    generation: u16,
    /// Signs from the next keyframe on.
    next_signer: Option<Signer>,
    /// Seals what is broadcast.
    media_key: Option<MediaKey>,
    seal: Option<Seal>,
}

impl World {
    pub fn seeded(seed: u64) -> World {
        let signer = Signer::from_seed(&[7; 32]);
        let mut world = World {
            now_ms: 1_000,
            order: 0,
            events: BinaryHeap::new(),
            bodies: BTreeMap::new(),
            random: seed,
            loss_per_mille: 0,
            epoch: EPOCH,
            chunk: 0,
            seq: 0,
            publishing: true,
            roster: Roster::new(RosterConfig::default(), seed),
            relay: engine(Role::Relay, secret(0), &signer),
            peers: BTreeMap::new(),
            screens: BTreeMap::new(),
            links: BTreeSet::new(),
            source: secret(1).peer(),
            wakes: BTreeMap::new(),
            tracker_up: true,
            liars: BTreeSet::new(),
            mutes: BTreeSet::new(),
            unlinkable: BTreeSet::new(),
            outposts: BTreeSet::new(),
            generation: 0,
            next_signer: None,
            media_key: None,
            seal: None,
            signer,
        };
        world.start_source();
        world.schedule(0, Event::Publish);
        world.schedule(0, Event::WakeTracker);
        world
    }

    pub fn losing(mut self, per_mille: u64) -> World {
        self.loss_per_mille = per_mille;
        self
    }

    fn start_source(&mut self) {
        let source = self.source;
        self.peers.insert(source, engine(Role::Source, secret(1), &self.signer));
        self.relay.handle(self.now(), Input::Told(self.welcome(source)));
        self.roster.join(self.now(), source, RosterRole::Source, true, Report::default());
        self.announce_stream(0);
        self.relay.handle(self.now(), Input::LinkOpened { peer: source });
        self.tell_peer(source, Input::SessionOpened);
        self.tell_peer(source, Input::Told(self.welcome(source)));
        self.tell_peer(source, Input::LinkOpened { peer: PeerId::RELAY });
        self.flush_tracker();
    }

    /// Adds a viewer whose link carries another channel's key.
    pub fn viewer_of(&mut self, channel: wire::ChannelId) -> PeerId {
        let secret = secret(self.peers.len() as u8 + 1);
        let identity =
            Identity { role: Role::Viewer, secret, channel: "demo".into(), expected: Some(channel) };
        self.add(secret.peer(), Swarm::new(Config::default(), identity, 1));
        secret.peer()
    }

    /// Adds a relay elsewhere.
    pub fn outpost(&mut self) -> PeerId {
        let secret = secret(200);
        let config = Config { links_max: 1_000, upload_cap_x: 30.0, ..Config::default() };
        let expected = Some(self.signer.channel());
        let identity = Identity { role: Role::Viewer, secret, channel: "demo".into(), expected };
        self.outposts.insert(secret.peer());
        self.add(secret.peer(), Swarm::new(config, identity, 1));
        self.screens.remove(&secret.peer());
        secret.peer()
    }

    fn add(&mut self, viewer: PeerId, engine: Swarm) {
        self.peers.insert(viewer, engine);
        self.screens.insert(viewer, Screen { looked_at_ms: self.now_ms, ..Screen::default() });
        self.tell_peer(viewer, Input::SessionOpened);
        self.schedule(50, Event::Look(viewer));
    }

    /// Adds viewers, 200 ms apart, and returns them.
    pub fn viewers(&mut self, count: u8) -> Vec<PeerId> {
        (0..count)
            .map(|_| {
                let secret = secret(self.peers.len() as u8 + 1);
                let viewer = secret.peer();
                self.add(viewer, engine(Role::Viewer, secret, &self.signer));
                self.run_for(200);
                viewer
            })
            .collect()
    }

    pub fn run_for(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while let Some(&Reverse((at, _, body))) = self.events.peek() {
            if at > end {
                break;
            }
            self.events.pop();
            self.now_ms = at;
            let event = self.bodies.remove(&body).unwrap();
            self.happen(event);
        }
        self.now_ms = end;
    }

    // How it moves.

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms)
    }

    fn unix_ms(&self) -> u64 {
        EPOCH.0 + self.now_ms
    }

    fn schedule(&mut self, after_ms: u64, event: Event) {
        self.order += 1;
        let body = self.order as usize;
        self.bodies.insert(body, event);
        self.events.push(Reverse((self.now_ms + after_ms, self.order, body)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToPeer(peer, input) => self.tell_peer(peer, input),
            Event::Wake(peer) => self.tell_peer(peer, Input::Wake),
            Event::ToTracker(from, message) if self.tracker_up => self.hear(from, message),
            Event::FrameToRelay(from, bytes) if self.tracker_up => {
                self.relay.handle(self.now(), Input::Frame { peer: from, bytes });
                self.flush_tracker();
            }
            Event::WakeTracker => {
                self.schedule(50, Event::WakeTracker);
                self.roster.wake(self.now());
                self.relay.handle(self.now(), Input::Wake);
                self.flush_tracker();
            }
            Event::Publish => {
                self.schedule(CHUNK_MS, Event::Publish);
                if self.publishing {
                    self.publish();
                }
            }
            Event::Look(viewer) => self.look(viewer),
            Event::ToTracker(..) | Event::FrameToRelay(..) => {}
        }
    }

    fn publish(&mut self) {
        let segment_begins = self.chunk.is_multiple_of(CHUNKS_PER_SEGMENT);
        if let Some(signer) = self.next_signer.take_if(|_| segment_begins) {
            self.signer = signer;
            self.generation += 1;
            self.announce_stream(self.generation);
        }
        let content = self.content();
        let size = content.len().div_ceil(PIECES_PER_CHUNK.into());
        for (index, payload) in (0..).zip(content.chunks(size)) {
            let header = PieceHeader {
                epoch: self.epoch,
                seq: self.seq,
                chunk: self.chunk,
                index,
                count: PIECES_PER_CHUNK,
                generation: self.generation,
                time_ms: (self.unix_ms() - self.epoch.0) as u32,
                duration_ms: CHUNK_MS as u16,
                keyframe: self.chunk.is_multiple_of(CHUNKS_PER_SEGMENT),
            };
            self.seq += 1;
            let piece = Piece::sign(header, payload, &self.signer);
            self.tell_peer(self.source, Input::Publish(piece));
        }
        self.chunk += 1;
    }

    fn hear(&mut self, from: PeerId, message: FromPeer) {
        let now = self.now();
        match message {
            FromPeer::Join(join) => {
                let welcome = self.welcome(from);
                self.schedule(SESSION_DELAY_MS, Event::ToPeer(from, Input::Told(welcome)));
                if self.outposts.contains(&from) {
                    self.roster.outpost(from, 100_000_000);
                    self.relay.relay_linked(now, from);
                    return self.flush_tracker();
                }
                let known = Report { links: join.links, feeds: join.feeds, ..Report::default() };
                self.roster.join(now, from, RosterRole::Viewer, join.sharing, known);
                self.relay.handle(now, Input::LinkOpened { peer: from });
            }
            FromPeer::Signal { to, signal } if self.roster.may_signal(from, to) => {
                let told = FromTracker::Signal { from, signal };
                self.schedule(SESSION_DELAY_MS, Event::ToPeer(to, Input::Told(told)));
            }
            FromPeer::Report(report) => self.roster.report(now, from, &report),
            FromPeer::Orphaned { stripes, failed, fault } => {
                self.roster.orphaned(now, from, stripes, failed, fault);
            }
            FromPeer::Sharing { on } => self.roster.sharing(now, from, on),
            FromPeer::Clock => {
                let told = FromTracker::Time { time_ms: self.unix_ms() };
                self.schedule(SESSION_DELAY_MS, Event::ToPeer(from, Input::Told(told)));
            }
            FromPeer::Signal { .. } | FromPeer::Announce(_) | FromPeer::Ended => {}
        }
        self.flush_tracker();
    }

    fn welcome(&self, peer: PeerId) -> FromTracker {
        FromTracker::Welcome(Welcome {
            peer,
            channel: self.signer.channel(),
            name: "demo".into(),
            time_ms: self.unix_ms(),
            epoch: self.publishing.then_some(self.epoch),
            source: self.publishing.then_some(self.source),
            stun_port: None,
            sharing: None,
            pass: None,
            turn: None,
            viewers: 1,
        })
    }

    fn tell_viewers(&mut self, message: FromTracker) {
        let viewers: Vec<_> = self.screens.keys().copied().collect();
        viewers.into_iter().for_each(|viewer| self.tell_peer(viewer, Input::Told(message.clone())));
    }

    fn flush_tracker(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            if let Output::Send { peer, frame, .. } = output {
                self.schedule(
                    SESSION_DELAY_MS,
                    Event::ToPeer(peer, Input::Frame { peer: PeerId::RELAY, bytes: frame }),
                );
                self.relay.handle(self.now(), Input::Queued { peer, bytes: 0 });
            } else if let Output::Stream(header) = output {
                self.roster.set_stream(self.now(), header.stripes, header.bitrate_bps);
            }
        }
        while let Some(RosterOutput { to, message }) = self.roster.poll_output() {
            self.schedule(SESSION_DELAY_MS, Event::ToPeer(to, Input::Told(message)));
        }
    }

    fn flush(&mut self, peer: PeerId) {
        while let Some(output) = self.peers.get_mut(&peer).and_then(Swarm::poll_output) {
            self.act(peer, output);
        }
        if let Some(at) = self.peers.get(&peer).and_then(Swarm::poll_timeout) {
            let at_ms = at.as_millis().max(self.now_ms + 1);
            if self.wakes.get(&peer).is_none_or(|&wake| wake <= self.now_ms || wake > at_ms) {
                self.wakes.insert(peer, at_ms);
                self.schedule(at_ms - self.now_ms, Event::Wake(peer));
            }
        }
    }

    fn act(&mut self, peer: PeerId, output: Output) {
        match output {
            Output::Send { peer: to, lane, frame } => self.carry(peer, to, lane, frame),
            Output::Tell(message) if self.tracker_up => {
                self.schedule(SESSION_DELAY_MS, Event::ToTracker(peer, message));
            }
            Output::OpenLink { peer: to } => {
                let offer = Input::Signal { peer: to, signal: Signal::Offer { sdp: String::new() } };
                self.tell_peer(peer, offer);
            }
            Output::Signal { peer: from, signal: Signal::Offer { .. } } => self.connect(from, peer),
            Output::CloseLink { peer: other } => {
                let pair = (peer.min(other), peer.max(other));
                if self.links.remove(&pair) {
                    self.schedule(LINK_DELAY_MS, Event::ToPeer(other, Input::LinkClosed { peer }));
                }
            }
            Output::Chunk(chunk) => self.show(peer, chunk),
            Output::Stream(header) => {
                let screen = self.screens.entry(peer).or_default();
                if screen.generations.last().is_none_or(|(epoch, _)| *epoch != header.epoch) {
                    screen.buffered_ms = None;
                    screen.playing = false;
                }
                screen.generations.push((header.epoch, header.generation));
            }
            Output::Violation { peer: who, violation } => {
                if let Some(screen) = self.screens.get_mut(&peer) {
                    screen.violations.push((who, violation));
                }
            }
            Output::Tell(_) | Output::Signal { .. } => {}
        }
    }

    fn connect(&mut self, from: PeerId, to: PeerId) {
        if self.unlinkable.contains(&from) || self.unlinkable.contains(&to) {
            self.schedule(10_000, Event::ToPeer(from, Input::LinkClosed { peer: to }));
            self.schedule(10_000, Event::ToPeer(to, Input::LinkClosed { peer: from }));
            return;
        }
        self.links.insert((from.min(to), from.max(to)));
        self.schedule(LINK_SETUP_MS, Event::ToPeer(from, Input::LinkOpened { peer: to }));
        self.schedule(LINK_SETUP_MS, Event::ToPeer(to, Input::LinkOpened { peer: from }));
    }

    fn carry(&mut self, from: PeerId, to: PeerId, lane: Lane, mut frame: Bytes) {
        self.tell_queue(from, to);
        if to == PeerId::RELAY {
            return self.schedule(SESSION_DELAY_MS, Event::FrameToRelay(from, frame));
        }
        if !self.links.contains(&(from.min(to), from.max(to))) {
            return;
        }
        if lane == Lane::Eager && self.random() % 1000 < self.loss_per_mille {
            return;
        }
        if self.mutes.contains(&from) && frame.len() > PIECE_BYTES_MIN {
            return;
        }
        if self.liars.contains(&from) && frame.len() > PIECE_BYTES_MIN {
            let mut altered = frame.to_vec();
            *altered.last_mut().unwrap() ^= 1;
            frame = altered.into();
        }
        self.schedule(LINK_DELAY_MS, Event::ToPeer(to, Input::Frame { peer: from, bytes: frame }));
    }

    /// Links of this world have no queues.
    fn tell_queue(&mut self, from: PeerId, to: PeerId) {
        let now = self.now();
        if let Some(swarm) = self.peers.get_mut(&from) {
            swarm.handle(now, Input::Queued { peer: to, bytes: 0 });
        }
    }

    fn show(&mut self, viewer: PeerId, chunk: Chunk) {
        let Some(screen) = self.screens.get_mut(&viewer) else { return };
        screen.altered += chunk.bytes.iter().filter(|&&byte| byte != 0x5a).count();
        screen.chunks.push(chunk.number);
        let (start, end) =
            (i64::from(chunk.time_ms), i64::from(chunk.time_ms) + i64::from(chunk.duration_ms));
        screen.buffered_ms = match screen.buffered_ms {
            Some((first, last)) if start <= last + 5 => Some((first, end.max(last))),
            _ => Some((start, end)),
        };
    }

    /// A player that starts as soon as it can, plays in real time and drifts to the target lag.
    fn look(&mut self, viewer: PeerId) {
        let live_ms = (self.unix_ms() - self.epoch.0.min(self.unix_ms())) as i64;
        let now_ms = self.now_ms;
        let Some(screen) = self.screens.get_mut(&viewer) else { return };
        let elapsed = now_ms - screen.looked_at_ms;
        screen.looked_at_ms = now_ms;
        if let Some((start, end)) = screen.buffered_ms {
            if !screen.playing && end - start >= 200 {
                screen.playing = true;
                screen.position_ms = (live_ms - 1_500).clamp(start, end - 100);
            } else if screen.playing {
                let fast = live_ms - 1_500 - screen.position_ms;
                let step = elapsed as i64 + (fast / 12).clamp(-2, 2);
                let next = screen.position_ms + step;
                if screen.position_ms < start {
                    screen.position_ms = start;
                } else if next <= end {
                    screen.position_ms = next;
                    screen.stall_ms = 0;
                } else {
                    screen.stalled_ms += elapsed;
                    screen.stall_ms += elapsed;
                    screen.longest_stall_ms = screen.longest_stall_ms.max(screen.stall_ms);
                }
            }
        }
        let playhead = Input::Playhead {
            media_ms: (screen.position_ms - screen.back_ms).max(0) as u32,
            stalled: screen.playing && screen.stall_ms > 150 && screen.back_ms == 0,
        };
        if screen.playing {
            self.tell_peer(viewer, playhead);
        }
        self.schedule(50, Event::Look(viewer));
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn secret(number: u8) -> PeerSecret {
    PeerSecret([number; 16])
}

fn engine(role: Role, secret: PeerSecret, signer: &Signer) -> Swarm {
    let identity = Identity { role, secret, channel: "demo".into(), expected: Some(signer.channel()) };
    Swarm::new(Config::default(), identity, 1)
}
