//! What the server is told at its start, and every limit with its unit and reason.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a [`Server`](crate::Server).
#[derive(Debug, Clone)]
pub struct Config {
    /// Where pages and sessions are served. Port 0: the system chooses.
    pub listen: SocketAddr,
    /// Where encoders publish; `None`: no hosted ingest.
    pub rtmp: Option<SocketAddr>,
    /// Where browsers ask for their public address (STUN); `None`: nowhere, and no links of hosted broadcasts
    /// unless `links` is given.
    pub udp: Option<SocketAddr>,
    /// Where the links of hosted broadcasts are made; `None`: two ports above `udp`.
    pub links: Option<SocketAddr>,
    /// Where channels are kept.
    pub data: PathBuf,
    /// Addresses for the host candidates of hosted broadcasts; empty: those of the machine.
    pub announce: Vec<IpAddr>,
    /// May whoever proves a key take a free name? `None`: only if `listen` is a loopback address.
    pub open_registration: Option<bool>,
    /// Bits a second that the relay of each channel may send; `None`: no budget.
    pub relay_egress_bps: Option<u64>,
    /// Bounds on memory, time and work.
    pub limits: Limits,
}

impl Config {
    /// Pages on `listen`, channels in `data`; no ingest, no UDP, default limits.
    pub fn new(listen: SocketAddr, data: PathBuf) -> Self {
        Config {
            listen,
            rtmp: None,
            udp: None,
            links: None,
            data,
            announce: Vec::new(),
            open_registration: None,
            relay_egress_bps: None,
            limits: Limits::default(),
        }
    }

    /// Whether an unknown key may register a free name.
    pub fn registration_is_open(&self) -> bool {
        self.open_registration.unwrap_or(self.listen.ip().is_loopback())
    }
}

/// Every bound of the server. Those that both ends must agree on are in [`wire::limits`].
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once, sessions included. 16,384: at about 20 KB each 320 MB, below the usual 20,000 files
    /// that a service may open.
    pub connections_max: usize,
    /// Sessions at once. 16,000: leaves room for those who fetch a page.
    pub sessions_max: usize,
    /// Sessions at once of one address (IPv6: of one /64). 256: a school behind one address.
    pub sessions_per_address: usize,
    /// The same for loopback. 1,024: tests, and programs on this machine.
    pub sessions_on_loopback: usize,
    /// Sessions opened by one address in a second, on average. 20: a page reloaded by a whole school after a
    /// restart is served within seconds, thanks to the burst.
    pub openings_per_second: u32,
    /// The same at once. As many as it may have sessions.
    pub openings_burst: u32,
    /// Text messages read from one session in a second, on average; more wait in the network. 50: a link takes
    /// about eight, and each peer keeps 16 links.
    pub texts_per_second: u32,
    /// The same at once. 200: sixteen links made together, with their candidates.
    pub texts_burst: u32,
    /// Binary messages read from one viewer in a second, on average. 200: requests and summaries, ten times over.
    pub frames_per_second: u32,
    /// Binary messages read from a broadcaster in a second, on average. 2,000: 64 Mb/s in the smallest pieces.
    pub source_frames_per_second: u32,
    /// Time for the request line and headers. 10 s: two lost packets on a slow mobile network.
    pub header_timeout: Duration,
    /// Time from the opening of a session to its first message. 10 s, as for headers.
    pub first_message_timeout: Duration,
    /// Time between pings. 20 s: home routers forget a silent TCP connection after 30 s and more.
    pub ping_every: Duration,
    /// Silence after which a session counts as dead. 45 s: two unanswered pings.
    pub dead_after: Duration,
    /// Time that the last words of a session, and the closing of all at shutdown, may take. 2 s: a round trip or two.
    pub farewell: Duration,
    /// Bytes of text waiting for one session. 256 KiB: a dozen of the longest offers; who is further behind is gone.
    pub queued_text_bytes_max: usize,
    /// Bytes of frames waiting for one session. 2 MiB: the engine stops far earlier, this is for its mistakes.
    pub queued_frame_bytes_max: usize,
    /// Unsent bytes that the kernel holds for one connection. 64 KiB: what waits there is late and cannot be dropped.
    pub unsent_bytes_max: u32,
    /// Messages waiting for the task of one channel; then sessions wait. 512: at the longest frame 10 MiB.
    pub inbox_messages: usize,
    /// Channels known at once. 4,096: about 1 KB each without viewers. The longest idle one is forgotten first.
    pub channels_max: usize,
    /// A channel without sessions frees its memory after this. 60 s: an encoder may come back within it.
    pub idle_channel: Duration,
    /// A server that has just started knows no broadcaster yet: joins of unknown channels wait until it is this
    /// old. 10 s: after a restart all broadcasters are back by then.
    pub settling: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 16_384,
            sessions_max: 16_000,
            sessions_per_address: 256,
            sessions_on_loopback: 1_024,
            openings_per_second: 20,
            openings_burst: 256,
            texts_per_second: 50,
            texts_burst: 200,
            frames_per_second: 200,
            source_frames_per_second: 2_000,
            header_timeout: Duration::from_secs(10),
            first_message_timeout: Duration::from_secs(10),
            ping_every: Duration::from_secs(20),
            dead_after: Duration::from_secs(45),
            farewell: Duration::from_secs(2),
            queued_text_bytes_max: 256 << 10,
            queued_frame_bytes_max: 2 << 20,
            unsent_bytes_max: 64 << 10,
            inbox_messages: 512,
            channels_max: 4_096,
            idle_channel: Duration::from_secs(60),
            settling: Duration::from_secs(10),
        }
    }
}
