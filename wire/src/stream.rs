//! The stream header: the signed parameters and init segment that the pieces of a generation need.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{Reader, within};
use crate::frame::kind;
use crate::limits::{INIT_MAX, MIME_MAX, STRIPES_MAX};
use crate::signature::{BadSignature, Domain, SIGNATURE_LENGTH, Signer, Verifier};
use crate::{DecodeError, Epoch, VERSION};

/// Signed parameters of a broadcast. A new generation is announced when codec parameters change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHeader {
    /// The broadcast.
    pub epoch: Epoch,
    /// Grows by one with each change of init segment or parameters within the epoch.
    pub generation: u16,
    /// Stripes that pieces are dealt to, 1 to [`STRIPES_MAX`]; the same throughout an epoch.
    pub stripes: u8,
    /// Lag that all viewers aim at, in milliseconds.
    pub target_lag_ms: u16,
    /// Media bits a second, as measured or configured; a hint for planning.
    pub bitrate_bps: u32,
    /// First chunk of this generation.
    pub first_chunk: u32,
    /// First piece of this generation.
    pub first_seq: u32,
    /// MIME type with codecs, as Media Source Extensions want it.
    pub mime: String,
    /// CMAF init segment: `ftyp` and `moov` (ISO/IEC 23000-19).
    pub init: Bytes,
}

impl StreamHeader {
    /// The signed frame, to be passed on unchanged. `mime` and `init` must be within their limits.
    pub fn sign(&self, signer: &Signer) -> Bytes {
        let mut frame = BytesMut::with_capacity(32 + self.mime.len() + self.init.len() + SIGNATURE_LENGTH);
        frame.put_u8(kind::STREAM);
        frame.put_u8(VERSION);
        frame.put_u8(self.stripes);
        frame.put_u8(0);
        frame.put_u16(self.generation);
        frame.put_u16(self.target_lag_ms);
        frame.put_u64(self.epoch.0);
        frame.put_u32(self.bitrate_bps);
        frame.put_u32(self.first_chunk);
        frame.put_u32(self.first_seq);
        frame.put_u16(self.mime.len() as u16);
        frame.put_u16(self.init.len() as u16);
        frame.put_slice(self.mime.as_bytes());
        frame.put_slice(&self.init);
        let signature = signer.sign(Domain::Stream, &[&frame]);
        frame.put_slice(&signature);
        frame.freeze()
    }

    /// Checks the broadcaster's signature over a whole frame of this kind.
    pub fn verify(frame: &Bytes, verifier: &Verifier) -> Result<(), BadSignature> {
        let at = frame.len().checked_sub(SIGNATURE_LENGTH).ok_or(BadSignature)?;
        let mut signature = [0; SIGNATURE_LENGTH];
        signature.copy_from_slice(&frame[at..]);
        verifier.verify(Domain::Stream, &[&frame[..at]], &signature)
    }

    pub(crate) fn decode(frame: Bytes) -> Result<StreamHeader, DecodeError> {
        let mut from = Reader(frame);
        from.fixed(kind::STREAM, "kind")?;
        from.version()?;
        let stripes = from.u8()?;
        within((1..=STRIPES_MAX).contains(&stripes), "stripes")?;
        from.fixed(0, "reserved")?;
        let (generation, target_lag_ms) = (from.u16()?, from.u16()?);
        let epoch = Epoch(from.u64()?);
        let bitrate_bps = from.u32()?;
        let (first_chunk, first_seq) = (from.u32()?, from.u32()?);
        let (mime_length, init_length) = (usize::from(from.u16()?), usize::from(from.u16()?));
        within(mime_length <= MIME_MAX, "mime length")?;
        within(init_length <= INIT_MAX, "init length")?;
        let mime = String::from_utf8(from.bytes(mime_length)?.to_vec());
        let mime = mime.map_err(|_| DecodeError::OutOfRange("mime"))?;
        let init = from.bytes(init_length)?;
        from.bytes(SIGNATURE_LENGTH)?;
        from.end()?;
        Ok(StreamHeader {
            epoch,
            generation,
            stripes,
            target_lag_ms,
            bitrate_bps,
            first_chunk,
            first_seq,
            mime,
            init,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> StreamHeader {
        StreamHeader {
            epoch: Epoch(9),
            generation: 1,
            stripes: 6,
            target_lag_ms: 1500,
            bitrate_bps: 3_000_000,
            first_chunk: 4,
            first_seq: 24,
            mime: "video/mp4; codecs=\"avc1.64001f,mp4a.40.2\"".into(),
            init: Bytes::from_static(b"ftypmoov"),
        }
    }

    #[test]
    fn a_header_survives_the_wire_and_verifies() {
        let signer = Signer::from_seed(&[5; 32]);
        let frame = header().sign(&signer);
        assert_eq!(StreamHeader::decode(frame.clone()), Ok(header()));
        assert!(StreamHeader::verify(&frame, &Verifier::new(signer.channel()).unwrap()).is_ok());
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_noticed(bit in 0usize..120 * 8) {
            let signer = Signer::from_seed(&[5; 32]);
            let mut frame = header().sign(&signer).to_vec();
            frame[bit / 8] ^= 1 << (bit % 8);
            let verifier = Verifier::new(signer.channel()).unwrap();
            prop_assert!(StreamHeader::verify(&frame.into(), &verifier).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = StreamHeader::decode(bytes.clone().into());
            let _ = StreamHeader::verify(&bytes.into(), &Verifier::new(Signer::from_seed(&[5; 32]).channel()).unwrap());
        }
    }
}
