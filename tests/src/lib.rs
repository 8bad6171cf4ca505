//! What spans crates, and is shared by the programs beside it: a swarm's parameters, a programme without an encoder,
//! a screen without a decoder, and the native swarm.

pub mod native;
pub mod programme;
pub mod random;
pub mod screen;
pub mod swarm_setup;
