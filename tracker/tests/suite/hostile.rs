//! Whatever strangers send, the server lives on and a resident viewer is served.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use wire::session::{FromPeer, Refusal, Signal};

use crate::support::{Heard, Session, Tracker, join, peer, within};

/// First messages that are none, or not now.
fn bad_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "null",
        "true",
        "0",
        "[]",
        "{}",
        "\"join\"",
        "{",
        "{\"type\":null}",
        "{\"type\":\"join\"}",
        "{\"type\":\"unheard_of\"}",
        "{\"type\":\"hello\",\"nonce\":\"x\",\"time_ms\":1}",
        "{\"type\":\"ended\"}",
        "{\"type\":\"sharing\",\"on\":true}",
        "{\"type\":\"report\",\"links\":[],\"feeds\":[],\"from_viewers\":-1}",
        "{\"type\":\"join\",\"version\":1,\"channel\":null,\"secret\":null,\"sharing\":null}",
        "{\"type\":\"join\",\"version\":999,\"channel\":\"demo\",\"secret\":\"00\",\"sharing\":true}",
        "{\"type\":\"join\",\"version\":1,\"channel\":[\"demo\"],\"secret\":{},\"sharing\":1}",
        "{\"type\":\"announce\",\"version\":1,\"channel\":\"x\",\"name\":\"../../etc\",\"secret\":\"\",\"proof\":\"\"}",
        "{\"offers\":[null,null]}",
        "{\"type\":\"signal\",\"to\":\"0000000000000000\",\"signal\":{\"kind\":\"offer\"}}",
    ]
    .map(str::to_owned)
    .into();
    texts.push("[".repeat(16_000));
    texts.push("{\"a\":".repeat(3_000));
    texts.push(format!("\"{}\"", "x".repeat(17_000)));
    let mut join = join("demo", 200).to_text();
    join.pop();
    texts.push(format!("{join},\"links\":[{}]}}", vec!["null"; 1_000].join(",")));
    texts.push(format!("{join},\"links\":[{}]}}", vec!["\"00000000000000ff\""; 500].join(",")));
    texts
}

struct Resident {
    tracker: Tracker,
    viewer: Session,
    _source: Session,
}

impl Resident {
    async fn move_in() -> Resident {
        let tracker = Tracker::start().await;
        let (source, _) = tracker.source("demo", 1, Some(7)).await;
        let (viewer, _) = tracker.viewer("demo", 2).await;
        Resident { tracker, viewer, _source: source }
    }

    /// The resident still has its session, and newcomers are let in.
    async fn is_served(&mut self) {
        self.viewer.settle().await;
        let (mut newcomer, _) = self.tracker.viewer("demo", 3).await;
        let hello = Signal::Offer { sdp: "hello".to_owned() };
        newcomer.say(&FromPeer::Signal { to: peer(2), signal: hello }).await;
        let heard = self.viewer.told_that(|message| match message {
            wire::session::FromTracker::Signal { from, .. } => Some(*from),
            _ => None,
        });
        assert_eq!(heard.await, peer(3));
    }
}

#[tokio::test]
async fn bad_first_messages_are_refused_with_a_reason() {
    let mut resident = Resident::move_in().await;
    for text in bad_texts() {
        let mut stranger = resident.tracker.session().await;
        stranger.text(text.clone()).await;
        let shown: String = text.chars().take(80).collect();
        assert_eq!(stranger.refusal().await, Refusal::BadMessage, "{shown}");
    }
    resident.is_served().await;
}

#[tokio::test]
async fn bad_messages_of_members_end_their_session_alone() {
    let mut resident = Resident::move_in().await;
    let allowed_from_members = |text: &String| text.contains("ended") || text.contains("\"sharing\",");
    for (text, secret) in bad_texts().into_iter().filter(|text| !allowed_from_members(text)).zip(10..) {
        let (mut member, _) = resident.tracker.viewer("demo", secret).await;
        member.text(text.clone()).await;
        let shown: String = text.chars().take(80).collect();
        assert_eq!(member.refusal().await, Refusal::BadMessage, "{shown}");
    }
    let (mut twice, _) = resident.tracker.viewer("demo", 9).await;
    twice.say(&join("demo", 9)).await;
    assert_eq!(twice.refusal().await, Refusal::BadMessage);
    let (mut impostor, _) = resident.tracker.viewer("demo", 9).await;
    impostor.say(&FromPeer::Ended).await;
    assert_eq!(impostor.refusal().await, Refusal::BadMessage);
    resident.is_served().await;
}

