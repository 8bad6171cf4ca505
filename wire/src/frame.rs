//! The peer protocol: one frame is one data-channel message, or one binary WebSocket message to and from a relay.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{Reader, within};
use crate::limits::{FRAME_MAX, HAVE_SPAN_MAX, REQUEST_MAX};
use crate::{DecodeError, Epoch, Piece, StreamHeader, StripeSet};

/// First byte of each frame.
pub(crate) mod kind {
    pub const PIECE: u8 = 0x01;
    pub const STREAM: u8 = 0x02;
    pub const HAVE: u8 = 0x11;
    pub const SUBSCRIBE: u8 = 0x12;
    pub const UNSUBSCRIBE: u8 = 0x13;
    pub const REFUSE: u8 = 0x14;
    pub const REQUEST: u8 = 0x15;
    pub const CANCEL: u8 = 0x16;
    pub const MISSING: u8 = 0x17;
    pub const PING: u8 = 0x18;
    pub const PONG: u8 = 0x19;
}

/// In a [`Frame::Subscribe`]: not from a given piece on, but from the newest place where one can join.
pub const JOIN_POINT: u32 = u32::MAX;

/// One message between two neighbors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A piece: pushed along its stripe, or in answer to a request.
    Piece(Piece),
    /// Stream parameters, with the frame as signed.
    Stream(StreamHeader, Bytes),
    /// Which pieces the sender holds: bit `i` (of byte `i / 8`, lowest first) stands for piece `base + i`.
    Have {
        /// The broadcast that the numbers belong to.
        epoch: Epoch,
        /// Number of the piece that the first bit stands for.
        base: u32,
        /// At most [`HAVE_SPAN_MAX`] bits.
        bitmap: Bytes,
    },
    /// Push me these stripes, from piece `from` (or [`JOIN_POINT`]) on.
    Subscribe {
        /// Added to those already subscribed.
        stripes: StripeSet,
        /// First piece wanted.
        from: u32,
    },
    /// Stop pushing these stripes.
    Unsubscribe {
        /// Removed from those subscribed.
        stripes: StripeSet,
    },
    /// The sender does not, or no longer, push these stripes: it has no upload to spare.
    Refuse {
        /// Removed from those subscribed.
        stripes: StripeSet,
    },
    /// Send me these pieces now.
    Request {
        /// The broadcast that the numbers belong to.
        epoch: Epoch,
        /// At most [`REQUEST_MAX`] pieces.
        pieces: Vec<u32>,
    },
    /// These have come from elsewhere: do not send them.
    Cancel {
        /// At most [`REQUEST_MAX`] pieces.
        pieces: Vec<u32>,
    },
    /// In answer to a request: these I do not hold, or have no upload for.
    Missing {
        /// At most [`REQUEST_MAX`] pieces.
        pieces: Vec<u32>,
    },
    /// Answer with a pong.
    Ping {
        /// Comes back in the pong.
        nonce: u32,
        /// Bytes received on this link so far: what the other side may count as delivered.
        received: u64,
        /// When it was sent, on any clock of the sender's, in milliseconds; wraps.
        sent_ms: u32,
    },
    /// Answer to a ping.
    Pong {
        /// The ping's.
        nonce: u32,
        /// As in the ping.
        received: u64,
        /// How much longer than the quickest one the ping was on its way, in milliseconds: what it waited in queues
        /// (LEDBAT, RFC 6817, measures so).
        late_ms: u16,
    },
}

impl Frame {
    /// Reads one frame. Signatures are not checked here.
    pub fn decode(bytes: Bytes) -> Result<Frame, DecodeError> {
        within(bytes.len() <= FRAME_MAX, "frame length")?;
        match *bytes.first().ok_or(DecodeError::Truncated)? {
            kind::PIECE => Piece::decode(bytes).map(Frame::Piece),
            kind::STREAM => StreamHeader::decode(bytes.clone()).map(|header| Frame::Stream(header, bytes)),
            other => decode_control(other, Reader(bytes.slice(1..))),
        }
    }

    /// The frame's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Frame::Piece(piece) => return piece.frame().clone(),
            Frame::Stream(_, frame) => return frame.clone(),
            Frame::Have { epoch, base, bitmap } => {
                out.put_u8(kind::HAVE);
                out.put_u64(epoch.0);
                out.put_u32(*base);
                out.put_slice(bitmap);
            }
            Frame::Subscribe { stripes, from } => {
                out.put_u8(kind::SUBSCRIBE);
                out.put_u16(stripes.0);
                out.put_u32(*from);
            }
            Frame::Unsubscribe { stripes } => {
                out.put_u8(kind::UNSUBSCRIBE);
                out.put_u16(stripes.0);
            }
            Frame::Refuse { stripes } => {
                out.put_u8(kind::REFUSE);
                out.put_u16(stripes.0);
            }
            Frame::Request { epoch, pieces } => {
                out.put_u8(kind::REQUEST);
                out.put_u64(epoch.0);
                put_numbers(&mut out, pieces);
            }
            Frame::Cancel { pieces } => {
                out.put_u8(kind::CANCEL);
                put_numbers(&mut out, pieces);
            }
            Frame::Missing { pieces } => {
                out.put_u8(kind::MISSING);
                put_numbers(&mut out, pieces);
            }
            Frame::Ping { nonce, received, sent_ms } => {
                put_probe(&mut out, kind::PING, *nonce, *received);
                out.put_u32(*sent_ms);
            }
            Frame::Pong { nonce, received, late_ms } => {
                put_probe(&mut out, kind::PONG, *nonce, *received);
                out.put_u16(*late_ms);
            }
        }
        out.freeze()
    }
}

