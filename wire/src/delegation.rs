//! A delegation: the channel's key lets another key sign the broadcast for a while, so that a server that takes in an
//! encoder never holds the key that owns the channel. Whoever knows the channel's id checks it alone.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::{Buf, BufMut};

use crate::limits::DELEGATION_MAX_S;
use crate::signature::{BadSignature, Domain, SIGNATURE_LENGTH, Signer, Verifier};
use crate::{ChannelId, DelegateId};

/// Bytes of a delegation: channel, delegate, two times, signature.
pub const DELEGATION_LENGTH: usize = SIGNED_LENGTH + SIGNATURE_LENGTH;

const SIGNED_LENGTH: usize = 32 + 32 + 8 + 8;

/// What the owner of a channel has signed: `delegate` may sign from `not_before_s` to `expires_s`, both in Unix
/// seconds. Text form: 192 characters of base64url.
///
/// [`verifier`](Delegation::verifier) proves it; before that it is only bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Delegation {
    bytes: [u8; DELEGATION_LENGTH],
}

/// Why a delegation cannot be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DelegationError {
    /// Its times are in the wrong order, or further apart than allowed.
    #[error("a delegation begins before it ends, and lasts for {} days at most", DELEGATION_MAX_S / 86_400)]
    Validity,
    /// The text is none.
    #[error("not a delegation: its text is 192 characters of base64url")]
    Malformed,
    /// A delegate cannot delegate.
    #[error("only the channel's own key can delegate")]
    NotOwner,
}

impl Delegation {
    /// Lets `delegate` sign for the channel that `owner` owns. Times are in Unix seconds, at most
    /// [`DELEGATION_MAX_S`] apart.
    pub fn sign(
        owner: &Signer,
        delegate: DelegateId,
        not_before_s: u64,
        expires_s: u64,
    ) -> Result<Delegation, DelegationError> {
        if owner.delegation().is_some() {
            return Err(DelegationError::NotOwner);
        }
        let mut bytes = [0; DELEGATION_LENGTH];
        let mut to = &mut bytes[..];
        to.put_slice(&owner.channel().0);
        to.put_slice(&delegate.0);
        to.put_u64(not_before_s);
        to.put_u64(expires_s);
        let signature = owner.sign(Domain::Delegation, &[&bytes[32..SIGNED_LENGTH]]);
        bytes[SIGNED_LENGTH..].copy_from_slice(&signature);
        let delegation = Delegation { bytes };
        if delegation.is_bounded() { Ok(delegation) } else { Err(DelegationError::Validity) }
    }

    /// Checks the owner's signature and the bounds, and returns what checks the delegate's. That the time is right is
    /// asked of the [`Verifier`].
    pub fn verifier(&self, channel: &Verifier) -> Result<Verifier, BadSignature> {
        let mut signature = [0; SIGNATURE_LENGTH];
        signature.copy_from_slice(&self.bytes[SIGNED_LENGTH..]);
        if self.channel() != channel.channel() || !self.is_bounded() {
            return Err(BadSignature);
        }
        channel.verify(Domain::Delegation, &[&self.bytes[32..SIGNED_LENGTH]], &signature)?;
        Verifier::of_delegate(self)
    }

    /// Whose broadcast it is about.
    pub fn channel(&self) -> ChannelId {
        ChannelId(self.key_at(0))
    }

    /// The key that may sign.
    pub fn delegate(&self) -> DelegateId {
        DelegateId(self.key_at(32))
    }

    /// Unix seconds from which on it holds.
    pub fn not_before_s(&self) -> u64 {
        (&self.bytes[64..]).get_u64()
    }

    /// The last Unix second for which it holds.
    pub fn expires_s(&self) -> u64 {
        (&self.bytes[72..]).get_u64()
    }

    /// As it travels: [`DELEGATION_LENGTH`] bytes.
    pub fn as_bytes(&self) -> &[u8; DELEGATION_LENGTH] {
        &self.bytes
    }

