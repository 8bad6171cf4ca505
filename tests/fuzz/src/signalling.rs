//! The tracker protocol: one text message, as tracker and peers read it.

use wire::PeerId;
use wire::limits::{CANDIDATE_MAX, NAME_MAX, NEIGHBORS_MAX, SDP_MAX, SESSION_TEXT_MAX, STRIPES_MAX};
use wire::session::{FromPeer, FromTracker, Signal};

/// The input is one text message of a session.
pub fn signalling(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(message) = FromPeer::parse(text) {
        assert!(text.len() <= SESSION_TEXT_MAX);
        check_from_peer(&message);
        assert_eq!(
            FromPeer::parse(&message.to_text()).unwrap(),
            message,
            "what is read is written back the same"
        );
    }
    if let Ok(message) = FromTracker::parse(text) {
        assert!(text.len() <= SESSION_TEXT_MAX);
        check_from_tracker(&message);
        let written = message.to_text();
        // Fields that were left out are written as `null`, which may make the longest texts too long.
        if written.len() <= SESSION_TEXT_MAX {
            assert_eq!(
                FromTracker::parse(&written).unwrap(),
                message,
                "what is read is written back the same"
            );
        }
        let read = FromTracker::read(&mut serde_json::Deserializer::from_str(text));
        assert_eq!(read, Some(message), "a browser reads the same");
    }
}

fn check_from_peer(message: &FromPeer) {
    match message {
        FromPeer::Join(join) => {
            assert!(join.channel.len() <= 64);
            check_neighbors(&join.links, &join.feeds);
        }
        FromPeer::Announce(announce) => {
            assert!(announce.name.len() <= NAME_MAX && announce.proof.len() <= 128)
        }
        FromPeer::Signal { signal, .. } => check_signal(signal),
        FromPeer::Report(report) => check_neighbors(&report.links, &report.feeds),
        _ => {}
    }
}

fn check_from_tracker(message: &FromTracker) {
    match message {
        FromTracker::Link { peers } => assert!(peers.len() <= NEIGHBORS_MAX),
        FromTracker::Parents { stripes } => {
            assert!(stripes.len() <= usize::from(STRIPES_MAX));
            assert!(stripes.iter().all(|stripe| stripe.backups.len() <= NEIGHBORS_MAX));
        }
        FromTracker::Signal { signal, .. } => check_signal(signal),
        FromTracker::Welcome(welcome) => {
            assert!(welcome.turn.is_none(), "the browser takes it, unread by us")
        }
        _ => {}
    }
}

fn check_neighbors(links: &[PeerId], feeds: &[Option<PeerId>]) {
    assert!(links.len() <= NEIGHBORS_MAX && feeds.len() <= usize::from(STRIPES_MAX));
}

fn check_signal(signal: &Signal) {
    match signal {
        Signal::Offer { sdp } | Signal::Answer { sdp } => assert!(sdp.len() <= SDP_MAX),
        Signal::Candidate { candidate } => assert!(candidate.len() <= CANDIDATE_MAX),
        Signal::Declined => {}
    }
}
