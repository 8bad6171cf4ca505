//! One WebRTC connection as a state machine: datagrams and time in, datagrams and frames out. The only file
//! that names the connection types of the WebRTC crate.
//!
//! Sockets, tasks and the choice of what to send belong to others.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rtc::data_channel::{RTCDataChannelId, RTCDataChannelInit};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::{
    SctpMaxMessageSize, SettingEngine, SettingEngineBuilder,
};
use rtc::peer_connection::event::{RTCDataChannelEvent, RTCPeerConnectionEvent};
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::{RTCIceConnectionState, RTCPeerConnectionState};
use rtc::peer_connection::transport::{RTCDtlsRole, RTCIceCandidateInit};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::sansio::Protocol as _;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use super::config::{FRAME_MAX_BYTES, Limits};
use super::haste::Haste;
use super::link::Lane;
use super::sdp;
use super::socket::{Inbound, Outbound};
use super::stun;

/// DTLS that overtakes the last connectivity check is kept until the check is through: a flight or two.
const EARLY_DATAGRAMS_MAX: usize = 8;

/// The ICE user name and password of this side.
pub(super) struct Credentials {
    pub(super) ufrag: String,
    pub(super) password: String,
}

/// Where this side can be reached: one address per family is checked from, all are announced.
pub(super) struct LocalAddresses {
    pub(super) announced: Vec<std::net::IpAddr>,
    pub(super) port: u16,
}

impl LocalAddresses {
    /// The address that stands for this side towards peers of one family.
    fn primary(&self, ipv4: bool) -> Option<SocketAddr> {
        let address = self.announced.iter().find(|address| address.is_ipv4() == ipv4)?;
        Some(SocketAddr::new(*address, self.port))
    }
}

/// What a connection reports.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ConnectionEvent {
    /// The path works (again).
    Reachable,
    /// The peer has been silent for a while.
    Unreachable,
    /// No path works any more.
    Failed,
    /// A lane is open.
    LaneOpen(Lane),
    /// The peer closed a lane or all.
    Ended,
}

/// A description was refused. The crate's own words are dropped: they quote what the peer wrote, addresses
/// included, and must not reach a log.
#[derive(Debug)]
pub(super) struct Unusable;

impl From<rtc::shared::error::Error> for Unusable {
    fn from(_: rtc::shared::error::Error) -> Self {
        Self
    }
}

/// One connection with its two negotiated data channels.
pub(super) struct Connection {
    /// Lives by a clock of its own: see [`Haste`].
    inner: RTCPeerConnection,
    haste: Haste,
    lanes: [RTCDataChannelId; 2],
    local: LocalAddresses,
    remote_candidates: usize,
    remote_candidates_max: usize,
    candidate_max_bytes: usize,
    reachable: bool,
    early: Vec<Inbound>,
    /// Taken from the crate, and not reported yet.
    events: VecDeque<RTCPeerConnectionEvent>,
    lanes_open: usize,
    nomination: Option<Inbound>,
}

impl Connection {
    /// A connection that has neither offered nor answered yet.
    pub(super) fn new(
        now: Instant,
        credentials: Credentials,
        local: LocalAddresses,
        limits: &Limits,
    ) -> Result<Self, Unusable> {
        let haste = Haste::since(now);
        let mut inner = RTCPeerConnectionBuilder::new()
            .with_setting_engine(settings(credentials, limits))
            .build(haste.hurried(now))?;
        let lanes = [open_lane(&mut inner, Lane::Eager)?, open_lane(&mut inner, Lane::Control)?];
        for (index, address) in [local.primary(true), local.primary(false)].into_iter().flatten().enumerate()
        {
            add_local_candidate(&mut inner, sdp::host_candidate(address, index))?;
        }
        Ok(Self {
            inner,
            haste,
            lanes,
            local,
            remote_candidates: 0,
            remote_candidates_max: limits.remote_addresses_max,
            candidate_max_bytes: limits.candidate_max_bytes,
            reachable: false,
            early: Vec::new(),
            events: VecDeque::new(),
            lanes_open: 0,
            nomination: None,
        })
    }

    /// Makes our offer, with all candidates inside.
    pub(super) fn offer(&mut self, now: Instant) -> Result<String, Unusable> {
        let offer = self.inner.create_offer(None)?;
        let text = offer.sdp.clone();
        self.inner.set_local_description(self.haste.hurried(now), offer)?;
        Ok(self.announced(&text))
    }

