//! Every number that the simulated network and the simulated browsers are made of, with its reason.

use crate::sim::agenda::Micros;

/// Microseconds of a millisecond.
pub const MS: Micros = 1_000;
/// Microseconds of a second.
pub const SECOND: Micros = 1_000_000;

// Packets.

/// Data bytes of one packet: 1,200 B of UDP payload (what browsers start from, RFC 8831) less DTLS and SCTP.
pub const PACKET_DATA_BYTES: u32 = 1_150;
/// Bytes that a packet costs besides its data: IPv4 20, UDP 8, DTLS 37, SCTP 12 + 16. TCP with TLS costs about as much.
pub const PACKET_OVERHEAD_BYTES: u32 = 93;
/// Bytes of an acknowledgement: a packet without data.
pub const ACK_BYTES: u32 = 93;
/// Data packets for each acknowledgement (RFC 9260, 6.2; RFC 5681, 4.2).
pub const PACKETS_PER_ACK: u32 = 2;
/// Bytes around a message of the tracker protocol or a frame on the session: WebSocket and TLS.
pub const SESSION_MESSAGE_OVERHEAD_BYTES: u32 = 37;

// Access.

/// A router's queue, as the time that it takes to empty: the bufferbloat of a usual home router.
pub const QUEUE_LENGTH: Micros = 200 * MS;
/// Packets of a run of losses, on average: losses come in bursts (Gilbert 1960).
pub const LOSS_RUN_PACKETS: f64 = 3.0;
/// Loss of an ordinary path; half of it at either end's access.
pub const LOSS_SHARE: f64 = 0.01;
/// Loss in `lossy`.
pub const LOSS_SHARE_LOSSY: f64 = 0.05;
/// Uplink of who gives nothing: it acknowledges and asks, and shares no media.
pub const UPLINK_OF_NONE_BPS: u64 = 1_000_000;
/// Uplinks and downlinks are given as multiples of this, if nothing else is said, whatever the stream's bitrate is.
pub const REFERENCE_BPS: u64 = 3_000_000;
/// Share of viewers, and their uplink in multiples of [`REFERENCE_BPS`] (design.md's mix).
pub const UPLINK_MIX: [(f64, f64); 4] = [(0.3, 0.0), (0.4, 1.0), (0.2, 3.0), (0.1, 10.0)];
/// Downlink in multiples of [`REFERENCE_BPS`]; who has a faster uplink has as fast a downlink.
pub const DOWNLINK_X: f64 = 8.0;
/// The same in `slow-peers`: a third of the viewers have just a half more than the stream.
pub const DOWNLINK_SLOW_X: f64 = 1.5;
/// Share of viewers with such a downlink in `slow-peers`.
pub const SLOW_SHARE: f64 = 0.33;
/// A home's faster uplink: VDSL or cable.
pub const SOURCE_UPLINK_BPS: u64 = 20_000_000;
/// Uplink in `weak-source`, in multiples of the bitrate.
pub const WEAK_SOURCE_X: f64 = 1.3;
/// The tracker's machine.
pub const TRACKER_BPS: u64 = 1_000_000_000;
/// A server that serves everybody has so many times the line that it needs.
pub const SERVER_LINE_X: u64 = 2;

// Distance. All one-way times; a round trip between two viewers takes 20 to 150 ms.

/// Least and most that an access line adds.
pub const ACCESS_DELAY: (Micros, Micros) = (2_500, 7_500);
/// Least and most between two access lines, drawn once for each pair.
pub const BACKBONE_DELAY: (Micros, Micros) = (5 * MS, 60 * MS);
/// Between an access line and the tracker: a round trip takes 20 to 60 ms.
pub const TRACKER_DELAY: (Micros, Micros) = (7_500, 22_500);
/// The tracker's own part of that.
pub const TRACKER_ACCESS: Micros = 2_500;
/// Spread around the delay between two regions.
pub const REGION_SPREAD: (Micros, Micros) = (2 * MS, 15 * MS);
/// Round trips between cloud regions of Frankfurt, Virginia, São Paulo, Mumbai and Sydney, in milliseconds.
pub const REGION_ROUND_TRIP_MS: [[u64; 5]; 5] = [
    [4, 92, 205, 112, 285],
    [92, 4, 115, 190, 200],
    [205, 115, 4, 300, 312],
    [112, 190, 300, 4, 150],
    [285, 200, 312, 150, 4],
];
/// Share of the viewers in each region. The tracker and the source are in the first.
pub const REGION_SHARE: [f64; 5] = [0.35, 0.25, 0.15, 0.15, 0.10];

