//! The piece: unit of transfer, of verification and of repair. One signed part of a chunk.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{Reader, within};
use crate::frame::kind;
use crate::limits::{CHUNK_PIECES_MAX, PIECE_PAYLOAD_MAX, PIECE_PAYLOAD_MIN, PIECE_PAYLOAD_USUAL};
use crate::signature::{BadSignature, Domain, SIGNATURE_LENGTH, Signer, Verifier};
use crate::{DecodeError, Epoch, VERSION};

const HEADER_LENGTH: usize = 34;
const PAYLOAD_AT: usize = HEADER_LENGTH + SIGNATURE_LENGTH;
const KEYFRAME: u8 = 1;

/// Where a piece belongs. All of it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceHeader {
    /// The broadcast.
    pub epoch: Epoch,
    /// Running number of the piece in its broadcast; modulo the stripe count it is the piece's stripe.
    pub seq: u32,
    /// Number of the chunk in its broadcast.
    pub chunk: u32,
    /// Place of this piece in its chunk, from 0.
    pub index: u16,
    /// Pieces in the chunk, at least 1.
    pub count: u16,
    /// Which stream header (and so which init segment) the chunk needs.
    pub generation: u16,
    /// Capture time of the chunk's first frame, in milliseconds since the epoch.
    pub time_ms: u32,
    /// Media time that the chunk covers, in milliseconds.
    pub duration_ms: u16,
    /// The chunk starts a segment: one can join here.
    pub keyframe: bool,
}

impl PieceHeader {
    /// Running number of the chunk's first piece.
    pub fn first_seq(&self) -> u32 {
        self.seq - u32::from(self.index)
    }

    /// The stripe, of `stripes`, that carries this piece.
    pub fn stripe(&self, stripes: u8) -> u8 {
        (self.seq % u32::from(stripes.max(1))) as u8
    }

    fn encode(&self, payload_length: usize) -> [u8; HEADER_LENGTH] {
        let mut out = [0; HEADER_LENGTH];
        let mut to = &mut out[..];
        to.put_u8(kind::PIECE);
        to.put_u8(VERSION);
        to.put_u8(if self.keyframe { KEYFRAME } else { 0 });
        to.put_u8(0);
        to.put_u16(self.generation);
        to.put_u16(self.index);
        to.put_u16(self.count);
        to.put_u16(payload_length as u16);
        to.put_u32(self.seq);
        to.put_u32(self.chunk);
        to.put_u64(self.epoch.0);
        to.put_u32(self.time_ms);
        to.put_u16(self.duration_ms);
        out
    }
}

/// A piece as it travels: well-formed, but proven only once [`verify`](Piece::verify) has said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it belongs.
    pub header: PieceHeader,
    frame: Bytes,
}

impl Piece {
    /// Signs `payload` (1 to [`PIECE_PAYLOAD_MAX`] bytes) into a piece.
    pub fn sign(header: PieceHeader, payload: &[u8], signer: &Signer) -> Piece {
        debug_assert!(!payload.is_empty() && payload.len() <= PIECE_PAYLOAD_MAX);
        let fields = header.encode(payload.len());
        let mut frame = BytesMut::with_capacity(PAYLOAD_AT + payload.len());
        frame.put_slice(&fields);
        frame.put_slice(&signer.sign(Domain::Piece, &[&fields, payload]));
        frame.put_slice(payload);
        Piece { header, frame: frame.freeze() }
    }

    /// The bytes as they travel, to be passed on unchanged.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The part of the chunk that this piece carries.
    pub fn payload(&self) -> Bytes {
        self.frame.slice(PAYLOAD_AT..)
    }

    /// Checks the broadcaster's signature over header and payload.
    pub fn verify(&self, verifier: &Verifier) -> Result<(), BadSignature> {
        let mut signature = [0; SIGNATURE_LENGTH];
        signature.copy_from_slice(&self.frame[HEADER_LENGTH..PAYLOAD_AT]);
        let parts = [&self.frame[..HEADER_LENGTH], &self.frame[PAYLOAD_AT..]];
        verifier.verify(Domain::Piece, &parts, &signature)
    }