fn decode_control(kind: u8, mut from: Reader) -> Result<Frame, DecodeError> {
    let frame = match kind {
        kind::HAVE => {
            let (epoch, base) = (Epoch(from.u64()?), from.u32()?);
            let length = from.0.len();
            within(length <= HAVE_SPAN_MAX / 8 && base.checked_add(length as u32 * 8).is_some(), "bitmap")?;
            Frame::Have { epoch, base, bitmap: from.bytes(length)? }
        }
        kind::SUBSCRIBE => Frame::Subscribe { stripes: StripeSet(from.u16()?), from: from.u32()? },
        kind::UNSUBSCRIBE => Frame::Unsubscribe { stripes: StripeSet(from.u16()?) },
        kind::REFUSE => Frame::Refuse { stripes: StripeSet(from.u16()?) },
        kind::REQUEST => Frame::Request { epoch: Epoch(from.u64()?), pieces: numbers(&mut from)? },
        kind::CANCEL => Frame::Cancel { pieces: numbers(&mut from)? },
        kind::MISSING => Frame::Missing { pieces: numbers(&mut from)? },
        kind::PING => Frame::Ping { nonce: from.u32()?, received: from.u64()?, sent_ms: from.u32()? },
        kind::PONG => Frame::Pong { nonce: from.u32()?, received: from.u64()?, late_ms: from.u16()? },
        other => return Err(DecodeError::UnknownKind(other)),
    };
    from.end()?;
    Ok(frame)
}

fn numbers(from: &mut Reader) -> Result<Vec<u32>, DecodeError> {
    within(from.0.len() <= REQUEST_MAX * 4, "pieces")?;
    (0..from.0.len().div_ceil(4)).map(|_| from.u32()).collect()
}

fn put_numbers(out: &mut BytesMut, pieces: &[u32]) {
    debug_assert!(pieces.len() <= REQUEST_MAX);
    pieces.iter().for_each(|&piece| out.put_u32(piece));
}

fn put_probe(out: &mut BytesMut, kind: u8, nonce: u32, received: u64) {
    out.put_u8(kind);
    out.put_u32(nonce);
    out.put_u64(received);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn control() -> impl Strategy<Value = Frame> {
        let stripes = any::<u16>().prop_map(StripeSet);
        let pieces = prop::collection::vec(any::<u32>(), 0..=REQUEST_MAX);
        prop_oneof![
            (any::<u64>(), 0u32..1 << 31, prop::collection::vec(any::<u8>(), 0..=HAVE_SPAN_MAX / 8))
                .prop_map(|(epoch, base, bitmap)| Frame::Have {
                    epoch: Epoch(epoch),
                    base,
                    bitmap: bitmap.into()
                }),
            (stripes, any::<u32>()).prop_map(|(stripes, from)| Frame::Subscribe { stripes, from }),
            any::<u16>().prop_map(|bits| Frame::Unsubscribe { stripes: StripeSet(bits) }),
            any::<u16>().prop_map(|bits| Frame::Refuse { stripes: StripeSet(bits) }),
            (any::<u64>(), pieces.clone())
                .prop_map(|(epoch, pieces)| Frame::Request { epoch: Epoch(epoch), pieces }),
            pieces.clone().prop_map(|pieces| Frame::Cancel { pieces }),
            pieces.prop_map(|pieces| Frame::Missing { pieces }),
            any::<(u32, u64, u32)>().prop_map(|(nonce, received, sent_ms)| Frame::Ping {
                nonce,
                received,
                sent_ms
            }),
            any::<(u32, u64, u16)>().prop_map(|(nonce, received, late_ms)| Frame::Pong {
                nonce,
                received,
                late_ms
            }),
        ]
    }

    proptest! {
        #[test]
        fn control_frames_survive_the_wire(frame in control()) {
            prop_assert_eq!(Frame::decode(frame.encode()), Ok(frame));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Frame::decode(bytes.into());
        }

        #[test]
        fn whatever_is_read_is_written_back_the_same(kind in 0x11u8..0x1a, body: Vec<u8>) {
            let bytes: Bytes = [&[kind][..], &body].concat().into();
            if let Ok(frame) = Frame::decode(bytes.clone()) {
                prop_assert_eq!(frame.encode(), bytes);
            }
        }
    }

    #[test]
    fn too_much_is_refused() {
        assert!(Frame::decode(vec![kind::CANCEL; 1 + 4 * (REQUEST_MAX + 1)].into()).is_err());
        assert!(Frame::decode(vec![kind::PIECE; FRAME_MAX + 1].into()).is_err());
        assert_eq!(Frame::decode(Bytes::new()), Err(DecodeError::Truncated));
    }
}
