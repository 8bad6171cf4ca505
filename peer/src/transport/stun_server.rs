//! The embedded STUN server that tells browsers their public address (RFC 8489).
//!
//! It has a port of its own: Chromium takes whatever comes from the address of its STUN server for an answer
//! to its questions, so a link to that address and port would never open.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::message::{BINDING_SUCCESS, Message, Setter, TransactionId};
use rtc::stun::xoraddr::XorMappedAddress;
use tokio::task::AbortHandle;

use super::receive::PAUSE_AFTER_ERROR;
use super::socket::{Inbound, MuxSocket, Outbound, ReceiveBuffers};
use super::stun::{self, Kind};

/// Settings of a [`StunServer`].
#[derive(Debug, Clone)]
pub struct StunConfig {
    /// The UDP address to listen on; not one that an [`Endpoint`](super::Endpoint) announces.
    pub bind: SocketAddr,
    /// Questions answered per address (IPv6: per /64) and second. 50: sixteen links of a browser with
    /// retransmissions, or a household behind one address.
    pub per_second_max: u32,
    /// Addresses remembered for that count, per second; beyond it nobody new is answered. 8,192: 200 KB.
    pub addresses_max: usize,
    /// Kernel buffers of the socket, each way. 1 MiB: some thousand questions that come at once.
    pub socket_buffer_bytes: usize,
}

impl StunConfig {
    /// Listens on `bind` with the default limits.
    pub fn new(bind: SocketAddr) -> Self {
        Self { bind, per_second_max: 50, addresses_max: 8192, socket_buffer_bytes: 1024 * 1024 }
    }
}

/// A STUN server. It answers Binding requests that carry no user name, and ends when dropped.
#[derive(Debug)]
pub struct StunServer {
    local: SocketAddr,
    tally: Arc<StunTally>,
    task: AbortHandle,
}

/// What became of the datagrams that came to a [`StunServer`].
#[derive(Debug, Default)]
pub struct StunTally {
    answered: AtomicU64,
    answered_elsewhere: AtomicU64,
    too_many: AtomicU64,
    garbage: AtomicU64,
}

impl StunTally {
    /// Questions that were answered.
    pub fn answered(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    /// Those of them that another machine has asked, as far as the addresses tell.
    pub fn answered_elsewhere(&self) -> u64 {
        self.answered_elsewhere.load(Relaxed)
    }

    /// Questions beyond the limits.
    pub fn too_many(&self) -> u64 {
        self.too_many.load(Relaxed)
    }

    /// Datagrams that are no question.
    pub fn garbage(&self) -> u64 {
        self.garbage.load(Relaxed)
    }
}

impl StunServer {
    /// Binds the socket and starts to answer. Needs a tokio runtime.
    pub async fn bind(config: StunConfig) -> io::Result<Self> {
        let socket = Arc::new(MuxSocket::bind(config.bind, config.socket_buffer_bytes)?);
        let local = socket.local_addr();
        let responder = Responder::new(Instant::now(), config.per_second_max, config.addresses_max);
        let tally = Arc::clone(&responder.tally);
        let task = tokio::spawn(serve(socket, responder)).abort_handle();
        Ok(Self { local, tally, task })
    }

    /// What it counts.
    pub fn tally(&self) -> Arc<StunTally> {
        Arc::clone(&self.tally)
    }

    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for StunServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: Arc<MuxSocket>, mut responder: Responder) {
    let mut buffers = ReceiveBuffers::new();
    let mut answers = Vec::new();
    loop {
        let now = Instant::now();
        let read = socket
            .receive(&mut buffers, |datagram| {
                if let Some(bytes) = responder.hear(now, &datagram) {
                    answers.push((Outbound { to: datagram.from, bytes }, datagram.to));
                }
            })
            .await;
        if let Err(error) = read {
            tracing::warn!(%error, "reading the STUN socket failed");
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        }
        for (answer, source) in answers.drain(..) {
            socket.send(std::slice::from_ref(&answer), |_| source).await;
        }
    }
}

/// Answers questions, a bounded number per address and second.
struct Responder {
    per_second_max: u32,
    addresses_max: usize,
    second_began: Instant,
    answered: HashMap<IpAddr, u32>,
    tally: Arc<StunTally>,
}

impl Responder {
    /// A responder that has answered nobody yet.
    fn new(now: Instant, per_second_max: u32, addresses_max: usize) -> Self {
        let (answered, tally) = (HashMap::new(), Arc::default());
        Self { per_second_max, addresses_max, second_began: now, answered, tally }
    }

