//! Two connections in one thread, datagrams handed over by hand: what no real socket does at will.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;

/// More rounds than an opening takes.
const ROUNDS: usize = 200;

struct Side {
    connection: Connection,
    address: SocketAddr,
    open: Vec<Lane>,
    frames: Vec<Bytes>,
}

impl Side {
    fn new(now: Instant, number: u8) -> Side {
        let ip = IpAddr::from(Ipv4Addr::new(192, 0, 2, number));
        let local = LocalAddresses { announced: vec![ip], port: 4_000 };
        let credentials = Credentials { ufrag: format!("side-number-{number}"), password: "p".repeat(32) };
        let connection = Connection::new(now, credentials, local, &Limits::default()).unwrap();
        Side { connection, address: SocketAddr::new(ip, 4_000), open: Vec::new(), frames: Vec::new() }
    }

    /// As the driving task does: time, events, frames. Who sees the last lane open sends a frame at once.
    fn advance(&mut self, now: Instant) -> Vec<Outbound> {
        self.connection.handle_timeout(now);
        while let Some(event) = self.connection.poll_event(now) {
            if let ConnectionEvent::LaneOpen(lane) = event {
                self.open.push(lane);
                if self.open.len() == Lane::ALL.len() {
                    assert!(self.connection.send(now, Lane::Control, Bytes::from_static(b"first word")));
                }
            }
        }
        while let Some((_, frame)) = self.connection.poll_frame() {
            self.frames.push(frame);
        }
        std::iter::from_fn(|| self.connection.poll_transmit()).collect()
    }

    /// All that came within one turn, one after the other.
    fn take(&mut self, now: Instant, datagrams: Vec<Outbound>, from: SocketAddr) {
        for Outbound { to, bytes } in datagrams {
            assert_eq!(to, self.address);
            self.connection.handle_datagram(now, Inbound { from, to: Some(to.ip()), bytes });
        }
    }
}

#[test]
fn a_frame_that_comes_together_with_the_last_word_of_the_opening_is_not_lost() {
    let mut now = Instant::now();
    let (mut near, mut far) = (Side::new(now, 1), Side::new(now, 2));
    let offer = near.connection.offer(now).unwrap();
    let answer = far.connection.answer(now, &offer).unwrap();
    near.connection.accept_answer(now, &answer).unwrap();
    for _ in 0..ROUNDS {
        now += Duration::from_millis(10);
        let (mut from_near, mut from_far) = (near.advance(now), far.advance(now));
        // What an event has caused leaves in the same turn.
        from_near.extend(near.advance(now));
        from_far.extend(far.advance(now));
        far.take(now, from_near, near.address);
        near.take(now, from_far, far.address);
    }
    assert_eq!((near.open.len(), far.open.len()), (2, 2));
    assert_eq!(near.frames, ["first word"]);
    assert_eq!(far.frames, ["first word"]);
}
