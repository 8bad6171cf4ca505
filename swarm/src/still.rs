//! A still picture of what is on the air, from what a participant holds anyway: nothing is decoded here.

use bytes::{Bytes, BytesMut};

use crate::engine::Swarm;

/// What a browser shows as a picture: one keyframe chunk, and what it takes to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// Media type with codecs.
    pub mime: String,
    /// Init segment, then chunk (ISO/IEC 23000-19).
    pub bytes: Bytes,
}

impl Swarm {
    /// Of the newest keyframe chunk that is held whole, if it takes at most `bytes_max`. `None` also for a private
    /// broadcast, of which nobody sees anything without its key.
    pub fn still(&self, bytes_max: usize) -> Option<Still> {
        let (header, chunk) = self.store.newest_keyframe()?;
        let stream = &self.headers.get(&header.generation)?.header;
        let length = stream.init.len() + chunk.len();
        if stream.private || self.epoch != Some(header.epoch) || length > bytes_max {
            return None;
        }
        let mut file = BytesMut::with_capacity(length);
        file.extend_from_slice(&stream.init);
        file.extend_from_slice(&chunk);
        Some(Still { mime: stream.mime.clone(), bytes: file.freeze() })
    }
}
