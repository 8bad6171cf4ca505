//! Ed25519 (RFC 8032) over domain-separated messages: what a broadcaster signs and everyone checks.

use std::ops::RangeInclusive;

use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::limits::CLOCK_ERROR_MAX_S;
use crate::{ChannelId, DelegateId, Delegation, PeerSecret};

/// Bytes of a signature.
pub(crate) const SIGNATURE_LENGTH: usize = 64;

/// Ties a signature to what it was made for, so that none can be passed off as another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Domain {
    Piece,
    Stream,
    Announcement,
    Delegation,
    Request,
    Rotation,
    Chat,
}

impl Domain {
    fn prefix(self) -> &'static [u8] {
        match self {
            Domain::Piece => b"swarmcast/1 piece\0",
            Domain::Stream => b"swarmcast/1 stream\0",
            Domain::Announcement => b"swarmcast/1 announcement\0",
            Domain::Delegation => b"swarmcast/1 delegation\0",
            Domain::Request => b"swarmcast/1 request\0",
            Domain::Rotation => b"swarmcast/1 rotation\0",
            Domain::Chat => b"swarmcast/1 chat\0",
        }
    }
}

/// The signature was not made by the channel's key over exactly these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify under the channel's key")]
pub struct BadSignature;

/// The delegation lets another key sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delegation is for another key: it must name {0}")]
pub struct NotItsDelegate(DelegateId);

/// A secret key that signs a channel's broadcasts: the channel's own (whoever holds it is the broadcaster), or one that
/// a [`Delegation`] lets sign.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
    delegation: Option<Delegation>,
}

impl Signer {
    /// From the 32-byte seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Signer { key: SigningKey::from_bytes(seed), delegation: None }
    }

    /// The seed, to be stored where only its owner reads it.
    pub fn seed(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Signs from now on for the channel that `delegation` is of. Only that it names this key is checked.
    pub fn delegated(self, delegation: Delegation) -> Result<Self, NotItsDelegate> {
        match delegation.delegate() {
            own if own == self.delegate() => Ok(Signer { delegation: Some(delegation), ..self }),
            _ => Err(NotItsDelegate(self.delegate())),
        }
    }

    /// What lets this key sign; `None` for a channel's own.
    pub fn delegation(&self) -> Option<&Delegation> {
        self.delegation.as_ref()
    }

    /// The channel that this key owns, or signs for.
    pub fn channel(&self) -> ChannelId {
        match &self.delegation {
            Some(delegation) => delegation.channel(),
            None => ChannelId(self.delegate().0),
        }
    }

    /// The public half of this key, for a channel's owner to delegate to.
    pub fn delegate(&self) -> DelegateId {
        DelegateId(self.key.verifying_key().to_bytes())
    }

    /// Makes the broadcaster the same peer after a restart, so that its viewers know it again.
    pub fn peer_secret(&self) -> PeerSecret {
        let channel = self.delegation.as_ref().map(|delegation| delegation.channel().0);
        let digest = Sha256::new_with_prefix(b"swarmcast/1 peer\0")
            .chain_update(self.seed())
            .chain_update(channel.as_ref().map_or(&[][..], |channel| channel))
            .finalize();
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

/// A public key, unpacked once for many checks: the channel's own, or its delegate's.
#[derive(Debug, Clone)]
pub struct Verifier {
    channel: ChannelId,
    key: VerifyingKey,
    /// Unix seconds for which the key may sign.
    valid_s: RangeInclusive<u64>,
}

impl Verifier {
    /// Refuses 32 bytes that are no point of the curve, or a weak one.
    pub fn new(channel: ChannelId) -> Result<Self, BadSignature> {
        Ok(Verifier { channel, key: unpack(&channel.0)?, valid_s: 0..=u64::MAX })
    }

    /// Of a delegation that is proven.
    pub(crate) fn of_delegate(delegation: &Delegation) -> Result<Self, BadSignature> {
        let key = unpack(&delegation.delegate().0)?;
        let valid_s = delegation.not_before_s()..=delegation.expires_s();
        Ok(Verifier { channel: delegation.channel(), key, valid_s })
    }

    /// Whether the key may sign at this time, by a clock that may be wrong by [`CLOCK_ERROR_MAX_S`]. A channel's own
    /// always may.
    pub fn covers(&self, unix_s: u64) -> bool {
        self.valid_s.start().saturating_sub(CLOCK_ERROR_MAX_S) <= unix_s && !self.has_expired(unix_s)
    }

    /// Whether this time is after all at which the key may sign, by the same measure.
    pub fn has_expired(&self, unix_s: u64) -> bool {
        unix_s > self.valid_s.end().saturating_add(CLOCK_ERROR_MAX_S)
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

/// Checks the answer to a tracker's challenge (see [`Signer::announce`]): by the channel's own key, or by one that
/// `delegation` lets sign at the time `unix_s`.
pub fn announcement(
    channel: ChannelId,
    delegation: Option<&Delegation>,
    unix_s: u64,
    nonce: &str,
    signature: &str,
) -> Result<(), BadSignature> {
    let bytes = Base64UrlUnpadded::decode_vec(signature).map_err(|_| BadSignature)?;
    let signature = bytes.try_into().map_err(|_| BadSignature)?;
    let owner = Verifier::new(channel)?;
    let signing = delegation.map_or(Ok(owner.clone()), |delegation| delegation.verifier(&owner))?;
    if !signing.covers(unix_s) {
        return Err(BadSignature);
    }
    signing.verify(Domain::Announcement, &[nonce.as_bytes()], &signature)
}

/// Refuses what is no point of the curve, and a weak one.
fn unpack(key: &[u8; 32]) -> Result<VerifyingKey, BadSignature> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| BadSignature)?;
    if key.is_weak() { Err(BadSignature) } else { Ok(key) }
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
        let check = |channel, nonce, proof: &str| announcement(channel, None, 5, nonce, proof);
        assert_eq!(check(signer.channel(), "nonce", &proof), Ok(()));
        assert_eq!(check(signer.channel(), "other", &proof), Err(BadSignature));
        assert_eq!(check(Signer::from_seed(&[2; 32]).channel(), "nonce", &proof), Err(BadSignature));
        assert_eq!(check(signer.channel(), "nonce", "garbage"), Err(BadSignature));
    }

    #[test]
    fn a_delegate_announces_its_channel_while_it_may() {
        let (owner, server) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let delegation = Delegation::sign(&owner, server.delegate(), 10_000, 20_000).unwrap();
        let server = server.delegated(delegation.clone()).unwrap();
        let proof = server.announce("nonce");
        let check = |delegation, unix_s| announcement(owner.channel(), delegation, unix_s, "nonce", &proof);
        assert_eq!(server.channel(), owner.channel());
        assert_eq!(check(Some(&delegation), 15_000), Ok(()));
        assert_eq!(check(Some(&delegation), 20_001 + CLOCK_ERROR_MAX_S), Err(BadSignature));
        assert_eq!(check(None, 15_000), Err(BadSignature));
        assert!(Signer::from_seed(&[3; 32]).delegated(delegation).is_err(), "made for another key");
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
