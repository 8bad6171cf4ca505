//! Senders that mean harm. After each of them the server lives, and a broadcast that was running never noticed.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRng, TestRunner};
use uploader::ingest::{IngestLimits, Publication};

use crate::encoder::{Programme, debian};
use crate::sender::{Sender, command, connect, header, message, publish, string};
use crate::world::{KEY, PATIENCE, World, next_video};

/// Long enough for a busy machine, short against the admission timeout of 10 s.
const SOON: Duration = Duration::from_secs(5);

/// A server with a broadcast on it.
struct Busy {
    world: World,
    publication: Publication,
    _encoder: tokio::process::Child,
}

impl Busy {
    async fn new() -> Self {
        let limits = IngestLimits { connections_per_address_max: 200, ..IngestLimits::default() };
        let mut world = World::limited(limits).await;
        let programme = Programme { seconds: None, real_time: true, ..Programme::default() };
        let encoder = programme.publish(&debian(), &format!("{}/{KEY}", world.url()), &[]);
        let mut publication = world.publication().await;
        next_video(&mut publication).await;
        Self { world, publication, _encoder: encoder }
    }

    /// The broadcast goes on: frames that arrive from now on.
    async fn assert_unimpressed(&mut self) {
        let now = std::time::Instant::now();
        while next_video(&mut self.publication).await.arrived < now {}
        self.world.assert_alive();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_end_their_connection_only() {
    let mut busy = Busy::new().await;
    let deep = [command("connect", 1.0), b"\x03\x00\x01a".repeat(900)].concat();
    let deeper = [command("connect", 1.0), b"\x03\x00\x01a".repeat(200_000)].concat();
    let arrays = [command("connect", 1.0), b"\x0a\x00\x00\x00\x01".repeat(700)].concat();
    let mut inside = header(3, 20, 0, 1_000);
    inside.extend([0; 128]);
    inside.extend(header(3, 20, 0, 1_000));
    let mut doubled = header(3, 20, 0, 200);
    doubled.extend([0; 128]);
    doubled.extend(header(3, 20, 0, 10));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nested AMF", message(3, 20, 0, &deep)),
        ("deeply nested AMF", message(3, 20, 0, &deeper)),
        ("nested AMF arrays", message(3, 20, 0, &arrays)),
        ("nested AMF marked as AMF3", message(3, 17, 0, &[vec![0], deep.clone()].concat())),
        ("a header inside a message", inside),
        ("a shorter header inside a message", doubled),
        ("an abort without a number", message(2, 2, 0, &[])),
        ("a chunk size of nothing", message(2, 1, 0, &[0; 4])),
        ("a string longer than its message", message(3, 20, 0, &[2, 0xff, 0xff, b'a'])),
        ("16 MB of connect", header(3, 20, 0, 0xff_ffff)),
        ("16 MB of picture before a key", header(4, 9, 1, 0xff_ffff)),
        ("a picture before a key", message(4, 9, 1, &[0x17, 1, 0, 0, 0])),
        ("a continued header first", vec![0xc3]),
        ("a command flood", message(3, 20, 0, &connect("live")).repeat(100)),
    ];
    for (name, bytes) in cases {
        let mut sender = Sender::greeted(&busy.world).await;
        sender.send(&bytes).await;
        assert!(sender.is_closed_within(SOON).await, "still open after {name}");
        busy.assert_unimpressed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn harmless_nonsense_is_overlooked() {
    let mut busy = Busy::new().await;
    let mut sender = Sender::with_stream(&busy.world).await;
    let aborted = [header(5, 20, 0, 200), vec![0; 128]].concat();
    for nonsense in [
        message(3, 20, 0, &[]),
        message(3, 17, 0, &[]),
        message(3, 17, 0, &[0]),
        message(3, 20, 0, &[5, 5, 5]),
        message(3, 20, 0, &command("createStream", 1.0)),
        message(3, 18, 0, &[]),
        message(3, 18, 0, &string("@setDataFrame")),
        message(2, 4, 0, &[0, 99]),
        message(2, 4, 0, &[]),
        message(2, 2, 0, &[0, 0, 0, 77]),
        [aborted, message(2, 2, 0, &[0, 0, 0, 5])].concat(),
        message(3, 22, 0, &[1, 2, 3]),
        message(3, 99, 0, &[1, 2, 3]),
    ] {
        sender.send(&nonsense).await;
    }
    sender.send(&message(4, 20, 1, &publish("wrong"))).await;
    assert!(sender.hear_to_the_end().await.contains("NetStream.Publish.BadName"), "the conversation went on");
    busy.assert_unimpressed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dawdles_is_sent_away() {
    let limits = IngestLimits { admission_timeout: Duration::from_millis(500), ..IngestLimits::default() };
    let world = World::limited(limits).await;
    let mut silent = Sender::connected(&world).await;
    assert!(silent.is_closed_within(SOON).await, "nothing sent");
    let mut slow = Sender::connected(&world).await;
    let trickle = async {
        for _ in 0..1_000 {
            slow.send(&[3]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), trickle).await;
    assert!(slow.is_closed_within(SOON).await, "a byte at a time");
    let mut undecided = Sender::with_stream(&world).await;
    assert!(undecided.is_closed_within(SOON).await, "no key");
    world.assert_alive();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_only_its_share() {
    let limits = IngestLimits { connections_per_address_max: 3, ..IngestLimits::default() };
    let world = World::limited(limits).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(Sender::greeted(&world).await);
    }
    assert!(Sender::connected(&world).await.is_closed_within(SOON).await, "the fourth");
    kept.clear();
    // The server notices the closed ones in its own time.
    let again = async { while Sender::try_greeted(&world).await.is_none() {} };
    tokio::time::timeout(PATIENCE, again).await.expect("seats are given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_stays_in_its_connection() {
    let mut busy = Busy::new().await;
    let mut sender = Sender::with_stream(&busy.world).await;
    sender.send(&message(4, 20, 1, &publish("panic"))).await;
    assert!(sender.is_closed_within(SOON).await);
    busy.assert_unimpressed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_break_nothing() {
    let mut busy = Busy::new().await;
    // Random, the same every time.
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Default::default()));
    for round in 0..120 {
        let bytes = prop::collection::vec(any::<u8>(), 1..6_000).new_tree(&mut runner).unwrap().current();
        let mut sender = match round % 4 {
            0 => Sender::connected(&busy.world).await,
            1 => Sender::greeted(&busy.world).await,
            _ => Sender::with_stream(&busy.world).await,
        };
        // Noise as it is, and as the body of a message the guard has to judge.
        let bytes = match round % 4 {
            3 => message(3, [20, 17, 18, 4, 5, 1][round / 4 % 6], 0, &bytes[..bytes.len().min(200)]),
            _ => bytes,
        };
        sender.send(&bytes).await;
    }
    busy.assert_unimpressed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admitted_sender_has_bounds_too() {
    let mut world = World::new().await;
    let cases = [
        ("16 MB of picture", header(4, 9, 1, 0xff_ffff)),
        ("nested metadata", message(4, 20, 1, &[command("x", 0.0), b"\x03\x00\x01a".repeat(500)].concat())),
        ("40 kB of metadata", header(4, 18, 1, 40_000)),
    ];
    for (name, bytes) in cases {
        let mut sender = Sender::publishing(&world).await;
        let publication = world.publication().await;
        sender.send(&bytes).await;
        assert!(sender.is_closed_within(SOON).await, "still open after {name}");
        drop(publication);
    }
}