// Transport.

/// Largest packet's worth of window.
pub const MTU_BYTES: u32 = 1_200;
/// First congestion window, as dcSCTP in Chromium and Linux' TCP (RFC 6928).
pub const WINDOW_FIRST_BYTES: u32 = 10 * MTU_BYTES;
/// Least congestion window after a loss (RFC 9260, 7.2.3).
pub const WINDOW_MIN_BYTES: u32 = 4 * MTU_BYTES;
/// Largest congestion window: the receive window that peers announce is larger than any uplink needs.
pub const WINDOW_MAX_BYTES: u32 = 512 << 10;
/// Later packets after which a gap counts as a loss (RFC 9260, 7.2.4).
pub const LATER_PACKETS: u32 = 3;
/// Least retransmission timeout of a link: dcSCTP's.
pub const RTO_MIN_LINK: Micros = 400 * MS;
/// The same of a session: Linux' TCP with its tail loss probe.
pub const RTO_MIN_SESSION: Micros = 220 * MS;
/// Before a round trip has been measured.
pub const RTO_FIRST: Micros = 500 * MS;
/// Largest timeout.
pub const RTO_MAX: Micros = 4 * SECOND;
/// Retransmissions on the eager lane: `maxRetransmits` 1.
pub const EAGER_RETRANSMITS: u8 = 1;
/// `bufferedAmountLowThreshold` of a browser's data channel.
pub const DRAINED_BYTES: u32 = 16 << 10;
/// Unsent bytes in the kernel of the tracker, per connection, which its queue does not count.
pub const KERNEL_UNSENT_BYTES: u32 = 64 << 10;

/// The tracker's queue tells its engine when it has fallen to half of what the engine lets wait.
pub const SESSION_DRAINED_BYTES: u32 = 32 << 10;
/// Less than this is as good as nothing, to the tracker's queue.
pub const SESSION_WORTH_TELLING_BYTES: u32 = 16 << 10;
/// A native peer with unsent bytes looks at its queues this often.
pub const NATIVE_LOOK_EVERY: Micros = 5 * MS;

// Links and sessions.

/// Round trips of a pair from the answer to an open link: ICE one, DTLS two, SCTP two. With the offer and the answer,
/// which travel through the tracker, they are six.
pub const LINK_ROUND_TRIPS: u64 = 5;
/// Packets of that handshake; each lost one costs [`HANDSHAKE_RETRY`].
pub const HANDSHAKE_PACKETS: u32 = 10;
/// Wait of ICE and DTLS before they repeat a packet.
pub const HANDSHAKE_RETRY: Micros = 200 * MS;
/// A browser gives up a link that is not open after this.
pub const LINK_OPEN_MAX: Micros = 15 * SECOND;
/// Silence after which a neighbor notices that a peer has vanished: ICE consent (RFC 7675).
pub const SILENCE_NOTICED: Micros = 5 * SECOND;
/// After a power cut the tracker notices by missing pings.
pub const POWER_CUT_NOTICED: Micros = 10 * SECOND;
/// A session that was lost is opened again after a random time up to this.
pub const SESSION_RETRY: Micros = 2 * SECOND;
/// Round trips before a page can say that its session is open: TCP one, HTTP and WebSocket one.
pub const PAGE_ROUND_TRIPS: u64 = 2;
/// From the page to the running module: fetch from cache, compile, start (measured in Chromium).
pub const MODULE_START: Micros = 150 * MS;
/// Connections that a browser makes in the life of a page.
pub const LINKS_MADE_MAX: u32 = 450;
/// Connections of a browser at once.
pub const LINKS_AT_ONCE_MAX: usize = 32;
/// Bytes of a session description with its candidates, as JSON.
pub const DESCRIPTION_BYTES: u32 = 1_600;

