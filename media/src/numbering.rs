//! From a chunk to numbered, signed pieces; from an init segment to a signed stream header. One epoch's worth.

use bytes::Bytes;
use wire::limits::{INIT_MAX, MIME_MAX};
use wire::{ChunkPlace, Epoch, MediaKey, Piece, PieceHeader, SALT_LENGTH, Seal, Signer, StreamHeader, cut};

use crate::cutter::{Chunk, InitSegment};
use crate::stripes::stripes;

/// Lag that viewers are told to aim at, in milliseconds.
const TARGET_LAG_MS: u16 = 1_500;

/// Counts generations, chunks and pieces of one broadcast.
pub struct Numbering {
    epoch: Epoch,
    stripes: u8,
    bitrate_bps: u32,
    next_chunk: u32,
    next_seq: u32,
    /// Generation and content of the present init segment.
    present: Option<(u16, InitSegment)>,
    /// A private channel's key, and what seals the present generation.
    media_key: Option<(MediaKey, Salts)>,
    seal: Option<Seal>,
}

/// Where fresh random bytes come from, for each generation of a private channel; `None`: there are none to be had.
pub type Salts = fn() -> Option<[u8; SALT_LENGTH]>;

impl Numbering {
    /// Nothing published yet. `bitrate_bps` decides how many stripes there are.
    pub fn new(epoch: Epoch, bitrate_bps: u32) -> Self {
        let stripes = stripes(bitrate_bps);
        let (present, media_key, seal) = (None, None, None);
        Numbering { epoch, stripes, bitrate_bps, next_chunk: 0, next_seq: 0, present, media_key, seal }
    }

    /// The same for a private channel: all media is sealed.
    pub fn private(self, key: MediaKey, salts: Salts) -> Self {
        Numbering { media_key: Some((key, salts)), ..self }
    }

    /// A header, if the init segment is another than the present one. An encoder that returns unchanged needs none.
    pub fn header(&mut self, init: &InitSegment, signer: &Signer) -> Option<(StreamHeader, Bytes)> {
        let unchanged = self.present.as_ref().is_some_and(|(_, present)| present.bytes == init.bytes);
        if unchanged || init.bytes.len() > INIT_MAX || init.mime.len() > MIME_MAX {
            return None;
        }
        self.begin(init.clone(), signer)
    }

    /// A header with the present init segment for another signer, or for the same with another delegation. The next
    /// chunk must start a segment.
    pub fn renewed(&mut self, signer: &Signer) -> Option<(StreamHeader, Bytes)> {
        let (_, init) = self.present.clone()?;
        self.begin(init, signer)
    }

    /// `None` where a private channel's description would be too long, or the system has no random bytes.
    fn begin(&mut self, init: InitSegment, signer: &Signer) -> Option<(StreamHeader, Bytes)> {
        let generation = self.present.as_ref().map_or(0, |(generation, _)| generation.wrapping_add(1));
        let mut header = StreamHeader {
            epoch: self.epoch,
            generation,
            stripes: self.stripes,
            target_lag_ms: TARGET_LAG_MS,
            bitrate_bps: self.bitrate_bps,
            first_chunk: self.next_chunk,
            first_seq: self.next_seq,
            private: false,
            mime: init.mime.clone(),
            init: init.bytes.clone(),
        };
        if let Some((key, salts)) = &self.media_key {
            let (sealed, seal) = header.sealed(key, signer.channel(), salts()?);
            (header, self.seal) = (sealed, Some(seal));
        }
        if header.init.len() > INIT_MAX {
            return None;
        }
        self.present = Some((generation, init));
        let frame = header.sign(signer);
        Some((header, frame))
    }

