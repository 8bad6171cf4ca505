//! Those who do too much of what is allowed, or nothing at all: it costs them, and nobody else.

use std::time::Duration;

use bytes::Bytes;
use tokio::net::UdpSocket;
use wire::Epoch;
use wire::session::{FromPeer, FromTracker, Refusal};

use crate::support::{Tracker, a_moment, join, within};

#[tokio::test]
async fn a_stolen_id_needs_its_secret_and_a_resident_keeps_its_own() {
    let tracker = Tracker::start().await;
    let (mut source, welcome) = tracker.source("demo", 1, Some(7)).await;
    // Ids are public, secrets are not: with another secret one is another peer.
    let (mut thief, stolen) = tracker.viewer("demo", 2).await;
    assert_ne!(stolen.peer, welcome.peer);
    thief.say(&FromPeer::Ended).await;
    thief.refusal().await;
    source.settle().await;
    let (_, later) = tracker.viewer("demo", 3).await;
    assert_eq!(later.epoch, Some(Epoch(7)), "the broadcast goes on");
}

#[tokio::test]
async fn a_flood_of_pings_slows_its_sender_alone() {
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut resident, _) = tracker.viewer("demo", 2).await;
    let (mut flooder, _) = tracker.viewer("demo", 3).await;
    let ping = || tokio_tungstenite::tungstenite::Message::Ping(Bytes::from_static(&[7; 125]));
    let flood = async { while futures_util::SinkExt::send(&mut flooder.socket, ping()).await.is_ok() {} };
    tokio::select! {
        () = flood => panic!("a flood is slowed, not cut off"),
        () = async { for _ in 0..20 { resident.settle().await } } => {}
    }
}

#[tokio::test]
async fn a_reader_that_never_reads_is_let_go_and_its_queue_with_it() {
    let tracker = Tracker::start_with(|config| {
        config.limits.queued_text_bytes_max = 64 << 10;
        config.limits.ping_every = Duration::from_millis(500);
        config.limits.dead_after = Duration::from_secs(3);
    })
    .await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (_sleeper, welcome) = tracker.viewer("demo", 2).await;
    let (mut talker, _) = tracker.viewer("demo", 3).await;
    // The kernel takes some; what is beyond its buffers and the queue is dropped, and costs no memory.
    for _ in 0..400 {
        let sdp = "x".repeat(16_000);
        talker
            .say(&FromPeer::Signal { to: welcome.peer, signal: wire::session::Signal::Offer { sdp } })
            .await;
    }
    let counted = |wanted| {
        move |message: &FromTracker| {
            matches!(message, FromTracker::Viewers { count } if *count == wanted).then_some(())
        }
    };
    for viewers in [2, 1] {
        talker.told_that(counted(viewers)).await;
    }
    talker.settle().await;
    let named = async {
        while tracker.refused("session", "silent").await + tracker.refused("session", "too_slow").await == 0 {
            a_moment().await;
        }
    };
    within(named).await;
}

/// One thread: the channel's task gets its turn only after all who come at once have had theirs.
#[tokio::test]
async fn a_crowd_beyond_what_can_be_let_in_is_told_to_come_again_and_then_is_let_in() {
    let tracker = Tracker::start_with(|config| {
        config.limits.inbox_messages = 1;
        config.limits.join_wait = Duration::ZERO;
    })
    .await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut welcomed, mut refused) = (0, 0);
    // A busy machine may deliver one by one what they say at once: then nobody is in anybody's way, and others come.
    for _ in 0..20 {
        let mut crowd = Vec::new();
        for _ in 0..30 {
            crowd.push(tracker.session().await);
        }
        for (session, secret) in crowd.iter_mut().zip(10..) {
            session.say(&join("demo", secret)).await;
        }
        for session in &mut crowd {
            match session.told().await {
                FromTracker::Welcome(_) => welcomed += 1,
                FromTracker::Refused { code: Refusal::Busy, .. } => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        if refused > 0 {
            break;
        }
    }
    assert!(welcomed > 0 && refused > 0, "{welcomed} and {refused}");
    assert_eq!(tracker.refused("opening", "busy").await, refused);
    // Those who were turned away come again, and all get in, one way or another.
    let (mut again, mut inside) = ((40..).take(refused as usize).collect::<Vec<_>>(), Vec::new());
    while let Some(secret) = again.pop() {
        let mut session = tracker.session().await;
        session.say(&join("demo", secret)).await;
        match session.told().await {
            FromTracker::Welcome(_) => inside.push(session),
            _ => again.push(secret),
        }
        a_moment().await;
    }
    assert_eq!(inside.len() as u64, refused);
    for session in &mut inside {
        session.settle().await;
    }
}

#[tokio::test]
async fn datagrams_of_garbage_are_not_answered_and_questions_are() {
    let tracker = Tracker::start_with(|config| config.udp = Some("127.0.0.1:0".parse().unwrap())).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(("127.0.0.1", tracker.stun_port.unwrap())).await.unwrap();
    let question = {
        let mut bytes = vec![0x00, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([9; 12]);
        bytes
    };
    let mut lying = question.clone();
    lying[3] = 200;
    for garbage in [vec![], vec![0], vec![0xff; 20], vec![0; 1_200], lying, question[..19].to_vec()] {
        socket.send(&garbage).await.unwrap();
    }
    socket.send(&question).await.unwrap();
    let mut answer = [0; 200];
    let length = within(socket.recv(&mut answer)).await.unwrap();
    assert!(
        length >= 20 && answer[..2] == [0x01, 0x01] && answer[8..20] == [9; 12],
        "the question's answer comes first"
    );
    let counted = |outcome, times| format!("swarmcast_stun_questions_total{{outcome=\"{outcome}\"}} {times}");
    tracker.shows(&[&counted("answered", 1), &counted("garbage", 5), "swarmcast_stun_blocked 0.0"]).await;
}
