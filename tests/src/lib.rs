//! What spans crates: browser scenarios, a network on one machine, a peer that lies. This library is empty; see the folders beside it.

pub mod sim;
