//! Every bound of the RTMP server, with its reason.

use std::time::Duration;

/// What one sender, and all of them together, may cost. The defaults serve a home as well as a public server.
#[derive(Debug, Clone)]
pub struct IngestLimits {
    /// Connections at once, over all addresses. Default 256: one costs about 20 KiB before its key is accepted.
    pub connections_max: usize,
    /// Connections at once from one address (from one /64 in IPv6). Default 16: a studio behind one NAT.
    pub connections_per_address_max: usize,
    /// From the first byte to an accepted key. Default 10 s: seven round trips of the slowest mobile network.
    pub admission_timeout: Duration,
    /// Without a single byte from a publishing encoder. Default 15 s, well inside the minute in which a
    /// returning encoder continues its broadcast.
    pub idle_timeout: Duration,
    /// For a reply to leave. Default 5 s: replies are a few hundred bytes, only a hostile peer leaves them.
    pub write_timeout: Duration,
    /// Bytes of a command, and of anything else but media and metadata. Default 4 KiB: real ones have 30 to 400.
    pub command_max_bytes: usize,
    /// Bytes of metadata from an admitted encoder. Default 32 KiB: real ones have 400; captions come this way.
    pub metadata_max_bytes: usize,
    /// Bytes of an audio or video message from an admitted encoder. Default 4 MiB: a keyframe of an 8 Mb/s
    /// stream stays below 1 MiB.
    pub media_max_bytes: usize,
    /// Bytes of unfinished messages of one connection before its key is accepted. Default 8 KiB.
    pub unfinished_max_bytes: usize,
    /// The same afterwards. Default 9 MiB: picture, sound and metadata may be interleaved.
    pub unfinished_admitted_max_bytes: usize,
    /// Chunk streams of one connection. Default 16: encoders use two to six.
    pub chunk_streams_max: usize,
    /// Commands of one connection before its key is accepted. Default 32: encoders send five or six.
    pub commands_max: u32,
    /// The same afterwards. Default 4,096, for hours of housekeeping.
    pub commands_admitted_max: u32,
    /// How deep AMF0 values may be nested. Default 8: real ones are three deep.
    pub amf_depth_max: u32,
    /// AMF0 values in one message. Default 1,024.
    pub amf_values_max: u32,
    /// Bytes of an AMF0 string or property name. Default 2 KiB: the longest real one is an address.
    pub amf_string_max_bytes: usize,
    /// Tags waiting for the consumer. Default 512, some six seconds; then the encoder's TCP is held back.
    pub queue_max_tags: usize,
    /// Bytes of the tags waiting. Default 8 MiB, eight seconds at 8 Mb/s.
    pub queue_max_bytes: usize,
}

impl Default for IngestLimits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            connections_per_address_max: 16,
            admission_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(5),
            command_max_bytes: 4 << 10,
            metadata_max_bytes: 32 << 10,
            media_max_bytes: 4 << 20,
            unfinished_max_bytes: 8 << 10,
            unfinished_admitted_max_bytes: 9 << 20,
            chunk_streams_max: 16,
            commands_max: 32,
            commands_admitted_max: 4_096,
            amf_depth_max: 8,
            amf_values_max: 1_024,
            amf_string_max_bytes: 2 << 10,
            queue_max_tags: 512,
            queue_max_bytes: 8 << 20,
        }
    }
}

impl IngestLimits {
    /// The largest message of a type, bytes. Media from a sender without a key has no business here.
    pub(crate) fn message_bytes(&self, admitted: bool, type_id: u8) -> usize {
        match type_id {
            message_type::AUDIO | message_type::VIDEO => {
                if admitted {
                    self.media_max_bytes
                } else {
                    0
                }
            }
            message_type::DATA | message_type::DATA_3 if admitted => self.metadata_max_bytes,
            _ => self.command_max_bytes,
        }
    }

    /// Bytes of unfinished messages of one connection.
    pub(crate) fn unfinished_bytes(&self, admitted: bool) -> usize {
        if admitted { self.unfinished_admitted_max_bytes } else { self.unfinished_max_bytes }
    }

    /// Commands of one connection.
    pub(crate) fn commands(&self, admitted: bool) -> u32 {
        if admitted { self.commands_admitted_max } else { self.commands_max }
    }
}

/// RTMP message types (Adobe RTMP 1.0, sections 5.4, 6.2 and 7.1).
pub(crate) mod message_type {
    pub const SET_CHUNK_SIZE: u8 = 1;
    pub const ABORT: u8 = 2;
    pub const USER_CONTROL: u8 = 4;
    pub const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
    pub const AUDIO: u8 = 8;
    pub const VIDEO: u8 = 9;
    /// Marked as AMF3, in practice AMF0.
    pub const DATA_3: u8 = 15;
    /// Marked as AMF3, in practice AMF0 after a zero.
    pub const COMMAND_3: u8 = 17;
    pub const DATA: u8 = 18;
    pub const COMMAND: u8 = 20;
}
