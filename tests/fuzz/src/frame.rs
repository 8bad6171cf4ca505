//! The peer protocol: one frame, and the signature of a piece.

use bytes::Bytes;
use wire::limits::{CHUNK_PIECES_MAX, FRAME_MAX, HAVE_SPAN_MAX, PIECE_PAYLOAD_MAX, REQUEST_MAX};
use wire::{Frame, Piece, Verifier};

use crate::signer;

/// The input is one message of a data channel.
pub fn frame(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(frame) = Frame::decode(bytes.clone()) else { return };
    assert_eq!(frame.encode(), bytes, "what is read is written back the same");
    assert!(bytes.len() <= FRAME_MAX);
    match frame {
        Frame::Piece(piece) => check_piece(&piece),
        Frame::Have { base, bitmap, .. } => {
            assert!(bitmap.len() * 8 <= HAVE_SPAN_MAX);
            assert!(base.checked_add(bitmap.len() as u32 * 8).is_some());
        }
        Frame::Request { pieces, .. } | Frame::Cancel { pieces } | Frame::Missing { pieces } => {
            assert!(pieces.len() <= REQUEST_MAX);
        }
        _ => {}
    }
}

fn check_piece(piece: &Piece) {
    let header = piece.header;
    assert!(header.index < header.count && header.count <= CHUNK_PIECES_MAX);
    assert!(header.first_seq() <= header.seq && header.stripe(6) < 6);
    assert!((1..=PIECE_PAYLOAD_MAX).contains(&piece.payload().len()));
    let signer = signer();
    if piece.verify(&Verifier::new(signer.channel()).unwrap()).is_ok() {
        assert_eq!(&Piece::sign(header, &piece.payload(), &signer), piece, "the signature covers all of it");
    }
}
