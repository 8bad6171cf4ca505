//! A viewer's engine with a hostile neighbor beside an honest relay: whatever the neighbor does, the viewer is shown the
//! broadcaster's picture and nothing else, and is shown it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use bytes::Bytes;
use swarm::{Config, Identity, Input, Output, Role, Swarm, Timestamp};
use wire::limits::{FRAME_MAX, SESSION_TEXT_MAX};
use wire::session::{FromPeer, FromTracker, Parents, Signal};
use wire::{Epoch, Frame, JOIN_POINT, PeerId, PeerSecret, Piece, PieceHeader, StreamHeader, StripeSet};

use crate::signer;

const EPOCH: Epoch = Epoch(1_700_000_000_000);
const HOSTILE: PeerId = PeerId(0xbad);
const STRIPES: u8 = 2;
const CHUNK_MS: u64 = 200;
const CHUNKS_PER_SEGMENT: u32 = 5;

/// Time that one input may take, and how long it may be when the neighbor has fallen silent until the picture goes on:
/// two seconds without anything, the relay's answer, and a segment.
const INPUT_MS: u64 = 6_000;
const RECOVERY_MS: u64 = 6_000;

/// Outputs that one frame may lead to: a request for each piece that a lie says is there, and what waits for a link.
const OUTPUTS_MAX: usize = 4_096;

/// The programme, signed once: all pieces, in order.
static PIECES: LazyLock<Vec<Piece>> = LazyLock::new(|| {
    let chunks = (INPUT_MS + RECOVERY_MS + 2_000) / CHUNK_MS;
    (0..chunks as u32 * u32::from(STRIPES)).map(piece).collect()
});

static HEADER: LazyLock<Bytes> = LazyLock::new(|| {
    let header = StreamHeader {
        epoch: EPOCH,
        generation: 0,
        stripes: STRIPES,
        target_lag_ms: 1_000,
        bitrate_bps: 1_000_000,
        first_chunk: 0,
        first_seq: 0,
        private: false,
        mime: "video/mp4".into(),
        init: Bytes::from_static(b"init"),
    };
    header.sign(&signer())
});

fn piece(seq: u32) -> Piece {
    let chunk = seq / u32::from(STRIPES);
    let header = PieceHeader {
        epoch: EPOCH,
        seq,
        chunk,
        index: (seq % u32::from(STRIPES)) as u16,
        count: STRIPES.into(),
        generation: 0,
        time_ms: chunk * CHUNK_MS as u32,
        duration_ms: CHUNK_MS as u16,
        keyframe: chunk.is_multiple_of(CHUNKS_PER_SEGMENT),
    };
    Piece::sign(header, &seq.to_be_bytes(), &signer())
}

/// The input is what the neighbor does, step by step: a byte that says what, and what belongs to it.
pub fn peer(bytes: &[u8]) {
    let mut world = World::new();
    let mut steps = Steps(bytes);
    while let Some(step) = steps.byte() {
        match step {
            // Any frame.
            0 => {
                let length = steps.number();
                let frame = Bytes::copy_from_slice(steps.take(length.into()));
                world.hostile_frame(frame);
            }
            // A genuine piece, so many behind or ahead of the newest.
            1 => {
                let offset = steps.byte().unwrap_or_default() as i8;
                let seq = world.next_seq.saturating_add_signed(offset.into());
                if let Some(piece) = PIECES.get(seq as usize).filter(|_| seq < world.next_seq) {
                    world.hostile_frame(piece.frame().clone());
                }
            }
            // All that is genuine and was asked for.
            2 => world.serve_hostile(),
            // Time passes.
            3 => {
                let left_ms = INPUT_MS.saturating_sub(world.now_ms);
                world.run_for(left_ms.min(u64::from(steps.byte().unwrap_or_default()) * 4));
            }
            // The link comes and goes.
            4 => world.tell(Input::LinkClosed { peer: HOSTILE }),
            5 => world.tell(Input::LinkOpened { peer: HOSTILE }),
            // What the tracker passes on.
            6 => {
                let sdp = String::from_utf8_lossy(steps.take(1)).into_owned();
                let signals = [Signal::Offer { sdp: sdp.clone() }, Signal::Answer { sdp }, Signal::Declined];
                let signal = signals[usize::from(steps.byte().unwrap_or_default()) % 3].clone();
                world.tell(Input::Told(FromTracker::Signal { from: HOSTILE, signal }));
            }
            // The tracker takes it for a parent.
            7 => world.make_parent(),
            // The link takes nothing more, or everything.
            8 => {
                let bytes = usize::from(steps.number());
                world.tell(Input::Queued { peer: HOSTILE, bytes });
            }
            _ => {}
        }
    }
    world.run_for(RECOVERY_MS);
    world.check_picture();
}

