//! The tracker protocol: JSON text messages on a peer's WebSocket session at `/session`.
//!
//! Readable in any devtools. Binary messages on the same socket are [`Frame`](crate::Frame)s to and from the relay.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{
    CANDIDATE_MAX, NAME_MAX, NEIGHBORS_MAX, SDP_MAX, SESSION_TEXT_MAX, STRIPES_MAX, TOKEN_MAX,
};
use crate::{ChannelId, Delegation, Epoch, PeerId, PeerSecret, StripeSet};

/// Bytes that most messages fit in: as text, without a session description.
const SHORT_TEXT: usize = 128;

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

/// Why a text message is not one of the protocol.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Longer than [`SESSION_TEXT_MAX`].
    #[error("message is longer than {SESSION_TEXT_MAX} bytes")]
    TooLong,
    /// A `type` that no message has.
    #[error("not a message of this protocol: its `type` is unknown")]
    UnknownType,
    /// Not JSON, or no message of this protocol.
    #[error("not a message of this protocol: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A field holds more than its limit.
    #[error("field `{0}` is over its limit")]
    OverLimit(&'static str),
}

/// The kind of a message from a peer. The rest is passed over.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

/// The fields of [`FromPeer::Signal`].
#[derive(Deserialize)]
struct ToPassOn {
    to: PeerId,
    signal: Signal,
}

/// The fields of [`FromPeer::Orphaned`].
#[derive(Deserialize)]
struct Orphan {
    stripes: StripeSet,
    failed: PeerId,
    fault: Fault,
}

/// The fields of [`FromPeer::Sharing`].
#[derive(Deserialize)]
struct Switch {
    on: bool,
}

impl FromPeer {
    /// Reads one message and holds it against every limit.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        // Looked at twice, which costs a server less than to keep all of it as a tree, which is Serde's way with enums.
        let Head { r#type } = parse(text)?;
        let message = match &*r#type {
            "join" => FromPeer::Join(parse(text)?),
            "announce" => FromPeer::Announce(parse(text)?),
            "signal" => parse(text).map(|ToPassOn { to, signal }| FromPeer::Signal { to, signal })?,
            "report" => FromPeer::Report(parse(text)?),
            "orphaned" => parse(text).map(|Orphan { stripes, failed, fault }| FromPeer::Orphaned {
                stripes,
                failed,
                fault,
            })?,
            "sharing" => parse(text).map(|Switch { on }| FromPeer::Sharing { on })?,
            "clock" => FromPeer::Clock,
            "ended" => FromPeer::Ended,
            _ => return Err(SessionError::UnknownType),
        };
        let fits = match &message {
            FromPeer::Join(join) => {
                fits(join.channel.len() <= NAME_MAX.max(64), "channel")?;
                fits(join.token.as_ref().is_none_or(|token| token.len() <= TOKEN_MAX), "token")?;
                neighbors_fit(&join.links, &join.feeds)
            }
            FromPeer::Announce(announce) => {
                fits(is_name(&announce.name), "name")?;
                fits(announce.proof.len() <= 128, "proof")
            }
            FromPeer::Signal { signal, .. } => signal.fits(),
            FromPeer::Report(report) => neighbors_fit(&report.links, &report.feeds),
            FromPeer::Orphaned { .. } | FromPeer::Sharing { .. } | FromPeer::Clock | FromPeer::Ended => {
                Ok(())
            }
        };
        fits.map(|()| message)
    }

    /// The message as JSON.
    pub fn to_text(&self) -> String {
        to_text(self, SHORT_TEXT)
    }
}

