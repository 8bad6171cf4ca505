//! A viewer: carries what the browser reports into the engine, and what comes out of it to the screen.

use swarm::{Config, Identity, Input, Output, Phase, Role};
use wasm_bindgen::JsValue;
use web_sys::HtmlVideoElement;
use wire::session::{FromTracker, Refusal, SharingRule};

use crate::clock::{self, SleepWatch};
use crate::event::{Event, Mailbox, MediaEvent, PageEvent, SessionEvent};
use crate::figures::Figures;
use crate::media::Media;
use crate::options::Options;
use crate::page::Page;
use crate::participant::Participant;
use crate::returning::Returning;
use crate::screen::{Screen, Stall};
use crate::session::Session;
use crate::timer::Interval;

/// Milliseconds between two looks at the screen while nothing else asks for one.
const BEAT_MS: i32 = 200;

/// Milliseconds between two reports of the playhead to the engine.
const PLAYHEAD_EVERY_MS: f64 = 240.0;

/// One viewer: a participant, and everything of the browser that it uses to show what it gets.
pub(crate) struct Shell {
    participant: Participant,
    media: Media,
    screen: Screen,
    page: Page,
    returning: Returning,
    sharing: bool,
    /// The viewer has agreed to it, on this device.
    consent: bool,
    /// What the channel's owner says of it.
    sharing_rule: Option<SharingRule>,
    /// The word for why this viewer, or this site, is not let in.
    shut_out: Option<&'static str>,
    sleep: SleepWatch,
    looked_ms: f64,
    playhead_told_ms: f64,
    _beat: Interval,
}

impl Shell {
    /// Begins at once to join.
    pub(crate) fn new(video: HtmlVideoElement, options: Options, mailbox: &Mailbox) -> Result<Self, JsValue> {
        let window = web_sys::window().ok_or("the viewer needs a window")?;
        let returning = Returning::to(&window, &options.server, &options.channel)?;
        let host = options.host();
        let session = Session::open(options.server, options.socket, &options.received, mailbox);
        let mut config = Config {
            media_key: options.media_key,
            token: options.token,
            pass: returning.pass(),
            consent: options.consent,
            ..Config::default()
        };
        config.upload_cap_x = options.upload_cap_x.unwrap_or(config.upload_cap_x);
        let identity = Identity {
            role: Role::Viewer,
            secret: returning.secret(),
            channel: options.channel,
            expected: options.key,
        };
        let (sharing, consent) = (options.sharing, options.consent);
        Ok(Shell {
            participant: Participant::new(config, identity, session, host, sharing, mailbox)?,
            media: Media::new(video.clone(), options.on_captions, mailbox),
            screen: Screen::new(video, mailbox),
            page: Page::new(&window, mailbox),
            returning,
            sharing,
            consent,
            sharing_rule: None,
            shut_out: None,
            sleep: SleepWatch::new(),
            looked_ms: f64::NEG_INFINITY,
            playhead_told_ms: f64::NEG_INFINITY,
            _beat: Interval::new(mailbox, BEAT_MS, || Event::Beat),
        })
    }

    /// Takes note of an event. [`settle`](Self::settle) acts on it.
    pub(crate) fn handle(&mut self, event: Event) {
        match event {
            Event::Session(what) => self.on_session(what),
            Event::Link { peer, number, what } => self.participant.on_link(peer, number, what),
            Event::Media(what) => self.on_media(what),
            Event::Page(PageEvent::Visibility) => self.looked_ms = f64::NEG_INFINITY,
            Event::Page(PageEvent::Resumed) => self.resume(),
            Event::Wake => {}
            Event::Beat => self.review(),
            Event::Ask(what) => what(self),
        }
    }

