//! The same engine over the real transport: viewers, source and tracker as processes, each in a network namespace of
//! its own, on lines with delay, rate and loss. `native-swarm` runs it; the processes write records, and figures are
//! made of those.
//!
//! All hosts share this machine's clock, so times of different records can be subtracted from each other.

pub mod arrivals;
pub mod cpu;
pub mod figures;
pub mod launch;
pub mod network;
pub mod percentile;
pub mod record;
pub mod recorder;
pub mod transport;
pub mod window;
