//! Challenges for signed requests: good once, and for a minute. They carry their own time and seal, so that nothing is
//! kept of those that are never answered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::machine;

/// Time to answer in. 60 s: solving the work of a registration on a slow phone, and a slow network.
pub(crate) const GOOD_FOR: Duration = Duration::from_secs(60);

/// Answered challenges that are remembered until they expire. 65,536: a thousand signed requests a second.
const ANSWERED_MAX: usize = 65_536;

const TIME_BYTES: usize = 8;
const RANDOM_BYTES: usize = 16;
const SEAL_BYTES: usize = 16;

/// What has been answered, and the secret of this process.
pub(crate) struct Challenges {
    secret: [u8; 32],
    answered: Mutex<HashMap<[u8; RANDOM_BYTES], u64>>,
}

/// Why an answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotGood {
    /// Not of this process, too old, or answered before.
    Spent,
    /// No more can be remembered now.
    Full,
}

impl Challenges {
    pub(crate) fn new() -> Self {
        Challenges { secret: machine::random(), answered: Mutex::default() }
    }

    /// A fresh one, and the Unix time in milliseconds until which it is good.
    pub(crate) fn fresh(&self, now_ms: u64) -> (String, u64) {
        let expires_ms = now_ms + GOOD_FOR.as_millis() as u64;
        let mut bytes = expires_ms.to_be_bytes().to_vec();
        bytes.extend_from_slice(&machine::random::<RANDOM_BYTES>());
        let seal = self.seal(&bytes);
        bytes.extend_from_slice(&seal);
        (BASE64URL_NOPAD.encode(&bytes), expires_ms)
    }

    /// Takes an answer to `nonce`, once.
    pub(crate) fn spend(&self, nonce: &str, now_ms: u64) -> Result<(), NotGood> {
        let bytes = BASE64URL_NOPAD.decode(nonce.as_bytes()).map_err(|_| NotGood::Spent)?;
        let (said, seal) = bytes.split_at_checked(TIME_BYTES + RANDOM_BYTES).ok_or(NotGood::Spent)?;
        if seal.len() != SEAL_BYTES || !bool::from(self.seal(said).ct_eq(seal)) {
            return Err(NotGood::Spent);
        }
        let (mut time, mut random) = ([0; TIME_BYTES], [0; RANDOM_BYTES]);
        time.copy_from_slice(&said[..TIME_BYTES]);
        random.copy_from_slice(&said[TIME_BYTES..]);
        let expires_ms = u64::from_be_bytes(time);
        if expires_ms <= now_ms {
            return Err(NotGood::Spent);
        }
        self.remember(random, expires_ms, now_ms)
    }

    fn remember(&self, random: [u8; RANDOM_BYTES], expires_ms: u64, now_ms: u64) -> Result<(), NotGood> {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.contains_key(&random) {
            return Err(NotGood::Spent);
        }
        if answered.len() >= ANSWERED_MAX {
            answered.retain(|_, expires| *expires > now_ms);
        }
        if answered.len() >= ANSWERED_MAX {
            return Err(NotGood::Full);
        }
        answered.insert(random, expires_ms);
        Ok(())
    }

    /// A keyed hash over input of one length, which no extension fits.
    fn seal(&self, said: &[u8]) -> [u8; SEAL_BYTES] {
        let digest = Sha256::new_with_prefix(self.secret).chain_update(said).finalize();
        let mut seal = [0; SEAL_BYTES];
        seal.copy_from_slice(&digest[..SEAL_BYTES]);
        seal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_once_and_for_a_while() {
        let (challenges, other) = (Challenges::new(), Challenges::new());
        let (nonce, expires) = challenges.fresh(1_000);
        assert_eq!(other.spend(&nonce, 1_000), Err(NotGood::Spent));
        assert_eq!(challenges.spend(&nonce, expires), Err(NotGood::Spent));
        assert_eq!(challenges.spend(&nonce, expires - 1), Ok(()));
        assert_eq!(challenges.spend(&nonce, expires - 1), Err(NotGood::Spent));
        for garbage in ["", "é", "AAAA", &"A".repeat(54), &"A".repeat(5000)] {
            assert_eq!(challenges.spend(garbage, 0), Err(NotGood::Spent), "{garbage}");
        }
    }
}
