//! A broadcaster: takes what the page's encoders made, packages, numbers and signs it, and seeds it.

use bytes::Bytes;
use media::{
    AudioParameters, Cutter, CutterConfig, MediaEvent, MediaWarning, Numbering, Unit, VideoParameters,
};
use swarm::{Config, Identity, Input, Role};
use wasm_bindgen::JsValue;
use wire::session::{Announce, FromPeer, FromTracker, Refusal};
use wire::{Epoch, MediaKey, PeerId, Signer};

use crate::clock::{self, SleepWatch};
use crate::event::{Event, Mailbox};
use crate::figures::Figures;
use crate::participant::Participant;
use crate::random;
use crate::session::Session;
use crate::timer::Interval;

/// Milliseconds between two looks at the session and the links.
const BEAT_MS: i32 = 200;

/// What the page wants to broadcast.
pub(crate) struct Plan {
    /// The channel's name in the directory.
    pub name: String,
    /// The channel's key.
    pub signer: Signer,
    /// Seals a private channel's media.
    pub media_key: Option<MediaKey>,
    /// What the encoders are set to make together, bits a second. Decides how many stripes there are.
    pub bitrate_bps: u32,
}

/// One broadcaster: a participant, and the way from frames to pieces.
pub(crate) struct Shell {
    participant: Participant,
    plan: Plan,
    video: Option<VideoParameters>,
    audio: Option<AudioParameters>,
    programme: Option<Programme>,
    last_epoch: Epoch,
    /// The session is open and the tracker has said welcome.
    welcomed: bool,
    /// The tracker will not have this broadcaster, now or later.
    refused: bool,
    counted: Counted,
    sleep: SleepWatch,
    _beat: Interval,
}

/// A broadcast under way.
struct Programme {
    /// Media time 0, by the page's clock.
    began_ms: f64,
    cutter: Cutter,
    numbering: Numbering,
    /// Media time of the latest keyframe.
    keyframe_ms: Option<u64>,
}

/// What people are told of it.
#[derive(Default)]
struct Counted {
    payload_bytes: u64,
    chunks: u32,
    keyframe_interval_ms: Option<u64>,
    /// The latest trouble with the media, in words.
    trouble: Option<String>,
}

impl Shell {
    /// Connects to the tracker at once, and broadcasts from the first frame on.
    pub(crate) fn new(server: String, plan: Plan, mailbox: &Mailbox) -> Result<Self, JsValue> {
        let identity = Identity {
            role: Role::Source,
            secret: plan.signer.peer_secret(),
            channel: plan.name.clone(),
            expected: Some(plan.signer.channel()),
        };
        let host = web_sys::Url::new(&server).ok().map(|url| url.hostname());
        let session = Session::open(server, None, &js_sys::Array::new(), mailbox);
        Ok(Shell {
            participant: Participant::new(Config::default(), identity, session, host, true, mailbox)?,
            plan,
            video: None,
            audio: None,
            programme: None,
            last_epoch: Epoch(0),
            welcomed: false,
            refused: false,
            counted: Counted::default(),
            sleep: SleepWatch::new(),
            _beat: Interval::new(mailbox, BEAT_MS, || Event::Beat),
        })
    }

    /// Takes note of an event. [`settle`](Self::settle) acts on it.
    pub(crate) fn handle(&mut self, event: Event) {
        match event {
            Event::Session(what) => {
                if let Some(message) = self.participant.on_session(what) {
                    self.on_told(message);
                }
                self.welcomed &= self.participant.session.is_open();
            }
            Event::Link { peer, number, what } => self.participant.on_link(peer, number, what),
            Event::Wake => {}
            Event::Beat => {
                if self.sleep.look() {
                    self.participant.resume();
                }
                self.participant.review();
            }
            Event::Ask(what) => what(self),
        }
    }

    fn on_told(&mut self, message: FromTracker) {
        match &message {
            FromTracker::Hello { nonce, .. } => {
                let announce = self.announce(nonce);
                self.participant.tell(Input::Told(message));
                self.participant.session.send_text(&announce.to_text());
            }
            FromTracker::Welcome(_) => {
                self.welcomed = true;
                self.participant.tell(Input::Told(message));
                self.participant.tell(Input::LinkOpened { peer: PeerId::RELAY });
            }
            FromTracker::Refused { code, .. } => {
                self.refused = !matches!(code, Refusal::Busy | Refusal::ShuttingDown);
                self.participant.tell(Input::Told(message));
            }
            _ => self.participant.tell(Input::Told(message)),
        }
    }

    fn announce(&self, nonce: &str) -> FromPeer {
        let signer = &self.plan.signer;
        FromPeer::Announce(Announce {
            version: wire::VERSION,
            channel: signer.channel(),
            name: self.plan.name.clone(),
            secret: signer.peer_secret(),
            proof: signer.announce(nonce),
            delegation: None,
            epoch: self.participant.swarm.stream().map(|header| header.epoch),
        })
    }

    /// What the pictures that follow need to be decoded.
    pub(crate) fn describe_video(&mut self, parameters: VideoParameters) {
        self.video = Some(parameters.clone());
        self.take(Unit::VideoParameters(parameters), 0.0);
    }

    /// What the sound that follows needs to be decoded.
    pub(crate) fn describe_audio(&mut self, parameters: AudioParameters) {
        self.audio = Some(parameters.clone());
        self.take(Unit::AudioParameters(parameters), 0.0);
    }

