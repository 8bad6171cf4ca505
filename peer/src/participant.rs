//! One native participant of one channel: a task that owns an engine and does what it decides.

use std::time::Duration;

use bytes::Bytes;
use swarm::{Chunk, Config, Identity, Input, Output, Phase, Stats, Swarm, Timestamp, Violation};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use wire::session::{Announce, FromPeer, FromTracker, Refusal, Signal};
use wire::{Frame, PeerId, Piece, Signer, StreamHeader};

use crate::authorities::Authorities;
use crate::links::{Links, LinksEvent, UNTOLD_BYTES};
use crate::observe::{Observation, Observer};
use crate::session::{self, SessionEvent, SessionMessage, SessionSender};
use crate::transport::{self, Endpoint, LinkEvent};

/// How often a link with unsent bytes is looked at: media comes every 100 ms.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How often counters are published.
const STATUS_EVERY: Duration = Duration::from_millis(250);

/// Commands that may wait; then whoever publishes waits.
const COMMANDS_MAX: usize = 256;

/// Events that may wait for the owner; further ones are lost, as it does not care.
const EVENTS_MAX: usize = 1024;

/// Changes pieces before they are sent. For tests that need a peer which lies.
pub type Alteration = Box<dyn FnMut(Bytes) -> Bytes + Send>;

/// What a participant is told at its start.
pub struct ParticipantConfig {
    /// The tracker's session address: `ws://host:port/session`, or `wss:`.
    pub session_url: String,
    /// Who vouches for the tracker, if it is a `wss:` address.
    pub authorities: Authorities,
    /// Who it is.
    pub identity: Identity,
    /// How its engine behaves.
    pub engine: Config,
    /// Where its links are made; `None`: nowhere, the relay must do.
    pub endpoint: Option<Endpoint>,
    /// A broadcaster's key and the channel's name.
    pub announce: Option<(Signer, String)>,
    /// `None`, but in tests.
    pub alteration: Option<Alteration>,
    /// Is shown what happens on the links; `None`, but in measurements.
    pub observer: Option<Observer>,
}

/// What a participant tells its owner.
#[derive(Debug)]
pub enum Event {
    /// The session is open and the tracker has said welcome.
    Welcomed {
        /// The channel's name in the directory.
        name: String,
        /// Milliseconds to add to this machine's Unix time to have the tracker's.
        clock_offset_ms: i64,
    },
    /// The session is lost; another attempt follows by itself.
    SessionLost {
        /// In words.
        why: String,
    },
    /// The tracker refuses. Only [`Refusal::Busy`] and [`Refusal::ShuttingDown`] are worth another attempt.
    Refused {
        /// For programs.
        code: Refusal,
        /// For people.
        message: String,
    },
    /// Chunks from here on need this header.
    Stream(StreamHeader),
    /// The next chunk.
    Chunk(Chunk),
    /// A peer broke the rules and was dropped.
    Violation {
        /// Who.
        peer: PeerId,
        /// How.
        violation: Violation,
    },
}

enum Command {
    Input(Box<Input>),
    AnnounceAs(Box<Signer>),
}

/// A running participant. It ends when this is dropped.
pub struct Participant {
    publisher: Publisher,
    events: mpsc::Receiver<Event>,
    status: watch::Receiver<Status>,
}

/// What a participant says of itself, a few times a second.
#[derive(Debug, Clone)]
struct Status {
    stats: Stats,
    phase: Phase,
    clock_offset_ms: Option<i64>,
}

/// Puts a broadcaster's media into the swarm. Clones feed the same one.
#[derive(Clone)]
pub struct Publisher {
    commands: mpsc::Sender<Command>,
}

impl Publisher {
    /// A stream header, before the first piece that needs it.
    pub async fn stream(&self, header: StreamHeader, frame: Bytes) {
        self.input(Input::PublishStream(header, frame)).await;
    }

    /// One more piece.
    pub async fn piece(&self, piece: Piece) {
        self.input(Input::Publish(piece)).await;
    }

    /// Another signer of the same channel announces it the next time.
    pub async fn announce_as(&self, signer: Signer) {
        let _ = self.commands.send(Command::AnnounceAs(Box::new(signer))).await;
    }

    /// The programme has ended.
    pub async fn end(&self) {
        self.input(Input::PublishEnd).await;
    }

    async fn input(&self, input: Input) {
        // The task ends only together with the participant, whose owner knows.
        let _ = self.commands.send(Command::Input(Box::new(input))).await;
    }
}

impl Participant {
    /// Starts it. Needs a tokio runtime.
    pub fn start(config: ParticipantConfig) -> Participant {
        let (commands, commands_end) = mpsc::channel(COMMANDS_MAX);
        let (events, events_end) = mpsc::channel(EVENTS_MAX);
        let nothing = Status { stats: Stats::default(), phase: Phase::Connecting, clock_offset_ms: None };
        let (status, status_end) = watch::channel(nothing);
        tokio::spawn(Task::new(config, events, status).run(commands_end));
        Participant { publisher: Publisher { commands }, events: events_end, status: status_end }
    }

