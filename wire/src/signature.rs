//! Ed25519 (RFC 8032) over domain-separated messages: what a broadcaster signs and everyone checks.

use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::{ChannelId, PeerSecret};

/// Bytes of a signature.
pub(crate) const SIGNATURE_LENGTH: usize = 64;

/// Ties a signature to what it was made for, so that none can be passed off as another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Domain {
    Piece,
    Stream,
    Announcement,
}

impl Domain {
    fn prefix(self) -> &'static [u8] {
        match self {
            Domain::Piece => b"swarmcast/1 piece\0",
            Domain::Stream => b"swarmcast/1 stream\0",
            Domain::Announcement => b"swarmcast/1 announcement\0",
        }
    }
}

/// The signature was not made by the channel's key over exactly these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify under the channel's key")]
pub struct BadSignature;

/// A channel's secret key. Whoever holds it is the broadcaster.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    /// From the 32-byte seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Signer { key: SigningKey::from_bytes(seed) }
    }

    /// The seed, to be stored where only its owner reads it.
    pub fn seed(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The channel that this key owns.
    pub fn channel(&self) -> ChannelId {
        ChannelId(self.key.verifying_key().to_bytes())
    }

    /// Makes the broadcaster the same peer after a restart, so that its viewers know it again.
    pub fn peer_secret(&self) -> PeerSecret {
        let digest = Sha256::new_with_prefix(b"swarmcast/1 peer\0").chain_update(self.seed()).finalize();
        let mut secret = [0; 16];
        secret.copy_from_slice(&digest[..16]);
        PeerSecret(secret)
    }

    /// Signs a tracker's challenge, which proves possession of the key.
    pub fn announce(&self, nonce: &str) -> String {
        Base64UrlUnpadded::encode_string(&self.sign(Domain::Announcement, &[nonce.as_bytes()]))
    }

    pub(crate) fn sign(&self, domain: Domain, parts: &[&[u8]]) -> [u8; SIGNATURE_LENGTH] {
        self.key.sign(&message(domain, self.channel(), parts)).to_bytes()
    }
}

/// A channel's public key, unpacked once for many checks.
#[derive(Debug, Clone)]
pub struct Verifier {
    channel: ChannelId,
    key: VerifyingKey,
}

impl Verifier {
    /// Refuses 32 bytes that are no point of the curve, or a weak one.
    pub fn new(channel: ChannelId) -> Result<Self, BadSignature> {
        let key = VerifyingKey::from_bytes(&channel.0).map_err(|_| BadSignature)?;
        if key.is_weak() { Err(BadSignature) } else { Ok(Verifier { channel, key }) }
    }

    /// The channel whose signatures this checks.
    pub fn channel(&self) -> ChannelId {
        self.channel
    }

    pub(crate) fn verify(
        &self,
        domain: Domain,
        parts: &[&[u8]],
        signature: &[u8; SIGNATURE_LENGTH],
    ) -> Result<(), BadSignature> {
        let signature = Signature::from_bytes(signature);
        let message = message(domain, self.channel, parts);
        self.key.verify_strict(&message, &signature).map_err(|_| BadSignature)
    }
}

/// Checks the answer to a tracker's challenge: see [`Signer::announce`].
pub fn announcement(channel: ChannelId, nonce: &str, signature: &str) -> Result<(), BadSignature> {
    let bytes = Base64UrlUnpadded::decode_vec(signature).map_err(|_| BadSignature)?;
    let signature = bytes.try_into().map_err(|_| BadSignature)?;
    Verifier::new(channel)?.verify(Domain::Announcement, &[nonce.as_bytes()], &signature)
}

/// `prefix ‖ channel ‖ parts`: the channel is signed, not sent, as a link serves one channel.
fn message(domain: Domain, channel: ChannelId, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut message = Vec::with_capacity(domain.prefix().len() + 32 + length);
    message.extend_from_slice(domain.prefix());
    message.extend_from_slice(&channel.0);
    parts.iter().for_each(|part| message.extend_from_slice(part));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_proves_the_key_for_its_own_nonce_only() {
        let signer = Signer::from_seed(&[1; 32]);
        let proof = signer.announce("nonce");
        assert_eq!(announcement(signer.channel(), "nonce", &proof), Ok(()));
        assert_eq!(announcement(signer.channel(), "other", &proof), Err(BadSignature));
        assert_eq!(announcement(Signer::from_seed(&[2; 32]).channel(), "nonce", &proof), Err(BadSignature));
        assert_eq!(announcement(signer.channel(), "nonce", "garbage"), Err(BadSignature));
    }

    #[test]
    fn weak_keys_are_no_channels() {
        let mut identity_point = [0; 32];
        identity_point[0] = 1;
        assert!(Verifier::new(ChannelId(identity_point)).is_err());
    }

    #[test]
    fn a_signature_does_not_cross_domains() {
        let signer = Signer::from_seed(&[1; 32]);
        let signature = signer.sign(Domain::Piece, &[b"x"]);
        let verifier = Verifier::new(signer.channel()).unwrap();
        assert!(verifier.verify(Domain::Piece, &[b"x"], &signature).is_ok());
        assert!(verifier.verify(Domain::Stream, &[b"x"], &signature).is_err());
    }
}
