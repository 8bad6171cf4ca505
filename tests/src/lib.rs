//! What spans crates, and is shared by the programs beside it: the simulator, and its counterpart of native peers in
//! network namespaces, with a programme that needs no encoder and a screen that needs no decoder. Browser scenarios, a
//! network on one machine and a peer that lies are beside it.

pub mod load;
pub mod native;
pub mod programme;
pub mod random;
pub mod screen;
pub mod sim;
pub mod swarm_setup;
