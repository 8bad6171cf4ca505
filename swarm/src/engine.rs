//! The engine: one participant's own state. This file holds it together and keeps its timers; what it does with a
//! message from the tracker is in `session`, with a frame from a neighbor in `exchange`.

use std::collections::VecDeque;
use std::time::Duration;

use wire::session::{Fault, FromPeer, Report};
use wire::{ChannelId, Epoch, Frame, PeerId, StreamHeader, StripeSet, Verifier};

use crate::assembly::Assembly;
use crate::authority::Generation;
use crate::clock::Clock;
use crate::feeds::Feeds;
use crate::giving::Allowance;
use crate::neighbor::Neighbor;
use crate::repair::Repair;
use crate::rng::Rng;
use crate::store::Store;
use crate::table::Table;
use crate::uplink::Uplink;
use crate::{
    ByteCounts, Config, Identity, Input, Lane, Output, Phase, PieceCounts, Role, Stats, Timestamp, Violation,
};

/// Timers' grain while media flows: a fifth of the shortest wait in [`Config`].
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// Timers' grain while nothing flows.
const IDLE_TICK: Duration = Duration::from_secs(1);

/// No piece for this long: nothing flows.
pub(crate) const QUIET: Duration = Duration::from_millis(1_500);

/// No piece for this long: the broadcaster is out of reach. The picture has stood still for most of it.
const OUT_OF_REACH: Duration = Duration::from_secs(4);

/// What is held is told to neighbors as often. Five times a second costs a fifth more, and brings no more pieces in time (`sim steady
/// --viewers 100 --seconds 30`).
const HAVE_EVERY: Duration = Duration::from_millis(250);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// A HAVE describes this much of the newest media: the window in which repairs happen.
const HAVE_SPAN_MS: u32 = 2_500;

/// Stream headers kept: the current one, and those that pieces on their way may still need.
const GENERATIONS_KEPT: usize = 4;

/// A link that is not open after this long never will be; the shell should have said so before.
const OPENING_MAX: Duration = Duration::from_secs(20);

/// Pieces older than target lag and this are not pushed any more by source and relay, to whom nobody is an alternative.
const STALE_MARGIN_MS: u32 = 500;

/// How long a broadcaster that vanished is waited for before its channel counts as offline.
const RETURN_WITHIN: Duration = Duration::from_secs(60);

/// Outputs that wait to be polled; a shell that never polls loses the oldest.
const OUTPUTS_MAX: usize = 1 << 16;

/// One participant's own state. See the crate's page.
pub struct Swarm {
    pub(crate) config: Config,
    pub(crate) identity: Identity,
    pub(crate) peer: PeerId,
    pub(crate) rng: Rng,
    pub(crate) clock: Clock,
    pub(crate) verifier: Option<Verifier>,
    pub(crate) session: Session,
    pub(crate) sharing: bool,
    /// The channel's owner has viewers asked before they share.
    pub(crate) asked: bool,
    pub(crate) source: Option<PeerId>,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) headers: Table<u16, Generation>,
    /// Milliseconds from the shell's zero to Unix time, by the machine's own clock.
    pub(crate) own_clock_ms: Option<i64>,
    /// The last signature that was checked is of a delegate outside of its time.
    pub(crate) lapsed: bool,
    /// The broadcast is private and cannot be opened.
    pub(crate) locked: bool,
    pub(crate) shown_generation: Option<u16>,
    pub(crate) store: Store,
    pub(crate) assembly: Assembly,
    pub(crate) repair: Repair,
    pub(crate) feeds: Feeds,
    pub(crate) neighbors: Table<PeerId, Neighbor>,
    pub(crate) links: Links,
    pub(crate) playhead: Option<Playhead>,
    pub(crate) offline: Option<Offline>,
    pub(crate) fed_at: Option<Timestamp>,
    /// When the relay may be asked next whether there is a broadcast at all, and for which piece it was since anything came.
    pub(crate) doubt_at: Timestamp,
    pub(crate) doubted: Option<u32>,
    pub(crate) egress: Egress,
    pub(crate) uplink: Uplink,
    pub(crate) allowance: Allowance,
    /// How late this machine is lately in doing what is due: not to be mistaken for the network's delay.
    pub(crate) own_delay: Duration,
    started: Option<Timestamp>,
    pub(crate) bytes: ByteCounts,
    pub(crate) pieces: PieceCounts,
    pub(crate) control_bytes: u64,
    pub(crate) uploaded_bytes: u64,
    pub(crate) uploaded_to_relay_bytes: u64,
    pub(crate) viewers: u32,
    timers: Timers,
    outputs: VecDeque<Output>,
}

