//! Carries what the browser reports into the engine, and the engine's decisions out to the browser.

use swarm::{Config, Identity, Input, Output, Phase, Role, Swarm, Violation};
use wasm_bindgen::JsValue;
use web_sys::HtmlVideoElement;
use wire::session::{FromTracker, Refusal};
use wire::{PeerId, PeerSecret};

use crate::clock::{self, SleepWatch};
use crate::event::{Event, Mailbox, MediaEvent, PageEvent, SessionEvent};
use crate::figures::Figures;
use crate::json;
use crate::links::Links;
use crate::media::Media;
use crate::options::Options;
use crate::page::Page;
use crate::random;
use crate::screen::{Screen, Stall};
use crate::session::Session;
use crate::timer::{Interval, Timer};

/// Milliseconds between two looks at the screen while nothing else asks for one.
const BEAT_MS: i32 = 200;

/// Milliseconds between two reports of the playhead to the engine.
const PLAYHEAD_EVERY_MS: f64 = 240.0;

/// One viewer: the engine, and everything of the browser that it uses.
pub(crate) struct Shell {
    swarm: Swarm,
    peer: PeerId,
    session: Session,
    links: Links,
    media: Media,
    screen: Screen,
    page: Page,
    sharing: bool,
    host: Option<String>,
    /// What the tracker last refused, in its words.
    refusal: Option<String>,
    /// This site may not show the channel.
    embed_refused: bool,
    sleep: SleepWatch,
    wake: Timer,
    looked_ms: f64,
    playhead_told_ms: f64,
    _beat: Interval,
}

impl Shell {
    /// Begins at once to join.
    pub(crate) fn new(video: HtmlVideoElement, options: Options, mailbox: &Mailbox) -> Result<Self, JsValue> {
        let window = web_sys::window().ok_or("the viewer needs a window")?;
        let secret = PeerSecret(random::bytes()?);
        let host = options.host();
        let session = Session::open(options.server, options.socket, &options.received, mailbox);
        let mut config = Config { media_key: options.media_key, ..Config::default() };
        config.upload_cap_x = options.upload_cap_x.unwrap_or(config.upload_cap_x);
        let identity =
            Identity { role: Role::Viewer, secret, channel: options.channel, expected: options.key };
        let mut swarm = Swarm::new(config, identity, u64::from_le_bytes(random::bytes()?));
        swarm.handle(clock::now(), Input::UnixTime(clock::unix_ms()));
        if !options.sharing {
            swarm.handle(clock::now(), Input::Sharing(false));
        }
        Ok(Shell {
            swarm,
            peer: secret.peer(),
            session,
            links: Links::new(options.sharing, mailbox),
            media: Media::new(video.clone(), mailbox),
            screen: Screen::new(video, mailbox),
            page: Page::new(&window, mailbox),
            sharing: options.sharing,
            host,
            refusal: None,
            embed_refused: false,
            sleep: SleepWatch::new(),
            wake: Timer::new(mailbox, || Event::Wake),
            looked_ms: f64::NEG_INFINITY,
            playhead_told_ms: f64::NEG_INFINITY,
            _beat: Interval::new(mailbox, BEAT_MS, || Event::Beat),
        })
    }

    /// Takes note of an event. [`settle`](Self::settle) acts on it.
    pub(crate) fn handle(&mut self, event: Event) {
        match event {
            Event::Session(what) => self.on_session(what),
            Event::Link { peer, number, what } => {
                let inputs = self.links.handle(peer, number, what);
                self.tell_all(inputs);
            }
            Event::Media(what) => self.on_media(what),
            Event::Page(PageEvent::Visibility) => self.looked_ms = f64::NEG_INFINITY,
            Event::Page(PageEvent::Resumed) => self.resume(),
            Event::Wake => {}
            Event::Beat => self.review(),
            Event::Sharing(on) => self.share(on),
            Event::Follow => {
                self.screen.follow();
                self.looked_ms = f64::NEG_INFINITY;
            }
            Event::UploadCap(times) => self.tell(Input::UploadCap(times)),
        }
    }

