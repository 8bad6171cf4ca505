//! Every message is read as it was written, and nothing else is.

use proptest::prelude::*;

use super::*;
use crate::limits::{SDP_MAX, SESSION_TEXT_MAX};

#[test]
fn a_join_reads_as_it_is_documented() {
    let text = r#"{"type":"join","version":1,"channel":"demo","secret":"000102030405060708090a0b0c0d0e0f","sharing":true}"#;
    let FromPeer::Join(join) = FromPeer::parse(text).unwrap() else { panic!("not a join") };
    assert_eq!((join.channel.as_str(), join.links.len()), ("demo", 0));
    let message = FromPeer::Join(join);
    assert_eq!(FromPeer::parse(&message.to_text()).unwrap(), message);
}

#[test]
fn every_message_of_a_peer_survives_its_text() {
    let (peer, secret, signer) = (PeerId(7), PeerSecret([5; 16]), crate::Signer::from_seed(&[1; 32]));
    let messages = [
        FromPeer::Join(Join {
            version: 1,
            channel: "demo".into(),
            secret,
            sharing: true,
            consent: true,
            token: Some("t".into()),
            links: vec![peer],
            feeds: vec![None, Some(peer)],
        }),
        FromPeer::Announce(Announce {
            version: 1,
            channel: signer.channel(),
            name: "demo".into(),
            secret,
            proof: "p".into(),
            delegation: None,
            epoch: Some(Epoch(4)),
        }),
        FromPeer::Signal { to: peer, signal: Signal::Offer { sdp: "v=0\r\ns=-\r\n".into() } },
        FromPeer::Report(Report { capacity_bps: Some(9), feeds: vec![Some(peer)], ..Report::default() }),
        FromPeer::Orphaned { stripes: StripeSet::default(), failed: peer, fault: Fault::Lost },
        FromPeer::Sharing { on: false },
        FromPeer::Clock,
        FromPeer::Ended,
    ];
    for message in messages {
        assert_eq!(FromPeer::parse(&message.to_text()).unwrap(), message);
    }
    assert!(matches!(FromPeer::parse(r#"{"type":"dance"}"#), Err(SessionError::UnknownType)));
}

#[test]
fn every_message_of_a_tracker_survives_its_text() {
    let (peer, channel) = (PeerId(7), ChannelId([3; 32]));
    let welcome = Welcome {
        peer,
        channel,
        name: "demo".into(),
        time_ms: 5,
        epoch: Some(Epoch(4)),
        source: None,
        stun_port: Some(3478),
        sharing: Some(SharingRule::Ask),
        pass: None,
        turn: None,
        viewers: 2,
    };
    let stripes = vec![Parents::default(), Parents { parent: Some(peer), backups: vec![PeerId(8)] }];
    let signals = [
        Signal::Offer { sdp: "o".into() },
        Signal::Answer { sdp: "a".into() },
        Signal::Candidate { candidate: "c".into() },
        Signal::Declined,
    ];
    let others = [
        FromTracker::Hello { nonce: "n".into(), time_ms: 6 },
        FromTracker::Welcome(welcome),
        FromTracker::Link { peers: vec![peer] },
        FromTracker::Parents { stripes },
        FromTracker::Time { time_ms: 7 },
        FromTracker::Gone { peer },
        FromTracker::Live { epoch: Epoch(4), source: Some(peer) },
        FromTracker::Offline { ended: true },
        FromTracker::Viewers { count: 3 },
        FromTracker::Refused { code: Refusal::Busy, message: "later".into() },
    ];
    let signals = signals.map(|signal| FromTracker::Signal { from: peer, signal });
    for message in signals.into_iter().chain(others) {
        assert_eq!(FromTracker::parse(&message.to_text()).unwrap(), message);
    }
}

#[test]
fn an_unknown_or_incomplete_message_is_refused() {
    for text in [
        r#"{"type":"dance"}"#,
        r#"{"type":"viewers"}"#,
        r#"{"count":3}"#,
        r#"{"type":"viewers","count":null}"#,
    ] {
        assert!(FromTracker::parse(text).is_err(), "{text}");
    }
}

#[test]
fn signals_are_bounded() {
    let signal = |sdp: String| FromPeer::Signal { to: PeerId(1), signal: Signal::Offer { sdp } }.to_text();
    assert!(FromPeer::parse(&signal("v=0".into())).is_ok());
    assert!(matches!(FromPeer::parse(&signal("x".repeat(SDP_MAX + 1))), Err(SessionError::OverLimit("sdp"))));
    assert!(matches!(FromPeer::parse(&"[".repeat(SESSION_TEXT_MAX + 1)), Err(SessionError::TooLong)));
}

#[test]
fn names_need_no_escape() {
    assert!(is_name("my-channel_1"));
    for bad in ["", "Demo", "a/b", "ä", &"x".repeat(49), &"x".repeat(43)] {
        assert!(!is_name(bad), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = FromPeer::parse(&text);
        let _ = FromTracker::parse(&text);
    }
}

#[test]
fn deep_json_is_refused() {
    let text = format!("{{\"type\":\"report\",\"links\":{}1{}}}", "[".repeat(8000), "]".repeat(8000));
    assert!(FromPeer::parse(&text).is_err());
}
