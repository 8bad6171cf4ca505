//! Decides what of a sender's bytes the RTMP library gets to see: whole, small, well-formed control messages.
//! Media goes around it, everything else is dropped, and what has no honest explanation ends the connection.

use bytes::Bytes;
use media::TagKind;
use thiserror::Error;

use super::amf::{self, AmfViolation};
use super::chunks::{ChunkReader, ChunkViolation, Message};
use super::limits::{IngestLimits, message_type};

/// Why a connection is closed without a word.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    #[error(transparent)]
    Chunk(#[from] ChunkViolation),
    #[error("in a command: {0}")]
    Command(#[from] AmfViolation),
    #[error("too many commands")]
    TooManyCommands,
    #[error("media before a key")]
    MediaBeforeKey,
    #[error("a control message of {0} bytes")]
    BadControl(usize),
}

/// What may pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// For the library.
    Control(Message),
    /// For the consumer.
    Media { kind: TagKind, timestamp_ms: u32, body: Bytes },
}

/// Ping request (Adobe RTMP 1.0, 7.1.7); the other user control events are of no use here, and unknown ones
/// would end the library's session.
const PING_REQUEST: &[u8] = &[0, 6];

/// A window below this many bytes asks for an acknowledgement with almost every read.
const WINDOW_MIN_BYTES: u32 = 64 << 10;

/// The filter of one connection.
#[derive(Debug)]
pub(crate) struct Guard {
    reader: ChunkReader,
    limits: IngestLimits,
    admitted: bool,
    commands: u32,
}

impl Guard {
    pub fn new(limits: IngestLimits) -> Self {
        Self { reader: ChunkReader::new(), limits, admitted: false, commands: 0 }
    }

    /// Adds received bytes; call [`Self::next`] until `None` before adding more.
    pub fn add(&mut self, bytes: &[u8]) {
        self.reader.add(bytes);
    }

    /// The sender's key was accepted.
    pub fn admit(&mut self) {
        self.admitted = true;
    }

    /// The next message that may pass.
    pub fn next(&mut self) -> Result<Option<Passed>, Violation> {
        while let Some(message) = self.reader.next(&self.limits, self.admitted)? {
            let passed = self.judge(message)?;
            if passed.is_some() {
                return Ok(passed);
            }
        }
        Ok(None)
    }

    /// Bytes that are held of messages and headers to come.
    pub fn unfinished_bytes(&self) -> usize {
        self.reader.held_bytes()
    }

    fn judge(&mut self, message: Message) -> Result<Option<Passed>, Violation> {
        use message_type::*;
        let passes = match message.type_id {
            SET_CHUNK_SIZE => {
                self.reader.set_chunk_size(number(&message.body)?)?;
                false
            }
            ABORT => {
                self.reader.abort(number(&message.body)?);
                false
            }
            USER_CONTROL => message.body.len() == 6 && message.body.starts_with(PING_REQUEST),
            WINDOW_ACKNOWLEDGEMENT_SIZE => number(&message.body)? >= WINDOW_MIN_BYTES,
            AUDIO => return self.media(TagKind::Audio, message),
            VIDEO => return self.media(TagKind::Video, message),
            DATA | DATA_3 => self.is_metadata(&message.body),
            COMMAND | COMMAND_3 => self.is_command(&message)?,
            _ => false,
        };
        Ok(passes.then_some(Passed::Control(message)))
    }

    fn media(&self, kind: TagKind, message: Message) -> Result<Option<Passed>, Violation> {
        if !self.admitted {
            return Err(Violation::MediaBeforeKey);
        }
        let Message { timestamp_ms, body, .. } = message;
        Ok((!body.is_empty()).then_some(Passed::Media { kind, timestamp_ms, body }))
    }

    /// `@setDataFrame`, `onMetaData` and an object: with less the library panics. Odd values are no reason to
    /// hang up: captions and cue points of all sorts come this way.
    fn is_metadata(&self, body: &[u8]) -> bool {
        self.admitted && amf::check(body, &self.limits).is_ok_and(|shape| shape.values >= 3)
    }

    /// A name, a transaction and an object: with less the library panics.
    fn is_command(&mut self, message: &Message) -> Result<bool, Violation> {
        self.commands += 1;
        if self.commands > self.limits.commands(self.admitted) {
            return Err(Violation::TooManyCommands);
        }
        let body = match message.type_id {
            message_type::COMMAND_3 => message.body.strip_prefix(&[0]).unwrap_or(&message.body),
            _ => &message.body,
        };
        let shape = amf::check(body, &self.limits)?;
        Ok(shape.is_command && shape.values >= 3)
    }
}

fn number(body: &[u8]) -> Result<u32, Violation> {
    body.try_into().map(u32::from_be_bytes).map_err(|_| Violation::BadControl(body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(type_id: u8, body: &'static [u8]) -> Message {
        Message { type_id, stream_id: 0, timestamp_ms: 0, body: Bytes::from_static(body) }
    }

    fn judged(admitted: bool, type_id: u8, body: &'static [u8]) -> Result<bool, Violation> {
        let mut guard = Guard::new(IngestLimits::default());
        guard.admitted = admitted;
        guard.judge(message(type_id, body)).map(|passed| passed.is_some())
    }

    const CONNECT: &[u8] =
        b"\x02\x00\x07connect\x00\x3f\xf0\0\0\0\0\0\0\x03\x00\x03app\x02\x00\x04live\x00\x00\x09";

    #[test]
    fn what_would_panic_the_library_stays_outside() {
        assert_eq!(judged(false, message_type::COMMAND, b""), Ok(false));
        assert_eq!(judged(false, message_type::COMMAND, b"\x05\x05\x05"), Ok(false));
        assert_eq!(
            judged(false, message_type::COMMAND, &CONNECT[..19]),
            Ok(false),
            "name and transaction only"
        );
        assert!(judged(false, message_type::COMMAND, &CONNECT[..25]).is_err());
        assert_eq!(judged(true, message_type::DATA, b"\x02\x00\x0d@setDataFrame"), Ok(false));
        assert_eq!(judged(true, message_type::USER_CONTROL, b"\0\x06"), Ok(false));
        assert_eq!(judged(true, message_type::ABORT, b""), Err(Violation::BadControl(0)));
        assert_eq!(
            judged(true, message_type::SET_CHUNK_SIZE, b"\0\0\0\0"),
            Err(ChunkViolation::BadChunkSize(0).into())
        );
    }

    #[test]
    fn commands_pass_and_are_counted() {
        assert_eq!(judged(false, message_type::COMMAND, CONNECT), Ok(true));
        let mut guard = Guard::new(IngestLimits::default());
        let results: Vec<_> = (0..40).map(|_| guard.judge(message(message_type::COMMAND, CONNECT))).collect();
        assert_eq!(results[31].as_ref().map(Option::is_some), Ok(true));
        assert_eq!(results[32], Err(Violation::TooManyCommands));
    }

    #[test]
    fn media_needs_a_key() {
        assert_eq!(judged(false, message_type::VIDEO, b"\x17\0"), Err(Violation::MediaBeforeKey));
        assert_eq!(judged(true, message_type::VIDEO, b"\x17\0"), Ok(true));
        assert_eq!(judged(true, message_type::VIDEO, b""), Ok(false));
    }
}
