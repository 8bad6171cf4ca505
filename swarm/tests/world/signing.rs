//! Who signs what is broadcast, and whether it is sealed.

use bytes::Bytes;
use swarm::{Config, Identity, Input, Role, Swarm};
use wire::limits::CLOCK_ERROR_MAX_S;
use wire::{ChunkPlace, Delegation, MediaKey, PeerId, SALT_LENGTH, Signer, StreamHeader};

use super::{CHUNK_MS, CHUNKS_PER_SEGMENT, PIECES_PER_CHUNK, STRIPES, World, secret};

impl World {
    /// A world whose channel is private.
    pub fn private(seed: u64, key: &MediaKey) -> World {
        let mut world = World::seeded(seed);
        world.kill_source();
        world.media_key = Some(key.clone());
        world.restart_source();
        world
    }

    /// The next broadcast is for everybody.
    pub fn open_up(&mut self) {
        self.kill_source();
        (self.media_key, self.seal) = (None, None);
        self.restart_source();
    }

    /// Adds a viewer that has a private channel's key, or another one.
    pub fn viewer_with(&mut self, media_key: Option<MediaKey>) -> PeerId {
        let secret = secret(self.peers.len() as u8 + 1);
        let (channel, expected) = ("demo".into(), Some(self.signer.channel()));
        let identity = Identity { role: Role::Viewer, secret, channel, expected };
        self.add(secret.peer(), Swarm::new(Config { media_key, ..Config::default() }, identity, 1));
        self.run_for(200);
        secret.peer()
    }

    /// A server signs from the next keyframe on, and may do so for `lasts_s` from now (as clocks that may be wrong see it).
    pub fn delegate(&mut self, lasts_s: u64) {
        let (owner, server) = (Signer::from_seed(&[7; 32]), Signer::from_seed(&[8; 32]));
        let expires_s = self.unix_ms() / 1_000 + lasts_s - CLOCK_ERROR_MAX_S;
        let delegation = Delegation::sign(&owner, server.delegate(), expires_s - 86_400, expires_s).unwrap();
        self.next_signer = Some(server.delegated(delegation).unwrap());
    }

    /// One chunk's content, as it travels.
    pub(super) fn content(&self) -> Vec<u8> {
        let place = ChunkPlace {
            number: self.chunk,
            time_ms: (self.unix_ms() - self.epoch.0) as u32,
            duration_ms: CHUNK_MS as u16,
            keyframe: self.chunk.is_multiple_of(CHUNKS_PER_SEGMENT),
        };
        let plain = vec![0x5a; 600 * usize::from(PIECES_PER_CHUNK)];
        match &self.seal {
            Some(seal) => seal.chunk(place, &plain).to_vec(),
            None => plain,
        }
    }

    pub fn announce_stream(&mut self, generation: u16) {
        let header = StreamHeader {
            epoch: self.epoch,
            generation,
            stripes: STRIPES,
            target_lag_ms: 1_500,
            bitrate_bps: 3_000_000,
            first_chunk: self.chunk,
            first_seq: self.seq,
            private: false,
            mime: "video/mp4".into(),
            init: Bytes::from_static(b"init"),
        };
        let header = match &self.media_key {
            Some(key) => {
                let (sealed, seal) = header.sealed(key, self.signer.channel(), [3; SALT_LENGTH]);
                self.seal = Some(seal);
                sealed
            }
            None => header,
        };
        let frame = header.sign(&self.signer);
        self.tell_peer(self.source, Input::PublishStream(header, frame));
    }
}
