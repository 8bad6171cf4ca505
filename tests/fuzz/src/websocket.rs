//! The WebSocket protocol, as the server reads it.

use tracker::websocket::{Decoder, Next, Received, Violation};

/// Less than a session's, so that a small input meets the bound.
const MESSAGE_MAX: usize = 400;

/// Bytes of the longest header.
const HEADER_MAX: usize = 14;

/// The input is what a browser sends behind its handshake.
pub fn websocket(bytes: &[u8]) {
    let (whole, parts) = (read(bytes, bytes.len()), read(bytes, 7));
    assert_eq!(whole, parts, "how bytes arrive changes nothing");
    for (received, ping) in &whole.0 {
        match received {
            Received::Text(text) => assert!(text.len() <= MESSAGE_MAX),
            Received::Binary(message) => assert!(message.len() <= MESSAGE_MAX),
            Received::Beat | Received::Close => {}
        }
        assert!(ping.as_ref().is_none_or(|payload| payload.len() <= 125));
    }
    assert!(whole.1.is_none_or(|violation| !violation.to_string().is_empty()), "an end has a reason");
}

/// All that comes out, and what ends it, with so many bytes at a time.
fn read(bytes: &[u8], step: usize) -> (Vec<Next>, Option<Violation>) {
    let mut decoder = Decoder::new(MESSAGE_MAX);
    let mut all = Vec::new();
    for part in bytes.chunks(step.max(1)) {
        decoder.push(part);
        loop {
            match decoder.next_message() {
                Ok(Some(next)) => {
                    all.push(next);
                    if matches!(all.last(), Some((Received::Close, _))) {
                        return (all, None);
                    }
                }
                Ok(None) => break,
                Err(violation) => return (all, Some(violation)),
            }
        }
        assert!(decoder.held_bytes() <= 2 * MESSAGE_MAX + HEADER_MAX, "what is held is bounded");
    }
    (all, None)
}