// Screens.

/// From an append to the picture, and after each jump: decode and compose (measured in Chromium).
pub const DECODE: Micros = 80 * MS;
/// Between two looks at the screen.
pub const LOOK_EVERY: Micros = 100 * MS;
/// Between two reports of the playhead to the engine: viewer-wasm's.
pub const PLAYHEAD_EVERY: Micros = 240 * MS;
/// Timers of a hidden tab run once in this time.
pub const HIDDEN_TIMER: Micros = SECOND;
/// Share of viewers whose tab is hidden.
pub const HIDDEN_SHARE: f64 = 0.05;
/// In `busy-machines`, a viewer's machine is held up at random moments, so far apart on average.
pub const HELD_UP_EVERY: Micros = 400 * MS;
/// And does nothing for so long, on average: as six browsers on two cores.
pub const HELD_UP_FOR: Micros = 250 * MS;
/// Never for longer than this.
pub const HELD_UP_MAX: Micros = 1_500 * MS;
/// Nothing else is slow there: everybody's uplink, in multiples of the reference.
pub const UPLINK_OF_BUSY_X: f64 = 10.0;
/// A standstill shorter than one frame at 25 a second is none.
pub const STALL_MIN: Micros = 40 * MS;

// Media.

/// Media time of a chunk.
pub const CHUNK_MS: u64 = 100;
/// Chunks from keyframe to keyframe.
pub const CHUNKS_PER_SEGMENT: u32 = 10;
/// Bytes of a keyframe's chunk in multiples of another one's: 1.5 to 1.8 with the README's encoder settings and a
/// constant bitrate (a buffer of half a second), on noisy moving pictures.
pub const KEYFRAME_X: u64 = 2;
/// Lag that all viewers aim at: uploader's.
pub const TARGET_LAG_MS: u16 = 1_500;
/// Stripes up to [`STRIPES_FAST_ABOVE_BPS`], and above: uploader's.
pub const STRIPES: u8 = 6;
/// Stripes of a fast stream.
pub const STRIPES_FAST: u8 = 8;
/// A stream is fast above this.
pub const STRIPES_FAST_ABOVE_BPS: u32 = 3_000_000;
/// Proofs are kept for this long: far longer than any engine keeps pieces.
pub const PROOF_KEPT: Micros = 30 * SECOND;

// Timelines.

/// The broadcast runs for so long before the first viewer comes.
pub const HEAD_START: Micros = 3 * SECOND;
/// The swarm's arrival takes so long, or longer where it is small.
pub const ARRIVAL_SECONDS: u64 = 10;
/// Arrivals a second, at least.
pub const ARRIVALS_MIN: u64 = 10;
/// From the last arrival to the start of measuring.
pub const SETTLING: Micros = 10 * SECOND;
/// From the start of measuring to what the scenario is about.
pub const INCIDENT_AFTER: Micros = 5 * SECOND;
/// Length of a viewer's session in `churn`, on average.
pub const CHURN_SESSION_SECONDS: f64 = 60.0;
/// In `capacity`, the first part of a session in which the relay may serve.
pub const JOINING: Micros = 10 * SECOND;
/// How long the tracker is away in `tracker-down`.
pub const TRACKER_AWAY: Micros = 60 * SECOND;
/// How long the source is away in `source-restart`.
pub const SOURCE_AWAY: Micros = 5 * SECOND;
/// Share of viewers that vanish in `mass-departure`.
pub const DEPARTING_SHARE: f64 = 0.3;
/// Part of the viewers that is there before the crowd in `flash-crowd`: one in ten.
pub const CROWD_X: usize = 10;
