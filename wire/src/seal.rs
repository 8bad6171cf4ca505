//! Private channels: media that only those who hold its key can open. Sealed before it is cut and signed, so that
//! signatures, striping and repair need no key; tracker, relay and strangers pass on ciphertext.
//!
//! ChaCha20-Poly1305 (RFC 8439). Each generation has a key of its own, made of the channel's media key and a random
//! salt: no nonce meets the same key twice, whatever a tracker says about the time or a broadcaster forgets.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::{BufMut, Bytes};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use sha2::{Digest, Sha256};

use crate::ids::{IdError, key_as_text};
use crate::{ChannelId, StreamHeader};

/// Bytes of a generation's salt.
pub const SALT_LENGTH: usize = 16;

/// Bytes by which a sealed chunk is longer.
pub const TAG_LENGTH: usize = 16;

/// First byte of a nonce: what is sealed.
const DESCRIPTION: u8 = 0;
const CHUNK: u8 = 1;

/// Opens a private channel's media. Shared in the link, never shown to a tracker. Text form: 43 characters of base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaKey([u8; 32]);

/// Seals or opens what one generation sends.
#[derive(Clone)]
pub struct Seal {
    cipher: ChaCha20Poly1305,
}

/// Where a chunk belongs: sealed with it, so that none can stand in another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Number of the chunk in its broadcast.
    pub number: u32,
    /// Capture time of its first frame, in milliseconds since the epoch.
    pub time_ms: u32,
    /// Media time that it covers, in milliseconds.
    pub duration_ms: u16,
    /// It starts a segment.
    pub keyframe: bool,
}

impl MediaKey {
    /// From 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        MediaKey(bytes)
    }

    /// The bytes, to be stored where only their owner reads them.
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl Seal {
    fn new(key: &MediaKey, channel: ChannelId, header: &StreamHeader, salt: &[u8]) -> Seal {
        let digest = Sha256::new_with_prefix(b"swarmcast/1 media\0")
            .chain_update(key.0)
            .chain_update(channel.0)
            .chain_update(header.epoch.0.to_be_bytes())
            .chain_update(header.generation.to_be_bytes())
            .chain_update(salt)
            .finalize();
        Seal { cipher: ChaCha20Poly1305::new(&digest) }
    }

    /// A chunk as it travels: [`TAG_LENGTH`] bytes longer.
    pub fn chunk(&self, place: ChunkPlace, bytes: &[u8]) -> Bytes {
        let payload = Payload { msg: bytes, aad: &place.associated() };
        let sealed = self.cipher.encrypt(&nonce(CHUNK, place.number).into(), payload);
        // Refused is only what has more than 256 GB.
        sealed.unwrap_or_default().into()
    }

    /// The chunk, if it was sealed with this key for this place.
    pub fn open_chunk(&self, place: ChunkPlace, sealed: &[u8]) -> Option<Bytes> {
        let payload = Payload { msg: sealed, aad: &place.associated() };
        self.cipher.decrypt(&nonce(CHUNK, place.number).into(), payload).ok().map(Bytes::from)
    }
}

impl ChunkPlace {
    fn associated(self) -> [u8; 7] {
        let mut bytes = [u8::from(self.keyframe); 7];
        bytes[1..5].copy_from_slice(&self.time_ms.to_be_bytes());
        bytes[5..].copy_from_slice(&self.duration_ms.to_be_bytes());
        bytes
    }
}

impl StreamHeader {
    /// The header of a private channel in place of this plain one: type and init segment are sealed. `salt` is random,
    /// and another for each generation.
    pub fn sealed(self, key: &MediaKey, channel: ChannelId, salt: [u8; SALT_LENGTH]) -> (StreamHeader, Seal) {
        let seal = Seal::new(key, channel, &self, &salt);
        let mut plain = Vec::with_capacity(2 + self.mime.len() + self.init.len());
        plain.put_u16(self.mime.len() as u16);
        plain.put_slice(self.mime.as_bytes());
        plain.put_slice(&self.init);
        let sealed = seal.cipher.encrypt(&nonce(DESCRIPTION, 0).into(), &plain[..]).unwrap_or_default();
        let init = Bytes::from([&salt[..], &sealed].concat());
        (StreamHeader { private: true, mime: String::new(), init, ..self }, seal)
    }

