//! A native participant: drives the `swarm` engine over WebRTC links and a WebSocket session.
//!
//! The engine decides; this crate opens sockets, reads the clock and carries bytes. [`Participant`] is the whole
//! thing for one channel; [`transport`] is its WebRTC half, usable alone.

mod authorities;
mod links;
mod observe;
mod participant;
mod session;
pub mod transport;

pub use authorities::{Authorities, AuthoritiesError};
pub use observe::{Observation, Observer};
pub use participant::{Alteration, Event, Participant, ParticipantConfig, Publisher};