impl FromTracker {
    /// Reads one message and holds it against every limit.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        let message: FromTracker = parse(text)?;
        message.fits().map(|()| message)
    }

    /// The same, where something else reads the text: in a browser, which has a reader of JSON already. Its length is
    /// for the caller to check.
    pub fn read<'de, D: Deserializer<'de>>(from: D) -> Option<Self> {
        FromTracker::deserialize(from).ok().filter(|message| message.fits().is_ok())
    }

    fn fits(&self) -> Result<(), SessionError> {
        match self {
            FromTracker::Link { peers } => fits(peers.len() <= NEIGHBORS_MAX, "peers"),
            FromTracker::Parents { stripes } => {
                let bounded = stripes.iter().all(|stripe| stripe.backups.len() <= NEIGHBORS_MAX);
                fits(bounded && stripes.len() <= usize::from(STRIPES_MAX), "stripes")
            }
            FromTracker::Signal { signal, .. } => signal.fits(),
            _ => Ok(()),
        }
    }

    /// The message as JSON.
    pub fn to_text(&self) -> String {
        let usual_bytes = match self {
            FromTracker::Signal { signal, .. } => signal.text_bytes(),
            _ => SHORT_TEXT,
        };
        to_text(self, usual_bytes)
    }
}

impl Signal {
    /// About as many bytes as a message takes that carries it. Each line's end is two more in JSON.
    fn text_bytes(&self) -> usize {
        match self {
            Signal::Offer { sdp } | Signal::Answer { sdp } => SHORT_TEXT + sdp.len() + sdp.len() / 8,
            Signal::Candidate { candidate } => SHORT_TEXT + candidate.len(),
            Signal::Declined => SHORT_TEXT,
        }
    }

    fn fits(&self) -> Result<(), SessionError> {
        match self {
            Signal::Offer { sdp } | Signal::Answer { sdp } => fits(sdp.len() <= SDP_MAX, "sdp"),
            Signal::Candidate { candidate } => fits(candidate.len() <= CANDIDATE_MAX, "candidate"),
            Signal::Declined => Ok(()),
        }
    }
}

/// Whether a text can name a channel: 1 to [`NAME_MAX`] of `a-z 0-9 - _`, so that it needs no escape in an address.
pub fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    // 43 characters are a channel id's, and the two must not be mistaken for each other.
    (1..=NAME_MAX).contains(&text.len()) && text.len() != 43 && text.bytes().all(plain)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, SessionError> {
    if text.len() > SESSION_TEXT_MAX {
        return Err(SessionError::TooLong);
    }
    Ok(serde_json::from_str(text)?)
}

fn to_text<T: Serialize>(message: &T, usual_bytes: usize) -> String {
    let mut text = Vec::with_capacity(usual_bytes);
    // Maps have text keys, no value refuses to be written, and JSON is UTF-8.
    let written = serde_json::to_writer(&mut text, message).is_ok();
    if written { String::from_utf8(text).unwrap_or_default() } else { String::new() }
}

fn fits(condition: bool, field: &'static str) -> Result<(), SessionError> {
    if condition { Ok(()) } else { Err(SessionError::OverLimit(field)) }
}

