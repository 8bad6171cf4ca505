//! Every way in which this server says no, with the name that its metric has.
//!
//! A reason is counted once, where the refusal is decided or leaves the server.

use axum::http::StatusCode;
use swarm::Violation;
use uploader::ingest::Refused as RefusedEncoder;
use wire::session::{Refusal, SessionError};

use crate::chat::Objection;
use crate::tokens;

/// Where somebody was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// A request for a page, the API, or a session.
    Http,
    /// The first message of a session.
    Opening,
    /// A session that was let in.
    Session,
    /// An encoder's connection.
    Rtmp,
    /// A chat.
    Chat,
}

/// Declares the reasons with their names, so that none can be without one.
macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $name:literal,)*) => {
        /// Why somebody was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Reason { $($(#[$doc])* $reason,)* }

        impl Reason {
            /// All of them, in the order of their numbers.
            pub(crate) const ALL: &[Reason] = &[$(Reason::$reason,)*];

            /// Its name in metrics.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Reason::$reason => $name,)* }
            }
        }
    };
}

reasons! {
    /// Not a request, or one that makes no sense.
    BadRequest = "bad_request",
    /// Nobody proved to be allowed.
    Unauthorized = "unauthorized",
    /// Not for this one.
    Forbidden = "forbidden",
    /// Nothing is there.
    NotFound = "not_found",
    /// Not that way.
    Method = "method",
    /// It stands against what is there already.
    Conflict = "conflict",
    /// More than is read.
    TooLarge = "too_large",
    /// Too often. Of a session: it is read no faster than it may speak, and counted once.
    TooMany = "too_many",
    /// Too slow with headers or a body.
    Timeout = "timeout",
    /// Another error of the requester's.
    OtherRequest = "other_request",
    /// The server's own fault.
    Internal = "internal",
    /// Not now.
    Unavailable = "unavailable",
    /// Too many sessions of one address, or opened too fast.
    AddressBusy = "address_busy",
    /// The server has as many sessions as it takes.
    SessionsFull = "sessions_full",

    /// No such channel.
    UnknownChannel = "unknown_channel",
    /// The channel's owner does not let this site show it.
    EmbedRefused = "embed_refused",
    /// The address is in a banned prefix.
    BannedPrefix = "banned_prefix",
    /// The peer is banned, or its household.
    BannedPeer = "banned_peer",
    /// The channel asks for a token, and none was brought.
    TokenMissing = "token_missing",
    /// What was brought is no token of this channel's.
    TokenInvalid = "token_invalid",
    /// The token's time is over.
    TokenExpired = "token_expired",
    /// The token is for another channel, or another site.
    TokenForeign = "token_foreign",
    /// The token has let another peer in.
    TokenUsed = "token_used",
    /// Another version of the protocol.
    Version = "version",
    /// Not the time for this message.
    BadMessage = "bad_message",
    /// The signature does not prove the key.
    BadProof = "bad_proof",
    /// The name is another key's.
    NameTaken = "name_taken",
    /// Unknown keys are not registered.
    RegistrationClosed = "registration_closed",
    /// A limit is reached.
    Busy = "busy",
    /// Another session of the same peer took over.
    Replaced = "replaced",
    /// The server is about to end.
    ShuttingDown = "shutting_down",
    /// Nothing was said in time.
    NothingSaid = "nothing_said",
    /// The channel has as many viewers as its owner allows.
    ChannelFull = "channel_full",
    /// The relay has no more to give.
    RelaySpent = "relay_spent",
    /// Not JSON, or no message of the protocol.
    Malformed = "malformed",
    /// A message longer than any may be.
    TooLong = "too_long",
    /// A field over its limit.
    OverLimit = "over_limit",
    /// Not the WebSocket protocol.
    Unreadable = "unreadable",
    /// Does not read what it is told.
    TooSlow = "too_slow",
    /// Silent for too long.
    Silent = "silent",
    /// A signal to somebody it may not signal to; dropped.
    ForeignSignal = "foreign_signal",
    /// A frame that is none.
    BadFrame = "bad_frame",
    /// A piece or header that the broadcaster did not sign.
    BadSignature = "bad_signature",
    /// Far more than it was asked for.
    Flood = "flood",
    /// Another channel's.
    WrongChannel = "wrong_channel",

    /// No broadcast is on, or its chat is off.
    ChatClosed = "chat_closed",
    /// Somebody who was banned.
    Banned = "banned",
    /// A line with a link, where there may be none.
    Link = "link",
    /// Faster than slow mode lets anybody.
    SlowMode = "slow_mode",
    /// A name or a line that cannot be shown.
    BadText = "bad_text",

    /// No such stream key.
    WrongKey = "wrong_key",
    /// Nothing is played over RTMP.
    AskedToPlay = "asked_to_play",
    /// As many encoders as may connect.
    ConnectionsFull = "connections_full",
    /// Bytes without an honest explanation.
    Violation = "violation",
    /// What the RTMP library does not take.
    Unusable = "unusable",
    /// Does not read replies.
    RepliesUnread = "replies_unread",
}

