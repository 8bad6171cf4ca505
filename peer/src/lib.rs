//! A native participant: drives the `swarm` engine over WebRTC links and WebSockets.

pub mod transport;