    fn on_session(&mut self, what: SessionEvent) {
        match what {
            SessionEvent::Opened => {
                self.session.opened();
                self.tell(Input::SessionOpened);
            }
            SessionEvent::Text(text) => match json::read(&text) {
                Some(message) => self.on_told(message),
                None => complain("a message of the tracker makes no sense"),
            },
            SessionEvent::Frame(bytes) => self.tell(Input::Frame { peer: PeerId::RELAY, bytes }),
            SessionEvent::Closed => {
                self.session.lost();
                self.tell(Input::SessionClosed);
            }
            SessionEvent::Timer => self.session.timer(),
        }
    }

    fn on_told(&mut self, message: FromTracker) {
        match &message {
            FromTracker::Welcome(welcome) => {
                (self.refusal, self.embed_refused) = (None, false);
                self.session.welcomed();
                if let Some(host) = &self.host {
                    self.links.use_stun(host, welcome.stun_port);
                }
            }
            FromTracker::Refused { code, message } => {
                self.refusal = Some(message.clone());
                if *code == Refusal::Version {
                    self.media.missing = Some("the current version of this page: reload it".into());
                }
                self.embed_refused = *code == Refusal::EmbedRefused;
                self.session.refused(self.embed_refused);
            }
            _ => {}
        }
        self.tell(Input::Told(message));
    }

    fn on_media(&mut self, what: MediaEvent) {
        match what {
            MediaEvent::FirstFrame(at_ms) => {
                self.screen.first_frame_ms.get_or_insert(at_ms);
            }
            MediaEvent::AppendFailed => self.media.broke(),
            // The playhead is to be looked at; `settle` does the rest.
            MediaEvent::Appended | MediaEvent::TimeUpdate => self.looked_ms = f64::NEG_INFINITY,
            MediaEvent::SourceOpened | MediaEvent::ElementFailed => {}
        }
    }

    /// Turns links on or off, for good or until the viewer says otherwise.
    fn share(&mut self, on: bool) {
        self.sharing = on;
        let closed = self.links.set_sharing(on);
        self.tell(Input::Sharing(on));
        self.tell_all(closed);
    }

    /// After a sleep nothing that was open can be trusted, and the tracker's clock must be learned anew.
    fn resume(&mut self) {
        self.screen.again();
        self.tell(Input::UnixTime(clock::unix_ms()));
        self.tell(Input::SessionClosed);
        self.session.again();
    }

    /// What is looked at five times a second.
    fn review(&mut self) {
        if self.sleep.look() {
            self.resume();
        }
        let lost = self.links.review();
        self.tell_all(lost);
        if self.session.is_open() {
            self.tell(Input::Queued { peer: PeerId::RELAY, bytes: self.session.queued() });
        }
    }

