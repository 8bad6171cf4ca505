//! What travels: frames as they are, and the tracker's messages as values with the size of their text.

use bytes::Bytes;
use wire::session::{FromPeer, FromTracker};

use crate::sim::model::DESCRIPTION_BYTES;

/// Bytes of a peer id in JSON, quoted and separated.
const ID_BYTES: u32 = 19;
/// Bytes of a short message in JSON.
const SHORT_BYTES: u32 = 60;
/// Bytes of a report's or welcome's names and numbers in JSON.
const LONG_BYTES: u32 = 300;

/// One message.
#[derive(Debug)]
pub enum Payload {
    /// Of the peer protocol.
    Frame(Bytes),
    /// From a peer to the tracker.
    Said(Box<FromPeer>),
    /// From the tracker to a peer.
    Told(Box<FromTracker>),
    /// Of the baseline that pulls whole segments.
    Pull(Pull),
}

/// Messages of peers and servers that exchange whole segments.
#[derive(Debug, Clone, Copy)]
pub enum Pull {
    /// Which segments are there?
    List,
    /// So many.
    Listed(u32),
    /// I have this one.
    Have(u32),
    /// Send me this one.
    Ask(u32),
    /// I cannot.
    Refuse(u32),
    /// A part of it.
    Part {
        /// The segment.
        segment: u32,
        /// Its size.
        bytes: u32,
        /// Whether the segment ends with it.
        last: bool,
    },
}

impl Payload {
    /// Its size.
    pub fn bytes(&self) -> u32 {
        match self {
            Payload::Frame(frame) => frame.len() as u32,
            Payload::Said(message) => said_bytes(message),
            Payload::Told(message) => told_bytes(message),
            Payload::Pull(Pull::Part { bytes, .. }) => *bytes,
            // A request with its headers, a playlist.
            Payload::Pull(Pull::Listed(_)) => LONG_BYTES,
            Payload::Pull(_) => SHORT_BYTES,
        }
    }
}

fn ids(count: usize) -> u32 {
    count as u32 * ID_BYTES
}

fn said_bytes(message: &FromPeer) -> u32 {
    match message {
        FromPeer::Join(join) => LONG_BYTES + ids(join.links.len() + join.feeds.len()),
        FromPeer::Report(report) => LONG_BYTES + ids(report.links.len() + report.feeds.len()),
        FromPeer::Signal { .. } => DESCRIPTION_BYTES,
        _ => SHORT_BYTES,
    }
}

fn told_bytes(message: &FromTracker) -> u32 {
    match message {
        FromTracker::Welcome(_) => LONG_BYTES,
        FromTracker::Signal { .. } => DESCRIPTION_BYTES,
        FromTracker::Link { peers } => SHORT_BYTES + ids(peers.len()),
        FromTracker::Parents { stripes } => {
            SHORT_BYTES + stripes.iter().map(|stripe| 26 + ids(1 + stripe.backups.len())).sum::<u32>()
        }
        _ => SHORT_BYTES,
    }
}

/// Running number of the piece in a frame, if it is one (docs/protocol.md, section 5).
pub fn piece_seq(frame: &[u8]) -> Option<u32> {
    const PIECE: u8 = 0x01;
    const SEQ_AT: usize = 12;
    if frame.first() != Some(&PIECE) {
        return None;
    }
    Some(u32::from_be_bytes(frame.get(SEQ_AT..SEQ_AT + 4)?.try_into().ok()?))
}