impl Door {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Door; 5] = [Door::Http, Door::Opening, Door::Session, Door::Rtmp, Door::Chat];

    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Door::Http => "http",
            Door::Opening => "opening",
            Door::Session => "session",
            Door::Rtmp => "rtmp",
            Door::Chat => "chat",
        }
    }
}

impl Reason {
    /// Of an HTTP answer; `None`: it is no refusal.
    pub(crate) fn of_status(status: StatusCode) -> Option<Reason> {
        if !(status.is_client_error() || status.is_server_error()) {
            return None;
        }
        Some(match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Reason::BadRequest,
            StatusCode::UNAUTHORIZED => Reason::Unauthorized,
            StatusCode::FORBIDDEN => Reason::Forbidden,
            StatusCode::NOT_FOUND => Reason::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Reason::Method,
            StatusCode::CONFLICT => Reason::Conflict,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => Reason::TooLarge,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Reason::TooLarge,
            StatusCode::TOO_MANY_REQUESTS => Reason::TooMany,
            StatusCode::REQUEST_TIMEOUT => Reason::Timeout,
            StatusCode::SERVICE_UNAVAILABLE => Reason::Unavailable,
            status if status.is_server_error() => Reason::Internal,
            _ => Reason::OtherRequest,
        })
    }

    /// Of a connection that TLS could not be spoken on; `None`: it was the other end that did not want to.
    pub(crate) fn of_handshake(error: &std::io::Error) -> Option<Reason> {
        match error.get_ref()?.downcast_ref::<rustls::Error>()? {
            rustls::Error::AlertReceived(_) => None,
            _ => Some(Reason::BadRequest),
        }
    }

    /// Of a connection that HTTP could not be spoken on; `None`: its end is no refusal.
    pub(crate) fn of_connection(error: &hyper::Error) -> Option<Reason> {
        if error.is_timeout() {
            Some(Reason::Timeout)
        } else if error.is_parse_too_large() {
            Some(Reason::TooLarge)
        } else {
            error.is_parse().then_some(Reason::BadRequest)
        }
    }
}

impl From<Refusal> for Reason {
    fn from(code: Refusal) -> Self {
        match code {
            Refusal::UnknownChannel => Reason::UnknownChannel,
            Refusal::EmbedRefused => Reason::EmbedRefused,
            Refusal::TokenRefused => Reason::TokenInvalid,
            Refusal::Banned => Reason::BannedPeer,
            Refusal::Version => Reason::Version,
            Refusal::BadMessage => Reason::BadMessage,
            Refusal::BadProof => Reason::BadProof,
            Refusal::NameTaken => Reason::NameTaken,
            Refusal::RegistrationClosed => Reason::RegistrationClosed,
            Refusal::Busy => Reason::Busy,
            Refusal::Replaced => Reason::Replaced,
            Refusal::ShuttingDown => Reason::ShuttingDown,
        }
    }
}

