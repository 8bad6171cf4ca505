//! Moves messages between hosts: cuts them into packets, lets them wait in queues, loses some, and sends those again.
//!
//! A *burst* is a run of packets of one message that leave together; there is one event for its arrival, and a second
//! one only where the receiver's downlink is busy. Acknowledgements are no events: when one is due back is written to
//! the sender's flow, which looks when it has something to send. Knows nothing of peers and of what messages mean.

mod burst;

use burst::{Burst, Message, data_bytes, spread};

use crate::sim::access::{Host, mask};
use crate::sim::agenda::{Agenda, Micros};
use crate::sim::event::Event;
use crate::sim::flow::{Ack, Flow, Kind, Loss};
use crate::sim::model::*;
use crate::sim::payload::Payload;
use crate::sim::slab::{Key, Slab};

/// A flow's name. The flow back has the slot beside it.
pub type FlowId = Key;

/// What the network puts on the agenda.
#[derive(Debug, Clone, Copy)]
pub enum Motion {
    /// The last packet of a burst has reached the receiver's access line.
    Reach(Key),
    /// It is through that line.
    Arrive(Key),
    /// A loss is known by the acknowledgement of later packets.
    Noticed(FlowId, u32),
    /// A loss is known by the timer.
    TimedOut(FlowId, u32),
    /// The window may have room again.
    Resume(FlowId),
}

/// What comes out of the network.
#[derive(Debug)]
pub enum Delivery {
    /// A whole message.
    Message(FlowId, Payload),
    /// What waits at the sender has become little.
    Drained(FlowId),
}

/// All hosts and all flows.
#[derive(Debug, Default)]
pub struct Network {
    /// By their index.
    pub hosts: Vec<Host>,
    flows: Slab<Flow>,
    reverse: Vec<FlowId>,
    bursts: Slab<Burst>,
    messages: Slab<Message>,
    losses_made: u32,
    /// Messages of the eager lane that were given up.
    pub abandoned: u64,
    /// Messages delivered.
    pub delivered: u64,
}

impl Network {
    /// Opens both directions between two hosts; the first is from `a` to `b`.
    pub fn open(&mut self, kind: Kind, a: u32, b: u32, delay: Micros) -> (FlowId, FlowId) {
        let there = self.flows.insert(Flow::new(kind, a, b, delay));
        let back = self.flows.insert(Flow::new(kind, b, a, delay));
        let needed = there.slot.max(back.slot) as usize + 1;
        if self.reverse.len() < needed {
            self.reverse.resize(needed, there);
        }
        self.reverse[there.slot as usize] = back;
        self.reverse[back.slot as usize] = there;
        (there, back)
    }

    /// Closes a flow and the one back. What is on its way is lost.
    pub fn close(&mut self, id: FlowId) {
        let back = self.reverse.get(id.slot as usize).copied();
        for id in std::iter::once(id).chain(back) {
            let Some(flow) = self.flows.remove(id) else { return };
            let keys = flow.lanes.iter().flatten().copied();
            let keys = keys.chain(flow.held.iter().map(|&(_, key)| key));
            let keys = keys.chain(flow.losses.iter().map(|loss| loss.message));
            for key in keys {
                self.messages.remove(key);
            }
        }
    }

    /// The flow, while it is open.
    pub fn flow(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(id)
    }