    /// The plain header, and what opens its chunks; `None` if the key is not the one that it was sealed with.
    pub fn opened(&self, key: &MediaKey, channel: ChannelId) -> Option<(StreamHeader, Seal)> {
        let (salt, sealed) = self.init.split_at_checked(SALT_LENGTH)?;
        let seal = Seal::new(key, channel, self, salt);
        let plain = Bytes::from(seal.cipher.decrypt(&nonce(DESCRIPTION, 0).into(), sealed).ok()?);
        let (length, _) = plain.split_first_chunk::<2>()?;
        let init_at = 2 + usize::from(u16::from_be_bytes(*length));
        let mime = String::from_utf8(plain.get(2..init_at)?.to_vec()).ok()?;
        Some((StreamHeader { mime, init: plain.slice(init_at..), ..self.clone() }, seal))
    }
}

fn nonce(kind: u8, number: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[0] = kind;
    nonce[8..].copy_from_slice(&number.to_be_bytes());
    nonce
}

impl fmt::Debug for MediaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaKey")
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

key_as_text!(MediaKey, "media key");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Epoch;

    const CHANNEL: ChannelId = ChannelId([3; 32]);
    const PLACE: ChunkPlace = ChunkPlace { number: 7, time_ms: 700, duration_ms: 100, keyframe: true };

    fn key() -> MediaKey {
        MediaKey::new([9; 32])
    }

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
            mime: "video/mp4; codecs=\"avc1.64001f\"".into(),
            init: Bytes::from_static(b"ftypmoovavcC"),
        }
    }

    fn sealed() -> (StreamHeader, Seal) {
        header().sealed(&key(), CHANNEL, [1; SALT_LENGTH])
    }

    #[test]
    fn with_the_key_all_comes_back() {
        let (private, seal) = sealed();
        let (plain, opening) = private.opened(&key(), CHANNEL).unwrap();
        assert_eq!(StreamHeader { private: false, ..plain }, header());
        let chunk = seal.chunk(PLACE, b"moofmdat");
        assert_eq!(chunk.len(), 8 + TAG_LENGTH);
        assert_eq!(opening.open_chunk(PLACE, &chunk).as_deref(), Some(&b"moofmdat"[..]));
    }

    #[test]
    fn without_it_nothing_does() {
        let (private, seal) = sealed();
        assert!(private.mime.is_empty());
        assert!(!private.init.windows(4).any(|bytes| bytes == b"avcC" || bytes == b"avc1"));
        assert!(private.opened(&MediaKey::new([8; 32]), CHANNEL).is_none());
        assert!(private.opened(&key(), ChannelId([4; 32])).is_none());
        assert!(StreamHeader { generation: 2, ..private }.opened(&key(), CHANNEL).is_none());
        let chunk = seal.chunk(PLACE, b"moofmdat");
        let elsewhere = [
            ChunkPlace { number: 8, ..PLACE },
            ChunkPlace { time_ms: 701, ..PLACE },
            ChunkPlace { duration_ms: 101, ..PLACE },
            ChunkPlace { keyframe: false, ..PLACE },
        ];
        assert!(elsewhere.iter().all(|&place| seal.open_chunk(place, &chunk).is_none()));
    }

    #[test]
    fn another_salt_is_another_key() {
        let (_, one) = sealed();
        let (_, other) = header().sealed(&key(), CHANNEL, [2; SALT_LENGTH]);
        assert_ne!(one.chunk(PLACE, b"moofmdat"), other.chunk(PLACE, b"moofmdat"));
    }

    #[test]
    fn a_key_survives_its_text_and_is_not_shown_by_accident() {
        assert_eq!(key().to_string().parse(), Ok(key()));
        assert_eq!(format!("{:?}", key()), "MediaKey");
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_noticed(bytes: Vec<u8>, bit: prop::sample::Index) {
            let (_, seal) = sealed();
            let mut chunk = seal.chunk(PLACE, &bytes).to_vec();
            let bit = bit.index(chunk.len() * 8);
            chunk[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(seal.open_chunk(PLACE, &chunk), None);
        }

        #[test]
        fn any_bytes_are_opened_or_refused(bytes: Vec<u8>) {
            let private = StreamHeader { private: true, init: bytes.into(), ..header() };
            prop_assert!(private.opened(&key(), CHANNEL).is_none());
        }
    }
}
