//! A peer's shell, as the browser's and the native one: carries inputs to the engine and its decisions out.

use bytes::{Bytes, BytesMut};
use swarm::{Chunk, Input, Lane, Output};
use wire::session::{Announce, FromPeer, FromTracker};
use wire::{PeerId, StreamHeader};

use crate::sim::agenda::Micros;
use crate::sim::event::Event;
use crate::sim::flow::Kind;
use crate::sim::media::is_proven;
use crate::sim::model::*;
use crate::sim::network::FlowId;
use crate::sim::payload::{Payload, piece_seq};
use crate::sim::world::{SOURCE, Session, TRACKER, World};

impl World {
    /// Tells a peer's engine, and does what it decides.
    pub(super) fn tell(&mut self, who: u32, input: Input) {
        if let Some(waiting) = &mut self.peers[who as usize].held_up {
            return waiting.push(input);
        }
        if !self.feed(who, input) {
            return;
        }
        if who == TRACKER { self.work() } else { self.act(who) }
    }

    /// Tells a peer's engine, and leaves its decisions for later. Whether there is an engine.
    pub(super) fn feed(&mut self, who: u32, input: Input) -> bool {
        let now = self.timestamp();
        let Some(engine) = self.peers[who as usize].engine.as_mut() else { return false };
        if let Some(recorder) = self.recorder.as_mut().filter(|recorder| recorder.who == who) {
            recorder.told(now, &input);
        }
        engine.handle(now, input);
        true
    }

    pub(super) fn told(&mut self, who: u32, message: FromTracker) {
        let welcome = matches!(message, FromTracker::Welcome(_));
        self.tell(who, Input::Told(message));
        if welcome && who == SOURCE {
            self.tell(who, Input::LinkOpened { peer: PeerId::RELAY });
        }
    }

    /// Carries out decisions until there are none left.
    fn act(&mut self, who: u32) {
        let mut sent_to = std::mem::take(&mut self.sent_to);
        loop {
            while let Some(output) = self.peers[who as usize].engine.as_mut().and_then(|e| e.poll_output()) {
                self.carry_out(who, output, &mut sent_to);
            }
            if sent_to.is_empty() {
                break;
            }
            for peer in sent_to.drain(..) {
                let bytes = self.queued(who, peer);
                self.feed(who, Input::Queued { peer, bytes });
            }
        }
        self.sent_to = sent_to;
        self.arm(who);
    }

    fn carry_out(&mut self, who: u32, output: Output, sent_to: &mut Vec<PeerId>) {
        if let Some(recorder) = self.recorder.as_mut().filter(|recorder| recorder.who == who) {
            recorder.decided(&output);
        }
        match output {
            Output::Send { peer, lane, frame } => {
                if !sent_to.contains(&peer) {
                    sent_to.push(peer);
                }
                self.send_frame(who, peer, lane, frame);
            }
            Output::Tell(message) => self.say(who, message),
            Output::OpenLink { peer } => self.open_link(who, peer),
            Output::Signal { peer, signal } => self.signalled(who, peer, signal),
            Output::CloseLink { peer } => self.close_link(who, peer),
            Output::Stream(header) => self.stream(who, &header),
            Output::Chunk(chunk) => self.show(who, &chunk),
            Output::Violation { .. } => self.totals.violations += 1,
        }
    }

    /// Says something to the tracker.
    pub(super) fn say(&mut self, who: u32, message: FromPeer) {
        if let Some(session) = self.peers[who as usize].session {
            self.network.send(&mut self.agenda, session.up, 0, Payload::Said(Box::new(message)));
        }
    }

    fn send_frame(&mut self, who: u32, to: PeerId, lane: Lane, frame: Bytes) {
        let frame = self.inspect(who, frame);
        let (flow, lane) = match lane {
            _ if to == PeerId::RELAY => (self.peers[who as usize].session.map(|session| session.up), 1),
            Lane::Eager => (self.link_flow(who, to), 0),
            Lane::Control => (self.link_flow(who, to), 1),
        };
        if let Some(flow) = flow {
            self.network.send(&mut self.agenda, flow, lane, Payload::Frame(frame));
        }
        self.watch_queues(who);
    }

