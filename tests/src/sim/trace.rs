//! A recorded trace: everything that one viewer's engine was told, and when. It replays without the world around it.
//!
//! A text of JSON lines: who the engine is; then each input with its time, frames in Base64; at the end the digests of
//! all that the engine decided and of the media that it handed to its player. A trace of a field bug becomes a test.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use swarm::{Config, Identity, Input, Output, Role, Swarm, Timestamp};
use wire::session::{FromTracker, Signal};
use wire::{ChannelId, Frame, PeerId, PeerSecret};

use crate::sim::random::mix;

/// First line.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Head {
    seed: u64,
    secret: PeerSecret,
    channel: String,
    expected: Option<ChannelId>,
}

/// Any other line but the last.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    at_us: u64,
    #[serde(flatten)]
    told: Told,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
enum Told {
    SessionOpened,
    SessionClosed,
    FromTracker { message: FromTracker },
    LinkOpened { peer: PeerId },
    LinkClosed { peer: PeerId },
    Frame { peer: PeerId, base64: String },
    Queued { peer: PeerId, bytes: usize },
    Signal { peer: PeerId, signal: Signal },
    Sharing { on: bool },
    UploadCap { times: f32 },
    Playhead { media_ms: u32, stalled: bool },
    UnixTime { unix_ms: u64 },
    Wake,
}

/// Last line, and what a replay comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Of all decisions, in their order. Another engine decides otherwise.
    pub decisions: u64,
    /// Of the media handed to the player, in its order. Another engine had better not hand on another.
    pub media: u64,
    /// Chunks handed to the player.
    pub chunks: u64,
}

/// Folds what an engine decides into an [`Outcome`].
#[derive(Debug)]
struct Digest(Outcome);

impl Digest {
    fn new() -> Digest {
        Digest(Outcome { decisions: 0, media: 0, chunks: 0 })
    }

    fn add(&mut self, output: &Output) {
        self.0.decisions = fold(self.0.decisions, format!("{output:?}").as_bytes());
        if let Output::Chunk(chunk) = output {
            self.0.chunks += 1;
            self.0.media = fold(mix(self.0.media ^ u64::from(chunk.number)), &chunk.bytes);
        }
    }
}

/// Not secret, only spread: eight bytes at a time.
fn fold(digest: u64, bytes: &[u8]) -> u64 {
    let start = mix(digest ^ bytes.len() as u64);
    bytes.chunks(8).fold(start, |digest, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(digest ^ u64::from_le_bytes(word))
    })
}

/// Writes a trace while a simulation runs.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) who: u32,
    text: String,
    digest: Digest,
}

impl Recorder {
    /// Of an engine that has just been made.
    pub(super) fn new(who: u32, seed: u64, identity: &Identity) -> Recorder {
        let Identity { secret, channel, expected, .. } = identity.clone();
        let mut recorder = Recorder { who, text: String::new(), digest: Digest::new() };
        recorder.write(&Head { seed, secret, channel, expected });
        recorder
    }

    fn write(&mut self, line: &impl Serialize) {
        // Nothing in these lines refuses to be written.
        self.text.extend(serde_json::to_string(line));
        self.text.push('\n');
    }

    pub(super) fn told(&mut self, now: Timestamp, input: &Input) {
        if let Some(told) = Told::of(input) {
            self.write(&Line { at_us: now.as_micros(), told });
        }
    }

    pub(super) fn decided(&mut self, output: &Output) {
        self.digest.add(output);
    }

    /// The whole trace.
    pub(super) fn finish(mut self) -> String {
        let outcome = self.digest.0;
        self.write(&outcome);
        self.text
    }
}