    fn on_session(&mut self, what: SessionEvent) {
        let Some(message) = self.participant.on_session(what) else { return };
        let mut again = false;
        match &message {
            FromTracker::Welcome(welcome) => {
                self.shut_out = None;
                self.heed(welcome.sharing);
                self.returning.replace(welcome.pass.clone());
            }
            FromTracker::Refused { code, .. } => {
                if *code == Refusal::Version {
                    self.media.missing = Some("the current version of this page: reload it".into());
                }
                // The page may have come with a token all the same.
                again = *code == Refusal::TokenRefused && self.returning.pass().is_some();
                self.shut_out = match code {
                    Refusal::EmbedRefused => Some("refused"),
                    Refusal::TokenRefused if again => None,
                    Refusal::TokenRefused => Some("uninvited"),
                    Refusal::Banned => Some("banned"),
                    _ => None,
                };
            }
            _ => {}
        }
        self.participant.tell(Input::Told(message));
        if again {
            self.returning.replace(None);
            self.participant.resume();
        }
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

    /// Where the channel's owner has viewers asked, or wants no sharing, nothing is gathered from here on.
    fn heed(&mut self, rule: Option<SharingRule>) {
        self.sharing_rule = rule;
        if rule == Some(SharingRule::Off) || rule == Some(SharingRule::Ask) && !self.consent {
            self.share(false);
        }
    }

    /// Turns links on or off, for good or until the viewer says otherwise.
    pub(crate) fn share(&mut self, on: bool) {
        self.consent |= on && self.sharing_rule == Some(SharingRule::Ask);
        self.sharing = on;
        let closed = self.participant.links.set_sharing(on);
        self.participant.tell(Input::Sharing(on));
        self.participant.tell_all(closed);
    }

    /// Goes to the live edge, and stays there.
    pub(crate) fn follow(&mut self) {
        self.screen.follow();
        self.looked_ms = f64::NEG_INFINITY;
    }

    /// Passes on at most so many times the stream's bitrate.
    pub(crate) fn cap_upload(&mut self, times: f32) {
        self.participant.tell(Input::UploadCap(times));
    }

    fn resume(&mut self) {
        self.screen.again();
        self.participant.resume();
    }

    /// What is looked at five times a second.
    fn review(&mut self) {
        if self.sleep.look() {
            self.resume();
        }
        self.participant.review();
    }

    /// Does all that is due: the engine's decisions, the next append, a look at the screen. The state, for people.
    pub(crate) fn settle(&mut self) -> &'static str {
        self.participant.wake_if_due();
        self.act();
        if self.media.advance(clock::now_ms()) {
            self.screen.again();
        }
        if clock::now_ms() - self.looked_ms >= f64::from(BEAT_MS) {
            self.look();
            self.act();
        }
        self.participant.arm();
        self.state()
    }

    fn look(&mut self) {
        let now_ms = clock::now_ms();
        self.looked_ms = now_ms;
        let look = self.screen.look(self.participant.swarm.live_ms(clock::now()), self.page.hidden());
        self.media.allow_removal(look.remove_before_ms);
        if self.screen.first_frame_ms.is_some() && now_ms - self.playhead_told_ms >= PLAYHEAD_EVERY_MS {
            self.playhead_told_ms = now_ms;
            let media_ms = u32::try_from(look.position_ms).unwrap_or(0);
            self.participant.tell(Input::Playhead { media_ms, stalled: look.stalled });
        }
    }

    fn act(&mut self) {
        let Shell { participant, media, screen, .. } = self;
        participant.act(|output| match output {
            Output::Stream(header) => {
                if media.stream(&header) {
                    screen.restart(i64::from(header.target_lag_ms));
                }
            }
            Output::Chunk(chunk) => media.chunk(chunk),
            _ => {}
        });
    }

    /// One of the words that pages know.
    fn state(&self) -> &'static str {
        if self.media.missing.is_some() {
            return "unsupported";
        }
        if let Some(word) = self.shut_out {
            return word;
        }
        match self.participant.swarm.phase(clock::now()) {
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
        let lag_ms = self
            .participant
            .swarm
            .live_ms(now)
            .filter(|_| shown)
            .map(|live_ms| live_ms - self.screen.position_ms());
        let stream = self.participant.swarm.stream();
        let seconds = |ms: i64| ms as f64 / 1000.0;
        Figures::of(&self.participant.swarm.stats())
            .with("state", self.state())
            .with_any("reason", self.media.missing.as_ref().or(self.participant.refusal.as_ref()))
            .with_any("channel", self.participant.swarm.channel().map(|channel| channel.to_string()))
            .with("peer", self.participant.peer.to_string())
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
            .with("attempt", self.participant.session.tries())
            .with("candidates_gathered", self.participant.links.candidates_gathered)
            .with("sharing", self.sharing)
            .with_any("sharing_rule", self.sharing_rule.map(word))
    }
}

fn word(rule: SharingRule) -> &'static str {
    match rule {
        SharingRule::Ask => "ask",
        SharingRule::Off => "off",
    }
}