/// The way to the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    Closed,
    /// Open; no welcome yet.
    Joining,
    Welcomed,
}

/// Links that are being made, and the budget for making them.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Being made; an attempt that says nothing is forgotten.
    pub(crate) opening: Table<PeerId, Attempt>,
    /// When links were made, within the last hour.
    pub(crate) created: VecDeque<Timestamp>,
    /// Dropped for a violation: not linked again.
    pub(crate) banned: Table<PeerId, Timestamp>,
}

/// A link that is being made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) since: Timestamp,
    /// We made the offer.
    pub(crate) ours: bool,
}

/// Peers that broke the rules and are remembered; the one of longest ago is forgotten first.
const BANNED_MAX: usize = 256;

impl Links {
    fn ban(&mut self, now: Timestamp, peer: PeerId) {
        self.banned.insert(peer, now);
        if self.banned.len() > BANNED_MAX {
            let oldest = self.banned.iter().min_by_key(|&(_, &since)| since).map(|(&peer, _)| peer);
            oldest.and_then(|oldest| self.banned.remove(&oldest));
        }
    }
}

/// What the viewer's screen showed, and when it said so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Playhead {
    pub(crate) media_ms: u32,
    pub(crate) at: Timestamp,
    pub(crate) stalled: bool,
}

/// The tracker says that the broadcaster is not there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offline {
    pub(crate) ended: bool,
    /// That was said while it was watched here.
    pub(crate) seen: bool,
    pub(crate) since: Timestamp,
}

/// Bits sent over the last second, for a relay's budget.
#[derive(Debug, Default)]
pub(crate) struct Egress {
    window: Option<Timestamp>,
    bytes: u64,
    pub(crate) bps: u64,
    /// Nobody new is taken on.
    pub(crate) closed: bool,
}

#[derive(Debug, Default)]
struct Timers {
    tick: Timestamp,
    have: Timestamp,
    look: Timestamp,
    report: Timestamp,
    clock: Timestamp,
}

impl Swarm {
    /// A participant that knows nobody. The seed spreads choices; the same one repeats them.
    pub fn new(config: Config, identity: Identity, seed: u64) -> Self {
        let verifier = identity.expected.and_then(|channel| Verifier::new(channel).ok());
        let peer = if identity.role == Role::Relay { PeerId::RELAY } else { identity.secret.peer() };
        Swarm {
            config,
            identity,
            peer,
            rng: Rng::seeded(seed),
            clock: Clock::default(),
            verifier,
            session: Session::Closed,
            sharing: true,
            asked: false,
            source: None,
            epoch: None,
            headers: Table::new(),
            own_clock_ms: None,
            lapsed: false,
            locked: false,
            shown_generation: None,
            store: Store::default(),
            assembly: Assembly::default(),
            repair: Repair::default(),
            feeds: Feeds::new(),
            neighbors: Table::new(),
            links: Links::default(),
            playhead: None,
            offline: None,
            fed_at: None,
            doubt_at: Timestamp::default(),
            doubted: None,
            egress: Egress::default(),
            uplink: Uplink::default(),
            allowance: Allowance::default(),
            own_delay: Duration::ZERO,
            started: None,
            bytes: ByteCounts::default(),
            pieces: PieceCounts::default(),
            control_bytes: 0,
            uploaded_bytes: 0,
            uploaded_to_relay_bytes: 0,
            viewers: 0,
            timers: Timers::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes note of what happened and decides what to do: see [`poll_output`](Self::poll_output).
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.started.get_or_insert(now);
        match input {
            Input::SessionOpened => self.session_opened(now),
            Input::SessionClosed => self.session_closed(now),
            Input::Told(message) => self.told(now, message),
            Input::LinkOpened { peer } => self.link_opened(now, peer),
            Input::LinkClosed { peer } => self.link_closed(now, peer),
            Input::Frame { peer, bytes } => self.frame(now, peer, bytes),
            Input::Queued { peer, bytes } => self.queued(peer, bytes),
            Input::Signal { peer, signal } => self.tell(FromPeer::Signal { to: peer, signal }),
            Input::Publish(piece) => self.store_piece(now, piece, None),
            Input::PublishStream(header, frame) => self.take_header(now, header, frame, None),
            Input::PublishEnd => self.tell(FromPeer::Ended),
            Input::Sharing(on) => self.set_sharing(now, on),
            Input::UploadCap(times) => self.set_upload_cap(now, times),
            Input::Playhead { media_ms, stalled } => {
                self.playhead = Some(Playhead { media_ms, at: now, stalled });
            }
            Input::UnixTime(unix_ms) => self.set_own_clock(now, unix_ms),
            Input::Wake => {}
        }
        if now >= self.timers.tick {
            self.tick(now);
        }
    }

    /// The next decision, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to say [`Input::Wake`]. Any input does as well.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        (!self.neighbors.is_empty()).then_some(self.timers.tick)
    }

