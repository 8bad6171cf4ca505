//! What an encoder sends (RTMP audio and video tags) becomes what a browser plays: one init segment and
//! CMAF chunks of about 100 ms. Pure: bytes and times come in, segments come out. Sockets and clocks belong
//! to the callers, signing and cutting into pieces to `wire` and `uploader`.
//!
//! [`Packager`] is the whole path for one broadcast. Its parts are public for other sources than RTMP:
//! [`tag::parse`] reads a tag, [`Timeline`] turns its timestamp into media time, [`Cutter`] makes chunks.
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
mod packager;
mod parameters;
pub mod tag;
mod timeline;
mod video;

pub use cutter::{Chunk, Cutter, CutterConfig, InitSegment, MediaEvent, MediaWarning};
pub use error::MediaError;
pub use packager::{Announced, Packager};
pub use parameters::{AudioParameters, VideoParameters};
pub use tag::TagKind;
pub use timeline::Timeline;
