//! What the decoder makes of bytes is what the library's own socket makes of them.

use std::io::{self, Read, Write};

use proptest::prelude::*;
use tungstenite::protocol::frame::Frame as RawFrame;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

use super::*;

const MESSAGE_MAX: usize = 300;

/// A peer that has said everything, and hears nothing.
struct Said(Cursor<Vec<u8>>);

impl Read for Said {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Well,
    InsideOfText,
    Violation,
}

/// What the library reads, up to its end or the first error; and how that was.
fn as_the_library_reads(bytes: &[u8]) -> (Vec<Received>, Ended) {
    let config =
        WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(MESSAGE_MAX));
    let mut socket =
        WebSocket::from_raw_socket(Said(Cursor::new(bytes.to_vec())), Role::Server, Some(config));
    let mut all = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => all.push(Received::Text(text.to_string())),
            Ok(Message::Binary(bytes)) => all.push(Received::Binary(bytes)),
            Ok(Message::Close(_)) => {
                all.push(Received::Close);
                return (all, Ended::Well);
            }
            Ok(_) => all.push(Received::Beat),
            Err(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
                return (all, Ended::Well);
            }
            Err(Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed) => return (all, Ended::Well),
            Err(_) => return (all, Ended::Violation),
        }
    }
}

/// The same of our decoder, which gets `step` bytes at a time.
fn as_we_read(bytes: &[u8], step: usize) -> (Vec<Received>, Ended) {
    let mut decoder = Decoder::new(MESSAGE_MAX);
    let mut all = Vec::new();
    for part in bytes.chunks(step.max(1)) {
        decoder.push(part);
        loop {
            match decoder.next_message() {
                Ok(Some((Received::Close, _))) => {
                    all.push(Received::Close);
                    return (all, ended(&decoder));
                }
                Ok(Some((received, _))) => all.push(received),
                Ok(None) => break,
                Err(_) => return (all, Ended::Violation),
            }
        }
        assert!(decoder.unread.len() <= MESSAGE_MAX + 14 + step, "bytes pile up");
    }
    (all, ended(&decoder))
}

fn ended(decoder: &Decoder) -> Ended {
    if matches!(decoder.message, Some((Data::Text, _))) { Ended::InsideOfText } else { Ended::Well }
}

/// The library notices bytes that are not UTF-8 before their message is complete, and a bad header only when its payload is.
fn agree(bytes: &[u8], step: usize) -> bool {
    let (ours, theirs) = (as_we_read(bytes, step), as_the_library_reads(bytes));
    let completed = || as_the_library_reads(&[bytes, &[0; MESSAGE_MAX + 14]].concat());
    match (ours.1, theirs.1) {
        (Ended::InsideOfText, Ended::Well) => ours.0 == theirs.0,
        (Ended::InsideOfText, Ended::Violation) => ours.0.starts_with(&theirs.0),
        (Ended::Violation, Ended::Well) => (ours.0, Ended::Violation) == completed(),
        (ours_ended, theirs_ended) => (ours.0, ours_ended) == (theirs.0, theirs_ended),
    }
}

fn masked(mut frame: RawFrame) -> Vec<u8> {
    frame.header_mut().mask = Some([1, 2, 3, 4]);
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

/// Frames that a hostile library would send: any opcode, in any order, with any payload.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![Just(0u8), Just(1), Just(2), Just(8), Just(9), Just(10), 0u8..16];
    let payload =
        prop_oneof![prop::collection::vec(any::<u8>(), 0..140), "[a-zä]{0,80}".prop_map(String::into_bytes)];
    let frame = (opcode, prop::bool::weighted(0.8), payload, prop::num::u8::ANY).prop_map(
        |(code, last, payload, odd)| {
            // Half a text that is no text is noticed earlier by the library: not what is compared here.
            let part = !last || code == 0;
            let payload: Vec<u8> =
                payload.into_iter().map(|byte| if part { byte & 0x7f } else { byte }).collect();
            let mut bytes = masked(RawFrame::message(payload, OpCode::from(code & 0x0a), last));
            bytes[0] = (bytes[0] & 0xf0) | code;
            match odd {
                0 => bytes[0] |= 0x40,
                1 => bytes[1] &= 0x7f,
                _ => {}
            }
            bytes
        },
    );
    prop::collection::vec(frame, 0..8).prop_map(|frames| frames.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_as_the_library_reads_them(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1usize..64) {
        prop_assert!(agree(&bytes, step), "{:?} and {:?}", as_we_read(&bytes, step), as_the_library_reads(&bytes));
    }

    #[test]
    fn any_frames_are_read_as_the_library_reads_them(bytes in frames(), step in 1usize..500) {
        prop_assert!(agree(&bytes, step), "{:?} and {:?}", as_we_read(&bytes, step), as_the_library_reads(&bytes));
    }
}

#[test]
fn a_silent_decoder_holds_nothing() {
    let mut decoder = Decoder::new(MESSAGE_MAX);
    decoder.push(&masked(RawFrame::message(vec![7; 200], OpCode::Data(Data::Binary), true)));
    assert_eq!(decoder.next_message(), Ok(Some((Received::Binary(vec![7; 200].into()), None))));
    assert_eq!(decoder.next_message(), Ok(None));
    assert_eq!(decoder.unread.capacity(), 0);
}

#[test]
fn a_length_that_is_only_claimed_is_refused_before_it_comes() {
    let mut decoder = Decoder::new(MESSAGE_MAX);
    decoder.push(&[0x82, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
    assert_eq!(decoder.next_message(), Err(Violation::TooLong(MESSAGE_MAX)));
}