    /// Does all that is due: the engine's decisions, the next append, a look at the screen. The state, for people.
    pub(crate) fn settle(&mut self) -> &'static str {
        if self.swarm.poll_timeout().is_some_and(|at| at <= clock::now()) {
            self.tell(Input::Wake);
        }
        self.act();
        if self.media.advance(clock::now_ms()) {
            self.screen.again();
        }
        if clock::now_ms() - self.looked_ms >= f64::from(BEAT_MS) {
            self.look();
            self.act();
        }
        self.arm();
        self.state()
    }

    fn look(&mut self) {
        let now_ms = clock::now_ms();
        self.looked_ms = now_ms;
        let look = self.screen.look(self.swarm.live_ms(clock::now()), self.page.hidden());
        self.media.allow_removal(look.remove_before_ms);
        if self.screen.first_frame_ms.is_some() && now_ms - self.playhead_told_ms >= PLAYHEAD_EVERY_MS {
            self.playhead_told_ms = now_ms;
            let media_ms = u32::try_from(look.position_ms).unwrap_or(0);
            self.tell(Input::Playhead { media_ms, stalled: look.stalled });
        }
    }

    /// Carries out decisions until there are none left.
    fn act(&mut self) {
        loop {
            let mut sent_to = Vec::new();
            while let Some(output) = self.swarm.poll_output() {
                if let Output::Send { peer, .. } = &output
                    && !sent_to.contains(peer)
                {
                    sent_to.push(*peer);
                }
                self.carry_out(output);
            }
            if sent_to.is_empty() {
                break;
            }
            for peer in sent_to {
                let bytes =
                    if peer == PeerId::RELAY { self.session.queued() } else { self.links.queued(peer) };
                self.tell(Input::Queued { peer, bytes });
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { peer: PeerId::RELAY, frame, .. } => self.session.send_frame(&frame),
            Output::Send { peer, lane, frame } => self.links.send(peer, lane, &frame),
            Output::Tell(message) => self.session.send_text(&message.to_text()),
            Output::OpenLink { peer } => {
                let refused = self.links.open(peer);
                self.tell_all(refused);
            }
            Output::Signal { peer, signal } => {
                let inputs = self.links.signalled(peer, signal);
                self.tell_all(inputs);
            }
            Output::CloseLink { peer } => self.links.close(peer),
            Output::Stream(header) => {
                if self.media.stream(&header) {
                    self.screen.restart(i64::from(header.target_lag_ms));
                }
            }
            Output::Chunk(chunk) => self.media.chunk(chunk),
            Output::Violation { violation: Violation::WrongChannel, .. } => {
                let refusal =
                    "this server has another broadcaster under that name, so nothing of it is shown";
                self.refusal = Some(refusal.to_owned());
            }
            Output::Violation { peer, violation } => {
                complain(&format!("{peer} broke the rules ({violation:?}) and is dropped"));
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.swarm.handle(clock::now(), input);
    }

    fn tell_all(&mut self, inputs: impl IntoIterator<Item = Input>) {
        inputs.into_iter().for_each(|input| self.tell(input));
    }

    fn arm(&mut self) {
        match self.swarm.poll_timeout() {
            Some(at) => self.wake.arm_at(at.as_micros() as f64 / 1000.0),
            None => self.wake.disarm(),
        }
    }

    /// One of the words that pages know.
    fn state(&self) -> &'static str {
        if self.media.missing.is_some() {
            return "unsupported";
        }
        if self.embed_refused {
            return "refused";
        }
        match self.swarm.phase(clock::now()) {
            Phase::Connecting => "connecting",
            Phase::FindingPeers => "finding_peers",
            Phase::Live => "live",
            Phase::Buffering => "buffering",
            Phase::Reconnecting => "reconnecting",
            Phase::Lapsed => "lapsed",
            Phase::Locked => "locked",
            Phase::Ended => "ended",
            Phase::Offline => "offline",
        }
    }

    /// Everything that there is to say. Times end in their unit; those of the page's clock count from the navigation.
    pub(crate) fn figures(&self) -> Figures {
        let now = clock::now();
        let shown = self.screen.first_frame_ms.is_some();
        let lag_ms =
            self.swarm.live_ms(now).filter(|_| shown).map(|live_ms| live_ms - self.screen.position_ms());
        let stream = self.swarm.stream();
        let seconds = |ms: i64| ms as f64 / 1000.0;
        Figures::of(&self.swarm.stats())
            .with("state", self.state())
            .with_any("reason", self.media.missing.as_ref().or(self.refusal.as_ref()))
            .with_any("channel", self.swarm.channel().map(|channel| channel.to_string()))
            .with("peer", self.peer.to_string())
            .with_any("epoch", stream.map(|stream| stream.epoch.0 as f64))
            .with("generation", self.media.generation)
            .with_any("mime", stream.map(|stream| &stream.mime))
            .with_any("bitrate_bps", stream.map(|stream| stream.bitrate_bps))
            .with_any("lag_s", lag_ms.map(seconds))
            .with("following", self.screen.follows())
            .with("target_lag_s", seconds(self.screen.target_lag_ms()))
            .with("buffer_s", seconds(self.screen.ahead_ms()))
            .with_list("stalls", self.screen.stalls().map(Stall::figures))
            .with_any("first_frame_ms", self.screen.first_frame_ms)
            .with("playback_rate", self.screen.playback_rate())
            .with("attempt", self.session.tries())
            .with("candidates_gathered", self.links.candidates_gathered)
            .with("sharing", self.sharing)
    }
}

fn complain(text: &str) {
    web_sys::console::warn_1(&format!("swarmcast: {text}").into());
}
