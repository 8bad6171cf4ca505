//! The browser participant: [`Viewer`] drives `swarm::Swarm` over a WebSocket, RTCPeerConnections and a `<video>`.
//!
//! It decides nothing about peers and stores nothing about media: each file is the shell around one thing that the
//! browser provides (`session` the WebSocket, `link` the RTCPeerConnection, `media_source` MSE, `screen` the video
//! element, `clock`, `random`, `timer`), and `shell` carries events in and decisions out. What people see of all
//! this is up to the pages. Natively there is nothing but the append queue, so that it can be tested there.

#[cfg(any(target_arch = "wasm32", test))]
mod append_queue;

#[cfg(target_arch = "wasm32")]
mod clock;
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
#[cfg(target_arch = "wasm32")]
mod media;
#[cfg(target_arch = "wasm32")]
mod media_source;
#[cfg(target_arch = "wasm32")]
mod options;
#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(target_arch = "wasm32")]
mod random;
#[cfg(target_arch = "wasm32")]
mod screen;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod shell;
#[cfg(target_arch = "wasm32")]
mod timer;
#[cfg(target_arch = "wasm32")]
mod viewer;

#[cfg(target_arch = "wasm32")]
pub use viewer::Viewer;
