//! What an endpoint is told at its start: where to listen, what to announce, and every limit with its reason.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Settings of an [`Endpoint`](super::Endpoint).
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// The one UDP address that all links share. Port 0 lets the system choose; `[::]` serves IPv4 too.
    pub bind: SocketAddr,
    /// Addresses of the host candidates in offers and answers, in order of preference. Empty: the addresses
    /// of the machine's interfaces, loopback only when there is nothing else.
    pub announce: Vec<IpAddr>,
    /// Bounds on memory, time and work.
    pub limits: Limits,
}

impl EndpointConfig {
    /// Listens on `bind`, announces the machine's own addresses, default limits.
    pub fn new(bind: SocketAddr) -> Self {
        Self { bind, announce: Vec::new(), limits: Limits::default() }
    }
}

/// Every bound of the transport.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Links at a time, opening ones included. 256: at about 300 KB each this is 75 MB.
    pub links_max: usize,
    /// Bytes handed to a link and not yet acknowledged by the peer (or given up), both lanes together.
    /// 128 KiB: what the design allows to wait in a data channel; 16 Mb/s at a round trip of 64 ms.
    pub buffered_max_bytes: usize,
    /// The part of `buffered_max_bytes` that the eager lane may fill. 96 KiB: requests and repairs on the
    /// control lane always find room.
    pub buffered_eager_max_bytes: usize,
    /// Frames handed to a link and not yet taken by its task. 1,024: pieces are 4 KiB and more, so bytes are
    /// the bound; this one is for floods of tiny control frames.
    pub queued_frames_max: usize,
    /// Events waiting for the reader of a link. 64: at the largest frame 4 MiB, at the usual piece 1 MiB.
    /// A reader that falls behind further slows the sender down through SCTP's receive window.
    pub events_max: usize,
    /// Datagrams waiting for a link's task; more are dropped like in a network. 512: 600 KB of full ones.
    pub inbox_max_datagrams: usize,
    /// Receive window of one link. 512 KiB: 28 Mb/s at a round trip of 150 ms.
    pub receive_window_bytes: u32,
    /// Largest offer or answer accepted. 16 KiB: a browser's data-channel offer is 500 bytes to 2 KB.
    pub sdp_max_bytes: usize,
    /// Longest candidate line accepted. 512 bytes: real ones stay below 200.
    pub candidate_max_bytes: usize,
    /// Remote candidates per link, and remote addresses that may reach it. 32: each one is checked every
    /// `check_interval`, towards an address that a stranger chose.
    pub remote_addresses_max: usize,
    /// A link that is not open after this is closed. 15 s: a slow signalling path and a lost flight or two.
    pub open_timeout: Duration,
    /// Time between connectivity checks while a link opens. 50 ms: four times faster than the usual default,
    /// which costs a third of a second per opening.
    pub check_interval: Duration,
    /// Checks per candidate pair before it rests. 100: 5 s; a check of the peer wakes it up again.
    pub checks_max: u16,
    /// Time between consent checks on an open link. 1 s: so that silence is noticed within seconds.
    pub keepalive_interval: Duration,
    /// Silence after which a link counts as disconnected. 3 s: three lost consent checks.
    pub disconnected_after: Duration,
    /// Time a disconnected link gets to come back before it is closed. 4 s: a Wi-Fi roam takes one to three.
    pub disconnected_grace: Duration,
    /// Kernel buffers of the socket, each way. 4 MiB: with the usual 208 KiB bursts are lost in the machine.
    pub socket_buffer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            links_max: 256,
            buffered_max_bytes: 128 * 1024,
            buffered_eager_max_bytes: 96 * 1024,
            queued_frames_max: 1024,
            events_max: 64,
            inbox_max_datagrams: 512,
            receive_window_bytes: 512 * 1024,
            sdp_max_bytes: 16 * 1024,
            candidate_max_bytes: 512,
            remote_addresses_max: 32,
            open_timeout: Duration::from_secs(15),
            check_interval: Duration::from_millis(50),
            checks_max: 100,
            keepalive_interval: Duration::from_secs(1),
            disconnected_after: Duration::from_secs(3),
            disconnected_grace: Duration::from_secs(4),
            socket_buffer_bytes: 4 * 1024 * 1024,
        }
    }
}

/// Largest frame on either lane, in bytes: what browsers accept from every implementation (64 KiB).
pub(crate) const FRAME_MAX_BYTES: usize = 64 * 1024;