    /// The answer to a datagram, if it is a question.
    fn hear(&mut self, now: Instant, datagram: &Inbound) -> Option<BytesMut> {
        let Kind::Question { transaction } = stun::classify(&datagram.bytes) else {
            self.tally.garbage.fetch_add(1, Relaxed);
            return None;
        };
        let answer = self.answer(now, datagram.from, transaction);
        let from = datagram.from.ip();
        let counts: &[&AtomicU64] = match answer {
            None => &[&self.tally.too_many],
            Some(_) if from.is_loopback() || datagram.to == Some(from) => &[&self.tally.answered],
            Some(_) => &[&self.tally.answered, &self.tally.answered_elsewhere],
        };
        for count in counts {
            count.fetch_add(1, Relaxed);
        }
        answer
    }

    /// The answer for `from`, unless it or everybody together has asked too much.
    fn answer(&mut self, now: Instant, from: SocketAddr, transaction: [u8; 12]) -> Option<BytesMut> {
        if !self.admit(now, from.ip()) {
            return None;
        }
        let setters: [Box<dyn Setter>; 4] = [
            Box::new(BINDING_SUCCESS),
            Box::new(TransactionId(transaction)),
            Box::new(XorMappedAddress { ip: from.ip(), port: from.port() }),
            Box::new(FINGERPRINT),
        ];
        let mut message = Message::new();
        message.build(&setters).ok()?;
        Some(BytesMut::from(&message.raw[..]))
    }

    fn admit(&mut self, now: Instant, address: IpAddr) -> bool {
        if now.saturating_duration_since(self.second_began) >= Duration::from_secs(1) {
            self.second_began = now;
            self.answered.clear();
        }
        let household = household(address);
        if self.answered.len() >= self.addresses_max && !self.answered.contains_key(&household) {
            return false;
        }
        let count = self.answered.entry(household).or_default();
        *count = count.saturating_add(1);
        *count <= self.per_second_max
    }
}

/// What is counted together: an IPv4 address, or the /64 that one IPv6 subscriber has at least.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_answered_up_to_the_limit_each_second() {
        let now = Instant::now();
        let mut responder = Responder::new(now, 2, 2);
        let mut ask = |now, text: &str| responder.answer(now, text.parse().unwrap(), [7; 12]).is_some();
        assert!(ask(now, "192.0.2.1:5") && ask(now, "192.0.2.1:6") && !ask(now, "192.0.2.1:7"));
        assert!(ask(now, "[2001:db8::1]:5") && ask(now, "[2001:db8::2]:5") && !ask(now, "[2001:db8::3]:5"));
        assert!(!ask(now, "192.0.2.3:5"), "the table is full");
        assert!(ask(now + Duration::from_secs(1), "192.0.2.1:5"));
    }

    #[test]
    fn what_comes_is_counted_by_what_becomes_of_it() {
        let now = Instant::now();
        let mut responder = Responder::new(now, 1, 8);
        let question = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
        let (own, other) = ("192.0.2.9:7", "192.0.2.1:5");
        for (from, bytes) in [
            (own, &question[..]),
            ("127.0.0.1:7", &question),
            (other, &question),
            (other, &question),
            (other, b"?"),
        ] {
            let to = Some("192.0.2.9".parse().unwrap());
            responder.hear(now, &Inbound { from: from.parse().unwrap(), to, bytes: bytes.into() });
        }
        let tally = responder.tally;
        let counted = [tally.answered(), tally.answered_elsewhere(), tally.too_many(), tally.garbage()];
        assert_eq!(counted, [3, 1, 1, 1]);
    }
}