    /// Counts what is sent; a liar alters pieces.
    pub(super) fn inspect(&mut self, who: u32, frame: Bytes) -> Bytes {
        const STREAM: u8 = 0x02;
        if piece_seq(&frame).is_none() {
            if self.measure.begun.is_some() && frame.first() != Some(&STREAM) {
                self.measure.control_bytes += frame.len() as u64;
            }
            return frame;
        }
        if self.peers[who as usize].viewer.as_ref().is_some_and(|viewer| viewer.traits.lies) {
            let mut altered = BytesMut::from(&frame[..]);
            if let Some(last) = altered.last_mut() {
                *last ^= 1;
            }
            return altered.freeze();
        }
        if !is_proven(&frame) {
            self.measure.second_hops += 1;
        }
        frame
    }

    /// What the transport holds unsent, as this kind of shell reports it.
    fn queued(&self, who: u32, peer: PeerId) -> usize {
        let flow = match peer {
            PeerId::RELAY => self.peers[who as usize].session.map(|session| session.up),
            peer => self.link_flow(who, peer),
        };
        let Some(flow) = flow.and_then(|flow| self.network.flow(flow)) else { return 0 };
        let native = who == SOURCE && peer != PeerId::RELAY;
        (if native { flow.unacknowledged_bytes() } else { flow.unsent_bytes() }) as usize
    }

    pub(super) fn drained(&mut self, flow: FlowId) {
        let Some((from, to)) = self.network.flow(flow).map(|flow| (flow.from, flow.to)) else { return };
        let peer = self.peers[to as usize].id;
        if from == TRACKER {
            self.report_queue(peer);
            self.work();
        } else {
            let bytes = self.queued(from, peer);
            self.tell(from, Input::Queued { peer, bytes });
        }
    }

    /// A native peer looks at its queues as long as something is in them.
    fn watch_queues(&mut self, who: u32) {
        let peer = &mut self.peers[who as usize];
        if who == SOURCE && !std::mem::replace(&mut peer.looks_at_queues, true) {
            self.agenda.after(NATIVE_LOOK_EVERY, Event::LookAtQueues(who));
        }
    }

    pub(super) fn look_at_queues(&mut self, who: u32) {
        let peer = &mut self.peers[who as usize];
        peer.looks_at_queues = false;
        let linked: Vec<_> = peer.links.iter().map(|link| link.peer).chain([PeerId::RELAY]).collect();
        for peer in linked {
            let bytes = self.queued(who, peer);
            self.tell(who, Input::Queued { peer, bytes });
            if bytes > 0 {
                self.watch_queues(who);
            }
        }
    }

    // A machine that has too much to do.

    pub(super) fn hold_up(&mut self, who: u32) {
        let peer = &mut self.peers[who as usize];
        if peer.engine.is_none() {
            return;
        }
        peer.held_up = Some(Vec::new());
        let pause = self.random.exponential(HELD_UP_FOR as f64) as Micros;
        self.agenda.after(pause.min(HELD_UP_MAX), Event::GoesOn(who));
    }

    pub(super) fn go_on(&mut self, who: u32) {
        let waiting = self.peers[who as usize].held_up.take();
        waiting.into_iter().flatten().for_each(|input| self.tell(who, input));
        let free = self.random.exponential(HELD_UP_EVERY as f64) as Micros;
        self.agenda.after(free, Event::HeldUp(who));
    }

    // Timers.

    fn arm(&mut self, who: u32) {
        let now = self.now();
        let peer = &mut self.peers[who as usize];
        let Some(at) = peer.engine.as_ref().and_then(|engine| engine.poll_timeout()) else { return };
        let hidden = peer.viewer.as_ref().is_some_and(|viewer| viewer.traits.hidden);
        let at = at.as_micros().max(now + if hidden { HIDDEN_TIMER } else { MS });
        // One timer is enough: when it is early, it is set anew.
        if peer.wake_at.is_none_or(|armed| at < armed && !hidden) {
            peer.wake_at = Some(at);
            self.agenda.at(at, Event::Wake(who));
        }
    }

    pub(super) fn wake(&mut self, who: u32) {
        let now = self.now();
        let peer = &mut self.peers[who as usize];
        if peer.wake_at != Some(now) {
            return;
        }
        peer.wake_at = None;
        let due = peer.engine.as_ref().and_then(|engine| engine.poll_timeout());
        if due.is_some_and(|at| at.as_micros() <= now) {
            self.tell(who, Input::Wake);
        } else {
            self.arm(who);
        }
    }

