//! A baseline: whole segments pulled from peers, in the manner of p2p-media-loader, in the same network.
//!
//! A segment of two seconds is published when it is complete. A viewer reads the playlist every two seconds, and wants
//! what is new in it at once: from a linked peer that has announced it, else from the server; from the server as well
//! when a peer has not delivered by two seconds before the segment is due. Whoever has a whole segment announces it to
//! its 12 links, and sends it whole to up to three who ask. Playback aims at six seconds behind.
//!
//! There are no chunks, no signatures, no control plane and no NAT here: all of these would only slow it down.

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::agenda::{Agenda, Micros};
use crate::sim::distance::{Place, delay};
use crate::sim::event::Event;
use crate::sim::figures::Figures;
use crate::sim::flow::Kind;
use crate::sim::measure::{Measure, Share, percentile};
use crate::sim::model::*;
use crate::sim::network::{Delivery, FlowId, Network};
use crate::sim::payload::{Payload, Pull};
use crate::sim::random::Random;
use crate::sim::screen::Screen;
use crate::sim::setup::{Setup, Traits};
use crate::sim::world::TRACKER;

/// Media of a segment.
const SEGMENT: Micros = 2 * SECOND;
/// Lag that is aimed at: three segments, as players of HLS do.
const BEHIND_MS: u16 = 6_000;
/// A segment that is not here so long before it is due is asked of the server.
const SERVER_BEFORE: Micros = 2 * SECOND;
/// Links of a viewer.
const LINKS: usize = 12;
/// Segments that a viewer sends at a time (p2p-media-loader: `simultaneousP2PDownloads`).
const UPLOADS_MAX: usize = 3;
/// Bytes of a message that carries a part of a segment.
const PART_BYTES: u32 = 16 << 10;
/// Hosts before the first viewer: the server, and a place that keeps the numbers of the swarm's world.
const FIRST_VIEWER: u32 = 2;

struct Viewer {
    traits: Traits,
    screen: Screen,
    visited: Micros,
    counted: bool,
    session: Option<(FlowId, FlowId)>,
    links: Vec<Link>,
    /// Segments on their way, and from whom.
    wanted: BTreeMap<u32, Wanted>,
    /// Whole ones that cannot be appended yet.
    whole: BTreeSet<u32>,
    /// Next to be appended; `None` before the first.
    next: Option<u32>,
    /// Newest segment in the playlist, as last read.
    listed: u32,
    /// Next one whose deadline has not come.
    due: Option<u32>,
    uploads: usize,
}

struct Link {
    peer: u32,
    flow: FlowId,
    has: Vec<u32>,
}

struct Wanted {
    from: u32,
    server_asked: bool,
}

struct World {
    setup: Setup,
    agenda: Agenda<Event>,
    network: Network,
    viewers: Vec<Viewer>,
    random: Random,
    measure: Measure,
    begun: Option<Micros>,
    from_peers: u64,
    from_server: u64,
    due: Share,
    first_frames: Vec<Micros>,
}

/// Runs it.
pub fn run(setup: &Setup) -> Figures {
    let mut world = World::new(setup);
    let mut deliveries = Vec::new();
    while let Some(event) = world.agenda.take() {
        match event {
            Event::Net(motion) => {
                world.network.happen(&mut world.agenda, motion, &mut deliveries);
                deliveries.drain(..).for_each(|delivery| world.delivered(delivery));
            }
            Event::Visit => world.visit(),
            Event::SessionOpens(who) => world.session_opens(who),
            Event::LinkUp { from, to, .. } => world.link_up(from, to),
            Event::Wake(who) => world.poll(who),
            Event::Look(who) => world.look(who),
            Event::Begin => world.begin(),
            Event::End => break,
            _ => {}
        }
    }
    world.figures()
}

