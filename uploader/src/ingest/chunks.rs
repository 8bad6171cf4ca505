//! Reads the RTMP chunk stream (Adobe RTMP 1.0, section 5.3) into whole messages, within bounds. It stands in
//! front of the library because the library allocates what a header claims before anybody is admitted, and
//! panics on headers and aborts inside a message. What messages mean is left to [`super::guard`].

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::limits::IngestLimits;

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub type_id: u8,
    pub stream_id: u32,
    pub timestamp_ms: u32,
    pub body: Bytes,
}

/// Why a chunk stream is not read any further.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkViolation {
    #[error("a header inside a message")]
    HeaderInsideMessage,
    #[error("a continued header without one to continue")]
    NothingToContinue,
    #[error("too many chunk streams")]
    TooManyChunkStreams,
    #[error("a message of type {type_id} with {size} bytes, {limit} are allowed")]
    MessageTooLarge { type_id: u8, size: usize, limit: usize },
    #[error("too many bytes in unfinished messages")]
    TooManyUnfinishedBytes,
    #[error("a chunk size of {0} bytes")]
    BadChunkSize(u32),
}

const INITIAL_CHUNK_SIZE: u32 = 128;
/// A message has at most this many bytes, so larger chunks mean the same.
const MESSAGE_LENGTH_MAX: u32 = 0x00ff_ffff;
/// In the 24-bit field: the real timestamp follows in 32 bits.
const EXTENDED: u32 = 0x00ff_ffff;

/// The state of one connection's chunk stream.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    input: BytesMut,
    chunk_size: u32,
    streams: Vec<ChunkStream>,
    /// The chunk whose payload is being read: index of its stream and bytes to come.
    current: Option<(usize, usize)>,
    unfinished_bytes: usize,
}

/// What headers of one chunk stream refer back to, and its unfinished message.
#[derive(Debug, Default)]
struct ChunkStream {
    id: u32,
    timestamp_ms: u32,
    /// The timestamp field as sent: absolute in a full header, otherwise a difference.
    timestamp_field: u32,
    extended: bool,
    length: usize,
    type_id: u8,
    stream_id: u32,
    body: BytesMut,
    in_message: bool,
}

/// A header that has arrived completely.
struct Header {
    format: u8,
    id: u32,
    size: usize,
}

impl ChunkReader {
    pub fn new() -> Self {
        let (input, streams) = (BytesMut::new(), Vec::new());
        Self { input, chunk_size: INITIAL_CHUNK_SIZE, streams, current: None, unfinished_bytes: 0 }
    }

    /// Adds received bytes; call [`Self::next`] until `None` before adding more.
    pub fn add(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The peer announced the size of its chunks.
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), ChunkViolation> {
        if size == 0 || size > 0x7fff_ffff {
            return Err(ChunkViolation::BadChunkSize(size));
        }
        self.chunk_size = size.min(MESSAGE_LENGTH_MAX);
        Ok(())
    }

