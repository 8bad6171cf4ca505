//! The broadcast: chunks of a steady rhythm, cut and signed as the uploader does, and the memory of what was signed.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use bytes::{Bytes, BytesMut};
use wire::{Epoch, Piece, PieceHeader, Signer, StreamHeader, cut};

use crate::sim::agenda::Micros;
use crate::sim::model::*;
use crate::sim::random::Random;

/// Unix time at the simulation's start, in milliseconds.
pub const ZERO_UNIX_MS: u64 = 1_700_000_000_000;

/// Addresses in memory are spread well enough by their low bits being zero and their middle ones not.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only addresses are hashed");
    }
    fn write_usize(&mut self, address: usize) {
        self.0 = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

thread_local! {
    /// Where the frames lie that the source has signed. Nothing ever walks through it.
    static PROOFS: RefCell<HashSet<usize, BuildHasherDefault<AddressHasher>>> = RefCell::default();
}

/// Whether a frame is one that the source signed, known by its place in memory. For `swarm::Config::proven`.
pub fn is_proven(frame: &Bytes) -> bool {
    PROOFS.with_borrow(|proofs| proofs.contains(&(frame.as_ptr() as usize)))
}

/// One chunk of the present broadcast.
#[derive(Debug, Clone)]
pub struct ChunkRecord {
    /// Capture time of its start, in milliseconds since the epoch.
    pub time_ms: u32,
    /// Its pieces.
    pub first_seq: u32,
    /// How many these are.
    pub count: u16,
    /// Its content.
    pub bytes: Bytes,
}

/// The encoder and the uploader's numbering.
pub struct Media {
    signer: Signer,
    bitrate_bps: u32,
    stripes: u8,
    random: Random,
    epoch: Epoch,
    next_chunk: u32,
    next_seq: u32,
    /// Signed frames, held so that their places are not taken by others.
    signed: VecDeque<(Micros, Bytes)>,
    /// Chunks of the present broadcast, the newest [`PROOF_KEPT`] of them.
    chunks: VecDeque<ChunkRecord>,
    /// Number of the first one in `chunks`.
    first_chunk: u32,
}

impl Media {
    /// A broadcaster whose first broadcast starts now.
    pub fn new(bitrate_bps: u32, stripes: u8, seed: u64) -> Media {
        Media {
            signer: Signer::from_seed(&[7; 32]),
            bitrate_bps,
            stripes,
            random: Random::seeded(seed).fork(0x6d65),
            epoch: Epoch(ZERO_UNIX_MS),
            next_chunk: 0,
            next_seq: 0,
            signed: VecDeque::new(),
            chunks: VecDeque::new(),
            first_chunk: 0,
        }
    }

    /// The broadcaster's key.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The present broadcast.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Another broadcast: numbers and timeline start anew.
    pub fn restart(&mut self, now: Micros) {
        self.epoch = Epoch(ZERO_UNIX_MS + now / MS);
        (self.next_chunk, self.next_seq, self.first_chunk) = (0, 0, 0);
        self.chunks.clear();
    }

    /// Whether a piece belongs to the present broadcast (docs/protocol.md, section 5).
    pub fn is_current(&self, frame: &[u8]) -> bool {
        const EPOCH_AT: usize = 20;
        frame.get(EPOCH_AT..EPOCH_AT + 8) == Some(&self.epoch.0.to_be_bytes())
    }

    /// Media time of what is captured now, in milliseconds since the epoch.
    pub fn live_ms(&self, now: Micros) -> i64 {
        (ZERO_UNIX_MS + now / MS) as i64 - self.epoch.0 as i64
    }

    /// The present broadcast's header, signed.
    pub fn header(&self) -> (StreamHeader, Bytes) {
        let header = StreamHeader {
            epoch: self.epoch,
            generation: 0,
            stripes: self.stripes,
            target_lag_ms: TARGET_LAG_MS,
            bitrate_bps: self.bitrate_bps,
            first_chunk: self.next_chunk,
            first_seq: self.next_seq,
            private: false,
            mime: "video/mp4; codecs=\"avc1.64001f,mp4a.40.2\"".into(),
            init: Bytes::from_static(&[0x5a; 1_200]),
        };
        let frame = header.sign(&self.signer);
        (header, frame)
    }

    /// The chunk whose last frame was captured just now, in pieces.
    pub fn publish(&mut self, now: Micros) -> Vec<Piece> {
        let keyframe = self.next_chunk.is_multiple_of(CHUNKS_PER_SEGMENT);
        let bytes = self.draw(keyframe);
        let sizes = cut(bytes.len(), self.stripes).unwrap_or_default();
        let time_ms = (self.live_ms(now) - CHUNK_MS as i64).max(0) as u32;
        let record = ChunkRecord {
            time_ms,
            first_seq: self.next_seq,
            count: sizes.len() as u16,
            bytes: bytes.clone(),
        };
        let mut rest = bytes;
        let mut pieces = Vec::with_capacity(sizes.len());
        for (&size, index) in sizes.iter().zip(0u16..) {
            let header = PieceHeader {
                epoch: self.epoch,
                seq: self.next_seq + u32::from(index),
                chunk: self.next_chunk,
                index,
                count: sizes.len() as u16,
                generation: 0,
                time_ms,
                duration_ms: CHUNK_MS as u16,
                keyframe,
            };
            let piece = Piece::sign(header, &rest.split_to(size), &self.signer);
            self.remember(now, piece.frame().clone());
            pieces.push(piece);
        }
        self.next_seq += pieces.len() as u32;
        self.next_chunk += 1;
        self.chunks.push_back(record);
        self.forget(now);
        pieces
    }

    /// The record of a chunk, as long as it is kept.
    pub fn chunk(&self, number: u32) -> Option<&ChunkRecord> {
        self.chunks.get(number.checked_sub(self.first_chunk)? as usize)
    }

    /// The oldest chunk kept, and the one behind the newest.
    pub fn chunk_numbers(&self) -> std::ops::Range<u32> {
        self.first_chunk..self.next_chunk
    }

    fn draw(&mut self, keyframe: bool) -> Bytes {
        let segment_bytes =
            u64::from(self.bitrate_bps) / 8 * u64::from(CHUNKS_PER_SEGMENT) * CHUNK_MS / 1_000;
        let usual = segment_bytes / (u64::from(CHUNKS_PER_SEGMENT) - 1 + KEYFRAME_X);
        let length = (if keyframe { usual * KEYFRAME_X } else { usual }).max(1) as usize;
        let mut bytes = BytesMut::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.random.bits().to_le_bytes());
        }
        bytes.truncate(length);
        bytes.freeze()
    }

    fn remember(&mut self, now: Micros, frame: Bytes) {
        PROOFS.with_borrow_mut(|proofs| proofs.insert(frame.as_ptr() as usize));
        self.signed.push_back((now, frame));
    }

    fn forget(&mut self, now: Micros) {
        while self.signed.front().is_some_and(|(at, _)| at + PROOF_KEPT < now) {
            if let Some((_, frame)) = self.signed.pop_front() {
                PROOFS.with_borrow_mut(|proofs| proofs.remove(&(frame.as_ptr() as usize)));
            }
        }
        while self.chunks.len() as u64 > PROOF_KEPT / MS / CHUNK_MS {
            self.chunks.pop_front();
            self.first_chunk += 1;
        }
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        for (_, frame) in self.signed.drain(..) {
            PROOFS.with_borrow_mut(|proofs| proofs.remove(&(frame.as_ptr() as usize)));
        }
    }
}
