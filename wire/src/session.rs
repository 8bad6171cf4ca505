//! The tracker protocol: JSON text messages on a peer's WebSocket session at `/session`.
//!
//! Readable in any devtools. Binary messages on the same socket are [`Frame`](crate::Frame)s to and from the relay.

mod text;

use serde::{Deserialize, Serialize};

use crate::{ChannelId, Delegation, Epoch, PeerId, PeerSecret, StripeSet};
pub use text::{SessionError, is_name};

/// From a peer to the tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromPeer {
    /// First message of a viewer. Answered by [`FromTracker::Welcome`] or [`FromTracker::Refused`].
    Join(Join),
    /// First message of a broadcaster, in answer to [`FromTracker::Hello`].
    Announce(Announce),
    /// To be passed on to another peer of the swarm.
    Signal {
        /// Who shall get it.
        to: PeerId,
        /// What.
        signal: Signal,
    },
    /// What this peer measures; sent every few seconds and after each change of its links.
    Report(Report),
    /// The parent of a stripe has failed, or never came.
    Orphaned {
        /// Without a working parent.
        stripes: StripeSet,
        /// Whom not to assign again.
        failed: PeerId,
        /// What it did.
        fault: Fault,
    },
    /// The viewer has switched sharing on or off.
    Sharing {
        /// Off: it is matched with nobody, and fed by the relay.
        on: bool,
    },
    /// What time is it? Answered by [`FromTracker::Time`].
    Clock,
    /// The broadcaster's programme has ended; the session stays.
    Ended,
}

/// Why a peer is of no use to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No link could be made, or the other side declined it.
    Unlinked,
    /// It has no upload to spare.
    Refused,
    /// An open link was lost.
    Lost,
    /// It has pieces and does not send them, or says nothing at all.
    Silent,
    /// It sent what the broadcaster has not signed, or broke the protocol.
    Lied,
}

/// What a viewer brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// [`VERSION`](crate::VERSION).
    pub version: u8,
    /// The channel's name in the directory, or its id.
    pub channel: String,
    /// Proves the peer id.
    pub secret: PeerSecret,
    /// May links be made? No where sharing is off or WebRTC is missing.
    pub sharing: bool,
    /// Its viewer has said so: without that nobody shares where the channel's owner has viewers asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub consent: bool,
    /// What lets it in where the channel's owner asks for a token: that, or the pass of an earlier [`Welcome`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Links that exist already: a tracker that was restarted learns the swarm from them.
    #[serde(default)]
    pub links: Vec<PeerId>,
    /// Who feeds each stripe already, in the order of stripes.
    #[serde(default)]
    pub feeds: Vec<Option<PeerId>>,
}

/// What a broadcaster brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// [`VERSION`](crate::VERSION).
    pub version: u8,
    /// The channel whose key it holds.
    pub channel: ChannelId,
    /// The channel's name in the directory.
    pub name: String,
    /// The peer that seeds.
    pub secret: PeerSecret,
    /// [`Signer::announce`](crate::Signer::announce) over the nonce of the hello.
    pub proof: String,
    /// What lets the key that made the proof sign for the channel; `None`: it is the channel's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Delegation>,
    /// The broadcast that is under way, if one is.
    pub epoch: Option<Epoch>,
}

/// What a peer measures.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// What the uplink can carry, in bits a second: acknowledged upload over the share of time for which it was busy.
    /// `None` before there is a measurement.
    pub capacity_bps: Option<u32>,
    /// Share of time for which the uplink was busy, in percent: 100 is full. `None` while nothing is pushed.
    #[serde(default)]
    pub uplink_busy: Option<u8>,
    /// Upload that the viewer has chosen not to exceed, in bits a second; `None`: the usual cap.
    #[serde(default)]
    pub upload_cap_bps: Option<u32>,
    /// Open links.
    pub links: Vec<PeerId>,
    /// Who feeds each stripe, in the order of stripes.
    pub feeds: Vec<Option<PeerId>>,
    /// Payload bytes received since the join, from other viewers.
    pub from_viewers: u64,
    /// The same, from the broadcaster.
    pub from_source: u64,
    /// The same, from the relay.
    pub from_relay: u64,
}

