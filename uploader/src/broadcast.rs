//! A channel's broadcasts: takes one encoder after another, makes signed pieces of what they send and puts them into
//! the swarm. An encoder that returns in time goes on with the same broadcast.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use media::{Chunk, CutterConfig, MediaEvent, MediaWarning, Numbering, Packager, bitrate_bps};
use peer::transport::Endpoint;
use peer::{Authorities, Event, Participant, ParticipantConfig, Publisher};
use swarm::{Config, Identity, Role};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use wire::limits::EPOCH_MS_MAX;
use wire::session::Refusal;
use wire::{Epoch, MediaKey, Signer};

use crate::ingest::{Publication, PublicationEvent, Tag};
use crate::opening::Opening;

/// An encoder that is back within this time continues the broadcast.
const RETURN_WITHIN: Duration = Duration::from_secs(60);

/// How often counters are published.
const COUNT_EVERY: Duration = Duration::from_millis(500);

/// What a channel's broadcasts need.
pub struct BroadcastConfig {
    /// The tracker's session address: `ws://host:port/session`, or `wss:`.
    pub session_url: String,
    /// Who vouches for the tracker, if it is a `wss:` address.
    pub authorities: Authorities,
    /// The channel's key, or one that its owner lets sign.
    pub signer: Signer,
    /// The channel's name in the directory.
    pub name: String,
    /// Where links to viewers are made; `None`: the relay alone is fed.
    pub endpoint: Option<Endpoint>,
}

/// What a broadcast has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// An encoder is sending.
    pub encoding: bool,
    /// The tracker knows us.
    pub connected: bool,
    /// Media published, in bytes of payload.
    pub payload_bytes: u64,
    /// Sent to viewers, in bytes of pieces.
    pub source_upload_bytes: u64,
    /// Sent to the relay, in bytes of pieces.
    pub relay_upload_bytes: u64,
    /// Viewers of the channel.
    pub viewers: u32,
    /// Links to viewers.
    pub links: usize,
    /// Media time between the encoder's two latest keyframes, in milliseconds; 0 until there are two.
    pub keyframe_interval_ms: u32,
    /// Encoders whose keyframes were too far apart.
    pub keyframe_warnings: u64,
}

/// A channel that is ready to broadcast. It runs until dropped or refused.
pub struct Broadcast {
    task: Task,
    counters: watch::Receiver<Counters>,
    signers: watch::Sender<Signer>,
}

/// The tracker will not have this channel, now or ever.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RefusedForGood {
    /// For programs.
    pub code: Refusal,
    /// What is wrong and what to do.
    pub message: String,
}

struct Task {
    signer: Signer,
    /// Who shall sign from the next segment on.
    signers: watch::Receiver<Signer>,
    media_key: Option<MediaKey>,
    participant: Participant,
    publisher: Publisher,
    clock_offset_ms: Option<i64>,
    last_epoch: Epoch,
    /// The present encoder's first moments.
    opening: Option<Opening>,
    programme: Option<Programme>,
    counters: watch::Sender<Counters>,
    counted: Counters,
}

/// A broadcast under way.
struct Programme {
    began: Instant,
    packager: Packager,
    numbering: Numbering,
    absent_since: Option<Instant>,
    /// Media time of the latest keyframe, in milliseconds.
    keyframe_ms: Option<u64>,
    trouble: Trouble,
}

/// Says each kind of trouble with an encoder once, not once a frame.
#[derive(Default)]
struct Trouble {
    last: Option<String>,
}