    /// Hands a message to a flow: lane 0 is eager (text on a session), lane 1 is control (frames).
    pub fn send(&mut self, agenda: &mut Agenda<Event>, id: FlowId, lane: usize, payload: Payload) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let overhead = if flow.kind == Kind::Session { SESSION_MESSAGE_OVERHEAD_BYTES } else { 0 };
        let bytes = payload.bytes() + overhead;
        let message = Message {
            payload,
            lane: lane as u8,
            attempts: 0,
            packets: bytes.div_ceil(PACKET_DATA_BYTES).max(1),
            left: 0,
            bytes,
            arrived: 0,
            order: 0,
        };
        flow.unsent += bytes;
        flow.full |= flow.unsent > flow.mark();
        flow.lanes[lane].push_back(self.messages.insert(message));
        self.pump(agenda, id);
    }

    /// Does what the network has put on the agenda, and says what comes of it.
    pub fn happen(&mut self, agenda: &mut Agenda<Event>, motion: Motion, out: &mut Vec<Delivery>) {
        match motion {
            Motion::Reach(burst) => self.reach(agenda, burst, out),
            Motion::Arrive(burst) => self.arrive(agenda, burst, out),
            Motion::Noticed(flow, loss) => self.resend(agenda, flow, loss, false),
            Motion::TimedOut(flow, loss) => self.resend(agenda, flow, loss, true),
            Motion::Resume(id) => {
                if let Some(flow) = self.flows.get_mut(id) {
                    flow.armed = false;
                }
                self.pump(agenda, id);
                self.drained(id, out);
            }
        }
    }

    fn drained(&mut self, id: FlowId, out: &mut Vec<Delivery>) {
        if let Some(flow) = self.flows.get_mut(id).filter(|flow| flow.full && flow.unsent <= flow.mark()) {
            flow.full = false;
            out.push(Delivery::Drained(id));
        }
    }

    // The sending end.

    /// Sends what the window has room for.
    fn pump(&mut self, agenda: &mut Agenda<Event>, id: FlowId) {
        loop {
            let Some(flow) = self.flows.get_mut(id) else { return };
            flow.absorb(agenda.now());
            let Some(lane) = flow.lane() else { return };
            let room = flow.window.room_packets();
            if room == 0 {
                return self.arm(agenda, id);
            }
            let key = flow.lanes[lane][0];
            let Some(message) = self.messages.get_mut(key) else {
                flow.lanes[lane].pop_front();
                continue;
            };
            if message.left == 0 && (flow.kind == Kind::Session || lane == 1) {
                message.order = flow.next_order;
                flow.next_order += 1;
            }
            let count = room.min(message.packets - message.left).min(32);
            let packets = mask(count) << message.left;
            message.left += count;
            let bytes = data_bytes(message, packets);
            flow.unsent -= bytes;
            if message.left == message.packets {
                flow.lanes[lane].pop_front();
                flow.turn = 1 - lane;
            } else {
                // Messages are not interleaved.
                flow.turn = lane;
            }
            self.launch(agenda, id, key, packets, bytes, false);
        }
    }

    /// Goes on when the next acknowledgement is back; before one is on its way, its making does this again.
    fn arm(&mut self, agenda: &mut Agenda<Event>, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id).filter(|flow| !flow.armed && flow.unsent > 0) else { return };
        if let Some(ack) = flow.acks.front() {
            flow.armed = true;
            agenda.at(ack.at, Event::Net(Motion::Resume(id)));
        }
    }

    fn launch(
        &mut self,
        agenda: &mut Agenda<Event>,
        id: FlowId,
        message: Key,
        packets: u32,
        bytes: u32,
        again: bool,
    ) {
        let now = agenda.now();
        let Some(flow) = self.flows.get_mut(id) else { return };
        let count = packets.count_ones();
        flow.packets_sent += count;
        flow.window.in_flight += bytes;
        let wire_bytes = bytes + count * PACKET_OVERHEAD_BYTES;
        let up = &mut self.hosts[flow.from as usize].up;
        let passage = up.carry(now, count, wire_bytes / count, wire_bytes);
        let last_bytes = wire_bytes / count;
        let reach = passage.done + flow.delay + self.hosts[flow.to as usize].down.serialisation(last_bytes);
        let burst = Burst {
            flow: id,
            message,
            packets,
            lost: spread(passage.lost, packets),
            bytes,
            last_packet: flow.packets_sent,
            sent: now,
            again,
        };
        let burst = self.bursts.insert(burst);
        agenda.at(reach, Event::Net(Motion::Reach(burst)));
    }

    /// Sends lost packets again, or gives their message up.
    fn resend(&mut self, agenda: &mut Agenda<Event>, id: FlowId, loss: u32, by_timer: bool) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let Some(at) = flow.losses.iter().position(|known| known.id == loss) else { return };
        flow.absorb(agenda.now());
        let loss = flow.losses.swap_remove(at);
        flow.window.lost(&loss, by_timer, flow.packets_sent);
        let eager = flow.kind == Kind::Link;
        if let Some(message) = self.messages.get_mut(loss.message) {
            let given_up = eager && message.lane == 0 && message.attempts >= EAGER_RETRANSMITS;
            if given_up {
                if message.left < message.packets {
                    flow.unsent -= data_bytes(message, mask(message.packets) & !mask(message.left));
                    flow.lanes[0].pop_front();
                }
                self.messages.remove(loss.message);
                self.abandoned += 1;
            } else {
                message.attempts = message.attempts.saturating_add(1);
                self.launch(agenda, id, loss.message, loss.packets, loss.bytes, true);
            }
        }
        self.pump(agenda, id);
    }

    // The receiving end.

    fn reach(&mut self, agenda: &mut Agenda<Event>, key: Key, out: &mut Vec<Delivery>) {
        let now = agenda.now();
        let Some(burst) = self.bursts.get_mut(key) else { return };
        let Some(flow) = self.flows.get(burst.flow).filter(|flow| !self.hosts[flow.to as usize].gone) else {
            self.forget(key);
            return;
        };
        let coming = burst.packets & !burst.lost;
        let count = coming.count_ones();
        if count == 0 {
            return self.arrive(agenda, key, out);
        }
        let each = burst.bytes / burst.packets.count_ones() + PACKET_OVERHEAD_BYTES;
        let down = &mut self.hosts[flow.to as usize].down;
        // The packets came one after another; the last one's time on the line is counted already.
        let started = now.saturating_sub(down.serialisation(each * count));
        let passage = down.carry(started, count, each, each * count);
        burst.lost |= spread(passage.lost, coming);
        if passage.done > now {
            agenda.at(passage.done, Event::Net(Motion::Arrive(key)));
        } else {
            self.arrive(agenda, key, out);
        }
    }

    fn forget(&mut self, burst: Key) {
        if let Some(burst) = self.bursts.remove(burst) {
            self.messages.remove(burst.message);
        }
    }

    fn arrive(&mut self, agenda: &mut Agenda<Event>, key: Key, out: &mut Vec<Delivery>) {
        let Some(burst) = self.bursts.remove(key) else { return };
        let id = burst.flow;
        let Some(flow) = self.flows.get(id) else {
            self.messages.remove(burst.message);
            return;
        };
        if self.hosts[flow.to as usize].gone {
            self.messages.remove(burst.message);
            return;
        }
        self.acknowledge(agenda, &burst);
        self.note_losses(agenda, &burst);
        self.arm(agenda, id);
        let Some(message) = self.messages.get_mut(burst.message) else { return };
        message.arrived |= burst.packets & !burst.lost;
        if message.arrived.count_ones() == message.packets {
            self.complete(id, burst.message, out);
        }
        self.drained(id, out);
    }

    fn acknowledge(&mut self, agenda: &mut Agenda<Event>, burst: &Burst) {
        let now = agenda.now();
        let Some(flow) = self.flows.get_mut(burst.flow) else { return };
        flow.highest_arrived = flow.highest_arrived.max(burst.last_packet);
        let arrived = (burst.packets & !burst.lost).count_ones();
        if arrived == 0 {
            return;
        }
        let bytes = arrived.div_ceil(PACKETS_PER_ACK) * ACK_BYTES;
        let through = self.hosts[flow.to as usize].up.acknowledge(now, bytes);
        let at = through + flow.delay;
        self.hosts[flow.from as usize].down.acknowledge(now, bytes);
        let sent = (!burst.again).then_some(burst.sent);
        let data = burst.bytes / burst.packets.count_ones() * arrived;
        let data = if burst.lost == 0 { burst.bytes } else { data };
        flow.acks.push_back(Ack { at, bytes: data, packets: arrived, sent });
    }

    /// Takes note of what was lost, and of what is known to be lost now that later packets have come.
    fn note_losses(&mut self, agenda: &mut Agenda<Event>, burst: &Burst) {
        let Some(flow) = self.flows.get_mut(burst.flow) else { return };
        if burst.lost != 0 {
            self.losses_made = self.losses_made.wrapping_add(1);
            let lost = burst.lost.count_ones();
            let arrived = burst.packets.count_ones() - lost;
            let last_lost = u32::BITS - 1 - burst.lost.leading_zeros();
            let last_packet = burst.last_packet - (burst.packets >> last_lost >> 1).count_ones();
            flow.losses.push(Loss {
                id: self.losses_made,
                message: burst.message,
                packets: burst.lost,
                bytes: burst.bytes - burst.bytes / burst.packets.count_ones() * arrived,
                known_at_packet: last_packet + LATER_PACKETS,
                last_packet,
                told: false,
            });
            let timeout = burst.sent + flow.window.rto();
            agenda.at(timeout, Event::Net(Motion::TimedOut(burst.flow, self.losses_made)));
        }
        let back = flow.acks.back().map_or(agenda.now() + flow.delay, |ack| ack.at);
        let highest = flow.highest_arrived;
        for loss in flow.losses.iter_mut().filter(|loss| !loss.told && loss.known_at_packet <= highest) {
            loss.told = true;
            agenda.at(back, Event::Net(Motion::Noticed(burst.flow, loss.id)));
        }
    }

    /// A message is whole: it is handed on, in its turn.
    fn complete(&mut self, id: FlowId, key: Key, out: &mut Vec<Delivery>) {
        let (Some(flow), Some(message)) = (self.flows.get_mut(id), self.messages.get(key)) else { return };
        let ordered = flow.kind == Kind::Session || message.lane == 1;
        if !ordered {
            return self.hand_on(id, key, out);
        }
        if message.order != flow.next_in_order {
            flow.held.push((message.order, key));
            return;
        }
        flow.next_in_order += 1;
        self.hand_on(id, key, out);
        while let Some(flow) = self.flows.get_mut(id) {
            let next = flow.next_in_order;
            let Some(at) = flow.held.iter().position(|&(order, _)| order == next) else { return };
            let (_, key) = flow.held.swap_remove(at);
            flow.next_in_order += 1;
            self.hand_on(id, key, out);
        }
    }

    fn hand_on(&mut self, id: FlowId, key: Key, out: &mut Vec<Delivery>) {
        if let Some(message) = self.messages.remove(key) {
            self.delivered += 1;
            out.push(Delivery::Message(id, message.payload));
        }
    }
}

#[cfg(test)]
mod tests;