    /// For a broadcaster.
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// The next event; `None` when the participant has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// For a viewer: its screen shows media time `media_ms`, in milliseconds since the epoch, or stands still there
    /// for want of media. A few times a second.
    pub async fn show(&self, media_ms: u32, stalled: bool) {
        self.publisher.input(Input::Playhead { media_ms, stalled }).await;
    }

    /// For a viewer: pass on at most so many multiples of the stream's bitrate; 0: nothing.
    pub async fn cap_upload(&self, times: f32) {
        self.publisher.input(Input::UploadCap(times)).await;
    }

    /// For a viewer: make links, or close all and be fed by the relay.
    pub async fn share(&self, on: bool) {
        self.publisher.input(Input::Sharing(on)).await;
    }

    /// Counters and links, at most a quarter of a second old.
    pub fn stats(&self) -> Stats {
        self.status.borrow().stats.clone()
    }

    /// Where a viewer stands.
    pub fn phase(&self) -> Phase {
        self.status.borrow().phase
    }

    /// Milliseconds to add to this machine's Unix time to have the tracker's, by the best reading so far.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        self.status.borrow().clock_offset_ms
    }
}

struct Task {
    engine: Swarm,
    announce: Option<(Signer, String)>,
    secret: wire::PeerSecret,
    alteration: Option<Alteration>,
    observer: Option<Observer>,
    session: SessionSender,
    session_events: mpsc::Receiver<SessionEvent>,
    session_bytes: usize,
    links: Links,
    links_events: mpsc::Receiver<LinksEvent>,
    events: mpsc::Sender<Event>,
    status: watch::Sender<Status>,
    zero: Instant,
}

