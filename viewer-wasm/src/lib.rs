//! The browser participant: drives `swarm::Swarm` over a WebSocket and RTCPeerConnections. It is built twice: as the
//! [`Viewer`], who watches in a `<video>`, and with the feature `studio` as the [`Broadcaster`], who goes live from a page.
//!
//! It decides nothing about peers and stores nothing about media: each file is the shell around one thing that the
//! browser provides (`session` the WebSocket, `link` the RTCPeerConnection, `media_source` MSE, `screen` the video
//! element, `returning` the tab's storage, `clock`, `random`, `timer`). `participant` is what both have in common; `shell` and `broadcast` carry events in
//! and decisions out. What people see of all this is up to the pages. Natively there is nothing but the append queue, so
//! that it can be tested there.

#[cfg(any(all(target_arch = "wasm32", not(feature = "studio")), test))]
mod append_queue;

#[cfg(all(target_arch = "wasm32", feature = "studio"))]
mod broadcast;
#[cfg(target_arch = "wasm32")]
mod clock;
#[cfg(target_arch = "wasm32")]
mod crash;
#[cfg(target_arch = "wasm32")]
mod event;
#[cfg(target_arch = "wasm32")]
mod figures;
#[cfg(target_arch = "wasm32")]
mod json;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
mod links;
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
mod media;
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
mod media_source;
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
mod options;
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
mod page;
#[cfg(target_arch = "wasm32")]
mod participant;
#[cfg(target_arch = "wasm32")]
mod random;
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
mod returning;
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
mod screen;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
mod shell;
#[cfg(all(target_arch = "wasm32", feature = "studio"))]
mod studio;
#[cfg(target_arch = "wasm32")]
mod timer;
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
mod viewer;

#[cfg(all(target_arch = "wasm32", feature = "studio"))]
use broadcast::Shell;
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
use shell::Shell;

#[cfg(all(target_arch = "wasm32", feature = "studio"))]
pub use studio::{Broadcaster, authorize, channel_of, chat_proof, solve};
#[cfg(all(target_arch = "wasm32", not(feature = "studio")))]
pub use viewer::Viewer;