impl Broadcast {
    /// Connects to the tracker. Needs a tokio runtime.
    pub fn start(config: BroadcastConfig) -> Broadcast {
        let participant = Participant::start(ParticipantConfig {
            session_url: config.session_url,
            authorities: config.authorities,
            identity: Identity {
                role: Role::Source,
                secret: config.signer.peer_secret(),
                channel: config.name.clone(),
                expected: Some(config.signer.channel()),
            },
            engine: Config::default(),
            endpoint: config.endpoint,
            announce: Some((config.signer.clone(), config.name)),
            alteration: None,
            observer: None,
        });
        let (counters, counters_end) = watch::channel(Counters::default());
        let (signers, signers_end) = watch::channel(config.signer.clone());
        let publisher = participant.publisher();
        let task = Task {
            signer: config.signer,
            signers: signers_end,
            media_key: None,
            participant,
            publisher,
            clock_offset_ms: None,
            last_epoch: Epoch(0),
            opening: None,
            programme: None,
            counters,
            counted: Counters::default(),
        };
        Broadcast { task, counters: counters_end, signers }
    }

    /// Makes the channel private: its media is sealed with this key.
    pub fn private(mut self, key: MediaKey) -> Broadcast {
        self.task.media_key = Some(key);
        self
    }

    /// Takes another signer of the same channel: for a delegate whose delegation was renewed. It signs from the next
    /// segment on.
    pub fn signers(&self) -> watch::Sender<Signer> {
        self.signers.clone()
    }

    /// Follows what the broadcast does.
    pub fn counters(&self) -> watch::Receiver<Counters> {
        self.counters.clone()
    }

    /// Broadcasts what comes until `publications` ends, or the tracker refuses for good.
    pub async fn run(self, publications: mpsc::Receiver<Publication>) -> Result<(), RefusedForGood> {
        self.task.run(publications).await
    }
}

impl Task {
    async fn run(mut self, mut publications: mpsc::Receiver<Publication>) -> Result<(), RefusedForGood> {
        let mut present: Option<Publication> = None;
        let mut count = tokio::time::interval(COUNT_EVERY);
        loop {
            tokio::select! {
                // A newcomer first: it replaces the present encoder, which may have a queue of tags.
                biased;
                publication = publications.recv() => match publication {
                    Some(publication) => {
                        self.encoder_came(&publication);
                        present = Some(publication);
                    }
                    None => return self.say_goodbye().await,
                },
                event = next_of(&mut present) => {
                    if self.encoder_event(event).await {
                        present = None;
                    }
                }
                event = self.participant.next() => match event {
                    Some(event) => self.participant_event(event)?,
                    None => return Ok(()),
                },
                _ = count.tick() => {
                    self.count();
                    if self.programme.is_none() {
                        // Between broadcasts there is no segment to wait for.
                        self.change_signer().await;
                    }
                    self.end_if_abandoned().await;
                }
            }
        }
    }

    /// Lets the tracker know that this was the end, if it can be reached.
    async fn say_goodbye(mut self) -> Result<(), RefusedForGood> {
        if self.programme.is_some() {
            self.publisher.end().await;
            // The message has left when the session has been read once more; a dead tracker is not waited for.
            let _ = timeout(Duration::from_millis(300), self.participant.next()).await;
        }
        Ok(())
    }

    fn participant_event(&mut self, event: Event) -> Result<(), RefusedForGood> {
        match event {
            Event::Welcomed { name, clock_offset_ms } => {
                tracing::info!("connected to the tracker as \"{name}\"");
                self.clock_offset_ms = Some(clock_offset_ms);
                self.counted.connected = true;
            }
            Event::SessionLost { why } => {
                self.counted.connected = false;
                tracing::warn!("no session with the tracker ({why}); trying again");
            }
            Event::Refused { code: Refusal::Busy | Refusal::ShuttingDown, message } => {
                tracing::warn!("the tracker is not ready ({message}); trying again");
            }
            Event::Refused { code, message } => return Err(RefusedForGood { code, message }),
            Event::Violation { peer, violation } => {
                tracing::warn!(%peer, ?violation, "dropped a peer that broke the rules");
            }
            Event::Stream(_) | Event::Chunk(_) => {}
        }
        Ok(())
    }

    fn encoder_came(&mut self, publication: &Publication) {
        tracing::info!(publisher = publication.id.0, "an encoder is connected");
        self.counted.encoding = true;
        self.opening = Some(Opening::new());
        if let Some(programme) = &mut self.programme {
            programme.absent_since = None;
            programme.keyframe_ms = None;
            programme.trouble = Trouble::default();
        }
    }

