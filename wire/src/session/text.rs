//! Messages to and from text, with every limit held.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Fault, FromPeer, FromTracker, Signal};
use crate::limits::{
    CANDIDATE_MAX, NAME_MAX, NEIGHBORS_MAX, SDP_MAX, SESSION_TEXT_MAX, STRIPES_MAX, TOKEN_MAX,
};
use crate::{PeerId, StripeSet};

/// Bytes that most messages fit in: as text, without a session description.
const SHORT_TEXT: usize = 128;

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