    /// Takes the peer's offer and makes our answer, with all candidates inside.
    pub(super) fn answer(&mut self, now: Instant, offer: &str) -> Result<String, Unusable> {
        let candidates = self.take_description(now, offer, RTCSessionDescription::offer)?;
        let answer = self.inner.create_answer(None)?;
        let text = answer.sdp.clone();
        self.inner.set_local_description(self.haste.hurried(now), answer)?;
        candidates.iter().for_each(|line| self.add_candidate(line));
        Ok(self.announced(&text))
    }

    /// Takes the peer's answer to our offer.
    pub(super) fn accept_answer(&mut self, now: Instant, answer: &str) -> Result<(), Unusable> {
        let candidates = self.take_description(now, answer, RTCSessionDescription::answer)?;
        candidates.iter().for_each(|line| self.add_candidate(line));
        Ok(())
    }

    /// Adds a remote candidate that passed [`sdp::usable_candidate`]; too many are ignored.
    pub(super) fn add_candidate(&mut self, line: &str) {
        if self.remote_candidates >= self.remote_candidates_max {
            return;
        }
        self.remote_candidates += 1;
        let candidate = RTCIceCandidateInit { candidate: line.to_owned(), ..Default::default() };
        if self.inner.add_remote_candidate(candidate).is_err() {
            tracing::debug!("a remote candidate was ignored");
        }
    }

    /// Takes a datagram that belongs to this connection.
    pub(super) fn handle_datagram(&mut self, now: Instant, datagram: Inbound) {
        let is_check = datagram.bytes.first().is_some_and(|byte| *byte < 4);
        if !is_check && !self.reachable {
            if self.early.len() < EARLY_DATAGRAMS_MAX {
                self.early.push(datagram);
            }
            return;
        }
        if self.reachable {
            return self.read(now, datagram);
        }
        // The crate leaves a nomination unanswered until its own check of the pair has succeeded, and the
        // peer repeats it only after 50 ms. So it is kept and shown again after the next response.
        let from = datagram.from;
        if stun::nominates(&datagram.bytes) {
            let Inbound { from, to, bytes } = &datagram;
            self.nomination = Some(Inbound { from: *from, to: *to, bytes: bytes.clone() });
            self.read(now, datagram);
        } else {
            self.read(now, datagram);
            if let Some(nomination) = self.nomination.take_if(|nomination| nomination.from == from) {
                self.read(now, nomination);
            }
        }
    }

    fn read(&mut self, now: Instant, datagram: Inbound) {
        let Some(local_addr) = self.local.primary(datagram.from.is_ipv4()) else { return };
        let transport = TransportContext {
            local_addr,
            peer_addr: datagram.from,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        let now = self.haste.hurried(now);
        let message = TaggedBytesMut { now, transport, message: datagram.bytes };
        if self.inner.handle_read(message).is_err() {
            tracing::trace!("a datagram was ignored");
        }
        // The crate opens the lanes when it is asked for events. A frame right behind the last word of the opening,
        // read before that, would be acknowledged and lost.
        if self.lanes_open < Lane::ALL.len() {
            self.events.extend(std::iter::from_fn(|| self.inner.poll_event()));
        }
    }

    /// The next moment at which [`Self::handle_timeout`] has work.
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.inner.poll_timeout().map(|at| self.haste.real(at))
    }

