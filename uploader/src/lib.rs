//! The broadcaster's program as a library: an encoder's RTMP goes in, signed pieces come out and are seeded. The
//! tracker uses the same library for those who publish to it directly.

pub mod account;
mod broadcast;
pub mod ingest;
pub mod key;
mod opening;

pub use broadcast::{Broadcast, BroadcastConfig, Counters, salt};
pub use media::Numbering;
