//! Load for a tracker: thousands of sessions from this machine, and what they cost the server, as its kernel counts.
//!
//! `server` starts the program under test and reads its processor time and memory; `peer` is one session, `crowd` all of
//! them; `speech` is what they say, to this project's tracker and to a WebTorrent tracker alike; `modes` are the
//! measurements, `figures` what they print, `comparison` the table of both servers beside the goals.

pub mod comparison;
pub mod crowd;
pub mod figures;
pub mod modes;
pub mod peer;
pub mod sdp;
pub mod server;
pub mod source;
pub mod speech;
pub mod tally;