    /// Lets time pass.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.inner.handle_timeout(self.haste.hurried(now)) {
            tracing::trace!(%error, "timeout not handled");
        }
    }

    /// The next datagram to send.
    pub(super) fn poll_transmit(&mut self) -> Option<Outbound> {
        let TaggedBytesMut { transport, message, .. } = self.inner.poll_write()?;
        Some(Outbound { to: transport.peer_addr, bytes: message })
    }

    /// The next change of state. Events may leave datagrams to send.
    pub(super) fn poll_event(&mut self, now: Instant) -> Option<ConnectionEvent> {
        loop {
            let event = self.events.pop_front().or_else(|| self.inner.poll_event())?;
            let event = self.translate(event);
            self.lanes_open += usize::from(matches!(event, Some(ConnectionEvent::LaneOpen(_))));
            if event == Some(ConnectionEvent::Reachable) && !self.reachable {
                self.reachable = true;
                for datagram in std::mem::take(&mut self.early) {
                    self.handle_datagram(now, datagram);
                }
            }
            if event.is_some() {
                return event;
            }
        }
    }

    /// The next frame from the peer. Frames that are not taken slow the peer down.
    pub(super) fn poll_frame(&mut self) -> Option<(Lane, Bytes)> {
        loop {
            let RTCMessage::DataChannelMessage(id, message) = self.inner.poll_read()?.message else {
                continue;
            };
            if let Some(lane) = self.lane_of(id) {
                return Some((lane, message.data.freeze()));
            }
        }
    }

    /// Hands a frame over; false when the lane takes no more, ever.
    pub(super) fn send(&mut self, now: Instant, lane: Lane, frame: Bytes) -> bool {
        let Some(mut channel) = self.inner.data_channel(self.lanes[lane.index()]) else { return false };
        channel.send(self.haste.hurried(now), BytesMut::from(frame)).is_ok()
    }

    /// Bytes handed over on `lane` and neither acknowledged nor given up.
    pub(super) fn outstanding(&mut self, lane: Lane) -> usize {
        self.inner.data_channel(self.lanes[lane.index()]).map_or(0, |channel| channel.outstanding_bytes())
    }

    /// Ends the connection; leaves datagrams that tell the peer.
    pub(super) fn close(&mut self) {
        if let Err(error) = self.inner.close() {
            tracing::trace!(%error, "connection not closed cleanly");
        }
    }

    /// Gives a description to the crate, its candidates taken out and returned.
    fn take_description(
        &mut self,
        now: Instant,
        text: &str,
        parse: fn(String) -> rtc::shared::error::Result<RTCSessionDescription>,
    ) -> Result<Vec<String>, Unusable> {
        let (text, candidates) =
            sdp::split_candidates(text, self.remote_candidates_max, self.candidate_max_bytes);
        if !sdp::has_only_data(&text) {
            return Err(Unusable);
        }
        let description = parse(text)?;
        self.inner.set_remote_description(self.haste.hurried(now), description)?;
        Ok(candidates)
    }

    fn announced(&self, text: &str) -> String {
        sdp::with_candidates(text, &self.local.announced, self.local.port)
    }

    fn translate(&self, event: RTCPeerConnectionEvent) -> Option<ConnectionEvent> {
        match event {
            RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(state) => match state {
                RTCIceConnectionState::Connected | RTCIceConnectionState::Completed => {
                    Some(ConnectionEvent::Reachable)
                }
                RTCIceConnectionState::Disconnected => Some(ConnectionEvent::Unreachable),
                RTCIceConnectionState::Failed => Some(ConnectionEvent::Failed),
                _ => None,
            },
            RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => match state {
                RTCPeerConnectionState::Failed => Some(ConnectionEvent::Failed),
                RTCPeerConnectionState::Closed => Some(ConnectionEvent::Ended),
                _ => None,
            },
            RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) => {
                self.lane_of(id).map(ConnectionEvent::LaneOpen)
            }
            RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnClose(id)) => {
                self.lane_of(id).map(|_| ConnectionEvent::Ended)
            }
            _ => None,
        }
    }

    fn lane_of(&self, id: RTCDataChannelId) -> Option<Lane> {
        Lane::ALL.into_iter().find(|lane| self.lanes[lane.index()] == id)
    }
}

fn settings(credentials: Credentials, limits: &Limits) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_ice_credentials(credentials.ufrag, credentials.password)
        // The crate gives up a connection that has not opened after both of the first two together.
        .with_ice_timeouts(
            Some(Haste::stretched(limits.disconnected_after)),
            Some(Haste::stretched(limits.open_timeout)),
            Some(Haste::stretched(limits.keepalive_interval)),
        )
        .with_ice_connection_attempts(Some(Haste::stretched(limits.check_interval)), Some(limits.checks_max))
        // Otherwise every connection opens a socket on port 5353.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        // The answering side speaks first: a browser keeps a greeting that comes early, the crate retries late.
        .with_answering_dtls_role(RTCDtlsRole::Client)
        .with_sctp_max_receive_buffer_size(limits.receive_window_bytes)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(FRAME_MAX_BYTES as u32))
        .build()
}

fn open_lane(inner: &mut RTCPeerConnection, lane: Lane) -> Result<RTCDataChannelId, Unusable> {
    let (label, init) = match lane {
        Lane::Eager => {
            let init = RTCDataChannelInit {
                ordered: false,
                // One: with none, bursts towards a busy browser lost 0.5 to 3 % of the frames; with one,
                // hardly any. Older data is not worth the bandwidth.
                max_retransmits: Some(1),
                negotiated: Some(0),
                ..Default::default()
            };
            ("eager", init)
        }
        Lane::Control => ("control", RTCDataChannelInit { negotiated: Some(1), ..Default::default() }),
    };
    let channel = inner.create_data_channel(label, Some(init))?;
    Ok(channel.id())
}

fn add_local_candidate(inner: &mut RTCPeerConnection, line: String) -> Result<(), Unusable> {
    let candidate = RTCIceCandidateInit { candidate: line, ..Default::default() };
    Ok(inner.add_local_candidate(candidate)?)
}

#[cfg(test)]
mod tests;