    /// One encoded picture that was captured at this time of the page's clock.
    pub(crate) fn picture(&mut self, data: Bytes, captured_ms: f64) {
        self.begin(captured_ms);
        self.take(Unit::VideoFrame { composition_ms: 0, data }, captured_ms);
    }

    /// One encoded frame of sound that was captured at this time of the page's clock.
    pub(crate) fn sound(&mut self, data: Bytes, captured_ms: f64) {
        self.take(Unit::AudioFrame { data }, captured_ms);
    }

    /// Notes what is wrong with the media, for people.
    pub(crate) fn complain(&mut self, trouble: String) {
        self.counted.trouble = Some(trouble);
    }

    /// Begins a broadcast with a picture, unless one is under way or the tracker's time is unknown.
    fn begin(&mut self, captured_ms: f64) {
        if self.programme.is_some() || !self.welcomed {
            return;
        }
        let Some(tracker_ms) = self.participant.swarm.tracker_time_ms(clock::now()) else { return };
        let age_ms = (clock::now_ms() - captured_ms).max(0.0) as u64;
        let epoch = Epoch(tracker_ms.saturating_sub(age_ms).max(self.last_epoch.0 + 1));
        self.last_epoch = epoch;
        let mut cutter = Cutter::new(CutterConfig::default());
        let parameters =
            [self.video.clone().map(Unit::VideoParameters), self.audio.clone().map(Unit::AudioParameters)];
        for unit in parameters.into_iter().flatten() {
            if let Err(error) = cutter.push(unit, 0) {
                self.counted.trouble = Some(error.to_string());
            }
        }
        let numbering = Numbering::new(epoch, self.plan.bitrate_bps);
        let numbering = match self.plan.media_key.clone() {
            Some(key) => numbering.private(key, || random::bytes().ok()),
            None => numbering,
        };
        self.programme = Some(Programme { began_ms: captured_ms, cutter, numbering, keyframe_ms: None });
    }

    fn take(&mut self, unit: Unit, captured_ms: f64) {
        let Some(programme) = &mut self.programme else { return };
        let time_ms = (captured_ms - programme.began_ms).max(0.0) as u64;
        if let Err(error) = programme.cutter.push(unit, time_ms) {
            self.counted.trouble = Some(error.to_string());
        }
        self.publish();
    }

    fn publish(&mut self) {
        let Shell { participant, programme: Some(programme), plan, counted, .. } = self else { return };
        while let Some(event) = programme.cutter.poll() {
            match event {
                MediaEvent::Init(init) => {
                    if let Some((header, frame)) = programme.numbering.header(&init, &plan.signer) {
                        participant.tell(Input::PublishStream(header, frame));
                    }
                }
                MediaEvent::Chunk(chunk) => {
                    if chunk.keyframe
                        && let Some(before_ms) = programme.keyframe_ms.replace(chunk.start_ms)
                    {
                        counted.keyframe_interval_ms = Some(chunk.start_ms.saturating_sub(before_ms));
                    }
                    let pieces = programme.numbering.pieces(&chunk, &plan.signer);
                    if pieces.is_empty() {
                        counted.trouble =
                            Some("a part of the picture is too large to send: lower the bitrate".to_owned());
                    }
                    counted.chunks += 1;
                    for piece in pieces {
                        counted.payload_bytes += piece.payload().len() as u64;
                        participant.tell(Input::Publish(piece));
                    }
                }
                MediaEvent::Warning(warning @ MediaWarning::KeyframesFarApart { .. }) => {
                    counted.trouble = Some(warning.to_string());
                }
                MediaEvent::Warning(_) => {}
            }
        }
    }

    /// Ends the broadcast: viewers hear of it, and the next picture begins another one.
    pub(crate) fn end(&mut self) {
        if let Some(programme) = &mut self.programme {
            programme.cutter.flush();
            self.publish();
            self.participant.tell(Input::PublishEnd);
            self.programme = None;
        }
    }

    /// Does all that is due. The state, for people.
    pub(crate) fn settle(&mut self) -> &'static str {
        self.participant.wake_if_due();
        self.participant.act(|_| {});
        self.participant.arm();
        self.state()
    }

    /// One of the words that the page knows.
    fn state(&self) -> &'static str {
        match (self.welcomed, &self.programme) {
            _ if self.refused => "refused",
            (true, Some(_)) => "live",
            (true, None) => "ready",
            (false, Some(_)) => "reconnecting",
            (false, None) => "connecting",
        }
    }

    /// Everything that there is to say.
    pub(crate) fn figures(&self) -> Figures {
        let stats = self.participant.swarm.stats();
        let to_links = stats.links.iter().filter(|link| link.peer != PeerId::RELAY);
        let unsent: usize = to_links.map(|link| self.participant.links.queued(link.peer)).sum();
        Figures::of(&stats)
            .with("state", self.state())
            .with_any("reason", self.participant.refusal.as_ref())
            .with("channel", self.plan.signer.channel().to_string())
            .with("peer", self.participant.peer.to_string())
            .with_any("trouble", self.counted.trouble.as_ref())
            .with("payload_bytes", self.counted.payload_bytes as f64)
            .with("published_chunks", self.counted.chunks)
            .with_any("keyframe_interval_ms", self.counted.keyframe_interval_ms.map(|ms| ms as f64))
            .with("attempt", self.participant.session.tries())
            .with("unsent_bytes", (unsent + self.participant.session.queued()) as f64)
            .with("candidates_gathered", self.participant.links.candidates_gathered)
    }
}