struct Steps<'a>(&'a [u8]);

impl<'a> Steps<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> u16 {
        u16::from(self.byte().unwrap_or_default()) << 8 | u16::from(self.byte().unwrap_or_default())
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

struct World {
    viewer: Swarm,
    now_ms: u64,
    /// The first piece that is not yet published.
    next_seq: u32,
    /// Pushed by the relay.
    relayed: StripeSet,
    /// Pushed by the neighbor, as the viewer has asked it.
    asked: StripeSet,
    requested: BTreeSet<u32>,
    /// What the relay has to answer.
    wanted: Vec<u32>,
    newest_shown: Option<u32>,
    linked: bool,
}

impl World {
    fn new() -> World {
        let secret = PeerSecret([1; 16]);
        let identity = Identity {
            role: Role::Viewer,
            secret,
            channel: "demo".into(),
            expected: Some(signer().channel()),
        };
        let mut world = World {
            viewer: Swarm::new(Config::default(), identity, 1),
            now_ms: 0,
            next_seq: 0,
            relayed: StripeSet::EMPTY,
            asked: StripeSet::EMPTY,
            requested: BTreeSet::new(),
            wanted: Vec::new(),
            newest_shown: None,
            linked: false,
        };
        world.tell(Input::SessionOpened);
        let welcome = format!(
            r#"{{"type":"welcome","peer":"{}","channel":"{}","name":"demo","time_ms":{EPOCH},"epoch":{EPOCH},"viewers":2}}"#,
            secret.peer(),
            signer().channel(),
        );
        world.tell(Input::Told(FromTracker::parse(&welcome).unwrap()));
        world.relay_frame(HEADER.clone());
        world.run_for(1_000);
        world.tell(Input::LinkOpened { peer: HOSTILE });
        world
    }

    fn run_for(&mut self, ms: u64) {
        let end_ms = (self.now_ms + ms).min(PIECES.len() as u64 / u64::from(STRIPES) * CHUNK_MS);
        while self.now_ms < end_ms {
            self.now_ms = (self.now_ms + 50).min(end_ms);
            let published = (self.now_ms / CHUNK_MS) as u32 * u32::from(STRIPES);
            for piece in &PIECES[self.next_seq as usize..published as usize] {
                if self.relayed.contains(piece.header.stripe(STRIPES)) {
                    self.relay_frame(piece.frame().clone());
                }
            }
            self.next_seq = published;
            self.answer();
            self.tell(Input::Wake);
        }
    }

    /// The relay sends what it was asked for.
    fn answer(&mut self) {
        let (held, missing): (Vec<u32>, Vec<u32>) =
            std::mem::take(&mut self.wanted).into_iter().partition(|&seq| seq < self.next_seq);
        held.into_iter().for_each(|seq| self.relay_frame(PIECES[seq as usize].frame().clone()));
        for pieces in missing.chunks(wire::limits::REQUEST_MAX) {
            self.relay_frame(Frame::Missing { pieces: pieces.to_vec() }.encode());
        }
    }

    fn relay_frame(&mut self, bytes: Bytes) {
        self.tell(Input::Frame { peer: PeerId::RELAY, bytes });
    }

    fn hostile_frame(&mut self, bytes: Bytes) {
        self.tell(Input::Frame { peer: HOSTILE, bytes });
    }