    /// Returns whether the encoder is gone.
    async fn encoder_event(&mut self, event: PublicationEvent) -> bool {
        match event {
            PublicationEvent::Metadata(metadata) => {
                let encoder = metadata.encoder.as_deref().unwrap_or("an unnamed encoder");
                tracing::info!(video_kbps = metadata.video_kbps, "the encoder is {encoder}");
                if let Some(opening) = &mut self.opening {
                    opening.video_kbps = metadata.video_kbps.or(opening.video_kbps);
                    opening.announced = metadata.announced.or(opening.announced);
                } else if let (Some(programme), Some(announced)) = (&mut self.programme, metadata.announced) {
                    programme.packager.announce(announced);
                }
            }
            PublicationEvent::Tag(tag) => return self.tag(tag).await,
            PublicationEvent::Ended(reason) => {
                tracing::info!("the encoder is gone: {reason}");
                self.encoder_gone().await;
                return true;
            }
        }
        false
    }

    async fn encoder_gone(&mut self) {
        self.open().await;
        self.counted.encoding = false;
        if let Some(programme) = &mut self.programme {
            programme.absent_since = Some(Instant::now());
            programme.packager.flush();
        }
        self.publish().await;
    }

    /// Returns whether the encoder sends what cannot be broadcast.
    async fn tag(&mut self, tag: Tag) -> bool {
        let Some(opening) = &mut self.opening else { return self.package(tag).await };
        opening.hold(tag) && self.open().await
    }

    /// The encoder's pace is known: what was held goes out. Returns as [`tag`](Self::tag) does.
    async fn open(&mut self) -> bool {
        let Some(opening) = self.opening.take() else { return false };
        let Some(began) = opening.began() else { return false };
        if !self.begin(began, opening.video_kbps) {
            // Without the tracker's clock there is no broadcast to put this in, and nobody to see it.
            self.opening = Some(opening.again());
            return false;
        }
        if let Some(programme) = &mut self.programme {
            let start_ms = began.saturating_duration_since(programme.began).as_millis() as u64;
            programme.packager.publish(start_ms);
            opening.announced.into_iter().for_each(|announced| programme.packager.announce(announced));
        }
        for tag in opening.tags {
            if self.package(tag).await {
                return true;
            }
        }
        false
    }

    /// Starts a broadcast at `began`, unless one is under way; `false` while the tracker's clock is unknown.
    fn begin(&mut self, began: Instant, video_kbps: Option<u32>) -> bool {
        if self.programme.is_some() {
            return true;
        }
        let Some(offset) = self.clock_offset_ms else { return false };
        let began_unix = SystemTime::now() - began.elapsed();
        let unix_ms = began_unix.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let epoch = Epoch(u64::try_from(unix_ms + offset).unwrap_or(0).max(self.last_epoch.0 + 1));
        self.last_epoch = epoch;
        self.programme = Some(Programme {
            began,
            packager: Packager::new(CutterConfig::default()),
            numbering: match self.media_key.clone() {
                Some(key) => Numbering::new(epoch, bitrate_bps(video_kbps)).private(key, salt),
                None => Numbering::new(epoch, bitrate_bps(video_kbps)),
            },
            absent_since: None,
            keyframe_ms: None,
            trouble: Trouble::default(),
        });
        tracing::info!(%epoch, "a broadcast begins");
        true
    }

    /// Returns whether the encoder sends what cannot be broadcast.
    async fn package(&mut self, tag: Tag) -> bool {
        let Some(programme) = &mut self.programme else { return false };
        let now_ms = tag.arrived.saturating_duration_since(programme.began).as_millis() as u64;
        if let Err(error) = programme.packager.push(tag.kind, tag.timestamp_ms, now_ms, tag.body) {
            programme.trouble.say(&error.to_string());
            if error.refuses_encoder() {
                self.counted.encoding = false;
                programme.absent_since = Some(Instant::now());
                return true;
            }
        }
        self.publish().await;
        false
    }