impl From<&tokens::Objection> for Reason {
    fn from(objection: &tokens::Objection) -> Self {
        match objection {
            tokens::Objection::Missing => Reason::TokenMissing,
            tokens::Objection::Invalid | tokens::Objection::TooLong => Reason::TokenInvalid,
            tokens::Objection::Expired => Reason::TokenExpired,
            tokens::Objection::OtherChannel
            | tokens::Objection::OtherSite(_)
            | tokens::Objection::OtherPeer => Reason::TokenForeign,
            tokens::Objection::Used => Reason::TokenUsed,
            tokens::Objection::Full => Reason::Busy,
        }
    }
}

impl From<&SessionError> for Reason {
    fn from(error: &SessionError) -> Self {
        match error {
            SessionError::TooLong => Reason::TooLong,
            SessionError::UnknownType | SessionError::Malformed(_) => Reason::Malformed,
            SessionError::OverLimit(_) => Reason::OverLimit,
        }
    }
}

impl From<Violation> for Reason {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::Malformed => Reason::BadFrame,
            Violation::BadSignature => Reason::BadSignature,
            Violation::Flood => Reason::Flood,
            Violation::WrongChannel => Reason::WrongChannel,
        }
    }
}

impl Reason {
    /// Of what is not done in a chat; `None`: it is nobody's fault.
    pub(crate) fn of_chat(objection: Objection) -> Option<Reason> {
        Some(match objection {
            Objection::Closed => Reason::ChatClosed,
            Objection::NoName | Objection::Sealing | Objection::BadMessage => Reason::BadMessage,
            Objection::BadName | Objection::BadText => Reason::BadText,
            Objection::NameTaken => Reason::NameTaken,
            Objection::Link => Reason::Link,
            Objection::Slow => Reason::SlowMode,
            Objection::TooFast => Reason::TooMany,
            Objection::Busy => Reason::Busy,
            Objection::Banned => Reason::Banned,
            Objection::NotAllowed | Objection::NotListed => Reason::Forbidden,
            Objection::BadProof => Reason::BadProof,
            Objection::Full => Reason::SessionsFull,
            Objection::TooSlow => Reason::TooSlow,
            Objection::NothingSaid => Reason::NothingSaid,
            Objection::Removed => Reason::UnknownChannel,
            Objection::ShuttingDown => Reason::ShuttingDown,
            // A line that is gone already.
            Objection::Unknown => return None,
        })
    }
}

impl From<RefusedEncoder> for Reason {
    fn from(refused: RefusedEncoder) -> Self {
        match refused {
            RefusedEncoder::WrongKey => Reason::WrongKey,
            RefusedEncoder::AskedToPlay => Reason::AskedToPlay,
            RefusedEncoder::ConnectionsFull => Reason::ConnectionsFull,
            RefusedEncoder::Violation => Reason::Violation,
            RefusedEncoder::Unusable => Reason::Unusable,
            RefusedEncoder::NothingSaid => Reason::NothingSaid,
            RefusedEncoder::Silent => Reason::Silent,
            RefusedEncoder::RepliesUnread => Reason::RepliesUnread,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_name_and_a_number_of_its_own() {
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().enumerate().all(|(number, reason)| *reason as usize == number));
        assert!(Door::ALL.iter().enumerate().all(|(number, door)| *door as usize == number));
    }

    #[test]
    fn success_and_not_modified_are_no_refusals() {
        assert_eq!(Reason::of_status(StatusCode::OK), None);
        assert_eq!(Reason::of_status(StatusCode::NOT_MODIFIED), None);
        assert_eq!(Reason::of_status(StatusCode::TOO_MANY_REQUESTS), Some(Reason::TooMany));
    }
}