impl World {
    fn new(setup: &Setup) -> World {
        let mut network = Network::default();
        for number in 0..FIRST_VIEWER {
            network.hosts.push(Traits::tracker(setup).host(setup.seed, number, 0.0));
        }
        let mut agenda = Agenda::new();
        let first = setup.viewers as u64;
        (0..first).for_each(|number| {
            agenda.at(HEAD_START + 2 * SEGMENT + number * setup.arrival_every(), Event::Visit);
        });
        let begin = HEAD_START + 2 * SEGMENT + setup.warm_up();
        agenda.at(begin, Event::Begin);
        agenda.at(begin + setup.seconds * SECOND, Event::End);
        World {
            setup: setup.clone(),
            agenda,
            network,
            viewers: Vec::new(),
            random: Random::seeded(setup.seed).fork(0x7365_676d),
            measure: Measure::default(),
            begun: None,
            from_peers: 0,
            from_server: 0,
            due: Share::default(),
            first_frames: Vec::new(),
        }
    }

    fn viewer(&mut self, who: u32) -> &mut Viewer {
        &mut self.viewers[(who - FIRST_VIEWER) as usize]
    }

    fn delay(&self, a: u32, b: u32) -> Micros {
        let place = |number| Place::of(&self.network.hosts, number);
        delay(self.setup.seed, place(a), place(b))
    }

    fn segments_published(&self) -> u32 {
        (self.agenda.now() / SEGMENT) as u32
    }

    fn send(&mut self, flow: FlowId, message: Pull) {
        self.network.send(&mut self.agenda, flow, 1, Payload::Pull(message));
    }

    // Coming in.

    fn visit(&mut self) {
        let number = self.viewers.len() as u64;
        let traits = self.setup.viewer(number);
        let who = number as u32 + FIRST_VIEWER;
        let now = self.agenda.now();
        self.network.hosts.push(traits.host(self.setup.seed, who, self.setup.loss_share() / 2.0));
        let mut screen = Screen::new(now);
        screen.restart(now, BEHIND_MS);
        self.viewers.push(Viewer {
            traits,
            screen,
            visited: now,
            counted: false,
            session: None,
            links: Vec::new(),
            wanted: BTreeMap::new(),
            whole: BTreeSet::new(),
            next: None,
            listed: 0,
            due: None,
            uploads: 0,
        });
        let round_trip = 2 * self.delay(who, TRACKER);
        let opens = PAGE_ROUND_TRIPS * round_trip + MODULE_START;
        self.agenda.after(opens, Event::SessionOpens(who));
        self.agenda.after(MODULE_START + self.random.below(LOOK_EVERY), Event::Look(who));
    }

    fn session_opens(&mut self, who: u32) {
        let delay = self.delay(who, TRACKER);
        self.viewer(who).session = Some(self.network.open(Kind::Session, who, TRACKER, delay));
        self.poll(who);
        for _ in 0..LINKS / 2 {
            let peer = FIRST_VIEWER + self.random.below(self.viewers.len() as u64) as u32;
            if peer != who && self.viewers[(peer - FIRST_VIEWER) as usize].session.is_some() {
                let opens = (LINK_ROUND_TRIPS + 1) * 2 * self.delay(who, peer);
                self.agenda.after(opens, Event::LinkUp { from: who, to: peer, number: 0 });
            }
        }
    }

    fn link_up(&mut self, from: u32, to: u32) {
        if self.viewer(from).links.iter().any(|link| link.peer == to) {
            return;
        }
        let (there, back) = self.network.open(Kind::Link, from, to, self.delay(from, to));
        self.viewer(from).links.push(Link { peer: to, flow: there, has: Vec::new() });
        self.viewer(to).links.push(Link { peer: from, flow: back, has: Vec::new() });
    }

    // Asking.

    /// Reads the playlist, again and again.
    fn poll(&mut self, who: u32) {
        self.agenda.after(SEGMENT, Event::Wake(who));
        if let Some((up, _)) = self.viewer(who).session {
            self.send(up, Pull::List);
        }
    }

    fn listed(&mut self, who: u32, count: u32) {
        let viewer = self.viewer(who);
        // A newcomer begins three segments behind the end.
        let from = if viewer.listed == 0 { count.saturating_sub(2) } else { viewer.listed };
        viewer.listed = count;
        if viewer.next.is_none() {
            viewer.next = Some(from);
        }
        (from..count).for_each(|segment| self.want(who, segment));
    }

