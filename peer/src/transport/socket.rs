//! The one UDP socket: batches in, batches out, large kernel buffers. The only file that names `quinn_udp`.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use bytes::BytesMut;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Most bytes in one send call: what a UDP datagram with segmentation offload may carry.
const SEND_BATCH_MAX_BYTES: usize = 60_000;
/// Room for one receive buffer: coalesced datagrams arrive as one block of at most this size.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// A datagram that arrived.
pub(super) struct Inbound {
    pub(super) from: SocketAddr,
    /// The local address it was sent to, where the system tells.
    pub(super) to: Option<IpAddr>,
    pub(super) bytes: BytesMut,
}

/// A datagram to send.
pub(super) struct Outbound {
    pub(super) to: SocketAddr,
    pub(super) bytes: BytesMut,
}

/// A UDP socket shared by all links. Addresses are given and returned in their own family, also when the
/// socket is a dual-stack one.
pub(super) struct MuxSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl MuxSocket {
    /// Binds `address` with kernel buffers of `buffer_bytes`, as far as the system grants them.
    pub(super) fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        // Refusals are no reason to stop: the system's maximum applies instead.
        let _ = socket.set_recv_buffer_size(buffer_bytes);
        let _ = socket.set_send_buffer_size(buffer_bytes);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket, state, local })
    }

    /// The bound address.
    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits for datagrams and hands each to `take`.
    pub(super) async fn receive(
        &self,
        buffers: &mut ReceiveBuffers,
        mut take: impl FnMut(Inbound),
    ) -> io::Result<()> {
        let ReceiveBuffers { blocks, metas } = buffers;
        let count = self
            .socket
            .async_io(Interest::READABLE, || {
                let mut slices: Vec<IoSliceMut<'_>> = blocks.iter_mut().map(|b| IoSliceMut::new(b)).collect();
                self.state.recv((&self.socket).into(), &mut slices, metas)
            })
            .await?;
        for (block, meta) in blocks.iter().zip(metas.iter()).take(count) {
            let from = canonical(meta.addr);
            let to = meta.dst_ip.map(|ip| ip.to_canonical());
            for datagram in block[..meta.len].chunks(meta.stride.max(1)) {
                take(Inbound { from, to, bytes: BytesMut::from(datagram) });
            }
        }
        Ok(())
    }

    /// Sends `batch` in order. `source` is the local address to send from to a given remote address.
    ///
    /// Datagrams the network refuses are lost, as others are on the way: congestion control sees it.
    pub(super) async fn send(&self, batch: &[Outbound], source: impl Fn(SocketAddr) -> Option<IpAddr>) {
        let mut contents = BytesMut::new();
        let mut rest = batch;
        while let Some(first) = rest.first() {
            let run = self.run_length(rest);
            let (now, later) = rest.split_at(run);
            rest = later;
            let segment_size = (run > 1).then_some(first.bytes.len());
            let contents: &[u8] = if run > 1 {
                contents.clear();
                now.iter().for_each(|datagram| contents.extend_from_slice(&datagram.bytes));
                &contents
            } else {
                &first.bytes
            };
            let transmit = Transmit {
                destination: self.in_socket_family(first.to),
                ecn: None,
                contents,
                segment_size,
                src_ip: source(first.to).filter(|ip| ip.is_ipv4() == self.local.is_ipv4()),
            };
            let sent = self
                .socket
                .async_io(Interest::WRITABLE, || self.state.try_send((&self.socket).into(), &transmit))
                .await;
            if let Err(error) = sent {
                tracing::trace!(%error, datagrams = run, "datagrams not sent");
            }
        }
    }

    /// How many datagrams at the head of `batch` can go in one call: same destination, same size, the last
    /// one possibly smaller.
    fn run_length(&self, batch: &[Outbound]) -> usize {
        let Some(first) = batch.first() else { return 0 };
        let (size, most) = (first.bytes.len(), self.state.max_gso_segments());
        let mut total = size;
        for (index, datagram) in batch.iter().enumerate().skip(1) {
            total += datagram.bytes.len();
            let fits = index < most && total <= SEND_BATCH_MAX_BYTES && datagram.to == first.to;
            if !fits || datagram.bytes.len() > size {
                return index;
            }
            if datagram.bytes.len() < size {
                return index + 1;
            }
        }
        batch.len()
    }

    fn in_socket_family(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V4(v4) if self.local.is_ipv6() => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            other => other,
        }
    }
}

/// Memory that [`MuxSocket::receive`] reads into; kept between calls.
pub(super) struct ReceiveBuffers {
    blocks: Vec<Box<[u8]>>,
    metas: Vec<RecvMeta>,
}

impl ReceiveBuffers {
    /// Buffers for one batch.
    pub(super) fn new() -> Self {
        let blocks = (0..BATCH_SIZE).map(|_| vec![0; RECEIVE_BUFFER_BYTES].into_boxed_slice()).collect();
        Self { blocks, metas: vec![RecvMeta::default(); BATCH_SIZE] }
    }
}

/// An IPv4 address that a dual-stack socket reports as IPv6, as IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
