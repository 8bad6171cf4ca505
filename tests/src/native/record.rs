//! What the processes of a native swarm write down: one JSON object each, on standard output, at their end.

use peer::transport::Lane;
use serde::{Deserialize, Serialize};
use swarm::Stats;

/// Written by `headless-viewer`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ViewerRecord {
    /// Its peer id.
    pub peer: String,
    /// From its start to the first picture, in milliseconds.
    pub first_frame_ms: Option<f64>,
    /// The same moment, in Unix microseconds.
    pub first_frame_us: Option<u64>,
    /// Inside of the window, ten times a second: how far the picture is behind this machine's clock less the epoch, in
    /// milliseconds.
    pub lag_ms: Vec<i64>,
    /// When the picture came to stand (Unix microseconds), and for how long (milliseconds).
    pub stalls: Vec<(u64, f64)>,
    /// Times that it left out media.
    pub jumps: u32,
    /// Chunks that came out of the engine and are not the broadcaster's.
    pub altered_chunks: u32,
    /// How much later than asked its timer rang, in milliseconds, at the 99th percentile.
    pub timer_late_p99_ms: f64,
    /// As the window began.
    pub at_start: Counters,
    /// As it ended.
    pub at_end: Counters,
    /// All that went over its links.
    pub traffic: Traffic,
}

/// Written by `synthetic-source`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Its peer id.
    pub peer: String,
    /// Unix time of the epoch, by the tracker's clock as the source knows it, in milliseconds.
    pub epoch_ms: u64,
    /// The same moment on this machine's clock, in Unix microseconds.
    pub began_us: u64,
    /// Lag that viewers are told to aim at, in milliseconds.
    pub target_lag_ms: u32,
    /// Every piece.
    pub pieces: Vec<Published>,
    /// As the window began.
    pub at_start: Counters,
    /// As it ended.
    pub at_end: Counters,
    /// All that went over its links.
    pub traffic: Traffic,
}

/// One piece at its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Running number.
    pub seq: u32,
    /// Media time of its chunk, in milliseconds since the epoch.
    pub time_ms: u32,
    /// Bytes of payload.
    pub payload_bytes: u32,
    /// When it was handed to the swarm, in Unix microseconds.
    pub at_us: u64,
}

/// A participant's counters at one moment.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Bytes of pieces received from viewers.
    pub from_viewers: u64,
    /// From the source.
    pub from_source: u64,
    /// From the relay.
    pub from_relay: u64,
    /// Of all these, pieces that were held already.
    pub duplicate_bytes: u64,
    /// Bytes of pieces sent.
    pub uploaded: u64,
    /// New pieces, proven.
    pub verified: u64,
    /// Pieces that were not the broadcaster's.
    pub rejected: u64,
    /// Pieces that had to be asked for.
    pub repaired: u64,
    /// Chunks left out.
    pub chunks_skipped: u64,
    /// Bytes of frames other than pieces that were sent to neighbors and relay.
    pub control_sent: u64,
    /// Links to other peers, the relay not counted.
    pub links: usize,
    /// CPU time of the process, in seconds.
    pub cpu_s: f64,
}

impl Counters {
    /// Of the engine's own counters; the recorder knows what control frames were sent.
    pub fn new(stats: &Stats, control_sent: u64, cpu_s: f64) -> Self {
        Counters {
            from_viewers: stats.bytes.viewers,
            from_source: stats.bytes.source,
            from_relay: stats.bytes.relay,
            duplicate_bytes: stats.bytes.duplicates,
            uploaded: stats.uploaded_bytes,
            verified: stats.pieces.verified,
            rejected: stats.pieces.rejected,
            repaired: stats.pieces.repaired,
            chunks_skipped: stats.chunks_skipped,
            control_sent,
            links: stats.links.iter().filter(|link| link.kind != swarm::Role::Relay).count(),
            cpu_s,
        }
    }

    /// Bytes of pieces received.
    pub fn received(&self) -> u64 {
        self.from_viewers + self.from_source + self.from_relay
    }
}

/// What went over the links of one participant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// The first arrival of each piece, whoever brought it: running number, Unix microseconds.
    pub arrivals: Vec<(u32, u64)>,
    /// By neighbor, in the order of their appearance.
    pub neighbors: Vec<NeighborTraffic>,
    /// Bytes of all frames that were no pieces, sent to anyone.
    pub control_sent: u64,
    /// Parents that the tracker was told to have failed.
    pub complaints: Vec<Complaint>,
}

/// A parent that the tracker was told to have failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// Who.
    pub about: String,
    /// Unix microseconds.
    pub at_us: u64,
    /// Why.
    pub cause: Cause,
}

/// Why a parent was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It refused to push.
    Refused,
    /// It had pushed lately, and fell silent.
    FellSilent,
    /// It had pushed nothing lately.
    NeverFed,
}

/// What went over the links to one neighbor.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NeighborTraffic {
    /// Its peer id.
    pub peer: String,
    /// Links to it, one after the other.
    pub links: Vec<LinkRecord>,
    /// Pieces handed to the transport.
    pub sent: Vec<PieceSent>,
    /// Pieces that found no room.
    pub dropped: u32,
    /// Pieces that came: number, way, Unix microseconds.
    pub received: Vec<(u32, Way, u64)>,
}

/// The making of one link. Times in Unix microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRecord {
    /// This side made the offer.
    pub offers: bool,
    /// When the engine said so, or the offer came.
    pub began_us: u64,
    /// When both lanes were open.
    pub opened_us: Option<u64>,
    /// When it was lost, other than by decision, or declined.
    pub closed_us: Option<u64>,
}

/// One piece handed to the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceSent {
    /// Running number.
    pub seq: u32,
    /// Which way.
    pub way: Way,
    /// Unix microseconds.
    pub at_us: u64,
    /// What the link held, this piece included, in bytes.
    pub unsent_bytes: usize,
}

/// Which way a piece went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Way {
    /// Pushed, on the eager lane.
    #[serde(rename = "e")]
    Eager,
    /// Asked for, on the control lane.
    #[serde(rename = "c")]
    Control,
    /// To or from the relay.
    #[serde(rename = "s")]
    Session,
}

impl From<Option<Lane>> for Way {
    fn from(lane: Option<Lane>) -> Self {
        match lane {
            Some(Lane::Eager) => Way::Eager,
            Some(Lane::Control) => Way::Control,
            None => Way::Session,
        }
    }
}
