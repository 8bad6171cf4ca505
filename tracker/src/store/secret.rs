//! Secrets that are shown once and stored as their hash: stream keys, invites.

use std::fmt;

use data_encoding::HEXLOWER;
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
