//! What comes as WebSocket frames that are none, or too many.

use crate::table::{Case, Garbage};

pub fn websocket() -> Vec<Case> {
    let inside = |name, bytes: Vec<u8>| Case(name, Garbage::Inside(bytes), "session", "unreadable");
    let part = masked(0x02, &[7; 15_000]);
    let more = masked(0x00, &[7; 15_000]);
    vec![
        inside("a frame without a mask", vec![0x81, 2, b'h', b'i']),
        inside("reserved bits", with_first(masked(0x81, b"{}"), 0xc1)),
        inside("an opcode that is none", masked(0x83, b"{}")),
        inside("a control opcode that is none", masked(0x8b, b"")),
        inside("bytes that are not UTF-8", masked(0x81, &[0xff, 0xfe, 0x80])),
        inside("half a character at the end", masked(0x81, &[0xe2, 0x82])),
        inside("a continuation of nothing", masked(0x80, b"x")),
        inside("a message inside of another", [masked(0x01, b"{"), masked(0x81, b"{}")].concat()),
        inside("fragments without end", [part, more.clone(), more].concat()),
        inside(
            "a length that is only claimed",
            vec![0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3, 4],
        ),
        inside("a ping that is too long", vec![0x89, 0xfe, 0, 126, 1, 2, 3, 4]),
        inside("a ping in parts", masked(0x09, b"x")),
        inside("a close frame with half a code", masked(0x88, &[3])),
        inside("a close frame whose reason is not UTF-8", masked(0x88, &[0x03, 0xe8, 0xff])),
        inside("HTTP inside of a session", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
    ]
}

pub fn floods() -> Vec<Case> {
    let flood = |name, frame: Vec<u8>| Case(name, Garbage::Flood(frame.repeat(300)), "session", "too_many");
    vec![
        flood("a flood of pings", masked(0x89, &[7; 125])),
        flood("a flood of pongs that nobody asked for", masked(0x8a, b"")),
        flood("a flood of questions", masked(0x81, b"{\"type\":\"clock\"}")),
    ]
}

/// A frame as a client sends it.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | short as u8),
        long => {
            bytes.push(0x80 | 126);
            bytes.extend((long as u16).to_be_bytes());
        }
    }
    // A mask of zeros leaves all as it is.
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn with_first(mut frame: Vec<u8>, first: u8) -> Vec<u8> {
    frame[0] = first;
    frame
}
