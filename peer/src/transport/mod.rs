//! Links to other peers over WebRTC data channels, all of them on one UDP port.
//!
//! An [`Endpoint`] owns the socket. It answers a browser's offer or makes its own, and each connection
//! becomes a [`Link`] to send on and [`LinkEvents`] to read from. A [`StunServer`], on a port of its own,
//! tells browsers their public address.
//!
//! What is decided elsewhere: whom to link to, what to send, how SDP and candidates travel.
//!
//! ```text
//!            offer / answer                    try_send, LinkEvents
//!                 │                                   │
//!   Endpoint ─────┴──── one task per link (drive) ────┴── Connection (the WebRTC crate, sans-IO)
//!      │                        ▲       │
//!      └── receive task ── Routes       └── MuxSocket ──> network
//! ```

mod addresses;
mod config;
mod connection;
mod drive;
mod endpoint;
mod haste;
mod link;
mod receive;
mod routes;
mod sdp;
mod socket;
pub mod stun;
mod stun_server;

pub use config::{EndpointConfig, Limits};
pub use endpoint::{Endpoint, EndpointError};
pub use link::{CloseReason, Lane, Link, LinkClosed, LinkEvent, LinkEvents, SendRefused};
pub use stun_server::{StunConfig, StunServer, StunTally};
