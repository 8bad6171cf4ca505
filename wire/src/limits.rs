//! Every bound that both ends must agree on, with its unit and its reason.

/// Bytes of payload in one piece, at most: one data-channel message stays far below the 64 KiB that every
/// implementation accepts, and a hop forwards it within 50 ms at 3 Mb/s.
pub const PIECE_PAYLOAD_MAX: usize = 16 * 1024;

/// Bytes of payload in one piece, at least, where the chunk is large enough: below this the 98 bytes of
/// header and signature weigh more than 2.5 %.
pub const PIECE_PAYLOAD_MIN: usize = 4 * 1024;

/// Bytes of payload in one piece, at most, where the chunk need not have more than 256 pieces: seven packets, less than
/// a new connection may have on its way.
pub const PIECE_PAYLOAD_USUAL: usize = 8 * 1024;

/// Pieces in one chunk: 4 MiB, a keyframe of a 100 Mb/s stream.
pub const CHUNK_PIECES_MAX: u16 = 256;

/// Stripes of a broadcast: fits the 16 bits of a [`StripeSet`](crate::StripeSet).
pub const STRIPES_MAX: u8 = 16;

/// Bytes of an init segment. Two tracks with long parameter sets take about 1.5 KiB.
pub const INIT_MAX: usize = 8 * 1024;

/// Bytes of a MIME type with its codecs parameter.
pub const MIME_MAX: usize = 128;

/// Bytes of any frame of the peer protocol: a full piece, or a stream header with the longest init segment.
pub const FRAME_MAX: usize = 20 * 1024;

/// Pieces one HAVE describes: ten seconds at 200 pieces a second.
pub const HAVE_SPAN_MAX: usize = 2048;

/// Pieces asked for, or answered about, in one frame.
pub const REQUEST_MAX: usize = 64;

/// Seconds for which a delegation may hold, at most: a year and a day. Nothing takes one back before it expires.
pub const DELEGATION_MAX_S: u64 = 366 * 86_400;

/// Seconds by which a clock may be wrong where a delegation's times are held against it: who watches may have a clock
/// that nobody sets.
pub const CLOCK_ERROR_MAX_S: u64 = 3_600;

/// Bytes of a session description (SDP). Chromium's with two data channels take about 1 KiB.
pub const SDP_MAX: usize = 16 * 1024;

/// Bytes of one ICE candidate line.
pub const CANDIDATE_MAX: usize = 512;

/// Bytes of one text message on a session: an SDP and its envelope.
pub const SESSION_TEXT_MAX: usize = SDP_MAX + 1024;

/// Bytes of a channel's name.
pub const NAME_MAX: usize = 48;

/// Bytes of a token in a `join`: several times what such a JWT takes.
pub const TOKEN_MAX: usize = 1_024;

/// Neighbors that a peer may name, or be told of, in one message.
pub const NEIGHBORS_MAX: usize = 32;

/// Milliseconds of media after which an epoch must end: the piece's time field has 32 bits (49 days).
pub const EPOCH_MS_MAX: u32 = u32::MAX - 600_000;