impl Told {
    /// What a viewer can be told; a source's inputs are not recorded.
    fn of(input: &Input) -> Option<Told> {
        Some(match input.clone() {
            Input::SessionOpened => Told::SessionOpened,
            Input::SessionClosed => Told::SessionClosed,
            Input::Told(message) => Told::FromTracker { message },
            Input::LinkOpened { peer } => Told::LinkOpened { peer },
            Input::LinkClosed { peer } => Told::LinkClosed { peer },
            Input::Frame { peer, bytes } => Told::Frame { peer, base64: BASE64.encode(&bytes) },
            Input::Queued { peer, bytes } => Told::Queued { peer, bytes },
            Input::Signal { peer, signal } => Told::Signal { peer, signal },
            Input::Sharing(on) => Told::Sharing { on },
            Input::UploadCap(times) => Told::UploadCap { times },
            Input::Playhead { media_ms, stalled } => Told::Playhead { media_ms, stalled },
            Input::UnixTime(unix_ms) => Told::UnixTime { unix_ms },
            Input::Wake => Told::Wake,
            Input::Publish(_) | Input::PublishStream(..) | Input::PublishEnd => return None,
        })
    }

    fn input(self) -> Result<Input> {
        Ok(match self {
            Told::SessionOpened => Input::SessionOpened,
            Told::SessionClosed => Input::SessionClosed,
            Told::FromTracker { message } => Input::Told(message),
            Told::LinkOpened { peer } => Input::LinkOpened { peer },
            Told::LinkClosed { peer } => Input::LinkClosed { peer },
            Told::Frame { peer, base64 } => {
                let bytes = BASE64.decode(base64.as_bytes()).context("a frame is not Base64")?;
                Input::Frame { peer, bytes: bytes.into() }
            }
            Told::Queued { peer, bytes } => Input::Queued { peer, bytes },
            Told::Signal { peer, signal } => Input::Signal { peer, signal },
            Told::Sharing { on } => Input::Sharing(on),
            Told::UploadCap { times } => Input::UploadCap(times),
            Told::Playhead { media_ms, stalled } => Input::Playhead { media_ms, stalled },
            Told::UnixTime { unix_ms } => Input::UnixTime(unix_ms),
            Told::Wake => Input::Wake,
        })
    }
}

/// What a trace says that came of it, and what comes of it now.
#[derive(Debug, Clone, Copy)]
pub struct Replayed {
    /// When it was recorded.
    pub then: Outcome,
    /// Now.
    pub now: Outcome,
}

/// Tells a new engine everything that the recorded one was told. Every signature is checked.
pub fn replay(trace: &str) -> Result<Replayed> {
    let mut lines = trace.lines();
    let head: Head = serde_json::from_str(lines.next().context("the trace is empty")?)?;
    let Head { seed, secret, channel, expected } = head;
    let identity = Identity { role: Role::Viewer, secret, channel, expected };
    let mut engine = Swarm::new(Config::default(), identity, seed);
    let mut digest = Digest::new();
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_none() {
            let then = serde_json::from_str(line).context("the trace has no end")?;
            return Ok(Replayed { then, now: digest.0 });
        }
        let line: Line = serde_json::from_str(line)?;
        engine.handle(Timestamp::from_micros(line.at_us), line.told.input()?);
        while let Some(output) = engine.poll_output() {
            digest.add(&output);
        }
    }
    bail!("the trace has no inputs")
}

/// The first piece in a trace with one bit of its content changed: what a replay must not hand on.
pub fn falsified(trace: &str) -> Result<String> {
    let mut changed = false;
    let mut lines = Vec::new();
    for line in trace.lines() {
        let parsed = serde_json::from_str::<Line>(line);
        match parsed {
            Ok(Line { at_us, told: Told::Frame { peer, base64 } }) if !changed => {
                let mut frame = BASE64.decode(base64.as_bytes())?;
                if let (Ok(Frame::Piece(_)), Some(last)) =
                    (Frame::decode(Bytes::from(frame.clone())), frame.last_mut())
                {
                    *last ^= 1;
                    changed = true;
                }
                let told = Told::Frame { peer, base64: BASE64.encode(&frame) };
                lines.push(serde_json::to_string(&Line { at_us, told })?);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    ensure!(changed, "there is no piece in the trace");
    Ok(lines.join("\n"))
}