    fn want(&mut self, who: u32, segment: u32) {
        let holders: Vec<_> = {
            let links = self.viewer(who).links.iter();
            links.filter(|link| link.has.contains(&segment)).map(|link| (link.peer, link.flow)).collect()
        };
        if holders.is_empty() {
            return self.ask_server(who, segment);
        }
        let (peer, flow) = holders[self.random.below(holders.len() as u64) as usize];
        self.viewer(who).wanted.insert(segment, Wanted { from: peer, server_asked: false });
        self.send(flow, Pull::Ask(segment));
    }

    fn ask_server(&mut self, who: u32, segment: u32) {
        let viewer = self.viewer(who);
        viewer.wanted.insert(segment, Wanted { from: TRACKER, server_asked: true });
        if let Some((up, _)) = viewer.session {
            self.send(up, Pull::Ask(segment));
        }
    }

    // Answering.

    fn delivered(&mut self, delivery: Delivery) {
        let Delivery::Message(id, Payload::Pull(message)) = delivery else { return };
        let Some((from, to)) = self.network.flow(id).map(|flow| (flow.from, flow.to)) else { return };
        match message {
            Pull::List => {
                let count = self.segments_published();
                self.answer(to, from, Pull::Listed(count));
            }
            Pull::Listed(count) => self.listed(to, count),
            Pull::Ask(segment) => self.asked(to, from, segment),
            Pull::Refuse(segment) => {
                if self.viewer(to).wanted.get(&segment).is_some_and(|wanted| !wanted.server_asked) {
                    self.ask_server(to, segment);
                }
            }
            Pull::Have(segment) => {
                if let Some(link) = self.viewer(to).links.iter_mut().find(|link| link.peer == from) {
                    link.has.retain(|&has| has + 10 > segment);
                    link.has.push(segment);
                }
            }
            Pull::Part { segment, bytes, last } => self.got(to, from, segment, bytes, last),
        }
    }

    fn answer(&mut self, who: u32, to: u32, message: Pull) {
        let flow = if who == TRACKER {
            self.viewer(to).session.map(|(_, down)| down)
        } else {
            self.viewer(who).links.iter().find(|link| link.peer == to).map(|link| link.flow)
        };
        if let Some(flow) = flow {
            self.send(flow, message);
        }
    }

    fn asked(&mut self, who: u32, by: u32, segment: u32) {
        if who != TRACKER {
            let viewer = self.viewer(who);
            if !viewer.traits.gives || viewer.uploads >= UPLOADS_MAX {
                return self.answer(who, by, Pull::Refuse(segment));
            }
            viewer.uploads += 1;
        }
        let mut left = (u64::from(self.setup.bitrate_bps) / 8 * (SEGMENT / SECOND)) as u32;
        while left > 0 {
            let bytes = left.min(PART_BYTES);
            left -= bytes;
            self.answer(who, by, Pull::Part { segment, bytes, last: left == 0 });
        }
    }

    fn got(&mut self, who: u32, from: u32, segment: u32, bytes: u32, last: bool) {
        if self.begun.is_some() {
            *(if from == TRACKER { &mut self.from_server } else { &mut self.from_peers }) += u64::from(bytes);
        }
        if !last {
            return;
        }
        if from != TRACKER {
            self.viewer(from).uploads -= 1;
        }
        if self.viewer(who).wanted.remove(&segment).is_none() {
            return;
        }
        let now = self.agenda.now();
        let viewer = self.viewer(who);
        viewer.whole.insert(segment);
        while let Some(next) = viewer.next.filter(|next| viewer.whole.remove(next)) {
            viewer.screen.append(now, i64::from(next) * (SEGMENT / MS) as i64, (SEGMENT / MS) as i64);
            viewer.next = Some(next + 1);
        }
        let gives = viewer.traits.gives;
        let flows: Vec<_> = viewer.links.iter().map(|link| link.flow).filter(|_| gives).collect();
        flows.into_iter().for_each(|flow| self.send(flow, Pull::Have(segment)));
    }