    async fn publish(&mut self) {
        while let Some(event) = self.programme.as_mut().and_then(|programme| programme.packager.poll()) {
            match event {
                MediaEvent::Init(init) => {
                    tracing::info!(mime = %init.mime, "the encoder sends");
                    let Some(programme) = &mut self.programme else { return };
                    if let Some((header, frame)) = programme.numbering.header(&init, &self.signer) {
                        self.publisher.stream(header, frame).await;
                    }
                }
                MediaEvent::Chunk(chunk) => self.publish_chunk(&chunk).await,
                MediaEvent::Warning(warning) => {
                    let is_of_keyframes = matches!(warning, MediaWarning::KeyframesFarApart { .. });
                    self.counted.keyframe_warnings += u64::from(is_of_keyframes);
                    tracing::warn!("{warning}");
                }
            }
        }
    }

    async fn publish_chunk(&mut self, chunk: &Chunk) {
        let renewed = chunk.keyframe && self.change_signer().await;
        let Some(programme) = &mut self.programme else { return };
        if chunk.keyframe
            && let Some(before) = programme.keyframe_ms.replace(chunk.start_ms)
        {
            let interval_ms = chunk.start_ms.saturating_sub(before);
            self.counted.keyframe_interval_ms = u32::try_from(interval_ms).unwrap_or(u32::MAX);
        }
        if renewed && let Some((header, frame)) = programme.numbering.renewed(&self.signer) {
            self.publisher.stream(header, frame).await;
        }
        let pieces = programme.numbering.pieces(chunk, &self.signer);
        if pieces.is_empty() {
            programme.trouble.say("a chunk is too large to broadcast: lower the bitrate");
        }
        for piece in pieces {
            self.counted.payload_bytes += piece.payload().len() as u64;
            self.publisher.piece(piece).await;
        }
    }

    /// Takes the newest signer. Returns whether it is another one.
    async fn change_signer(&mut self) -> bool {
        let changed = self.signers.has_changed().unwrap_or(false);
        if changed {
            self.signer = self.signers.borrow_and_update().clone();
            self.publisher.announce_as(self.signer.clone()).await;
        }
        changed
    }

    /// An encoder that stays away ends the broadcast; so does one that has lasted for weeks.
    async fn end_if_abandoned(&mut self) {
        let Some(programme) = &self.programme else { return };
        let abandoned = programme.absent_since.is_some_and(|since| since.elapsed() > RETURN_WITHIN);
        let full = programme.packager.end_ms() > u64::from(EPOCH_MS_MAX);
        if abandoned {
            tracing::info!(
                "no encoder came back within {} s: the broadcast has ended",
                RETURN_WITHIN.as_secs()
            );
            self.publisher.end().await;
        }
        if abandoned || full {
            self.programme = None;
        }
    }

    fn count(&mut self) {
        let stats = self.participant.stats();
        self.counted.relay_upload_bytes = stats.uploaded_to_relay_bytes;
        self.counted.source_upload_bytes = stats.uploaded_bytes - stats.uploaded_to_relay_bytes;
        self.counted.viewers = stats.viewers;
        self.counted.links = stats.links.iter().filter(|link| link.kind == Role::Viewer).count();
        self.counters.send_replace(self.counted);
    }
}

impl Trouble {
    fn say(&mut self, what: &str) {
        if self.last.as_deref() != Some(what) {
            tracing::warn!("{what}");
            self.last = Some(what.to_owned());
        }
    }
}

/// The present encoder's next event; never, without one.
async fn next_of(present: &mut Option<Publication>) -> PublicationEvent {
    match present {
        Some(publication) => publication.next().await,
        None => std::future::pending().await,
    }
}

/// For a generation of a private channel.
pub fn salt() -> Option<[u8; wire::SALT_LENGTH]> {
    let mut salt = [0; wire::SALT_LENGTH];
    getrandom::fill(&mut salt).ok()?;
    Some(salt)
}