    /// The channel, once known.
    pub fn channel(&self) -> Option<ChannelId> {
        self.verifier.as_ref().map(Verifier::channel)
    }

    /// This participant's own id.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// The newest stream header of the broadcast.
    pub fn stream(&self) -> Option<&StreamHeader> {
        self.headers.last_key_value().map(|(_, newest)| &newest.header)
    }

    /// The tracker's Unix time in milliseconds, once it has been heard.
    pub fn tracker_time_ms(&self, now: Timestamp) -> Option<u64> {
        self.clock.tracker_ms(now).and_then(|ms| u64::try_from(ms).ok())
    }

    /// Media time of what is being captured at this moment, in milliseconds since the epoch.
    pub fn live_ms(&self, now: Timestamp) -> Option<i64> {
        Some(self.clock.tracker_ms(now)? - i64::try_from(self.epoch?.0).ok()?)
    }

    /// Where the viewer stands.
    pub fn phase(&self, now: Timestamp) -> Phase {
        let since_fed = self.fed_at.map(|fed_at| now.since(fed_at));
        let quiet = since_fed.is_none_or(|since| since > QUIET);
        let in_reach = since_fed.is_some_and(|since| since <= OUT_OF_REACH);
        let playing = self.playhead.is_some_and(|playhead| !playhead.stalled);
        if self.assembly.delivered > 0 && !quiet {
            return if self.playhead.is_some_and(|playhead| playhead.stalled) {
                Phase::Buffering
            } else {
                Phase::Live
            };
        }
        match (self.session, self.offline) {
            (Session::Welcomed, None) if self.locked => Phase::Locked,
            (Session::Welcomed, None) if self.has_lapsed(now) => Phase::Lapsed,
            (_, Some(offline)) if offline.ended && offline.seen => Phase::Ended,
            (_, Some(offline)) if offline.ended || now.since(offline.since) > RETURN_WITHIN => Phase::Offline,
            (_, Some(_)) if self.assembly.delivered > 0 => Phase::Reconnecting,
            (_, Some(_)) => Phase::Offline,
            (Session::Welcomed, None) if self.fed_at.is_none() => Phase::FindingPeers,
            (Session::Welcomed, None) if playing || in_reach => Phase::Buffering,
            (_, None) if self.fed_at.is_some() => Phase::Reconnecting,
            _ => Phase::Connecting,
        }
    }

    /// Counters and links.
    pub fn stats(&self) -> Stats {
        let all = StripeSet::all(self.stripes());
        Stats {
            bytes: self.bytes,
            uploaded_bytes: self.uploaded_bytes,
            uploaded_to_relay_bytes: self.uploaded_to_relay_bytes,
            pieces: self.pieces,
            links: self.neighbors.values().map(|neighbor| neighbor.stats(all)).collect(),
            control_bytes: self.control_bytes,
            chunks: self.assembly.delivered,
            chunks_skipped: self.assembly.skipped,
            viewers: self.viewers,
        }
    }

