//! What the transports make of rates, delays, queues and losses.

use bytes::Bytes;

use super::*;
use crate::sim::access::{Nat, Pipe};
use crate::sim::random::Random;

/// Two hosts or more, and what has come out.
struct Lab {
    network: Network,
    agenda: Agenda<Event>,
    /// Which flow, which message, when.
    arrived: Vec<(FlowId, u32, Micros)>,
}

impl Lab {
    fn new(rates_bps: &[u64], loss_share: f64) -> Lab {
        let mut network = Network::default();
        for (number, &rate) in rates_bps.iter().enumerate() {
            let random = |way| Random::seeded(9).fork(number as u64 * 2 + way);
            network.hosts.push(Host {
                up: Pipe::new(rate, loss_share / 2.0, random(0)),
                down: Pipe::new(rate, loss_share / 2.0, random(1)),
                access: 0,
                region: None,
                nat: Nat::Open,
                gone: false,
            });
        }
        Lab { network, agenda: Agenda::new(), arrived: Vec::new() }
    }

    /// Message `number` of so many bytes.
    fn send(&mut self, flow: FlowId, lane: usize, number: u32, bytes: usize) {
        let mut frame = vec![0; bytes];
        frame[..4].copy_from_slice(&number.to_be_bytes());
        self.network.send(&mut self.agenda, flow, lane, Payload::Frame(Bytes::from(frame)));
    }

    fn run_until(&mut self, end: Micros) {
        let mut out = Vec::new();
        self.agenda.at(end, Event::End);
        while let Some(event) = self.agenda.take() {
            let Event::Net(motion) = event else { return };
            self.network.happen(&mut self.agenda, motion, &mut out);
            for delivery in out.drain(..) {
                if let Delivery::Message(flow, Payload::Frame(frame)) = delivery {
                    let number = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
                    self.arrived.push((flow, number, self.agenda.now()));
                }
            }
        }
    }

    fn numbers(&self) -> Vec<u32> {
        self.arrived.iter().map(|&(_, number, _)| number).collect()
    }
}

#[test]
fn a_message_takes_its_serialisation_and_its_way() {
    let mut lab = Lab::new(&[8_000_000, 80_000_000], 0.0);
    let (flow, _) = lab.network.open(Kind::Link, 0, 1, 30 * MS);
    lab.send(flow, 0, 1, 5 * PACKET_DATA_BYTES as usize);
    lab.run_until(SECOND);
    let packet_us = u64::from(PACKET_DATA_BYTES + PACKET_OVERHEAD_BYTES);
    // Five packets on the uplink, the way, and the last packet on the downlink, which is ten times as fast.
    let expected = 5 * packet_us + 30 * MS + packet_us / 10;
    let (_, _, at) = lab.arrived[0];
    assert!(at.abs_diff(expected) < 100, "{at} instead of {expected}");
}

#[test]
fn a_clean_line_is_filled() {
    let mut lab = Lab::new(&[10_000_000, 100_000_000], 0.0);
    let (flow, _) = lab.network.open(Kind::Link, 0, 1, 20 * MS);
    (0..2_000).for_each(|number| lab.send(flow, 1, number, 6_000));
    lab.run_until(5 * SECOND);
    let carried_bps = lab.arrived.len() as f64 * 6_000.0 * 8.0 / 5.0;
    assert!((7.5e6..9.3e6).contains(&carried_bps), "{carried_bps}");
    assert!(lab.numbers().is_sorted(), "the control lane keeps its order");
}

#[test]
fn a_lossy_line_loses_nothing_of_the_control_lane_and_slows_down() {
    let mut lab = Lab::new(&[50_000_000, 50_000_000], 0.02);
    let (flow, _) = lab.network.open(Kind::Link, 0, 1, 40 * MS);
    (0..400).for_each(|number| lab.send(flow, 1, number, 6_000));
    lab.run_until(60 * SECOND);
    assert_eq!(lab.numbers(), (0..400).collect::<Vec<_>>());
    let took = lab.arrived[399].2 as f64 / SECOND as f64;
    let bps = 400.0 * 6_000.0 * 8.0 / took;
    // Mathis et al. 1997 for runs of three lost packets at 2 %: 1.22 · 1,150 B / 80 ms / √(0.02/3) = 1.7 Mb/s.
    assert!((0.8e6..3.5e6).contains(&bps), "{bps}");
}