    /// The chunk's pieces; none when it is too large for any viewer, or no header has been made.
    pub fn pieces(&mut self, chunk: &Chunk, signer: &Signer) -> Vec<Piece> {
        let Some(&(generation, _)) = self.present.as_ref() else { return Vec::new() };
        let place = ChunkPlace {
            number: self.next_chunk,
            time_ms: u32::try_from(chunk.start_ms).unwrap_or(u32::MAX),
            duration_ms: u16::try_from(chunk.duration_ms).unwrap_or(u16::MAX),
            keyframe: chunk.keyframe,
        };
        let mut rest = match &self.seal {
            Some(seal) => seal.chunk(place, &chunk.bytes),
            None => chunk.bytes.clone(),
        };
        let Some(sizes) = cut(rest.len(), self.stripes) else { return Vec::new() };
        let pieces = sizes.iter().zip(0u16..).map(|(&size, index)| {
            let header = PieceHeader {
                epoch: self.epoch,
                seq: self.next_seq + u32::from(index),
                chunk: place.number,
                index,
                count: sizes.len() as u16,
                generation,
                time_ms: place.time_ms,
                duration_ms: place.duration_ms,
                keyframe: place.keyframe,
            };
            Piece::sign(header, &rest.split_to(size), signer)
        });
        let pieces: Vec<_> = pieces.collect();
        self.next_chunk += 1;
        self.next_seq += pieces.len() as u32;
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(bytes: &'static [u8]) -> InitSegment {
        InitSegment { mime: "video/mp4".into(), bytes: Bytes::from_static(bytes), video: None, audio: None }
    }

    fn chunk(length: usize) -> Chunk {
        Chunk { start_ms: 100, duration_ms: 100, keyframe: true, bytes: vec![7; length].into() }
    }

    #[test]
    fn numbers_run_on_and_payloads_add_up() {
        let signer = Signer::from_seed(&[1; 32]);
        let mut numbering = Numbering::new(Epoch(1), 1_000_000);
        assert!(numbering.pieces(&chunk(10), &signer).is_empty(), "no header yet");
        numbering.header(&init(b"a"), &signer).unwrap();
        let first = numbering.pieces(&chunk(30_000), &signer);
        let second = numbering.pieces(&chunk(100), &signer);
        assert_eq!((first.len(), second.len()), (6, 1));
        assert_eq!((second[0].header.seq, second[0].header.chunk), (6, 1));
        assert_eq!(first.iter().map(|piece| piece.payload().len()).sum::<usize>(), 30_000);
    }

    #[test]
    fn a_private_channels_media_is_sealed_and_its_holders_open_it() {
        let (signer, key) = (Signer::from_seed(&[1; 32]), MediaKey::new([2; 32]));
        let mut numbering =
            Numbering::new(Epoch(1), 1_000_000).private(key.clone(), || Some([3; SALT_LENGTH]));
        let (header, _) = numbering.header(&init(b"avcC"), &signer).unwrap();
        assert!(header.private && header.mime.is_empty());
        let pieces = numbering.pieces(&chunk(30_000), &signer);
        let sealed: Vec<u8> = pieces.iter().flat_map(|piece| piece.payload()).collect();
        let (plain, seal) = header.opened(&key, signer.channel()).unwrap();
        assert_eq!((&plain.mime[..], &plain.init[..]), ("video/mp4", &b"avcC"[..]));
        let place = ChunkPlace { number: 0, time_ms: 100, duration_ms: 100, keyframe: true };
        assert_eq!(seal.open_chunk(place, &sealed), Some(chunk(30_000).bytes));
    }

    #[test]
    fn a_renewal_is_a_generation_with_the_same_content() {
        let signer = Signer::from_seed(&[1; 32]);
        let mut numbering = Numbering::new(Epoch(1), 1_000_000);
        assert!(numbering.renewed(&signer).is_none(), "nothing to renew yet");
        numbering.header(&init(b"a"), &signer).unwrap();
        let (header, _) = numbering.renewed(&signer).unwrap();
        assert_eq!((header.generation, &header.init[..]), (1, &b"a"[..]));
        assert_eq!(numbering.pieces(&chunk(100), &signer)[0].header.generation, 1);
    }

    #[test]
    fn only_a_change_makes_a_generation() {
        let signer = Signer::from_seed(&[1; 32]);
        let mut numbering = Numbering::new(Epoch(1), 1_000_000);
        assert_eq!(numbering.header(&init(b"a"), &signer).unwrap().0.generation, 0);
        assert!(numbering.header(&init(b"a"), &signer).is_none());
        numbering.pieces(&chunk(100), &signer);
        let (header, _) = numbering.header(&init(b"b"), &signer).unwrap();
        assert_eq!((header.generation, header.first_chunk, header.first_seq), (1, 1, 1));
    }
}
