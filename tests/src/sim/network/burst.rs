//! Messages and the bursts of packets that they travel in.

use crate::sim::agenda::Micros;
use crate::sim::model::PACKET_DATA_BYTES;
use crate::sim::network::FlowId;
use crate::sim::payload::Payload;
use crate::sim::slab::Key;

/// A message, from its sending until it is handed on. It has at most 32 packets.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) payload: Payload,
    pub(super) lane: u8,
    pub(super) attempts: u8,
    pub(super) packets: u32,
    /// Packets that have left at least once.
    pub(super) left: u32,
    pub(super) bytes: u32,
    /// Bit `i`: packet `i` has arrived.
    pub(super) arrived: u32,
    pub(super) order: u32,
}

/// Packets of one message that leave together.
#[derive(Debug)]
pub(super) struct Burst {
    pub(super) flow: FlowId,
    pub(super) message: Key,
    /// Bit `i`: the message's `i`th packet is part of it.
    pub(super) packets: u32,
    /// The same for those that are lost.
    pub(super) lost: u32,
    pub(super) bytes: u32,
    pub(super) last_packet: u32,
    pub(super) sent: Micros,
    pub(super) again: bool,
}

/// Data bytes of these packets of a message.
pub(super) fn data_bytes(message: &Message, packets: u32) -> u32 {
    let last = packets >> (message.packets - 1) & 1;
    let count = packets.count_ones();
    let short = message.packets * PACKET_DATA_BYTES - message.bytes;
    count * PACKET_DATA_BYTES - last * short
}

/// Bit `i` of `bits` stands for the `i`th set bit of `places`.
pub(super) fn spread(bits: u32, places: u32) -> u32 {
    if bits == 0 {
        return 0;
    }
    let (mut left, mut spread) = (places, 0);
    for i in 0..places.count_ones() {
        let lowest = left & left.wrapping_neg();
        left &= !lowest;
        if bits >> i & 1 == 1 {
            spread |= lowest;
        }
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_spread_over_the_places_that_are_taken() {
        assert_eq!(spread(0b101, 0b1011_0000), 0b1001_0000);
        assert_eq!(spread(0, 0b1111), 0);
    }
}