    // What the parts of the engine share.

    pub(crate) fn push_output(&mut self, output: Output) {
        if self.outputs.len() >= OUTPUTS_MAX {
            self.outputs.pop_front();
        }
        self.outputs.push_back(output);
    }

    /// Says something to the tracker, if it can hear.
    pub(crate) fn tell(&mut self, message: FromPeer) {
        if self.session != Session::Closed {
            self.push_output(Output::Tell(message));
        }
    }

    pub(crate) fn send(&mut self, peer: PeerId, frame: &Frame) {
        let frame = frame.encode();
        self.control_bytes += frame.len() as u64;
        self.push_output(Output::Send { peer, lane: Lane::Control, frame });
    }

    pub(crate) fn stripes(&self) -> u8 {
        self.stream().map_or(wire::limits::STRIPES_MAX, |header| header.stripes)
    }

    /// What stands in for a parent: the relay, or the source where that is all there is.
    pub(crate) fn fallback(&self) -> Option<PeerId> {
        let linked_source = self.source.filter(|source| self.neighbors.contains_key(source));
        match self.identity.role {
            Role::Source => None,
            Role::Relay => linked_source,
            Role::Viewer => {
                self.neighbors.contains_key(&PeerId::RELAY).then_some(PeerId::RELAY).or(linked_source)
            }
        }
    }

    /// Drops a peer that broke the rules. A relay is kept, as nobody else can take its place.
    pub(crate) fn violated(&mut self, now: Timestamp, peer: PeerId, violation: Violation) {
        self.push_output(Output::Violation { peer, violation });
        if peer == PeerId::RELAY || self.identity.role == Role::Relay && Some(peer) == self.source {
            return;
        }
        self.links.ban(now, peer);
        // Also those that it was only asked for: a liar's first piece never makes it a feed.
        let asked = self.neighbors.get(&peer).map_or(StripeSet::EMPTY, |neighbor| neighbor.feeds);
        let stripes = self.feeds_of(peer).with(asked).intersection(StripeSet::all(self.stripes()));
        self.tell(FromPeer::Orphaned { stripes, failed: peer, fault: Fault::Lied });
        self.push_output(Output::CloseLink { peer });
        self.link_closed(now, peer);
    }

    /// When timers last ran: the time, to within a tick.
    pub(crate) fn ticked_at(&self) -> Timestamp {
        self.timers.tick
    }

    fn tick(&mut self, now: Timestamp) {
        let late = now.since(self.timers.tick.max(self.started.unwrap_or(now)));
        self.own_delay = late.max(self.own_delay - self.own_delay / 8);
        let flowing = self.fed_at.is_some_and(|fed_at| now.since(fed_at) < QUIET);
        if flowing {
            self.silence_check(now);
        } else {
            self.feeds.excuse(now);
            self.doubt_silence(now);
        }
        if self.identity.role != Role::Source && !self.locked {
            self.reconsider_feeds(now);
            self.ask_for_missing(now);
        }
        if self.identity.role == Role::Viewer {
            self.deliver(now);
            self.say_have(now);
        }
        if self.identity.role != Role::Relay {
            self.report(now);
        }
        self.ask_time(now);
        self.ping(now);
        self.egress.roll(now);
        self.links.opening.retain(|_, attempt| now.since(attempt.since) < OPENING_MAX);
        self.timers.tick = now + if flowing || !self.repair.is_empty() { TICK } else { IDLE_TICK };
    }

    fn say_have(&mut self, now: Timestamp) {
        if now < self.timers.have {
            return;
        }
        self.timers.have = now + HAVE_EVERY;
        let (Some(epoch), Some((base, bitmap))) = (self.epoch, self.store.have(HAVE_SPAN_MS)) else { return };
        let have = Frame::Have { epoch, base, bitmap };
        for peer in self.viewers_linked() {
            self.send(peer, &have);
        }
    }