    // Watching.

    fn look(&mut self, who: u32) {
        self.agenda.after(LOOK_EVERY, Event::Look(who));
        let (now, begun) = (self.agenda.now(), self.begun.is_some());
        let viewer = self.viewer(who);
        viewer.screen.look(now, Some((now / MS) as i64), false);
        let Some(shown_at) = viewer.screen.shown_at.filter(|&at| at <= now) else { return };
        let first = (!std::mem::replace(&mut viewer.counted, true)).then_some(shown_at - viewer.visited);
        let lag_ms = (now / MS) as i64 - viewer.screen.position_ms();
        self.first_frames.extend(first);
        if begun {
            self.measure.lag(lag_ms);
            self.judge(who);
        }
        self.hurry(who);
    }

    /// Counts segments that are due by now.
    fn judge(&mut self, who: u32) {
        let viewer = self.viewer(who);
        let Some(due_ms) = viewer.screen.due_ms() else { return };
        let due = (due_ms as u64 / (SEGMENT / MS)) as u32 + 1;
        let before = viewer.due.replace(due).unwrap_or(due);
        let held = viewer.next.unwrap_or(0).clamp(before, due.max(before));
        let share = Share { part: u64::from(held - before), all: u64::from(due.max(before) - before) };
        self.due.add(share);
    }

    /// What a peer has not brought in time is asked of the server.
    fn hurry(&mut self, who: u32) {
        let viewer = self.viewer(who);
        let soon_ms = viewer.screen.position_ms() + (SERVER_BEFORE / MS) as i64;
        let late = |segment: u32| i64::from(segment) * (SEGMENT / MS) as i64 <= soon_ms;
        let late: Vec<_> = viewer
            .wanted
            .iter()
            .filter(|(segment, wanted)| late(**segment) && !wanted.server_asked && wanted.from != TRACKER)
            .map(|(&segment, _)| segment)
            .collect();
        late.into_iter().for_each(|segment| self.ask_server(who, segment));
    }

    fn begin(&mut self) {
        let now = self.agenda.now();
        self.begun = Some(now);
        self.viewers.iter_mut().for_each(|viewer| viewer.screen.begin(now));
    }

    fn figures(mut self) -> Figures {
        let now = self.agenda.now();
        self.viewers.iter_mut().for_each(|viewer| viewer.screen.advance(now));
        let tallies: Vec<_> = self.viewers.iter().map(|viewer| viewer.screen.tally()).collect();
        let mut longest: Vec<_> = tallies.iter().map(|tally| tally.longest).collect();
        let watched: Micros = tallies.iter().map(|tally| tally.watched).sum();
        let stalled: Micros = tallies.iter().map(|tally| tally.stalled).sum();
        let all = (self.from_peers + self.from_server).max(1) as f64;
        let links: usize = self.viewers.iter().map(|viewer| viewer.links.len()).sum();
        let stream_bytes = f64::from(self.setup.bitrate_bps) / 8.0 * self.setup.seconds as f64;
        Figures {
            lag_p50_s: self.measure.lag_s(0.5),
            lag_p95_s: self.measure.lag_s(0.95),
            offload: Some(self.from_peers as f64 / all),
            // What a viewer needs is one copy of the stream; the rest came from a peer and from the server.
            duplicates: (all / (stream_bytes * self.viewers.len().max(1) as f64) - 1.0).max(0.0),
            on_time: self.due.fraction(),
            first_frame_p50_s: percentile(&mut self.first_frames, 0.5),
            first_frame_p95_s: percentile(&mut self.first_frames, 0.95),
            rebuffer_ratio: stalled as f64 / watched.max(1) as f64,
            stall_p99_ms: percentile(&mut longest, 0.99).unwrap_or(0.0) * 1e3,
            links_mean: links as f64 / self.viewers.len().max(1) as f64,
            relay_upload_x: self.from_server as f64 / stream_bytes,
            ..Figures::of(&self.setup)
        }
    }
}
