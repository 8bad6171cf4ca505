//! The stream header: the signed parameters and init segment that the pieces of a generation need.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{Reader, within};
use crate::frame::kind;
use crate::limits::{INIT_MAX, MIME_MAX, STRIPES_MAX};
use crate::signature::{BadSignature, Domain, SIGNATURE_LENGTH, Signer, Verifier};
use crate::{DELEGATION_LENGTH, DecodeError, Delegation, Epoch, VERSION};

/// Flag: a delegation stands before the signature, and the delegate has made the signature.
const DELEGATED: u8 = 1;

/// Flag: the media type is empty, and what stands in the init segment's place is sealed, as chunks are.
const PRIVATE: u8 = 2;

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
    /// Type and init segment, as well as chunks, are sealed: see [`StreamHeader::opened`].
    pub private: bool,
    /// MIME type with codecs, as Media Source Extensions want it.
    pub mime: String,
    /// CMAF init segment: `ftyp` and `moov` (ISO/IEC 23000-19).
    pub init: Bytes,
}

impl StreamHeader {
    /// The signed frame, to be passed on unchanged. `mime` and `init` must be within their limits.
    pub fn sign(&self, signer: &Signer) -> Bytes {
        let delegation = signer.delegation().map_or(&[][..], |delegation| delegation.as_bytes());
        let fields_length = 32 + self.mime.len() + self.init.len();
        let mut frame = BytesMut::with_capacity(fields_length + delegation.len() + SIGNATURE_LENGTH);
        frame.put_u8(kind::STREAM);
        frame.put_u8(VERSION);
        frame.put_u8(self.stripes);
        let flags = if delegation.is_empty() { 0 } else { DELEGATED };
        frame.put_u8(flags | if self.private { PRIVATE } else { 0 });
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
        frame.put_slice(delegation);
        let signature = signer.sign(Domain::Stream, &[&frame]);
        frame.put_slice(&signature);
        frame.freeze()
    }

    /// Checks the signature over a whole frame of this kind, and the delegation in it where there is one. Returns
    /// what the pieces of its generation must verify under: the same key.
    pub fn verifier(frame: &Bytes, channel: &Verifier) -> Result<Verifier, BadSignature> {
        let at = frame.len().checked_sub(SIGNATURE_LENGTH).ok_or(BadSignature)?;
        let mut signature = [0; SIGNATURE_LENGTH];
        signature.copy_from_slice(&frame[at..]);
        let signing = match delegation(frame, at)? {
            Some(delegation) => delegation.verifier(channel)?,
            None => channel.clone(),
        };
        signing.verify(Domain::Stream, &[&frame[..at]], &signature)?;
        Ok(signing)
    }

    pub(crate) fn decode(frame: Bytes) -> Result<StreamHeader, DecodeError> {
        let mut from = Reader(frame);
        from.fixed(kind::STREAM, "kind")?;
        from.version()?;
        let stripes = from.u8()?;
        within((1..=STRIPES_MAX).contains(&stripes), "stripes")?;
        let flags = from.u8()?;
        within(flags & !(DELEGATED | PRIVATE) == 0, "flags")?;
        let private = flags & PRIVATE != 0;
        let (generation, target_lag_ms) = (from.u16()?, from.u16()?);
        let epoch = Epoch(from.u64()?);
        let bitrate_bps = from.u32()?;
        let (first_chunk, first_seq) = (from.u32()?, from.u32()?);
        let (mime_length, init_length) = (usize::from(from.u16()?), usize::from(from.u16()?));
        within(mime_length <= if private { 0 } else { MIME_MAX }, "mime length")?;
        within(init_length <= INIT_MAX, "init length")?;
        let mime = String::from_utf8(from.bytes(mime_length)?.to_vec());
        let mime = mime.map_err(|_| DecodeError::OutOfRange("mime"))?;
        let init = from.bytes(init_length)?;
        from.bytes(if flags & DELEGATED != 0 { DELEGATION_LENGTH } else { 0 })?;
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
            private,
            mime,
            init,
        })
    }
}

/// The delegation that ends where the signature begins, if the frame says that it has one.
fn delegation(frame: &Bytes, signature_at: usize) -> Result<Option<Delegation>, BadSignature> {
    if frame.get(3).is_none_or(|flags| flags & DELEGATED == 0) {
        return Ok(None);
    }
    let at = signature_at.checked_sub(DELEGATION_LENGTH).ok_or(BadSignature)?;
    let mut bytes = [0; DELEGATION_LENGTH];
    bytes.copy_from_slice(&frame[at..signature_at]);
    Ok(Some(Delegation::from_bytes(bytes)))
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
            private: false,
            mime: "video/mp4; codecs=\"avc1.64001f,mp4a.40.2\"".into(),
            init: Bytes::from_static(b"ftypmoov"),
        }
    }

    #[test]
    fn a_header_survives_the_wire_and_verifies() {
        let signer = Signer::from_seed(&[5; 32]);
        let frame = header().sign(&signer);
        assert_eq!(StreamHeader::decode(frame.clone()), Ok(header()));
        assert!(StreamHeader::verifier(&frame, &Verifier::new(signer.channel()).unwrap()).is_ok());
    }

    /// A channel's owner, and a server that it lets sign.
    fn delegated() -> (Verifier, Signer) {
        let (owner, server) = (Signer::from_seed(&[5; 32]), Signer::from_seed(&[6; 32]));
        let delegation = Delegation::sign(&owner, server.delegate(), 10_000, 20_000).unwrap();
        (Verifier::new(owner.channel()).unwrap(), server.delegated(delegation).unwrap())
    }

    #[test]
    fn a_delegates_header_says_who_signs_its_pieces() {
        let (channel, server) = delegated();
        let frame = header().sign(&server);
        assert_eq!(StreamHeader::decode(frame.clone()), Ok(header()));
        let signing = StreamHeader::verifier(&frame, &channel).unwrap();
        assert!(signing.covers(15_000) && !signing.covers(30_000));
        let bare = header().sign(&Signer::from_seed(&[6; 32]));
        assert!(StreamHeader::verifier(&bare, &channel).is_err(), "without the delegation it is nobody's");
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_noticed(bit in 0usize..120 * 8) {
            let signer = Signer::from_seed(&[5; 32]);
            let mut frame = header().sign(&signer).to_vec();
            frame[bit / 8] ^= 1 << (bit % 8);
            let verifier = Verifier::new(signer.channel()).unwrap();
            prop_assert!(StreamHeader::verifier(&frame.into(), &verifier).is_err());
        }

        #[test]
        fn one_changed_bit_of_a_delegates_is_noticed(bit in 0usize..(120 + DELEGATION_LENGTH) * 8) {
            let (channel, server) = delegated();
            let mut frame = header().sign(&server).to_vec();
            frame[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(StreamHeader::verifier(&frame.into(), &channel).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = StreamHeader::decode(bytes.clone().into());
            let _ = StreamHeader::verifier(&bytes.into(), &Verifier::new(Signer::from_seed(&[5; 32]).channel()).unwrap());
        }
    }
}
