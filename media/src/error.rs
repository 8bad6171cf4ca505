//! The one error of this crate: why a tag was not taken.

use thiserror::Error;

/// Why a tag was not taken. The packager stays usable: the tag is skipped.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum MediaError {
    /// A codec that browsers cannot play from this system, or that is not supported yet.
    #[error("the encoder sends {codec}, only H.264 video and AAC-LC audio are accepted")]
    UnsupportedCodec {
        /// Its name as people know it, for example `HEVC (hvc1)`.
        codec: String,
    },
    /// The tag ends early or contradicts itself.
    #[error("malformed tag: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// A sequence header that cannot be used.
    #[error("unusable {track} parameters: {reason}")]
    BadParameters {
        /// `video` or `audio`.
        track: &'static str,
        /// What is wrong with them.
        reason: String,
    },
    /// Larger than the configured limit.
    #[error("{what} of {size} bytes, the limit is {limit}")]
    TooLarge {
        /// `frame` or `parameters`.
        what: &'static str,
        /// Bytes received.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The boxes could not be written; a fault of this crate or of the box library.
    #[error("cannot write the segment: {0}")]
    Boxes(String),
}

impl MediaError {
    /// True when every later tag of this encoder will fail the same way: tell the broadcaster and hang up.
    pub fn refuses_encoder(&self) -> bool {
        matches!(self, Self::UnsupportedCodec { .. } | Self::BadParameters { .. })
    }

    pub(crate) fn malformed(reason: impl ToString) -> Self {
        Self::Malformed { reason: reason.to_string() }
    }
}
