//! What strangers may send to the port and to signalling, and what they get back.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use peer::transport::{EndpointError, Lane, StunConfig, StunServer};
use support::{endpoint, linked, soon};
use tokio::net::UdpSocket;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// A small generator, so that a failure can be replayed: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

fn question(transaction: [u8; 12]) -> Vec<u8> {
    [&[0, 1, 0, 0], &COOKIE[..], &transaction].concat()
}

async fn stranger(hub: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(hub).await.unwrap();
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stun_question_is_answered_with_the_askers_address() {
    let server = StunServer::bind(StunConfig::new(([127, 0, 0, 1], 0).into())).await.unwrap();
    let asker = stranger(server.local_addr()).await;
    asker.send(&question([9; 12])).await.unwrap();
    let mut answer = [0; 128];
    let length = soon("an answer", asker.recv(&mut answer)).await.unwrap();
    let answer = &answer[..length];
    assert_eq!(answer[..2], [1, 1], "binding success");
    assert_eq!(answer[8..20], [9; 12]);
    assert_eq!(answer[20..24], [0, 0x20, 0, 8], "XOR-MAPPED-ADDRESS comes first");
    let port = u16::from_be_bytes([answer[26] ^ COOKIE[0], answer[27] ^ COOKIE[1]]);
    let ip: Vec<u8> = answer[28..32].iter().zip(COOKIE).map(|(a, b)| a ^ b).collect();
    assert_eq!((port, &ip[..]), (asker.local_addr().unwrap().port(), &[127, 0, 0, 1][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_a_bounded_number_of_answers() {
    let server = StunServer::bind(StunConfig::new(([127, 0, 0, 1], 0).into())).await.unwrap();
    let asker = stranger(server.local_addr()).await;
    for _ in 0..500 {
        asker.send(&question([1; 12])).await.unwrap();
    }
    let (mut answers, mut buffer) = (0, [0; 128]);
    while tokio::time::timeout(Duration::from_millis(300), asker.recv(&mut buffer)).await.is_ok() {
        answers += 1;
    }
    // Two of the seconds that are counted may be touched.
    assert!((1..=100).contains(&answers), "{answers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_port_does_not_disturb_a_link() {
    let (hub, viewer) = (endpoint().await, endpoint().await);
    let (mut near, mut far) = linked(&hub, &viewer).await;
    let noise = stranger(hub.local_addr()).await;
    let flood = tokio::spawn(async move {
        let mut random = Random(0x5eed);
        for round in 0..20_000_usize {
            let length = random.below(1_400);
            let mut datagram = random.bytes(length);
            match round % 4 {
                0 => datagram.splice(..datagram.len().min(1), [22]).for_each(drop),
                1 => datagram
                    .splice(..datagram.len().min(8), [0, 1, 0, 40, 0x21, 0x12, 0xa4, 0x42])
                    .for_each(drop),
                2 => datagram = question([round as u8; 12]),
                _ => {}
            }
            let _ = noise.send(&datagram).await;
            if round % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    for index in 0..1_000_u32 {
        near.send(Lane::Control, Bytes::copy_from_slice(&index.to_be_bytes())).await;
        let (_, frame) = far.frame().await;
        assert_eq!(frame[..], index.to_be_bytes());
    }
    soon("the end of the flood", flood).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptions_from_strangers_are_refused_or_survived() {
    let hub = endpoint().await;
    let other = endpoint().await;
    let (_link, _events, good) = other.offer().await.unwrap();
    for bad in ["", "v=0", "\0\0\0", "m=application", "v=0\r\nm=audio 9 X 0\r\nm=application 9 X 0\r\n"] {
        assert!(
            matches!(hub.answer(bad.to_owned()).await, Err(EndpointError::UnusableDescription)),
            "{bad:?}"
        );
    }
    let long = format!("{good}a={}\r\n", "x".repeat(16 * 1024));
    assert!(matches!(hub.answer(long).await, Err(EndpointError::DescriptionTooLong(_))));
    let mut random = Random(0xdead_beef);
    for _ in 0..500 {
        let mut damaged = good.clone().into_bytes();
        for _ in 0..=random.below(8) {
            if damaged.len() < 2 {
                break;
            }
            let at = random.below(damaged.len());
            match random.below(3) {
                0 => damaged[at] = random.next() as u8,
                1 => drop(damaged.remove(at)),
                _ => damaged.truncate(at.max(1)),
            }
        }
        // Whether it is refused matters less than that the endpoint lives on.
        drop(hub.answer(String::from_utf8_lossy(&damaged).into_owned()).await);
    }
    let viewer = endpoint().await;
    linked(&hub, &viewer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_from_strangers_are_survived() {
    let (hub, viewer) = (endpoint().await, endpoint().await);
    let (link, _events, _offer) = hub.offer().await.unwrap();
    let mut random = Random(7);
    for index in 0..500_u32 {
        let length = random.below(200);
        link.add_candidate(String::from_utf8_lossy(&random.bytes(length)).into_owned()).await;
        link.add_candidate(format!("candidate:{index} 1 udp {index} 192.0.2.1 {index} typ nonsense")).await;
        link.add_candidate(format!("candidate:{index} 1 udp 99999999999 192.0.2.1 {index} typ host")).await;
    }
    link.add_candidate("candidate:1 1 udp 1 0b1c-2d3e.local 5000 typ host".to_owned()).await;
    linked(&hub, &viewer).await;
}