#[test]
fn the_eager_lane_sends_again_once_and_then_gives_up() {
    let mut lab = Lab::new(&[50_000_000, 50_000_000], 0.05);
    let (flow, _) = lab.network.open(Kind::Link, 0, 1, 40 * MS);
    for number in 0..3_000 {
        lab.send(flow, 0, number, 6_000);
        lab.run_until(u64::from(number + 1) * 200 * MS);
    }
    lab.run_until(700 * SECOND);
    let mut numbers = lab.numbers();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), lab.arrived.len(), "nothing comes twice");
    let missing = 1.0 - numbers.len() as f64 / 3_000.0;
    // About one message in ten loses packets. Where a run of losses is cut by the message's end it goes on with the
    // retransmission, as that is the next packet of this otherwise empty line.
    assert!((0.01..0.06).contains(&missing), "{missing}");
    assert_eq!(lab.network.abandoned as usize, 3_000 - numbers.len());
    // One way is 40 ms; a small window costs a round trip more, and so does a retransmission that later packets ask for.
    let after = |&(_, number, at): &(FlowId, u32, Micros)| at - u64::from(number) * 200 * MS;
    let late = lab.arrived.iter().map(after).filter(|&after| after > 150 * MS).count();
    assert!((150..600).contains(&late), "{late} came by retransmission");
    assert!(lab.arrived.iter().map(after).all(|after| after < SECOND));
}

#[test]
fn links_of_one_uplink_share_it_and_its_queue() {
    let mut lab = Lab::new(&[3_000_000, 50_000_000, 50_000_000], 0.0);
    let (one, _) = lab.network.open(Kind::Link, 0, 1, 20 * MS);
    let (other, _) = lab.network.open(Kind::Link, 0, 2, 60 * MS);
    for number in 0..500 {
        lab.send(one, 1, number, 6_000);
        lab.send(other, 1, number, 6_000);
    }
    lab.run_until(10 * SECOND);
    let count = |flow| lab.arrived.iter().filter(|&&(of, ..)| of == flow).count() as f64;
    let (one, other) = (count(one), count(other));
    let bps = (one + other) * 6_000.0 * 8.0 / 10.0;
    assert!((2.2e6..2.8e6).contains(&bps), "{bps}");
    assert!(one / other < 3.0 && other / one < 3.0, "{one} and {other}");
    assert!(lab.network.hosts[0].up.overflown_packets > 0, "the router's queue is short");
}

#[test]
fn what_waits_is_told_when_it_has_become_little() {
    let mut lab = Lab::new(&[3_000_000, 50_000_000], 0.0);
    let (flow, _) = lab.network.open(Kind::Link, 0, 1, 20 * MS);
    (0..10).for_each(|number| lab.send(flow, 0, number, 6_000));
    assert!(lab.network.flow(flow).is_some_and(|flow| flow.unsent_bytes() > 40_000));
    let mut out = Vec::new();
    let mut drained = 0;
    while let Some(Event::Net(motion)) = lab.agenda.take() {
        lab.network.happen(&mut lab.agenda, motion, &mut out);
        drained += out.drain(..).filter(|delivery| matches!(delivery, Delivery::Drained(_))).count();
    }
    assert_eq!(drained, 1);
    assert!(
        lab.network
            .flow(flow)
            .is_some_and(|flow| flow.unacknowledged_bytes() == 0 || flow.unsent_bytes() == 0)
    );
}

#[test]
fn nothing_is_left_of_a_closed_flow() {
    let mut lab = Lab::new(&[3_000_000, 3_000_000], 0.02);
    let (flow, back) = lab.network.open(Kind::Link, 0, 1, 20 * MS);
    (0..50).for_each(|number| lab.send(flow, (number % 2) as usize, number, 6_000));
    (0..50).for_each(|number| lab.send(back, (number % 2) as usize, number, 6_000));
    lab.run_until(300 * MS);
    lab.network.close(back);
    lab.run_until(20 * SECOND);
    let network = &lab.network;
    assert!(network.flows.is_empty() && network.bursts.is_empty() && network.messages.is_empty());
}