    /// Reads a whole frame whose kind is a piece.
    pub(crate) fn decode(frame: Bytes) -> Result<Piece, DecodeError> {
        let mut from = Reader(frame.clone());
        from.fixed(kind::PIECE, "kind")?;
        from.version()?;
        let flags = from.u8()?;
        within(flags & !KEYFRAME == 0, "flags")?;
        from.fixed(0, "reserved")?;
        let generation = from.u16()?;
        let (index, count) = (from.u16()?, from.u16()?);
        let payload_length = usize::from(from.u16()?);
        let (seq, chunk) = (from.u32()?, from.u32()?);
        let header = PieceHeader {
            epoch: Epoch(from.u64()?),
            seq,
            chunk,
            index,
            count,
            generation,
            time_ms: from.u32()?,
            duration_ms: from.u16()?,
            keyframe: flags & KEYFRAME != 0,
        };
        within((1..=CHUNK_PIECES_MAX).contains(&count), "count")?;
        within(index < count && seq >= u32::from(index), "index")?;
        within((1..=PIECE_PAYLOAD_MAX).contains(&payload_length), "payload length")?;
        from.bytes(SIGNATURE_LENGTH + payload_length)?;
        from.end()?;
        Ok(Piece { header, frame })
    }
}

/// Cuts a chunk of `length` bytes (not 0) into near-equal pieces of 4 to 16 KiB, as many on each stripe, and returns
/// their sizes. Large chunks become more pieces, not larger ones: a peer passes the first on while the next still
/// comes. A chunk of fewer than 8 KiB is one piece; `None` if it needs more than [`CHUNK_PIECES_MAX`].
pub fn cut(length: usize, stripes: u8) -> Option<Vec<usize>> {
    let stripes = usize::from(stripes.max(1));
    let rounds = length.div_ceil(stripes * PIECE_PAYLOAD_USUAL).max(1);
    let most = usize::from(CHUNK_PIECES_MAX).max(length.div_ceil(PIECE_PAYLOAD_MAX));
    let count = (length / PIECE_PAYLOAD_MIN).clamp(1, stripes * rounds).min(most);
    if length == 0 || count > usize::from(CHUNK_PIECES_MAX) {
        return None;
    }
    let (size, longer) = (length / count, length % count);
    Some((0..count).map(|index| size + usize::from(index < longer)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> PieceHeader {
        PieceHeader {
            epoch: Epoch(1_700_000_000_000),
            seq: 77,
            chunk: 12,
            index: 3,
            count: 6,
            generation: 2,
            time_ms: 1_200,
            duration_ms: 100,
            keyframe: true,
        }
    }

    #[test]
    fn a_piece_survives_the_wire_and_verifies() {
        let signer = Signer::from_seed(&[5; 32]);
        let piece = Piece::sign(header(), b"payload", &signer);
        let read = Piece::decode(piece.frame().clone()).unwrap();
        assert_eq!(read, piece);
        assert_eq!(&read.payload()[..], b"payload");
        assert_eq!((read.header.first_seq(), read.header.stripe(6)), (74, 5));
        assert!(read.verify(&Verifier::new(signer.channel()).unwrap()).is_ok());
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let piece = Piece::sign(header(), b"x", &Signer::from_seed(&[5; 32]));
        assert_eq!(
            piece.frame()[..HEADER_LENGTH],
            [
                1, 1, 1, 0, 0, 2, 0, 3, 0, 6, 0, 1, 0, 0, 0, 77, 0, 0, 0, 12, 0, 0, 1, 0x8b, 0xcf, 0xe5,
                0x68, 0, 0, 0, 4, 0xb0, 0, 100
            ]
        );
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_noticed(bit in 0usize..(PAYLOAD_AT + 7) * 8) {
            let signer = Signer::from_seed(&[5; 32]);
            let mut frame = Piece::sign(header(), b"payload", &signer).frame().to_vec();
            frame[bit / 8] ^= 1 << (bit % 8);
            let verifier = Verifier::new(signer.channel()).unwrap();
            let accepted = Piece::decode(frame.into()).is_ok_and(|piece| piece.verify(&verifier).is_ok());
            prop_assert!(!accepted);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Piece::decode(bytes.into());
        }

        #[test]
        fn cuts_add_up_and_keep_their_bounds(length in 1usize..=4 << 20, stripes in 1u8..=16) {
            let sizes = cut(length, stripes).unwrap();
            prop_assert_eq!(sizes.iter().sum::<usize>(), length);
            prop_assert!(sizes.iter().all(|&size| size <= PIECE_PAYLOAD_MAX));
            prop_assert!(sizes.len() == 1 || sizes.iter().all(|&size| size >= PIECE_PAYLOAD_MIN));
        }
    }

    #[test]
    fn impossible_chunks_are_not_cut() {
        assert_eq!(cut(0, 6), None);
        assert_eq!(cut((4 << 20) + 1, 6), None);
    }
}
