//! Decides everything and does nothing: no socket, no clock, no thread, no runtime, no randomness of the machine's.
//!
//! Three pure values, each with the same few edges (time and events in, decisions out):
//! - [`Swarm`]: one participant's own state. Broadcaster, relay and viewer run the same engine in a different
//!   [`Role`]: it keeps links, subscribes to stripes, pushes and repairs pieces, and hands verified chunks on.
//! - [`Playout`]: where the playhead of a viewer belongs and how it gets there.
//! - [`Roster`]: the tracker's list of one broadcast's members, and who feeds whom.
//!
//! Outputs are queued, so any order of calls is legal; the same inputs with the same seed give the same outputs.

mod assembly;
mod authority;
mod clock;
mod engine;
mod exchange;
mod feeds;
mod giving;
mod io;
mod neighbor;
mod playout;
mod relaying;
mod repair;
mod rng;
mod roster;
mod session;
mod silence;
mod stats;
mod still;
mod store;
mod table;
mod time;
mod uplink;

pub use assembly::Chunk;
pub use engine::Swarm;
pub use io::{Config, Identity, Input, Lane, Output, Phase, Role, Violation};
pub use playout::{Playout, PlayoutConfig, Steer, View};
pub use roster::{Picture, Pictured, Received, Roster, RosterConfig, RosterOutput, RosterRole, RosterView};
pub use stats::{ByteCounts, LinkStats, PieceCounts, Stats};
pub use still::Still;
pub use time::Timestamp;
