//! Requests to a server that carry a channel's signature, and the small work that a newcomer does.
//!
//! `Authorization: Swarmcast CHANNEL.NONCE.SIGNATURE`, where the nonce is a challenge of the server and the signature covers
//! method, path with query, nonce and the SHA-256 of the body: none can be altered, used twice or sent elsewhere.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use crate::ChannelId;
use crate::signature::{BadSignature, Domain, Signer, Verifier};

/// The scheme's name in the header.
pub const SCHEME: &str = "Swarmcast ";

/// Work that is asked for at most, in bits: more than 2^28 hashes are no small work.
pub const WORK_BITS_MAX: u32 = 28;

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `PUT` and the like.
    pub method: &'a str,
    /// With its query, as it is sent.
    pub path: &'a str,
    /// The server's challenge.
    pub nonce: &'a str,
    /// Every byte of it.
    pub body: &'a [u8],
}

/// The value of an `Authorization` header, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Who asks.
    pub channel: ChannelId,
    /// The challenge that is answered.
    pub nonce: &'a str,
    signature: [u8; 64],
}

impl Request<'_> {
    /// The value of the `Authorization` header.
    pub fn authorize(&self, signer: &Signer) -> String {
        let digest = self.digest();
        let signature = signer.sign(Domain::Request, &[&digest]);
        let signature = Base64UrlUnpadded::encode_string(&signature);
        format!("{SCHEME}{}.{}.{signature}", signer.channel(), self.nonce)
    }

    /// Whether the header's channel has signed exactly this.
    pub fn verify(&self, authorization: &Authorization) -> Result<(), BadSignature> {
        let verifier = Verifier::new(authorization.channel)?;
        verifier.verify(Domain::Request, &[&self.digest()], &authorization.signature)
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        // Lengths in front: where one part ends and the next begins is signed as well.
        for part in [self.method.as_bytes(), self.path.as_bytes(), self.nonce.as_bytes(), self.body] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

impl<'a> Authorization<'a> {
    /// Reads a header's value; `None`: it is of another form.
    pub fn parse(header: &'a str) -> Option<Self> {
        let mut parts = header.strip_prefix(SCHEME)?.trim().splitn(3, '.');
        let (channel, nonce, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let mut bytes = [0; 64];
        Base64UrlUnpadded::decode(signature, &mut bytes).ok().filter(|decoded| decoded.len() == 64)?;
        Some(Authorization { channel: channel.parse().ok()?, nonce, signature: bytes })
    }
}

/// The statement that a channel goes on under another key: signed by the old one.
pub fn rotation(old: &Signer, new: ChannelId) -> String {
    Base64UrlUnpadded::encode_string(&old.sign(Domain::Rotation, &[&new.0]))
}

/// Checks such a statement.
pub fn check_rotation(old: ChannelId, new: ChannelId, statement: &str) -> Result<(), BadSignature> {
    let mut bytes = [0; 64];
    let decoded = Base64UrlUnpadded::decode(statement, &mut bytes).map_err(|_| BadSignature)?;
    if decoded.len() != 64 {
        return Err(BadSignature);
    }
    Verifier::new(old)?.verify(Domain::Rotation, &[&new.0], &bytes)
}

/// Finds a number whose hash with challenge and channel begins with `bits` zero bits: about 2^`bits` hashes.
pub fn solve(nonce: &str, channel: ChannelId, bits: u32) -> u64 {
    (0..=u64::MAX).find(|&work| is_solved(nonce, channel, bits, work)).unwrap_or_default()
}

/// Whether `work` is such a number.
pub fn is_solved(nonce: &str, channel: ChannelId, bits: u32, work: u64) -> bool {
    let digest = Sha256::new_with_prefix(b"swarmcast/1 work\0")
        .chain_update(channel.0)
        .chain_update(work.to_be_bytes())
        .chain_update(nonce.as_bytes())
        .finalize();
    let mut start = [0; 8];
    start.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(start).leading_zeros() >= bits.min(WORK_BITS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Request = Request { method: "PUT", path: "/a", nonce: "n", body: b"{}" };

    #[test]
    fn a_signature_covers_all_of_a_request() {
        let signer = Signer::from_seed(&[1; 32]);
        let header = REQUEST.authorize(&signer);
        let authorization = Authorization::parse(&header).unwrap();
        assert_eq!((authorization.channel, authorization.nonce), (signer.channel(), "n"));
        assert_eq!(REQUEST.verify(&authorization), Ok(()));
        for altered in [
            Request { method: "POST", ..REQUEST },
            Request { path: "/b", ..REQUEST },
            Request { nonce: "m", ..REQUEST },
            Request { body: b"{ }", ..REQUEST },
            Request { path: "/an", nonce: "", ..REQUEST },
        ] {
            assert_eq!(altered.verify(&authorization), Err(BadSignature), "{altered:?}");
        }
    }

    #[test]
    fn other_headers_are_none() {
        for header in ["", "Swarmcast ", "Swarmcast a.b.c", "Bearer x", "Swarmcast ..", "Swarmcast .é."] {
            assert_eq!(Authorization::parse(header), None, "{header}");
        }
    }

    #[test]
    fn a_rotation_is_the_old_keys_word_for_one_new_key() {
        let (old, new) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]).channel());
        let statement = rotation(&old, new);
        assert_eq!(check_rotation(old.channel(), new, &statement), Ok(()));
        assert!(check_rotation(old.channel(), old.channel(), &statement).is_err());
        assert!(check_rotation(new, new, &statement).is_err());
        assert!(check_rotation(old.channel(), new, "short").is_err());
    }

    #[test]
    fn work_is_for_one_challenge_and_channel() {
        let channel = Signer::from_seed(&[1; 32]).channel();
        let work = solve("n", channel, 12);
        assert!(is_solved("n", channel, 12, work));
        let others = (0..8).filter(|number| is_solved(&number.to_string(), channel, 12, work));
        assert!(others.count() < 2);
    }
}