#[tokio::test]
async fn bad_frames_end_their_session_alone() {
    let mut resident = Resident::move_in().await;
    let frames: [&[u8]; 9] = [
        &[],
        &[0],
        &[0xff; 100],
        &[0x01],
        &[0x01; 200],
        &[0x02; 20_000],
        &[0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1],
        &[0x15, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3],
        &[0x18; 14],
    ];
    for (frame, secret) in frames.into_iter().zip(10..) {
        let (mut member, _) = resident.tracker.viewer("demo", secret).await;
        member.send(Bytes::copy_from_slice(frame)).await;
        assert_eq!(member.refusal().await, Refusal::BadMessage, "{frame:?}");
    }
    resident.is_served().await;
}

#[tokio::test]
async fn frames_before_joining_are_refused() {
    let mut resident = Resident::move_in().await;
    let mut stranger = resident.tracker.session().await;
    stranger.send(Bytes::from_static(&[0x12, 0, 0, 0, 0, 0, 0])).await;
    assert_eq!(stranger.refusal().await, Refusal::BadMessage);
    resident.is_served().await;
}

#[tokio::test]
async fn messages_over_the_limit_and_broken_frames_end_the_session() {
    let mut resident = Resident::move_in().await;
    let not_utf8 = RawFrame::message(Bytes::from_static(&[0xff, 0xfe, 0x80]), OpCode::Data(Data::Text), true);
    let continued_by_nothing =
        RawFrame::message(Bytes::from_static(b"x"), OpCode::Data(Data::Continue), true);
    let messages = [
        Message::Binary(vec![0; 21 << 10].into()),
        Message::Binary(vec![0; 4 << 20].into()),
        Message::text("x".repeat(1 << 20)),
        Message::Frame(not_utf8),
        Message::Frame(continued_by_nothing),
    ];
    for (message, secret) in messages.into_iter().zip(10..) {
        let (mut member, _) = resident.tracker.viewer("demo", secret).await;
        // The server may close before all is sent.
        let _ = within(member.socket.send(message)).await;
        while !matches!(member.heard().await, Heard::Closed) {}
    }
    resident.is_served().await;
}

#[tokio::test]
async fn a_flood_of_texts_only_slows_its_sender() {
    let mut resident = Resident::move_in().await;
    let (mut flooder, _) = resident.tracker.viewer("demo", 9).await;
    let report = FromPeer::Report(Default::default()).to_text();
    let flood = async {
        loop {
            if flooder.socket.send(Message::text(report.clone())).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = flood => {}
        () = async {
            for _ in 0..5 {
                resident.is_served().await;
            }
        } => {}
    }
}

#[tokio::test]
async fn half_open_and_half_said_connections_are_let_go() {
    let tracker = Tracker::start_with(|config| {
        config.limits.header_timeout = Duration::from_millis(300);
        config.limits.first_message_timeout = Duration::from_millis(300);
        config.limits.ping_every = Duration::from_millis(500);
        config.limits.dead_after = Duration::from_secs(3);
        config.limits.farewell = Duration::from_millis(200);
    })
    .await;
    for start in
        ["", "G", "GET /session HTTP/1.1\r\nHost: x\r\n", "\0\0\0\0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(tracker.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = within(stream.read_to_end(&mut rest)).await;
    }
    let mut silent = tracker.session().await;
    assert_eq!(silent.refusal().await, Refusal::BadMessage);
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    // One that reads answers pings, and lives; one that does not is dead.
    let (asleep, _) = tracker.viewer("demo", 3).await;
    let gone = viewer.told_that(|message| match message {
        wire::session::FromTracker::Viewers { count: 1 } => Some(()),
        _ => None,
    });
    gone.await;
    drop(asleep);
    viewer.settle().await;
    for (door, reason) in
        [("http", "timeout"), ("http", "bad_request"), ("opening", "nothing_said"), ("session", "silent")]
    {
        assert!(tracker.refused(door, reason).await >= 1, "{door} {reason}");
    }
}

#[tokio::test]
async fn a_crowd_that_comes_and_goes_leaves_nothing_behind() {
    let mut resident = Resident::move_in().await;
    for _ in 0..20 {
        let mut crowd = Vec::new();
        for secret in 10..30 {
            let mut session = resident.tracker.session().await;
            session.say(&join("demo", secret)).await;
            crowd.push(session);
        }
    }
    resident.is_served().await;
}
