//! Secrets that are shown once. Stream keys and invites are stored as their hash; a join secret as it is, as signatures are
//! checked with it.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::machine;

/// Bytes of a secret before it is written in hexadecimal: 160 bits cannot be guessed.
const SECRET_BYTES: usize = 20;

/// SHA-256 of a secret. No slow hash: secrets are random, and cannot be guessed word by word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub(super) [u8; 32]);

impl Hash {
    /// What a row is found by; the whole is compared in constant time.
    pub(super) fn start(&self) -> [u8; 8] {
        let mut start = [0; 8];
        start.copy_from_slice(&self.0[..8]);
        start
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hash")
    }
}

/// What a channel's owner and this server sign join tokens with. Its text is the key: what HS256 asks for (RFC 7518, section
/// 3.2), and what fits wherever a library wants a string.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct JoinSecret(pub(super) String);

impl JoinSecret {
    /// One that nobody can guess.
    pub fn fresh() -> Self {
        JoinSecret(HEXLOWER.encode(&machine::random::<32>()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for JoinSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JoinSecret")
    }
}

/// A fresh secret, as text that survives being typed.
pub fn fresh() -> String {
    HEXLOWER.encode(&machine::random::<SECRET_BYTES>())
}

/// What is stored of a secret.
pub fn hash(secret: &str) -> Hash {
    Hash(Sha256::digest(secret.as_bytes()).into())
}

/// What tells one file from another, in an address.
pub(super) fn tag(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes)[..8])
}
