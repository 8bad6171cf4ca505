//! What a stranger may send, to every parser that faces the network: one function a parser, which takes any bytes and
//! panics where something that must hold does not. That nothing panics is the least of it: what is accepted is written
//! back the same, bounds hold, refusals have words.
//!
//! Who calls them: libFuzzer (`fuzz_targets/`, by `make fuzz`), which looks for inputs that reach new code; and
//! `tests/replay.rs`, in every run of the tests, with the corpus and changes of it.

// Here a panic is the message.
#![allow(clippy::unwrap_used)]

mod config;
mod datagram;
mod flv;
mod frame;
mod join_token;
mod peer;
mod request;
mod rest;
mod rtmp;
mod signalling;
mod stream_header;
mod websocket;

pub use config::config;
pub use datagram::datagram;
pub use flv::flv;
pub use frame::frame;
pub use join_token::join_token;
pub use peer::peer;
pub use request::request;
pub use rest::rest;
pub use rtmp::rtmp;
pub use signalling::signalling;
pub use stream_header::stream_header;
pub use websocket::websocket;

use wire::Signer;

/// Whose signature counts in these inputs: the key is in the repository, so that inputs can be made that pass.
fn signer() -> Signer {
    Signer::from_seed(&[7; 32])
}
