//! The RTMP server that encoders publish to. It reads OBS's and FFmpeg's H.264 and AAC as tags and leaves what
//! they mean to `media`. Anybody may connect, so nothing a sender does may abort, block or bloat the process.
//!
//! Bytes pass four stages, each in its file: [`chunks`](self) reads messages within bounds, the guard lets small
//! well-formed control messages through to `rml_rtmp`, the session holds the conversation, the connection owns
//! socket and deadlines. Media goes from the guard straight to the consumer. All but the connection is the
//! [`Dialogue`], which knows no socket.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use std::sync::Arc;
//! use uploader::ingest::{self, Admission, IngestConfig, OneKey, PublicationEvent};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:1935").await?;
//! let keys = Arc::new(OneKey::new("secret", Admission::new("my channel")));
//! let (sender, mut publications) = tokio::sync::mpsc::channel(4);
//! tokio::spawn(ingest::run(listener, IngestConfig::default(), keys, sender, std::future::pending()));
//! while let Some(mut publication) = publications.recv().await {
//!     loop {
//!         match publication.next().await {
//!             PublicationEvent::Metadata(metadata) => println!("{metadata:?}"),
//!             PublicationEvent::Tag(tag) => println!("{:?} {}", tag.kind, tag.body.len()),
//!             PublicationEvent::Ended(reason) => break println!("{reason}"),
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod amf;
mod chunks;
mod connection;
mod dialogue;
mod guard;
mod keys;
mod limits;
mod publication;
mod server;
mod session;

pub use dialogue::{Dialogue, DialogueError, Step};
pub use keys::{Admission, Admitting, Keys, OneKey, Refused, same_key};
pub use limits::IngestLimits;
pub use publication::{EndReason, Metadata, Publication, PublicationEvent, PublisherId, Tag};
pub use server::{IngestConfig, run};
