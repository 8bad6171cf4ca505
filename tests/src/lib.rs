//! What spans crates: the simulator. Browser scenarios, a network on one machine and a peer that lies are beside it.

pub mod sim;
