//! Whose signature counts: the channel's own key always, a delegate's for as long as its delegation lasts. Which of the
//! two signs is said, and proven, by the stream header of a piece's generation. And what a private channel's key opens.

use bytes::Bytes;
use wire::session::FromPeer;
use wire::{ChunkPlace, Frame, PeerId, Piece, Seal, StreamHeader, StripeSet, Verifier};

use crate::engine::Swarm;
use crate::feeds::Feeds;
use crate::{Chunk, Role, Timestamp};

/// A stream header that is proven.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    pub(crate) header: StreamHeader,
    /// Opens the chunks of a private channel.
    pub(crate) seal: Option<Seal>,
    /// The header as signed.
    pub(crate) frame: Bytes,
    /// What its pieces must verify under.
    pub(crate) signing: Verifier,
}

/// What a signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Of the channel's key, or of a delegate that may sign now.
    Proven,
    /// Of a delegate, outside of its time. Whoever passed it on may have another clock.
    Lapsed,
    /// Not of the channel's key, and who else may sign its generation is not known yet.
    Unknown,
    /// Of nobody who may sign.
    Forged,
}

impl Generation {
    /// A private broadcast whose key this viewer does not have.
    pub(crate) fn is_closed_to(&self, role: Role) -> bool {
        role == Role::Viewer && self.header.private && self.seal.is_none()
    }

    /// The chunk as it was before it was sealed; `None` if it was not sealed with this generation's key.
    pub(crate) fn open(&self, chunk: Chunk) -> Option<Chunk> {
        let Some(seal) = &self.seal else { return Some(chunk) };
        let Chunk { number, time_ms, duration_ms, keyframe, .. } = chunk;
        let place = ChunkPlace { number, time_ms, duration_ms, keyframe };
        seal.open_chunk(place, &chunk.bytes).map(|bytes| Chunk { bytes, ..chunk })
    }
}

impl Swarm {
    /// Unix time by this machine's own clock, where it has one: a tracker could stretch a delegation by another.
    fn unix_s(&self, now: Timestamp) -> Option<u64> {
        let own_ms = self.own_clock_ms.map(|offset_ms| offset_ms + now.as_millis() as i64);
        let unix_ms = own_ms.or_else(|| self.clock.tracker_ms(now))?;
        u64::try_from(unix_ms / 1_000).ok()
    }

    /// What the machine's own clock says.
    pub(crate) fn set_own_clock(&mut self, now: Timestamp, unix_ms: u64) {
        self.own_clock_ms = Some(unix_ms as i64 - now.as_millis() as i64);
    }

    /// Every piece that is not held already passes here: no other way leads into the store.
    pub(crate) fn prove(&self, now: Timestamp, channel: &Verifier, piece: &Piece) -> Proof {
        let header = &piece.header;
        let generation = self.headers.get(&header.generation);
        let signing = generation.map_or(channel, |generation| &generation.signing);
        let proven = self.config.proven.is_some_and(|proven| proven(piece.frame()));
        if !proven && piece.verify(signing).is_err() {
            return if generation.is_some() { Proof::Forged } else { Proof::Unknown };
        }
        let signed_s = header.epoch.0.saturating_add(header.time_ms.into()) / 1_000;
        if signing.covers(signed_s) && self.is_in_time(now, signing) { Proof::Proven } else { Proof::Lapsed }
    }

    /// Checks a stream header. Says as well what its pieces must verify under.
    pub(crate) fn prove_header(
        &self,
        now: Timestamp,
        channel: &Verifier,
        header: StreamHeader,
        frame: Bytes,
    ) -> Result<Generation, Proof> {
        let signing = StreamHeader::verifier(&frame, channel).map_err(|_| Proof::Forged)?;
        // A broadcast may begin under an earlier delegation, never after this one: who once had a delegation could
        // otherwise take all viewers into an epoch of its own.
        if signing.has_expired(header.epoch.0 / 1_000) || !self.is_in_time(now, &signing) {
            return Err(Proof::Lapsed);
        }
        let key = self.config.media_key.as_ref().filter(|_| header.private);
        match key.and_then(|key| header.opened(key, channel.channel())) {
            Some((header, seal)) => Ok(Generation { header, seal: Some(seal), frame, signing }),
            None => Ok(Generation { header, seal: None, frame, signing }),
        }
    }

    /// A viewer that cannot open the broadcast asks for none of it: it would only be in the way. It waits for another
    /// broadcast, on the session alone.
    pub(crate) fn lock(&mut self, now: Timestamp) {
        self.locked = true;
        self.feeds = Feeds::new();
        if self.sharing {
            self.tell(FromPeer::Sharing { on: false });
        }
        self.close_links(now);
        if let Some(relay) = self.neighbors.get_mut(&PeerId::RELAY) {
            relay.feeds = StripeSet::EMPTY;
            self.send(PeerId::RELAY, &Frame::Unsubscribe { stripes: StripeSet(u16::MAX) });
        }
    }

    /// Another broadcast may be another matter.
    pub(crate) fn unlock(&mut self) {
        if std::mem::take(&mut self.locked) && self.sharing {
            self.tell(FromPeer::Sharing { on: true });
        }
    }

    fn is_in_time(&self, now: Timestamp, signing: &Verifier) -> bool {
        self.unix_s(now).is_none_or(|unix_s| signing.covers(unix_s))
    }

    /// All that comes is signed by a delegate whose time is over, or has not begun.
    pub(crate) fn has_lapsed(&self, now: Timestamp) -> bool {
        let newest = self.headers.last_key_value();
        self.lapsed || newest.is_some_and(|(_, newest)| !self.is_in_time(now, &newest.signing))
    }
}