    /// Reads what [`as_bytes`](Self::as_bytes) wrote. Nothing is checked yet.
    pub fn from_bytes(bytes: [u8; DELEGATION_LENGTH]) -> Delegation {
        Delegation { bytes }
    }

    fn key_at(&self, at: usize) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(&self.bytes[at..at + 32]);
        key
    }

    fn is_bounded(&self) -> bool {
        let lasts_s = self.expires_s().checked_sub(self.not_before_s());
        lasts_s.is_some_and(|lasts_s| lasts_s > 0 && lasts_s <= DELEGATION_MAX_S)
    }
}

impl fmt::Display for Delegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Base64UrlUnpadded::encode_string(&self.bytes))
    }
}

impl fmt::Debug for Delegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from_s, until_s) = (self.not_before_s(), self.expires_s());
        write!(f, "Delegation(to {}, {from_s} to {until_s})", self.delegate())
    }
}

impl FromStr for Delegation {
    type Err = DelegationError;
    fn from_str(text: &str) -> Result<Self, DelegationError> {
        let mut bytes = [0; DELEGATION_LENGTH];
        match Base64UrlUnpadded::decode(text, &mut bytes) {
            Ok(read) if read.len() == DELEGATION_LENGTH => Ok(Delegation { bytes }),
            _ => Err(DelegationError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::CLOCK_ERROR_MAX_S;

    fn owner() -> Signer {
        Signer::from_seed(&[1; 32])
    }

    fn delegation(from_s: u64, until_s: u64) -> Result<Delegation, DelegationError> {
        Delegation::sign(&owner(), Signer::from_seed(&[2; 32]).delegate(), from_s, until_s)
    }

    fn channel() -> Verifier {
        Verifier::new(owner().channel()).unwrap()
    }

    #[test]
    fn a_delegation_survives_its_text_and_verifies_for_its_channel_alone() {
        let made = delegation(10_000, 20_000).unwrap();
        assert_eq!(made.to_string().len(), 192);
        let read: Delegation = made.to_string().parse().unwrap();
        assert_eq!((read.not_before_s(), read.expires_s()), (10_000, 20_000));
        let verifier = read.verifier(&channel()).unwrap();
        assert_eq!(verifier.channel(), owner().channel());
        let (first_s, last_s) = (10_000 - CLOCK_ERROR_MAX_S, 20_000 + CLOCK_ERROR_MAX_S);
        assert!(verifier.covers(first_s) && verifier.covers(last_s));
        assert!(!verifier.covers(first_s - 1) && !verifier.covers(last_s + 1));
        let other = Verifier::new(Signer::from_seed(&[3; 32]).channel()).unwrap();
        assert!(read.verifier(&other).is_err());
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let made = delegation(0x0102, 0x0304).unwrap();
        let bytes = made.as_bytes();
        assert_eq!(bytes[..32], owner().channel().0);
        assert_eq!(bytes[32..64], Signer::from_seed(&[2; 32]).delegate().0);
        assert_eq!(bytes[64..80], [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 3, 4]);
    }

    #[test]
    fn validity_is_bounded() {
        assert!(delegation(5, 5 + DELEGATION_MAX_S).is_ok());
        for (from_s, until_s) in [(5, 5), (5, 4), (5, 6 + DELEGATION_MAX_S), (0, u64::MAX)] {
            assert_eq!(delegation(from_s, until_s), Err(DelegationError::Validity), "{from_s} {until_s}");
        }
    }

    #[test]
    fn a_delegate_cannot_delegate() {
        let delegate = Signer::from_seed(&[2; 32]).delegated(delegation(1, 2).unwrap()).unwrap();
        let further = Delegation::sign(&delegate, Signer::from_seed(&[4; 32]).delegate(), 1, 2);
        assert_eq!(further, Err(DelegationError::NotOwner));
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_noticed(bit in 0usize..DELEGATION_LENGTH * 8) {
            let mut bytes = *delegation(1_000, 2_000).unwrap().as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Delegation::from_bytes(bytes).verifier(&channel()).is_err());
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = text.parse::<Delegation>();
        }
    }
}
