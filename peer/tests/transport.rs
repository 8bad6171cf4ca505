//! Links between native peers over real sockets on loopback.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use peer::transport::{CloseReason, Endpoint, EndpointConfig, EndpointError, Lane, LinkEvent, SendRefused};
use support::{Side, endpoint, linked, soon};

/// A frame that says which one it is.
fn numbered(number: u32, length: usize) -> Bytes {
    let mut frame = vec![number as u8; length.max(4)];
    frame[..4].copy_from_slice(&number.to_be_bytes());
    frame.into()
}

fn number(frame: &Bytes) -> u32 {
    u32::from_be_bytes(frame[..4].try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_lanes_carry_frames_both_ways() {
    let (left, right) = (endpoint().await, endpoint().await);
    let began = Instant::now();
    let (mut near, mut far) = linked(&left, &right).await;
    println!("opened in {:?}", began.elapsed());
    for lane in Lane::ALL {
        near.send(lane, numbered(7, 100)).await;
        assert_eq!(far.frame().await, (lane, numbered(7, 100)));
        far.send(lane, numbered(8, 64 * 1024)).await;
        assert_eq!(near.frame().await, (lane, numbered(8, 64 * 1024)));
    }
    let refused = near.link.try_send(Lane::Eager, numbered(9, 64 * 1024 + 1));
    assert_eq!(refused, Err(SendRefused::TooLarge(64 * 1024 + 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_lane_is_complete_and_in_order() {
    const FRAMES: u32 = 2_000;
    let (left, right) = (endpoint().await, endpoint().await);
    let (mut near, mut far) = linked(&left, &right).await;
    let sender = tokio::spawn(async move {
        for index in 0..FRAMES {
            near.send(Lane::Control, numbered(index, 6_000)).await;
        }
        near
    });
    for index in 0..FRAMES {
        let (lane, frame) = far.frame().await;
        assert_eq!((lane, number(&frame), frame.len()), (Lane::Control, index, 6_000));
    }
    drop(soon("the sender", sender).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_mebibytes_pass_the_eager_lane() {
    const FRAME: usize = 16 * 1024;
    const FRAMES: u32 = 20 * 1024 * 1024 / FRAME as u32;
    let (left, right) = (endpoint().await, endpoint().await);
    let (mut near, mut far) = linked(&left, &right).await;
    let began = Instant::now();
    let sender = tokio::spawn(async move {
        for index in 0..FRAMES {
            near.send(Lane::Eager, numbered(index, FRAME)).await;
            assert!(near.link.buffered() <= 128 * 1024);
        }
        near.send(Lane::Control, Bytes::from_static(b"that was all")).await;
        near
    });
    let (mut seen, mut took) = (vec![false; FRAMES as usize], Duration::ZERO);
    loop {
        let (lane, frame) = far.frame().await;
        if lane == Lane::Control {
            break;
        }
        assert_eq!(frame.len(), FRAME);
        assert!(!std::mem::replace(&mut seen[number(&frame) as usize], true), "delivered twice");
        took = began.elapsed();
    }
    let lost = seen.iter().filter(|seen| !**seen).count();
    println!("{lost} of {FRAMES} frames lost, {:.0} MiB/s", 20.0 / took.as_secs_f64());
    assert!(lost * 20 < FRAMES as usize, "more than 5 % lost on loopback");
    drop(soon("the sender", sender).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_hears_full_is_told_when_to_go_on() {
    let (left, right) = (endpoint().await, endpoint().await);
    let (mut near, mut far) = linked(&left, &right).await;
    let mut sent = 0;
    while near.link.try_send(Lane::Control, numbered(sent, 16 * 1024)).is_ok() {
        sent += 1;
    }
    assert!(near.link.buffered() <= 128 * 1024);
    assert_eq!(near.event().await, LinkEvent::Writable);
    for index in 0..sent {
        assert_eq!(number(&far.frame().await.1), index);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_stops_the_sender() {
    let (left, right) = (endpoint().await, endpoint().await);
    let (mut near, mut far) = linked(&left, &right).await;
    let mut sent = 0_u32;
    // Windows and queues on the way hold a few MiB; then nothing moves until the reader does.
    loop {
        match near.link.try_send(Lane::Control, numbered(sent, 16 * 1024)) {
            Ok(()) => sent += 1,
            Err(_) => match tokio::time::timeout(Duration::from_secs(2), near.events.next()).await {
                Ok(event) => assert_eq!(event, Some(LinkEvent::Writable)),
                Err(_) => break,
            },
        }
        assert!(sent < 2_000, "nothing holds the sender back");
    }
    println!("{} KiB under way to a reader that does not read", sent * 16);
    for index in 0..sent {
        assert_eq!(number(&far.frame().await.1), index);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_links_share_one_port() {
    let hub = endpoint().await;
    let began = Instant::now();
    let mut tasks = Vec::new();
    for index in 0..20 {
        let hub = hub.clone();
        tasks.push(tokio::spawn(async move {
            let viewer = endpoint().await;
            let (mut near, mut far) = if index % 2 == 0 {
                linked(&hub, &viewer).await
            } else {
                let (far, near) = linked(&viewer, &hub).await;
                (near, far)
            };
            for round in 0..50 {
                near.send(Lane::Control, numbered(index * 1_000 + round, 6_000)).await;
                assert_eq!(number(&far.frame().await.1), index * 1_000 + round);
            }
            (near, far)
        }));
    }
    let mut sides = Vec::new();
    for task in tasks {
        sides.push(soon("a link", task).await.unwrap());
    }
    println!("twenty links opened and used in {:?}", began.elapsed());
    assert_eq!(hub.links(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_socket_serves_both_address_families() {
    let mut config = EndpointConfig::new("[::]:0".parse().unwrap());
    config.announce = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let hub = Endpoint::bind(config).await.unwrap();
    for viewer in ["127.0.0.1:0", "[::1]:0"] {
        let viewer = Endpoint::bind(EndpointConfig::new(viewer.parse().unwrap())).await.unwrap();
        let (mut near, mut far) = linked(&hub, &viewer).await;
        near.send(Lane::Control, numbered(1, 6_000)).await;
        assert_eq!(number(&far.frame().await.1), 1);
        far.send(Lane::Eager, numbered(2, 6_000)).await;
        assert_eq!(number(&near.frame().await.1), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_starts_anew_on_its_port_is_linked_again() {
    let hub = endpoint().await;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let first = runtime.spawn(endpoint()).await.unwrap();
    let address = first.local_addr();
    let (_old, far) = linked(&hub, &first).await;
    // The peer dies without a word; its successor has the same port while the hub still knows the old link.
    runtime.shutdown_background();
    drop((far, first));
    let second = soon("the port to be free", async {
        loop {
            match Endpoint::bind(EndpointConfig::new(address)).await {
                Ok(endpoint) => break endpoint,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let began = Instant::now();
    let (mut near, mut far) = linked(&second, &hub).await;
    println!("linked again after {:?}", began.elapsed());
    near.send(Lane::Control, numbered(3, 6_000)).await;
    assert_eq!(number(&far.frame().await.1), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_candidate_of_an_offer_carries_the_shared_port() {
    let hub = endpoint().await;
    let (_link, _events, offer) = hub.offer().await.unwrap();
    let candidates: Vec<&str> = offer.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    let port = format!(" {} typ host", hub.local_addr().port());
    assert!(!candidates.is_empty() && candidates.iter().all(|line| line.ends_with(&port)), "{offer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_is_seen_on_both_sides() {
    let (left, right) = (endpoint().await, endpoint().await);
    let (mut near, mut far) = linked(&left, &right).await;
    near.link.close();
    let began = Instant::now();
    assert_eq!(near.event().await, LinkEvent::Closed { why: CloseReason::Local });
    assert_eq!(far.event().await, LinkEvent::Closed { why: CloseReason::Remote });
    println!("the peer knew after {:?}", began.elapsed());
    assert_eq!(far.events.next().await, None);
    assert_eq!(near.link.try_send(Lane::Control, numbered(0, 4)), Err(SendRefused::Closed));
    assert_eq!(far.link.try_send(Lane::Control, numbered(0, 4)), Err(SendRefused::Closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_handle_or_the_events_closes() {
    let (left, right) = (endpoint().await, endpoint().await);
    let (Side { link, mut events }, mut far) = linked(&left, &right).await;
    drop(link);
    assert_eq!(events.next().await, Some(LinkEvent::Closed { why: CloseReason::Local }));
    assert_eq!(far.event().await, LinkEvent::Closed { why: CloseReason::Remote });

    let (Side { link: _link, events }, mut far) = linked(&left, &right).await;
    drop(events);
    assert_eq!(far.event().await, LinkEvent::Closed { why: CloseReason::Remote });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_vanishes_is_noticed() {
    let left = endpoint().await;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let right = runtime.spawn(endpoint()).await.unwrap();
    let (mut near, far) = linked(&left, &right).await;
    // The peer's tasks stop without a word, as when a machine loses its network.
    runtime.shutdown_background();
    let began = Instant::now();
    assert_eq!(near.event().await, LinkEvent::Closed { why: CloseReason::Lost });
    println!("noticed after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(10));
    drop(far);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_without_an_answer_gives_up() {
    let mut config = EndpointConfig::new(([127, 0, 0, 1], 0).into());
    config.limits.open_timeout = Duration::from_millis(300);
    config.limits.links_max = 1;
    let lonely = Endpoint::bind(config).await.unwrap();
    let (link, mut events, _offer) = lonely.offer().await.unwrap();
    assert!(matches!(lonely.offer().await, Err(EndpointError::TooManyLinks)));
    let end = soon("the end", events.next()).await;
    assert_eq!(end, Some(LinkEvent::Closed { why: CloseReason::OpenTimeout }));
    assert_eq!(link.try_send(Lane::Eager, numbered(0, 4)), Err(SendRefused::Closed));
    soon("room", async {
        while lonely.links() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(lonely.offer().await.is_ok());
}

#[test]
fn fifty_links_leave_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let metrics = tokio::runtime::Handle::current().metrics();
        let hub = endpoint().await;
        let (tasks, files) = (metrics.num_alive_tasks(), open_files());
        for _ in 0..50 {
            let viewer = endpoint().await;
            let (near, far) = linked(&hub, &viewer).await;
            drop((near, far));
        }
        soon("the end of all tasks", async {
            while metrics.num_alive_tasks() > tasks || open_files() > files || hub.links() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    });
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
