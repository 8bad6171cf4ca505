//! What a participant can say of itself: counters that only grow, and the links as they are.

use serde::Serialize;
use wire::{PeerId, StripeSet};

/// A participant's counters and links. Bytes are of whole frames that carry pieces.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    /// Received, by where it came from.
    pub bytes: ByteCounts,
    /// Sent in pieces, to everyone.
    pub uploaded_bytes: u64,
    /// Of those, to the relay.
    pub uploaded_to_relay_bytes: u64,
    /// Pieces by their fate.
    pub pieces: PieceCounts,
    /// Open links, the relay included.
    pub links: Vec<LinkStats>,
    /// Frames other than pieces, in bytes, both ways.
    pub control_bytes: u64,
    /// Chunks handed to the player.
    pub chunks: u64,
    /// Chunks skipped because they could not be had in time.
    pub chunks_skipped: u64,
    /// Viewers of the channel, as the tracker says.
    pub viewers: u32,
}

/// Received bytes by origin.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct ByteCounts {
    /// From other viewers.
    pub viewers: u64,
    /// From the broadcaster.
    pub source: u64,
    /// From the relay.
    pub relay: u64,
    /// Of all these, pieces that were held already.
    pub duplicates: u64,
}

/// Received pieces by fate.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct PieceCounts {
    /// All that came.
    pub received: u64,
    /// New, and proven the broadcaster's.
    pub verified: u64,
    /// Not the broadcaster's.
    pub rejected: u64,
    /// The same as one held already, or too old to be of use.
    pub duplicates: u64,
    /// Asked for because they were late.
    pub repaired: u64,
}

/// One link.
#[derive(Debug, Clone, Serialize)]
pub struct LinkStats {
    /// With whom.
    pub peer: PeerId,
    /// `viewer`, `source` or `relay`.
    pub kind: crate::Role,
    /// Stripes that come over it.
    pub stripes_in: Vec<u8>,
    /// Stripes that go over it.
    pub stripes_out: Vec<u8>,
    /// Smoothed round-trip time in milliseconds, once measured.
    pub rtt_ms: Option<u32>,
    /// Bytes of pieces received over it.
    pub received_bytes: u64,
    /// Bytes of pieces sent over it.
    pub sent_bytes: u64,
}

pub(crate) fn list(stripes: StripeSet) -> Vec<u8> {
    stripes.iter().collect()
}