    /// The peer gives up the unfinished message of a chunk stream.
    pub fn abort(&mut self, chunk_stream: u32) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == chunk_stream) {
            self.unfinished_bytes -= stream.body.len();
            stream.body = BytesMut::new();
            stream.in_message = false;
        }
    }

    /// Bytes held of messages and headers to come.
    pub fn held_bytes(&self) -> usize {
        self.input.len() + self.unfinished_bytes
    }

    /// The next whole message, if it has arrived. The bounds widen when the sender is admitted.
    pub fn next(&mut self, limits: &IngestLimits, admitted: bool) -> Result<Option<Message>, ChunkViolation> {
        loop {
            let Some((index, missing)) = self.current else {
                if !self.read_header(limits, admitted)? {
                    return Ok(None);
                }
                continue;
            };
            let available = missing.min(self.input.len());
            if self.unfinished_bytes + available > limits.unfinished_bytes(admitted) {
                return Err(ChunkViolation::TooManyUnfinishedBytes);
            }
            let stream = &mut self.streams[index];
            stream.body.extend_from_slice(&self.input[..available]);
            self.input.advance(available);
            self.unfinished_bytes += available;
            if available < missing {
                self.current = Some((index, missing - available));
                return Ok(None);
            }
            self.current = None;
            if stream.body.len() == stream.length {
                return Ok(Some(self.finish(index)));
            }
        }
    }

    fn finish(&mut self, index: usize) -> Message {
        let stream = &mut self.streams[index];
        stream.in_message = false;
        self.unfinished_bytes -= stream.body.len();
        Message {
            type_id: stream.type_id,
            stream_id: stream.stream_id,
            timestamp_ms: stream.timestamp_ms,
            body: std::mem::take(&mut stream.body).freeze(),
        }
    }

    /// Reads one chunk header; false when it has not arrived completely.
    fn read_header(&mut self, limits: &IngestLimits, admitted: bool) -> Result<bool, ChunkViolation> {
        let Some(header) = self.peek_basic_header() else { return Ok(false) };
        let index = match self.streams.iter().position(|stream| stream.id == header.id) {
            Some(index) => index,
            None if header.format != 0 => return Err(ChunkViolation::NothingToContinue),
            None if self.streams.len() >= limits.chunk_streams_max => {
                return Err(ChunkViolation::TooManyChunkStreams);
            }
            None => {
                self.streams.push(ChunkStream { id: header.id, ..ChunkStream::default() });
                self.streams.len() - 1
            }
        };
        let stream = &mut self.streams[index];
        if stream.in_message && header.format != 3 {
            return Err(ChunkViolation::HeaderInsideMessage);
        }
        let Some(header_bytes) = stream.apply(&header, &self.input) else { return Ok(false) };
        let limit = limits.message_bytes(admitted, stream.type_id);
        if stream.length > limit {
            let (type_id, size) = (stream.type_id, stream.length);
            return Err(ChunkViolation::MessageTooLarge { type_id, size, limit });
        }
        let missing = (stream.length - stream.body.len()).min(self.chunk_size as usize);
        self.input.advance(header_bytes);
        self.current = Some((index, missing));
        Ok(true)
    }

    fn peek_basic_header(&self) -> Option<Header> {
        let first = *self.input.first()?;
        let second = self.input.get(1).map(|byte| u32::from(*byte));
        let third = self.input.get(2).map(|byte| u32::from(*byte));
        let (id, size) = match first & 0x3f {
            0 => (second? + 64, 2),
            1 => (third? * 256 + second? + 64, 3),
            id => (u32::from(id), 1),
        };
        Some(Header { format: first >> 6, id, size })
    }
}

