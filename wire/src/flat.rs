//! How the messages that viewers receive are read: every field of every kind side by side, then the kind picked.
//!
//! Serde's own way with tagged enums keeps the whole message as a tree first; its code is a sixth of what every
//! viewer downloads.

use serde::Deserialize;

use crate::session::{self, FromTracker, Parents, Refusal, SharingRule, Welcome};
use crate::{ChannelId, Epoch, PeerId};

#[derive(Deserialize)]
pub(crate) struct Message {
    r#type: String,
    nonce: Option<String>,
    time_ms: Option<u64>,
    peer: Option<PeerId>,
    channel: Option<ChannelId>,
    name: Option<String>,
    epoch: Option<Epoch>,
    source: Option<PeerId>,
    stun_port: Option<u16>,
    sharing: Option<SharingRule>,
    pass: Option<String>,
    viewers: Option<u32>,
    peers: Option<Vec<PeerId>>,
    stripes: Option<Vec<Parents>>,
    from: Option<PeerId>,
    signal: Option<session::Signal>,
    ended: Option<bool>,
    count: Option<u32>,
    code: Option<Refusal>,
    message: Option<String>,
}

/// A message or signal of an unknown kind, or without a field that its kind has.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is unknown, or lacks a field")]
pub(crate) struct Incomplete(String);

impl TryFrom<Message> for FromTracker {
    type Error = Incomplete;
    fn try_from(mut message: Message) -> Result<Self, Incomplete> {
        let kind = std::mem::take(&mut message.r#type);
        message.pick(&kind).ok_or(Incomplete(kind))
    }
}

impl Message {
    fn pick(self, kind: &str) -> Option<FromTracker> {
        Some(match kind {
            "hello" => FromTracker::Hello { nonce: self.nonce?, time_ms: self.time_ms? },
            "welcome" => FromTracker::Welcome(Welcome {
                peer: self.peer?,
                channel: self.channel?,
                name: self.name?,
                time_ms: self.time_ms?,
                epoch: self.epoch,
                source: self.source,
                stun_port: self.stun_port,
                turn: None,
                sharing: self.sharing,
                pass: self.pass,
                viewers: self.viewers?,
            }),
            "link" => FromTracker::Link { peers: self.peers? },
            "parents" => FromTracker::Parents { stripes: self.stripes? },
            "signal" => FromTracker::Signal { from: self.from?, signal: self.signal? },
            "time" => FromTracker::Time { time_ms: self.time_ms? },
            "gone" => FromTracker::Gone { peer: self.peer? },
            "live" => FromTracker::Live { epoch: self.epoch?, source: self.source },
            "offline" => FromTracker::Offline { ended: self.ended? },
            "viewers" => FromTracker::Viewers { count: self.count? },
            "refused" => FromTracker::Refused { code: self.code?, message: self.message? },
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct Signal {
    kind: String,
    sdp: Option<String>,
    candidate: Option<String>,
}

impl TryFrom<Signal> for session::Signal {
    type Error = Incomplete;
    fn try_from(signal: Signal) -> Result<Self, Incomplete> {
        let Signal { kind, sdp, candidate } = signal;
        let picked = match kind.as_str() {
            "offer" => sdp.map(|sdp| session::Signal::Offer { sdp }),
            "answer" => sdp.map(|sdp| session::Signal::Answer { sdp }),
            "candidate" => candidate.map(|candidate| session::Signal::Candidate { candidate }),
            "declined" => Some(session::Signal::Declined),
            _ => None,
        };
        picked.ok_or(Incomplete(kind))
    }
}