/// From the tracker to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", try_from = "crate::flat::Message")]
pub enum FromTracker {
    /// First message on every session. A viewer need not wait for it.
    Hello {
        /// For the broadcaster to sign.
        nonce: String,
        /// The tracker's Unix time in milliseconds.
        time_ms: u64,
    },
    /// Answer to a join or an announcement.
    Welcome(Welcome),
    /// Make links to these peers: the receiver offers.
    Link {
        /// Whom to offer to.
        peers: Vec<PeerId>,
    },
    /// Who shall feed the receiver. Replaces all earlier ones.
    Parents {
        /// In the order of stripes.
        stripes: Vec<Parents>,
    },
    /// From another peer of the swarm.
    Signal {
        /// Who sent it.
        from: PeerId,
        /// What.
        signal: Signal,
    },
    /// The time, at once.
    Time {
        /// The tracker's Unix time in milliseconds.
        time_ms: u64,
    },
    /// A peer has left the swarm.
    Gone {
        /// Who.
        peer: PeerId,
    },
    /// A broadcast has started.
    Live {
        /// Its number.
        epoch: Epoch,
        /// The broadcaster's peer, where it is connected.
        source: Option<PeerId>,
    },
    /// The broadcast has ended, or the broadcaster is out of reach.
    Offline {
        /// `true` if the broadcaster said so; `false` if it just vanished and may come back.
        ended: bool,
    },
    /// How many watch, told to everyone now and then.
    Viewers {
        /// Viewers of the channel.
        count: u32,
    },
    /// The request cannot be met; the session ends.
    Refused {
        /// What is wrong, for programs.
        code: Refusal,
        /// What is wrong and what to do, for people.
        message: String,
    },
}

/// A peer's place in the swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The peer's own id.
    pub peer: PeerId,
    /// The channel's id: the key that all pieces must verify under.
    pub channel: ChannelId,
    /// The channel's name in the directory.
    pub name: String,
    /// The tracker's Unix time in milliseconds when it wrote this.
    pub time_ms: u64,
    /// The broadcast that is under way, if one is.
    pub epoch: Option<Epoch>,
    /// The broadcaster's peer, where it is connected.
    pub source: Option<PeerId>,
    /// UDP port of the tracker's STUN server, on the host that served the page; `None` without one.
    pub stun_port: Option<u16>,
    /// Who relays links that cannot be made directly (TURN, RFC 8656); `None`: nobody. A browser hands it over to its
    /// RTCPeerConnection as it is: [`FromTracker::parse`] passes over it, which saves every viewer a kilobyte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// What the channel's owner says of sharing; `None`: viewers share unless they say no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<SharingRule>,
    /// What lets this peer in again, in place of a token; `None`: nothing is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<String>,
    /// Viewers of the channel.
    pub viewers: u32,
}

/// Where viewers do not share by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharingRule {
    /// Only those who have said yes.
    Ask,
    /// Nobody.
    Off,
}

/// A TURN server, and credentials for it that are this peer's own and expire: an RTCIceServer (W3C WebRTC §4.2.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `turn:HOST:PORT` (RFC 7065).
    pub urls: String,
    /// Unix time of its expiry in seconds, a colon, and the peer's id.
    pub username: String,
    /// The password.
    pub credential: String,
}

/// Who feeds one stripe.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Parents {
    /// Who pushes it; `None`: the relay.
    pub parent: Option<PeerId>,
    /// Whom to turn to when the parent fails, best first.
    pub backups: Vec<PeerId>,
}

/// Part of the making of a link (WebRTC offer and answer, RFC 8829; trickled candidates, RFC 8838).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "crate::flat::Signal")]
pub enum Signal {
    /// Session description of the peer that starts.
    Offer {
        /// SDP text.
        sdp: String,
    },
    /// Session description of the peer that answers.
    Answer {
        /// SDP text.
        sdp: String,
    },
    /// One more ICE candidate.
    Candidate {
        /// The `candidate:` line.
        candidate: String,
    },
    /// The link will not be made.
    Declined,
}

/// Why the tracker refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No channel of this name or id.
    UnknownChannel,
    /// The channel's owner does not let the site show it whose page opened the session.
    EmbedRefused,
    /// The channel's owner lets in only who brings a token, and this one brings none that is good.
    TokenRefused,
    /// The channel's owner, or the server's, has banned this viewer.
    Banned,
    /// Another protocol version.
    Version,
    /// The message is not one of this protocol, or not now.
    BadMessage,
    /// The signature does not prove the key.
    BadProof,
    /// The name belongs to another key.
    NameTaken,
    /// This tracker does not register channels by itself.
    RegistrationClosed,
    /// A limit is reached; try again later.
    Busy,
    /// The same peer opened another session; this one ends.
    Replaced,
    /// The tracker is going away; reconnect.
    ShuttingDown,
}

#[cfg(test)]
mod tests;