impl ChunkStream {
    /// Takes the message header in, unless it has not arrived completely. Returns its size with the basic header.
    fn apply(&mut self, header: &Header, input: &[u8]) -> Option<usize> {
        let fields_size = [11, 7, 3, 0][usize::from(header.format)];
        let fields = input.get(header.size..header.size + fields_size)?;
        let size = header.size + fields_size;
        let field = fields.first_chunk::<3>().map(|bytes| number(bytes));
        let extended = field.map_or(self.extended, |field| field == EXTENDED);
        let wide = if extended { Some(number(input.get(size..size + 4)?)) } else { None };

        if let Some(field) = field {
            self.timestamp_field = wide.unwrap_or(field);
            self.extended = extended;
        }
        if let Some(length) = fields.get(3..6) {
            self.length = number(length) as usize;
            self.type_id = fields[6];
        }
        if let Some(stream_id) = fields.get(7..11) {
            self.stream_id = number(stream_id).swap_bytes();
        }
        if !self.in_message {
            self.in_message = true;
            let from = if header.format == 0 { 0 } else { self.timestamp_ms };
            self.timestamp_ms = from.wrapping_add(self.timestamp_field);
        }
        // Not every encoder repeats the wide timestamp in continued chunks, as the specification wants.
        let repeated = header.format != 3 || wide == Some(self.timestamp_field);
        Some(if wide.is_some() && repeated { size + 4 } else { size })
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> IngestLimits {
        IngestLimits {
            chunk_streams_max: 4,
            unfinished_admitted_max_bytes: 1_000,
            media_max_bytes: 800,
            ..IngestLimits::default()
        }
    }

    fn read(bytes: &[u8], step: usize) -> Result<Vec<Message>, ChunkViolation> {
        let (mut reader, mut messages) = (ChunkReader::new(), Vec::new());
        for part in bytes.chunks(step) {
            reader.add(part);
            while let Some(message) = reader.next(&limits(), true)? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    fn full_header(id: u8, timestamp: u32, length: u32, type_id: u8) -> Vec<u8> {
        let mut header = vec![id];
        header.extend_from_slice(&timestamp.to_be_bytes()[1..]);
        header.extend_from_slice(&length.to_be_bytes()[1..]);
        header.push(type_id);
        header.extend_from_slice(&1_u32.to_le_bytes());
        header
    }

    #[test]
    fn interleaved_messages_come_out_whole() {
        let mut bytes = full_header(4, 40, 200, 9);
        bytes.extend([b'v'; 128]);
        bytes.extend(full_header(5, 23, 3, 8));
        bytes.extend([b'a'; 3]);
        bytes.push(0xc4);
        bytes.extend([b'v'; 72]);
        for step in [1, 7, 4_096] {
            let messages = read(&bytes, step).unwrap();
            let summary: Vec<_> = messages
                .iter()
                .map(|message| (message.type_id, message.timestamp_ms, message.body.len()))
                .collect();
            assert_eq!(summary, [(8, 23, 3), (9, 40, 200)]);
            assert_eq!(messages[0].stream_id, 1);
        }
    }

    #[test]
    fn wide_timestamps_may_be_repeated_or_not() {
        for repeated in [true, false] {
            let mut bytes = full_header(4, EXTENDED, 200, 9);
            bytes.extend(0x0123_4567_u32.to_be_bytes());
            bytes.extend([0xaa; 128]);
            bytes.push(0xc4);
            if repeated {
                bytes.extend(0x0123_4567_u32.to_be_bytes());
            }
            bytes.extend([0xaa; 72]);
            let messages = read(&bytes, 4_096).unwrap();
            assert_eq!((messages[0].timestamp_ms, messages[0].body.len()), (0x0123_4567, 200));
            assert!(messages[0].body.iter().all(|byte| *byte == 0xaa));
        }
    }

    #[test]
    fn differences_add_up() {
        let mut bytes = full_header(4, 1_000, 1, 8);
        bytes.push(0);
        bytes.extend([0x84, 0, 0, 20, 1]); // a difference
        bytes.extend([0xc4, 2]); // the same once more
        let times: Vec<u32> = read(&bytes, 3).unwrap().iter().map(|message| message.timestamp_ms).collect();
        assert_eq!(times, [1_000, 1_020, 1_040]);
    }

    #[test]
    fn lies_and_disorder_are_violations() {
        let mut inside = full_header(4, 0, 200, 9);
        inside.extend([0; 128]);
        inside.extend(full_header(4, 0, 200, 9));
        assert_eq!(read(&inside, 4_096), Err(ChunkViolation::HeaderInsideMessage));
        let large = full_header(4, 0, 16_000_000, 9);
        assert!(matches!(read(&large, 1), Err(ChunkViolation::MessageTooLarge { limit: 800, .. })));
        assert_eq!(read(&[0xc4], 1), Err(ChunkViolation::NothingToContinue));
        let many: Vec<u8> = (2..8).flat_map(|id| full_header(id, 0, 0, 8)).collect();
        assert_eq!(read(&many, 4_096), Err(ChunkViolation::TooManyChunkStreams));
        let mut hoard = Vec::new();
        for id in 2..6 {
            hoard.extend(full_header(id, 0, 290, 8));
            hoard.extend([0; 128]);
            hoard.push(0xc0 | id);
            hoard.extend([0; 128]);
        }
        assert_eq!(read(&hoard, 4_096), Err(ChunkViolation::TooManyUnfinishedBytes));
    }

    #[test]
    fn an_aborted_message_is_forgotten() {
        let mut reader = ChunkReader::new();
        reader.add(&full_header(4, 0, 200, 9));
        reader.add(&[0; 128]);
        assert_eq!(reader.next(&limits(), true), Ok(None));
        reader.abort(4);
        assert_eq!(reader.unfinished_bytes, 0);
        reader.add(&full_header(4, 7, 2, 9));
        reader.add(b"ok");
        assert_eq!(reader.next(&limits(), true).unwrap().unwrap().body, "ok");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_stay_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..4_000), step in 1..600_usize) {
            let mut reader = ChunkReader::new();
            for part in bytes.chunks(step) {
                reader.add(part);
                loop {
                    prop_assert!(reader.unfinished_bytes <= 1_000 && reader.streams.len() <= 4);
                    match reader.next(&limits(), true) {
                        Ok(Some(message)) if message.type_id == 2 => reader.abort(u32::from(message.timestamp_ms as u8)),
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
                prop_assert!(reader.input.len() < 18);
            }
        }
    }
}