fn neighbors_fit(links: &[PeerId], feeds: &[Option<PeerId>]) -> Result<(), SessionError> {
    fits(links.len() <= NEIGHBORS_MAX, "links")?;
    fits(feeds.len() <= usize::from(STRIPES_MAX), "feeds")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_join_reads_as_it_is_documented() {
        let text = r#"{"type":"join","version":1,"channel":"demo","secret":"000102030405060708090a0b0c0d0e0f","sharing":true}"#;
        let FromPeer::Join(join) = FromPeer::parse(text).unwrap() else { panic!("not a join") };
        assert_eq!((join.channel.as_str(), join.links.len()), ("demo", 0));
        let message = FromPeer::Join(join);
        assert_eq!(FromPeer::parse(&message.to_text()).unwrap(), message);
    }

    #[test]
    fn every_message_of_a_peer_survives_its_text() {
        let (peer, secret, signer) = (PeerId(7), PeerSecret([5; 16]), crate::Signer::from_seed(&[1; 32]));
        let messages = [
            FromPeer::Join(Join {
                version: 1,
                channel: "demo".into(),
                secret,
                sharing: true,
                consent: true,
                token: Some("t".into()),
                links: vec![peer],
                feeds: vec![None, Some(peer)],
            }),
            FromPeer::Announce(Announce {
                version: 1,
                channel: signer.channel(),
                name: "demo".into(),
                secret,
                proof: "p".into(),
                delegation: None,
                epoch: Some(Epoch(4)),
            }),
            FromPeer::Signal { to: peer, signal: Signal::Offer { sdp: "v=0\r\ns=-\r\n".into() } },
            FromPeer::Report(Report { capacity_bps: Some(9), feeds: vec![Some(peer)], ..Report::default() }),
            FromPeer::Orphaned { stripes: StripeSet::default(), failed: peer, fault: Fault::Lost },
            FromPeer::Sharing { on: false },
            FromPeer::Clock,
            FromPeer::Ended,
        ];
        for message in messages {
            assert_eq!(FromPeer::parse(&message.to_text()).unwrap(), message);
        }
        assert!(matches!(FromPeer::parse(r#"{"type":"dance"}"#), Err(SessionError::UnknownType)));
    }

    #[test]
    fn every_message_of_a_tracker_survives_its_text() {
        let (peer, channel) = (PeerId(7), ChannelId([3; 32]));
        let welcome = Welcome {
            peer,
            channel,
            name: "demo".into(),
            time_ms: 5,
            epoch: Some(Epoch(4)),
            source: None,
            stun_port: Some(3478),
            sharing: Some(SharingRule::Ask),
            pass: None,
            turn: None,
            viewers: 2,
        };
        let stripes = vec![Parents::default(), Parents { parent: Some(peer), backups: vec![PeerId(8)] }];
        let signals = [
            Signal::Offer { sdp: "o".into() },
            Signal::Answer { sdp: "a".into() },
            Signal::Candidate { candidate: "c".into() },
            Signal::Declined,
        ];
        let others = [
            FromTracker::Hello { nonce: "n".into(), time_ms: 6 },
            FromTracker::Welcome(welcome),
            FromTracker::Link { peers: vec![peer] },
            FromTracker::Parents { stripes },
            FromTracker::Time { time_ms: 7 },
            FromTracker::Gone { peer },
            FromTracker::Live { epoch: Epoch(4), source: Some(peer) },
            FromTracker::Offline { ended: true },
            FromTracker::Viewers { count: 3 },
            FromTracker::Refused { code: Refusal::Busy, message: "later".into() },
        ];
        let signals = signals.map(|signal| FromTracker::Signal { from: peer, signal });
        for message in signals.into_iter().chain(others) {
            assert_eq!(FromTracker::parse(&message.to_text()).unwrap(), message);
        }
    }

    #[test]
    fn an_unknown_or_incomplete_message_is_refused() {
        for text in [
            r#"{"type":"dance"}"#,
            r#"{"type":"viewers"}"#,
            r#"{"count":3}"#,
            r#"{"type":"viewers","count":null}"#,
        ] {
            assert!(FromTracker::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn signals_are_bounded() {
        let signal =
            |sdp: String| FromPeer::Signal { to: PeerId(1), signal: Signal::Offer { sdp } }.to_text();
        assert!(FromPeer::parse(&signal("v=0".into())).is_ok());
        assert!(matches!(
            FromPeer::parse(&signal("x".repeat(SDP_MAX + 1))),
            Err(SessionError::OverLimit("sdp"))
        ));
        assert!(matches!(FromPeer::parse(&"[".repeat(SESSION_TEXT_MAX + 1)), Err(SessionError::TooLong)));
    }

    #[test]
    fn names_need_no_escape() {
        assert!(is_name("my-channel_1"));
        for bad in ["", "Demo", "a/b", "ä", &"x".repeat(49), &"x".repeat(43)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = FromPeer::parse(&text);
            let _ = FromTracker::parse(&text);
        }
    }

    #[test]
    fn deep_json_is_refused() {
        let text = format!("{{\"type\":\"report\",\"links\":{}1{}}}", "[".repeat(8000), "]".repeat(8000));
        assert!(FromPeer::parse(&text).is_err());
    }
}