    // The session.

    pub(super) fn session_opens(&mut self, who: u32) {
        if self.peers[who as usize].engine.is_none() {
            return;
        }
        if !self.tracker.up {
            let wait = SESSION_RETRY / 2 + self.random.below(SESSION_RETRY / 2);
            return self.agenda.after(wait, Event::SessionOpens(who));
        }
        let delay = self.delay(who, TRACKER);
        let (up, down) = self.network.open(Kind::Session, who, TRACKER, delay);
        self.peers[who as usize].session = Some(Session { up, down });
        self.tell(who, Input::SessionOpened);
        if who == SOURCE {
            let announce = self.announcement();
            self.say(who, FromPeer::Announce(announce));
        }
    }

    fn announcement(&self) -> Announce {
        let signer = self.media.signer();
        Announce {
            version: wire::VERSION,
            channel: signer.channel(),
            name: "demo".into(),
            secret: signer.peer_secret(),
            proof: String::new(),
            delegation: None,
            epoch: Some(self.media.epoch()),
        }
    }

    pub(super) fn session_lost(&mut self, who: u32) {
        let wait = SESSION_RETRY / 2 + self.random.below(SESSION_RETRY / 2);
        self.agenda.after(wait, Event::SessionOpens(who));
        self.tell(who, Input::SessionClosed);
    }

    // The screen.

    fn stream(&mut self, who: u32, header: &StreamHeader) {
        let now = self.now();
        if let Some(viewer) = self.peers[who as usize].viewer.as_mut() {
            viewer.screen.restart(now, header.target_lag_ms);
        }
    }

    fn show(&mut self, who: u32, chunk: &Chunk) {
        let now = self.now();
        let Some(viewer) = self.peers[who as usize].viewer.as_mut() else { return };
        if chunk.epoch != self.media.epoch() {
            return;
        }
        let genuine = self.media.chunk(chunk.number).is_some_and(|record| record.bytes == chunk.bytes);
        self.measure.unverified_chunks += u64::from(!genuine);
        viewer.advance(now, &self.media);
        viewer.screen.append(now, i64::from(chunk.time_ms), i64::from(chunk.duration_ms));
        // The shell looks at its screen after each append; here it does where that can matter.
        if viewer.screen.is_dark() || viewer.screen.is_standing() {
            self.look_now(who);
        }
    }

    pub(super) fn look(&mut self, who: u32) {
        let Some(viewer) = self.peers[who as usize].viewer.as_ref() else { return };
        let pause = if viewer.traits.hidden { HIDDEN_TIMER } else { LOOK_EVERY };
        self.agenda.after(pause, Event::Look(who));
        let playhead = self.look_now(who);
        self.note_look(who);
        if let Some(playhead) = playhead {
            self.tell(who, playhead);
        }
    }

    fn note_look(&mut self, who: u32) {
        let now = self.now();
        let Some(viewer) = self.peers[who as usize].viewer.as_mut() else { return };
        if viewer.watching_since.is_some() && !viewer.traits.lies {
            self.timeline.look(now, viewer.screen.is_standing(), viewer.newly_due());
        }
    }

    /// Looks at the screen, and says what the engine is to be told.
    fn look_now(&mut self, who: u32) -> Option<Input> {
        let now = self.now();
        let peer = &mut self.peers[who as usize];
        let (viewer, engine) = (peer.viewer.as_mut()?, peer.engine.as_ref()?);
        viewer.advance(now, &self.media);
        let hidden = viewer.traits.hidden;
        let live_ms = engine.live_ms(swarm::Timestamp::from_micros(now));
        let look = viewer.screen.look(now, live_ms, hidden);
        if viewer.screen.shown_at.is_some_and(|at| at <= now) {
            if viewer.watching_since.is_none() {
                viewer.watching_since = Some(now);
                self.measure.watching += 1;
                self.totals.first_frame(viewer, self.measure.begun);
            } else if self.measure.begun.is_some() && !viewer.screen.is_dark() && !viewer.traits.lies {
                self.measure.lag(self.media.live_ms(now) - viewer.screen.position_ms());
            }
        }
        look.playhead.map(|(media_ms, stalled)| Input::Playhead { media_ms, stalled })
    }
}
