//! The table: what comes, and how it has to be refused.

use crate::{ports, session, socket};

/// The garbage of one case.
pub enum Garbage {
    /// The first text of a session.
    First(String),
    /// A text of a viewer that was let in.
    Text(String),
    /// A frame of a viewer that was let in.
    Frame(Vec<u8>),
    /// Bytes on the socket of a viewer that was let in, instead of WebSocket frames.
    Inside(Vec<u8>),
    /// The same, of one that is not sent away for it.
    Flood(Vec<u8>),
    /// A session on which nothing is said.
    Mute,
    /// A viewer that was let in, and then neither says nor reads anything.
    Asleep,
    /// The same, that goes on speaking while others speak to it.
    Deaf,
    /// Bytes on a connection to the pages' port.
    Http(Vec<u8>),
    /// Bytes on a connection to the encoders' port.
    Rtmp(Vec<u8>),
}

/// What comes, and the refusal that has to be counted: door and reason.
pub struct Case(pub &'static str, pub Garbage, pub &'static str, pub &'static str);

/// `secret`: signs tokens for the channel that asks for them.
pub fn cases(secret: &str) -> Vec<Case> {
    [
        session::first_texts(),
        session::tokens(secret),
        session::texts(),
        session::frames(),
        socket::websocket(),
        socket::floods(),
        ports::http(),
        ports::rest(),
        ports::rtmp(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Those who do nothing wrong, and nothing else either.
pub fn dawdlers() -> Vec<Case> {
    let http = |name, bytes: &[u8]| Case(name, Garbage::Http(bytes.to_vec()), "http", "timeout");
    vec![
        http("a connection without a word", b""),
        http("half a request line", b"GET /ses"),
        http("headers that do not end", b"GET /session HTTP/1.1\r\nHost: x\r\nA: b\r\n"),
        Case("a session without a word", Garbage::Mute, "opening", "nothing_said"),
        Case("a viewer whose cable is out", Garbage::Asleep, "session", "silent"),
        Case("a slow reader", Garbage::Deaf, "session", "silent"),
        Case("an encoder without a word", Garbage::Rtmp(Vec::new()), "rtmp", "nothing_said"),
        Case("half a handshake", Garbage::Rtmp(vec![3; 700]), "rtmp", "nothing_said"),
    ]
}