impl Task {
    fn new(config: ParticipantConfig, events: mpsc::Sender<Event>, status: watch::Sender<Status>) -> Self {
        let (links, links_events) = Links::new(config.endpoint);
        let (session, session_events) = session::keep(config.session_url, config.authorities);
        let seed = getrandom::u64().unwrap_or_default();
        let secret = config.identity.secret;
        Task {
            engine: Swarm::new(config.engine, config.identity, seed),
            announce: config.announce,
            secret,
            alteration: config.alteration,
            observer: config.observer,
            session,
            session_events,
            session_bytes: 0,
            links,
            links_events,
            events,
            status,
            zero: Instant::now(),
        }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut status_due = Instant::now();
        loop {
            let wake = self.wake_at().min(status_due);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Input(input)) => self.handle(*input),
                    Some(Command::AnnounceAs(signer)) => {
                        self.announce.iter_mut().for_each(|(announcing, _)| *announcing = *signer.clone());
                    }
                    None => return,
                },
                Some(event) = self.session_events.recv() => self.session_event(event),
                Some(event) = self.links_events.recv() => self.links_event(event),
                () = sleep_until(wake) => self.handle(Input::Wake),
            }
            self.look_at_queues();
            if Instant::now() >= status_due {
                status_due = Instant::now() + STATUS_EVERY;
                self.status.send_replace(self.own_status());
            }
        }
    }

    fn own_status(&self) -> Status {
        let now = self.now();
        let clock_offset_ms = self.engine.tracker_time_ms(now).map(|tracker| tracker as i64 - unix_ms());
        Status { stats: self.engine.stats(), phase: self.engine.phase(now), clock_offset_ms }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.zero.elapsed().as_micros() as u64)
    }

    fn wake_at(&self) -> Instant {
        let timeout = self.engine.poll_timeout().map(|at| self.zero + Duration::from_micros(at.as_micros()));
        let busy = (self.links.is_busy() || self.session_bytes > 0).then(|| Instant::now() + LOOK_AGAIN);
        let idle = Instant::now() + STATUS_EVERY;
        timeout.into_iter().chain(busy).fold(idle, Instant::min)
    }

    fn handle(&mut self, input: Input) {
        self.engine.handle(self.now(), input);
        while let Some(output) = self.engine.poll_output() {
            self.act(output);
        }
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Send { peer, lane, frame } => self.send(peer, lane, frame),
            Output::Tell(message) => {
                self.observe(Observation::Told { message: &message });
                self.session.send(SessionMessage::Text(message.to_text()));
            }
            Output::OpenLink { peer } => {
                self.observe(Observation::Opening { peer, offers: true });
                self.links.open(peer);
            }
            Output::Signal { peer, signal } => {
                match signal {
                    Signal::Offer { .. } => self.observe(Observation::Opening { peer, offers: false }),
                    Signal::Declined => self.observe(Observation::Closed { peer, why: None }),
                    _ => {}
                }
                self.links.signal(peer, signal);
            }
            Output::CloseLink { peer } => self.links.close(peer),
            Output::Stream(header) => self.say(Event::Stream(header)),
            Output::Chunk(chunk) => self.say(Event::Chunk(chunk)),
            Output::Violation { peer, violation } => self.say(Event::Violation { peer, violation }),
        }
    }

    fn send(&mut self, peer: PeerId, lane: swarm::Lane, frame: Bytes) {
        let frame = match &mut self.alteration {
            Some(alter) if matches!(Frame::decode(frame.clone()), Ok(Frame::Piece(_))) => alter(frame),
            _ => frame,
        };
        let (lane, taken) = if peer == PeerId::RELAY {
            self.session_bytes = UNTOLD_BYTES;
            (None, self.session.send(SessionMessage::Frame(frame.clone())))
        } else {
            let lane = match lane {
                swarm::Lane::Eager => transport::Lane::Eager,
                swarm::Lane::Control => transport::Lane::Control,
            };
            (Some(lane), self.links.send(peer, lane, frame.clone()))
        };
        if self.observer.is_some() {
            let unsent_bytes = match lane {
                None => self.session.unsent_bytes(),
                Some(_) => self.links.unsent_bytes(peer),
            };
            self.observe(Observation::Sent { peer, lane, frame: &frame, unsent_bytes, dropped: !taken });
        }
    }

    fn observe(&mut self, what: Observation<'_>) {
        if let Some(observer) = &mut self.observer {
            observer(what);
        }
    }

    /// The owner may be slow or not listen at all; the swarm goes on.
    fn say(&self, event: Event) {
        let _ = self.events.try_send(event);
    }

    fn look_at_queues(&mut self) {
        for (peer, bytes) in self.links.queued() {
            self.handle(Input::Queued { peer, bytes });
        }
        let bytes = self.session.unsent_bytes();
        if std::mem::replace(&mut self.session_bytes, bytes) != bytes {
            self.handle(Input::Queued { peer: PeerId::RELAY, bytes });
        }
    }

    fn session_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Opened => {
                self.handle(Input::UnixTime(u64::try_from(unix_ms()).unwrap_or(0)));
                self.handle(Input::SessionOpened);
            }
            SessionEvent::Closed { why } => {
                self.handle(Input::SessionClosed);
                self.say(Event::SessionLost { why });
            }
            SessionEvent::Message(SessionMessage::Frame(bytes)) => {
                self.observe(Observation::Received { peer: PeerId::RELAY, lane: None, frame: &bytes });
                self.handle(Input::Frame { peer: PeerId::RELAY, bytes });
            }
            SessionEvent::Message(SessionMessage::Text(text)) => match FromTracker::parse(&text) {
                Ok(message) => self.told(message),
                Err(error) => tracing::warn!("the tracker said something unknown: {error}"),
            },
        }
    }

    fn told(&mut self, message: FromTracker) {
        let hello = match &message {
            FromTracker::Hello { nonce, .. } => Some(nonce.clone()),
            FromTracker::Refused { code, message } => {
                self.say(Event::Refused { code: *code, message: message.clone() });
                None
            }
            _ => None,
        };
        let welcome = match &message {
            FromTracker::Welcome(welcome) => Some(welcome.name.clone()),
            _ => None,
        };
        self.handle(Input::Told(message));
        if let Some(nonce) = hello {
            self.announce(&nonce);
        }
        if let Some(name) = welcome {
            if self.announce.is_some() {
                self.handle(Input::LinkOpened { peer: PeerId::RELAY });
            }
            let offset = self.engine.tracker_time_ms(self.now()).map(|tracker| tracker as i64 - unix_ms());
            self.say(Event::Welcomed { name, clock_offset_ms: offset.unwrap_or(0) });
        }
    }

    fn announce(&mut self, nonce: &str) {
        let Some((signer, name)) = &self.announce else { return };
        let announce = FromPeer::Announce(Announce {
            version: wire::VERSION,
            channel: signer.channel(),
            name: name.clone(),
            secret: self.secret,
            proof: signer.announce(nonce),
            delegation: signer.delegation().cloned(),
            epoch: self.engine.stream().map(|header| header.epoch),
        });
        self.session.send(SessionMessage::Text(announce.to_text()));
    }

    fn links_event(&mut self, event: LinksEvent) {
        match event {
            LinksEvent::Described { peer, number, link, signal } => {
                if self.links.described(peer, number, link) {
                    self.handle(Input::Signal { peer, signal });
                }
            }
            LinksEvent::Failed { peer, number } if self.links.is_current(peer, number) => {
                self.observe(Observation::Closed { peer, why: None });
                self.links.close(peer);
                self.handle(Input::LinkClosed { peer });
            }
            LinksEvent::Happened { peer, number, event } if self.links.is_current(peer, number) => {
                self.link_event(peer, event);
            }
            LinksEvent::Failed { .. } | LinksEvent::Happened { .. } => {}
        }
    }

    fn link_event(&mut self, peer: PeerId, event: LinkEvent) {
        match event {
            LinkEvent::Open => {
                self.observe(Observation::Opened { peer });
                self.handle(Input::LinkOpened { peer });
            }
            LinkEvent::Frame { lane, bytes } => {
                self.observe(Observation::Received { peer, lane: Some(lane), frame: &bytes });
                self.handle(Input::Frame { peer, bytes });
            }
            LinkEvent::Writable => {}
            LinkEvent::Closed { why } => {
                tracing::debug!(%peer, ?why, "link closed");
                self.observe(Observation::Closed { peer, why: Some(why) });
                self.links.close(peer);
                self.handle(Input::LinkClosed { peer });
            }
        }
    }
}

/// This machine's Unix time in milliseconds.
fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