    fn serve_hostile(&mut self) {
        let pushed = self.next_seq.saturating_sub(STRIPES.into())..self.next_seq;
        let pushed = pushed.filter(|seq| self.asked.contains((seq % u32::from(STRIPES)) as u8));
        let requested = std::mem::take(&mut self.requested);
        let all: BTreeSet<u32> =
            requested.into_iter().filter(|&seq| seq < self.next_seq).chain(pushed).collect();
        all.into_iter().for_each(|seq| self.hostile_frame(PIECES[seq as usize].frame().clone()));
    }

    /// Of all stripes, so that its silence looks like the broadcaster's.
    fn make_parent(&mut self) {
        let parents = Parents { parent: Some(HOSTILE), backups: vec![HOSTILE] };
        self.tell(Input::Told(FromTracker::Parents { stripes: vec![parents; STRIPES.into()] }));
    }

    fn tell(&mut self, input: Input) {
        let now = Timestamp::from_millis(self.now_ms);
        match input {
            Input::LinkOpened { .. } => self.linked = true,
            Input::LinkClosed { .. } => self.unlink(),
            _ => {}
        }
        self.viewer.handle(now, input);
        for count in 0.. {
            assert!(count < OUTPUTS_MAX, "one input leads to few outputs");
            let Some(output) = self.viewer.poll_output() else { break };
            self.act(output);
        }
        assert!(self.viewer.stats().links.len() <= 2);
    }

    fn unlink(&mut self) {
        (self.linked, self.asked) = (false, StripeSet::EMPTY);
        self.requested.clear();
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Send { peer, frame, .. } => {
                assert!(frame.len() <= FRAME_MAX);
                let said = Frame::decode(frame).expect("an engine's frames are frames");
                assert!(peer == PeerId::RELAY || self.linked, "nothing for those who are not linked");
                self.hear(peer, said);
            }
            Output::Tell(message) => {
                let text = message.to_text();
                assert!(text.len() <= SESSION_TEXT_MAX && FromPeer::parse(&text).is_ok(), "{text}");
            }
            Output::CloseLink { peer } => {
                assert_eq!(peer, HOSTILE);
                self.unlink();
            }
            Output::Chunk(chunk) => {
                let first = chunk.number * u32::from(STRIPES);
                let whole: Vec<u8> = (first..).take(STRIPES.into()).flat_map(u32::to_be_bytes).collect();
                assert_eq!(chunk.bytes, whole, "the broadcaster's and nothing else");
                assert!(self.newest_shown.is_none_or(|shown| shown < chunk.number), "in order, and once");
                self.newest_shown = Some(chunk.number);
            }
            Output::Violation { peer, .. } => assert_eq!(peer, HOSTILE, "the relay has done nothing"),
            Output::Stream(header) => assert_eq!(header.epoch, EPOCH),
            Output::OpenLink { peer } | Output::Signal { peer, .. } => assert_eq!(peer, HOSTILE),
        }
    }

    fn hear(&mut self, peer: PeerId, said: Frame) {
        let relay = peer == PeerId::RELAY;
        match said {
            Frame::Subscribe { stripes, from } if relay => {
                self.relayed = self.relayed.with(stripes);
                // From a piece on, or the newest: what is published already is sent at once.
                let from = if from == JOIN_POINT { 0 } else { from };
                let asked =
                    (from..self.next_seq).filter(|seq| stripes.contains((seq % u32::from(STRIPES)) as u8));
                self.wanted.extend(asked);
            }
            Frame::Unsubscribe { stripes } if relay => self.relayed = self.relayed.without(stripes),
            Frame::Request { pieces, .. } if relay => self.wanted.extend(pieces),
            Frame::Subscribe { stripes, .. } => self.asked = self.asked.with(stripes),
            Frame::Unsubscribe { stripes } => self.asked = self.asked.without(stripes),
            Frame::Request { pieces, .. } => self.requested.extend(pieces),
            _ => {}
        }
    }

    /// The viewer has the newest of the programme, but for the lag that it may have.
    fn check_picture(&self) {
        let newest = self.next_seq / u32::from(STRIPES);
        let behind = newest.saturating_sub(self.newest_shown.expect("something was shown") + 1);
        let behind_ms = u64::from(behind) * CHUNK_MS;
        assert!(behind_ms <= 2_000, "the picture stands still: {behind_ms} ms behind");
    }
}
