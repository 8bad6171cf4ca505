//! One direction of a link or of a session, as its transport sees it: a congestion window, what waits to be sent,
//! what is known to be lost, and what the other end has put together. The moving of packets is `network`'s.

use std::collections::VecDeque;

use crate::sim::agenda::Micros;
use crate::sim::model::*;
use crate::sim::slab::Key;

/// Which transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A data channel's SCTP association (RFC 9260): an eager lane and a control lane.
    Link,
    /// A WebSocket over TCP: one order for all; the first lane (text) goes before the second (frames).
    Session,
}

/// One direction.
#[derive(Debug)]
pub struct Flow {
    pub(super) kind: Kind,
    /// Index of the sending host.
    pub from: u32,
    /// Index of the receiving host.
    pub to: u32,
    /// One way, access lines included.
    pub delay: Micros,
    pub(super) window: Window,
    /// Messages not wholly sent, by lane.
    pub(super) lanes: [VecDeque<Key>; 2],
    /// The lane whose turn it is: one message each (dcSCTP's round robin).
    pub(super) turn: usize,
    /// Data bytes in `lanes`.
    pub(super) unsent: u32,
    /// Above the mark at which an emptying queue is told of.
    pub(super) full: bool,
    pub(super) acks: VecDeque<Ack>,
    pub(super) losses: Vec<Loss>,
    /// An event is on the agenda that goes on sending.
    pub(super) armed: bool,
    pub(super) packets_sent: u32,
    pub(super) highest_arrived: u32,
    pub(super) next_order: u32,
    // At the receiving end.
    pub(super) next_in_order: u32,
    /// Whole messages that wait for an earlier one.
    pub(super) held: Vec<(u32, Key)>,
}

/// An acknowledgement on its way back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ack {
    pub(super) at: Micros,
    pub(super) bytes: u32,
    pub(super) packets: u32,
    /// When the packets left; `None` for retransmissions, which measure nothing (Karn).
    pub(super) sent: Option<Micros>,
}

/// Packets that did not arrive, which the sender does not know yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    pub(super) id: u32,
    pub(super) message: Key,
    /// Bit `i`: the message's `i`th packet.
    pub(super) packets: u32,
    pub(super) bytes: u32,
    /// Known once a packet of this number has arrived.
    pub(super) known_at_packet: u32,
    pub(super) last_packet: u32,
    pub(super) told: bool,
}

impl Flow {
    pub(super) fn new(kind: Kind, from: u32, to: u32, delay: Micros) -> Flow {
        Flow {
            kind,
            from,
            to,
            delay,
            window: Window::new(kind),
            lanes: Default::default(),
            turn: 0,
            unsent: 0,
            full: false,
            acks: VecDeque::new(),
            losses: Vec::new(),
            armed: false,
            packets_sent: 0,
            highest_arrived: 0,
            next_order: 0,
            next_in_order: 0,
            held: Vec::new(),
        }
    }

    /// Data bytes not yet sent: what a browser calls the buffered amount.
    pub fn unsent_bytes(&self) -> u32 {
        self.unsent
    }

    /// Data bytes not yet known to have arrived: what the native transport calls so.
    pub fn unacknowledged_bytes(&self) -> u32 {
        self.unsent + self.window.in_flight
    }

    /// Unsent bytes at which an emptying queue is told of.
    pub(super) fn mark(&self) -> u32 {
        match self.kind {
            Kind::Link => DRAINED_BYTES,
            Kind::Session => KERNEL_UNSENT_BYTES + SESSION_DRAINED_BYTES,
        }
    }

    /// Takes note of the acknowledgements that have come back by now.
    pub(super) fn absorb(&mut self, now: Micros) {
        while let Some(ack) = self.acks.front().copied().filter(|ack| ack.at <= now) {
            self.acks.pop_front();
            self.window.acknowledged(&ack);
        }
    }

    /// Whose turn it is: the lane of the next message, if there is one.
    pub(super) fn lane(&self) -> Option<usize> {
        let other = 1 - self.turn;
        match self.kind {
            Kind::Link if !self.lanes[self.turn].is_empty() => Some(self.turn),
            Kind::Link => (!self.lanes[other].is_empty()).then_some(other),
            Kind::Session => (0..2).find(|&lane| !self.lanes[lane].is_empty()),
        }
    }
}

/// The congestion window and the round-trip estimate.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) bytes: u32,
    threshold: u32,
    partial: u32,
    pub(super) in_flight: u32,
    rto_min: Micros,
    smoothed: Option<(Micros, Micros)>,
    /// Losses of packets before this one are of the same event.
    recover: u32,
}

impl Window {
    fn new(kind: Kind) -> Window {
        Window {
            bytes: WINDOW_FIRST_BYTES,
            threshold: WINDOW_MAX_BYTES,
            partial: 0,
            in_flight: 0,
            rto_min: if kind == Kind::Link { RTO_MIN_LINK } else { RTO_MIN_SESSION },
            smoothed: None,
            recover: 0,
        }
    }

    /// Packets that may leave now.
    pub(super) fn room_packets(&self) -> u32 {
        self.bytes.saturating_sub(self.in_flight).div_ceil(PACKET_DATA_BYTES)
    }

    /// Retransmission timeout (RFC 6298).
    pub(super) fn rto(&self) -> Micros {
        let rto = self.smoothed.map_or(RTO_FIRST, |(mean, spread)| mean + 4 * spread);
        rto.clamp(self.rto_min, RTO_MAX)
    }

    fn acknowledged(&mut self, ack: &Ack) {
        // Only a window that was used grows (RFC 9260, 7.2.1).
        let used = self.in_flight + MTU_BYTES >= self.bytes;
        self.in_flight = self.in_flight.saturating_sub(ack.bytes);
        if let Some(sent) = ack.sent {
            self.measure(ack.at.saturating_sub(sent));
        }
        if !used {
            return;
        }
        if self.bytes < self.threshold {
            let acks = ack.packets.div_ceil(PACKETS_PER_ACK);
            self.bytes += (acks * MTU_BYTES).min(ack.bytes);
        } else {
            self.partial += ack.bytes;
            if self.partial >= self.bytes {
                self.partial -= self.bytes;
                self.bytes += MTU_BYTES;
            }
        }
        self.bytes = self.bytes.min(WINDOW_MAX_BYTES);
    }

    fn measure(&mut self, round_trip: Micros) {
        self.smoothed = Some(match self.smoothed {
            None => (round_trip, round_trip / 2),
            Some((mean, spread)) => {
                ((7 * mean + round_trip) / 8, (3 * spread + mean.abs_diff(round_trip)) / 4)
            }
        });
    }

    /// A loss has been noticed, by later packets or by the timer; `sent` packets have left so far.
    pub(super) fn lost(&mut self, loss: &Loss, by_timer: bool, sent: u32) {
        self.in_flight = self.in_flight.saturating_sub(loss.bytes);
        if loss.last_packet < self.recover {
            return;
        }
        self.recover = sent;
        self.partial = 0;
        self.threshold = (self.bytes / 2).max(WINDOW_MIN_BYTES);
        self.bytes = if by_timer { WINDOW_MIN_BYTES } else { self.threshold };
    }
}
