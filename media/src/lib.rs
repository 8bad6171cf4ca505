//! What an encoder sends (RTMP audio and video tags, or a browser's own frames) becomes what a browser plays: one init
//! segment and CMAF chunks of about 100 ms; [`Numbering`] makes signed pieces of these. Pure: bytes and times come in,
//! segments and pieces come out. Sockets, clocks and randomness belong to the callers.
//!
//! [`Packager`] is the whole path from RTMP for one broadcast. Its parts are public for other sources:
//! [`tag::parse`] reads a tag, [`Timeline`] turns its timestamp into media time, [`Cutter`] makes chunks of [`Unit`]s.
//!
//! ```
//! use media::{CutterConfig, MediaEvent, Packager, TagKind};
//! # let (now_ms, rtmp_timestamp, body) = (0, 0, bytes::Bytes::new());
//! let mut packager = Packager::new(CutterConfig::default());
//! packager.publish(now_ms); // an encoder appeared, or appeared again
//! if let Err(error) = packager.push(TagKind::Video, rtmp_timestamp, now_ms, body) {
//!     // `error.refuses_encoder()`: say so and hang up. Otherwise the tag is skipped and that is all.
//! }
//! while let Some(event) = packager.poll() {
//!     match event {
//!         MediaEvent::Init(init) => println!("{}", init.mime),
//!         MediaEvent::Chunk(chunk) => println!("{} +{}", chunk.start_ms, chunk.duration_ms),
//!         MediaEvent::Warning(warning) => println!("{warning}"),
//!     }
//! }
//! ```

mod audio;
mod boxes;
mod cutter;
mod error;
mod numbering;
mod packager;
mod parameters;
mod stripes;
pub mod tag;
mod timeline;
mod video;

pub use cutter::{Chunk, Cutter, CutterConfig, InitSegment, MediaEvent, MediaWarning};
pub use error::MediaError;
pub use numbering::{Numbering, Salts};
pub use packager::{Announced, Packager};
pub use parameters::{AudioParameters, VideoParameters};
pub use stripes::bitrate_bps;
pub use tag::{TagKind, Unit};
pub use timeline::Timeline;
