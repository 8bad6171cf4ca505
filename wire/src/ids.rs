//! Who and what: channels, broadcasts, peers, stripes.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::limits::STRIPES_MAX;

/// A text that names no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct IdError(pub(crate) &'static str);

/// A broadcaster's permanent identity: an Ed25519 public key (RFC 8032). Text form: 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub [u8; 32]);

/// A key that a channel's owner may let sign: an Ed25519 public key. Text form: 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DelegateId(pub [u8; 32]);

/// One participant of a swarm: the first 8 bytes of SHA-256 over its [`PeerSecret`]. Text form: 16 hex digits.
///
/// Whoever shows the secret *is* that peer, also to a tracker that was started a second ago and knows nobody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// What a peer shows to the tracker to be its [`PeerId`]; random, never shown to another peer. 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PeerSecret(pub [u8; 16]);

/// Number of a broadcast: Unix time of its start in milliseconds. Only grows within a channel, and is the zero of
/// the broadcast's media time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// A set of stripes, one bit each; bit 0 is stripe 0.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StripeSet(pub u16);

impl PeerId {
    /// The relay that a tracker embeds, as every session's peer number zero. Nobody has a secret that hashes to it.
    pub const RELAY: PeerId = PeerId(0);
}

impl PeerSecret {
    /// The id that this secret proves.
    pub fn peer(&self) -> PeerId {
        let digest = Sha256::digest(self.0);
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        // Zero is taken; a secret that meets it (one in 2^64) is simply another peer.
        PeerId(u64::from_be_bytes(id).max(1))
    }
}

impl StripeSet {
    /// No stripe.
    pub const EMPTY: StripeSet = StripeSet(0);

    /// Stripes 0 up to `stripes`.
    pub fn all(stripes: u8) -> Self {
        StripeSet(((1u32 << stripes.min(STRIPES_MAX)) - 1) as u16)
    }

    /// Just `stripe`; empty when it is out of range.
    pub fn only(stripe: u8) -> Self {
        if stripe < STRIPES_MAX { StripeSet(1 << stripe) } else { Self::EMPTY }
    }

    /// Whether `stripe` is in the set.
    pub fn contains(self, stripe: u8) -> bool {
        self.0 & Self::only(stripe).0 != 0
    }

    /// Whether the set has no stripe.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many stripes are in the set.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Both sets together.
    pub fn with(self, other: Self) -> Self {
        StripeSet(self.0 | other.0)
    }

    /// This set less `other`.
    pub fn without(self, other: Self) -> Self {
        StripeSet(self.0 & !other.0)
    }

    /// What is in both sets.
    pub fn intersection(self, other: Self) -> Self {
        StripeSet(self.0 & other.0)
    }

    /// The stripes in rising order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..STRIPES_MAX).filter(move |&stripe| self.contains(stripe))
    }
}

impl FromIterator<u8> for StripeSet {
    fn from_iter<I: IntoIterator<Item = u8>>(stripes: I) -> Self {
        stripes.into_iter().fold(Self::EMPTY, |set, stripe| set.with(Self::only(stripe)))
    }
}

impl fmt::Debug for StripeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

macro_rules! key_as_text {
    ($id:ident, $name:literal) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&Base64UrlUnpadded::encode_string(&self.0))
            }
        }

        impl FromStr for $id {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut id = [0; 32];
                match Base64UrlUnpadded::decode(text, &mut id) {
                    Ok(bytes) if bytes.len() == 32 => Ok($id(id)),
                    _ => Err(IdError($name)),
                }
            }
        }
    };
}
pub(crate) use key_as_text;

key_as_text!(ChannelId, "channel id");
key_as_text!(DelegateId, "signing key");

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for PeerId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let plain = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let id = plain.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        id.map(PeerId).ok_or(IdError("peer id"))
    }
}

impl fmt::Display for PeerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl FromStr for PeerSecret {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut secret = [0; 16];
        match base16ct::lower::decode(text, &mut secret) {
            Ok(bytes) if bytes.len() == 16 => Ok(PeerSecret(secret)),
            _ => Err(IdError("peer secret")),
        }
    }
}

impl fmt::Debug for PeerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerSecret(of {})", self.peer())
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Serde by way of the text form.
macro_rules! as_text {
    ($($id:ty),*) => {$(
        impl Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(ChannelId, DelegateId, PeerId, PeerSecret, crate::Delegation);

macro_rules! debug_as_display {
    ($($id:ident),*) => {$(
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
debug_as_display!(ChannelId, DelegateId, PeerId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_text_form() {
        let channel = ChannelId([7; 32]);
        assert_eq!(channel.to_string().len(), 43);
        assert_eq!(channel.to_string().parse(), Ok(channel));
        let peer = PeerSecret([9; 16]).peer();
        assert_eq!(peer.to_string().parse(), Ok(peer));
        assert_eq!("+000000000000001".parse::<PeerId>(), Err(IdError("peer id")));
    }

    #[test]
    fn the_relay_is_nobody_else() {
        for secret in 0..=255 {
            assert_ne!(PeerSecret([secret; 16]).peer(), PeerId::RELAY);
        }
    }

    #[test]
    fn stripe_sets_are_sets() {
        let six = StripeSet::all(6);
        assert_eq!(six.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(six.without(StripeSet::only(2)).len(), 5);
        assert_eq!(StripeSet::all(16).len(), 16);
        assert!(StripeSet::only(16).is_empty());
    }
}