    pub(crate) fn viewers_linked(&self) -> Vec<PeerId> {
        self.neighbors.values().filter(|n| n.role == Role::Viewer).map(|n| n.peer).collect()
    }

    /// Direct links are probed. The relay's is not, as TCP knows by itself, and nobody plans with its upload; but by the source,
    /// whose uplink carries that copy as well.
    fn ping(&mut self, now: Timestamp) {
        if self.identity.role == Role::Relay {
            return;
        }
        let nonce = self.rng.next() as u32;
        let (all, relay) = (self.identity.role == Role::Source, PeerId::RELAY);
        let due = |neighbor: &&mut Neighbor| (all || neighbor.peer != relay) && neighbor.ping_at <= now;
        let pings: Vec<_> =
            self.neighbors.values_mut().filter(due).map(|n| (n.peer, n.ping(now, nonce))).collect();
        pings.iter().for_each(|(peer, ping)| self.send(*peer, ping));
        if now >= self.timers.look {
            self.timers.look = now + LOOK_EVERY;
            self.neighbors.values_mut().for_each(Neighbor::forgive);
            self.weigh_uplink(now);
        }
    }

    pub(crate) fn read_clock_again(&mut self, now: Timestamp) {
        self.timers.clock = now + self.clock.ask_after();
    }

    fn ask_time(&mut self, now: Timestamp) {
        if now < self.timers.clock || self.session != Session::Welcomed || self.clock.is_waiting() {
            return;
        }
        self.clock.ask(now);
        self.read_clock_again(now);
        self.tell(FromPeer::Clock);
    }

    fn report(&mut self, now: Timestamp) {
        if now < self.timers.report || self.session != Session::Welcomed {
            return;
        }
        self.timers.report = now + REPORT_EVERY;
        let report = self.own_report();
        self.tell(FromPeer::Report(report));
    }

    /// Say the report at the next tick: something has changed.
    pub(crate) fn report_soon(&mut self, now: Timestamp) {
        self.timers.report = self.timers.report.min(now + TICK);
    }

    pub(crate) fn own_report(&self) -> Report {
        let direct = || self.neighbors.values().filter(|neighbor| neighbor.peer != PeerId::RELAY);
        let links: Vec<_> =
            direct().map(|neighbor| neighbor.peer).take(wire::limits::NEIGHBORS_MAX).collect();
        let uplink = self.uplink.measured();
        Report {
            capacity_bps: uplink.map(|uplink| u32::try_from(uplink.capacity_bps).unwrap_or(u32::MAX)),
            uplink_busy: uplink.map(|uplink| uplink.busy),
            upload_cap_bps: self.stream().map(|s| (s.bitrate_bps as f32 * self.config.upload_cap_x) as u32),
            links,
            feeds: self.feeds.active(self.stripes()),
            from_viewers: self.bytes.viewers,
            from_source: self.bytes.source,
            from_relay: self.bytes.relay,
        }
    }

    /// Media older than this is not pushed any more. A viewer that lacks it has turned to others by then, and a link that
    /// has fallen behind would never catch up.
    pub(crate) fn stale_ms(&self) -> u32 {
        let lag_ms = self.target_lag_ms() as u32;
        let gives_up = self.identity.role == Role::Viewer || self.is_source_full();
        let kept_ms = if gives_up { lag_ms / 2 } else { lag_ms + STALE_MARGIN_MS };
        self.store.newest_ms().saturating_sub(kept_ms)
    }

    pub(crate) fn keep_headers(&mut self) {
        while self.headers.len() > GENERATIONS_KEPT {
            self.headers.pop_first();
        }
    }
}

impl Egress {
    pub(crate) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    fn roll(&mut self, now: Timestamp) {
        let elapsed = now.since(self.window.unwrap_or(now));
        if self.window.is_none() || elapsed >= Duration::from_secs(1) {
            self.bps = (self.bytes * 8_000_000).checked_div(elapsed.as_micros() as u64).unwrap_or(0);
            self.bytes = 0;
            self.window = Some(now);
        }
    }
}
