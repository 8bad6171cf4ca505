//! An encoder's media, from tag to signed pieces.

use bytes::Bytes;
use media::{CutterConfig, MediaEvent, Numbering, Packager, TagKind};
use wire::Epoch;
use wire::limits::{INIT_MAX, MIME_MAX, PIECE_PAYLOAD_MAX};

use crate::signer;

/// Bytes in a chunk that are no samples: boxes, and an entry for each sample of two tracks.
const BOXES_MAX: usize = 16 << 10;

/// The input is an FLV file (Adobe FLV 10.1, annex E), or part of one. What a stream id, always 0 in a file, says is how
/// much later than its timestamp the tag arrived; at a script tag another encoder takes over.
pub fn flv(bytes: &[u8]) {
    let mut rest = bytes.strip_prefix(b"FLV").and_then(|rest| rest.get(10..)).unwrap_or(bytes);
    let mut broadcast = Broadcast::new();
    while let Some((header, behind)) = rest.split_first_chunk::<11>() {
        let number = |at: usize| u32::from_be_bytes([0, header[at], header[at + 1], header[at + 2]]);
        let body = &behind[..behind.len().min(number(1) as usize)];
        let timestamp_ms = number(4) | u32::from(header[7]) << 24;
        let now_ms = u64::from(timestamp_ms) + u64::from(number(8));
        match header[0] {
            8 => broadcast.push(TagKind::Audio, timestamp_ms, now_ms, body),
            9 => broadcast.push(TagKind::Video, timestamp_ms, now_ms, body),
            _ => broadcast.packager.publish(now_ms),
        }
        broadcast.drain();
        rest = behind.get(body.len() + 4..).unwrap_or_default();
    }
    broadcast.packager.flush();
    broadcast.drain();
}

struct Broadcast {
    packager: Packager,
    numbering: Numbering,
    config: CutterConfig,
    described: bool,
    start_ms: u64,
    next_seq: u32,
}

impl Broadcast {
    fn new() -> Broadcast {
        // Less than by default, so that a small input meets the bounds.
        let config =
            CutterConfig { chunk_max_samples: 32, chunk_max_bytes: 32 << 10, ..CutterConfig::default() };
        let mut packager = Packager::new(config.clone());
        packager.publish(0);
        let numbering = Numbering::new(Epoch(1), 1_000_000);
        Broadcast { packager, numbering, config, described: false, start_ms: 0, next_seq: 0 }
    }

    fn push(&mut self, kind: TagKind, timestamp_ms: u32, now_ms: u64, body: &[u8]) {
        if let Err(error) = self.packager.push(kind, timestamp_ms, now_ms, Bytes::copy_from_slice(body)) {
            assert!(!error.to_string().is_empty());
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.packager.poll() {
            match event {
                MediaEvent::Init(init) => {
                    assert!(is_boxes(&init.bytes, &[b"ftyp", b"moov"]) && init.mime.is_ascii());
                    if let Some((header, _)) = self.numbering.header(&init, &signer()) {
                        assert!(header.init.len() <= INIT_MAX && header.mime.len() <= MIME_MAX);
                    }
                    self.described = true;
                }
                MediaEvent::Chunk(chunk) => self.check(&chunk),
                MediaEvent::Warning(warning) => assert!(!warning.to_string().is_empty()),
            }
        }
    }

    fn check(&mut self, chunk: &media::Chunk) {
        assert!(self.described, "nothing before the init segment");
        assert!(chunk.start_ms >= self.start_ms, "never back in time");
        self.start_ms = chunk.start_ms;
        assert!(is_boxes(&chunk.bytes, &[b"moof", b"mdat"]), "two boxes and nothing else");
        assert!(chunk.bytes.len() <= self.config.chunk_max_bytes + self.config.frame_max_bytes + BOXES_MAX);
        for piece in self.numbering.pieces(chunk, &signer()) {
            assert_eq!(piece.header.seq, self.next_seq);
            self.next_seq += 1;
            assert!(piece.payload().len() <= PIECE_PAYLOAD_MAX);
        }
    }
}

/// Whether these boxes (ISO/IEC 14496-12, 4.2), one after the other, are all of it.
fn is_boxes(mut bytes: &[u8], kinds: &[&[u8; 4]]) -> bool {
    for kind in kinds {
        let Some((size, rest)) = bytes.split_first_chunk::<4>() else { return false };
        let size = u32::from_be_bytes(*size) as usize;
        if !rest.starts_with(*kind) || size < 8 || size > bytes.len() {
            return false;
        }
        bytes = &bytes[size..];
    }
    bytes.is_empty()
}
