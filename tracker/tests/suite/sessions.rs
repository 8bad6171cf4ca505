//! Who is let in, who is not, and who hears of whom.

use std::time::Duration;

use tracker::Registration;
use wire::Epoch;
use wire::session::{FromPeer, FromTracker, Refusal, Signal};

use crate::support::{Heard, Tracker, channel, join, peer};

fn live(message: &FromTracker) -> Option<u64> {
    match message {
        FromTracker::Live { epoch, .. } => Some(epoch.0),
        _ => None,
    }
}

fn offline(message: &FromTracker) -> Option<bool> {
    match message {
        FromTracker::Offline { ended } => Some(*ended),
        _ => None,
    }
}

#[tokio::test]
async fn a_viewer_joins_by_name_or_by_id() {
    let tracker = Tracker::start().await;
    let (_source, welcome) = tracker.source("demo", 1, Some(7)).await;
    assert_eq!((welcome.peer, welcome.source), (peer(1), Some(peer(1))));
    for (as_text, secret) in [("demo".to_owned(), 2), (channel(1).to_string(), 3)] {
        let (_viewer, welcome) = tracker.viewer(&as_text, secret).await;
        assert_eq!((welcome.channel, welcome.name.as_str()), (channel(1), "demo"));
        assert_eq!((welcome.epoch, welcome.source), (Some(Epoch(7)), Some(peer(1))));
        assert!(welcome.time_ms > 1_700_000_000_000);
    }
}

#[tokio::test]
async fn a_viewer_need_not_wait_for_hello() {
    use futures_util::SinkExt;
    use tokio_tungstenite::tungstenite::Message;
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, None).await;
    let (mut socket, _) = tokio_tungstenite::connect_async(tracker.session_address()).await.unwrap();
    socket.feed(Message::text(join("demo", 2).to_text())).await.unwrap();
    let subscribe = wire::Frame::Subscribe { stripes: wire::StripeSet::all(6), from: wire::JOIN_POINT };
    socket.send(Message::Binary(subscribe.encode())).await.unwrap();
    let mut session = crate::support::Session { socket, nonce: String::new() };
    assert!(matches!(session.told().await, FromTracker::Hello { .. }));
    assert_eq!(session.welcome().await.peer, peer(2));
}

#[tokio::test]
async fn an_unknown_channel_is_refused() {
    let tracker = Tracker::start().await;
    assert_eq!(tracker.refusal(|_| join("nobody", 1)).await, Refusal::UnknownChannel);
    let id = channel(9).to_string();
    assert_eq!(tracker.refusal(|_| join(&id, 1)).await, Refusal::UnknownChannel);
}

#[tokio::test]
async fn a_server_that_just_started_waits_for_its_broadcasters() {
    let tracker = Tracker::start_with(|config| config.limits.settling = Duration::from_secs(60)).await;
    let mut early = tracker.session().await;
    early.say(&join("demo", 2)).await;
    early.settle_unread().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    assert_eq!(early.welcome().await.channel, channel(1));
}

#[tokio::test]
async fn a_viewer_who_comes_before_the_broadcaster_hears_when_it_starts() {
    let tracker = Tracker::start().await;
    let (source, _) = tracker.source("demo", 1, None).await;
    drop(source);
    let (mut viewer, welcome) = tracker.viewer("demo", 2).await;
    assert_eq!(welcome.epoch, None);
    let (_source, _) = tracker.source("demo", 1, Some(8)).await;
    assert_eq!(viewer.told_that(live).await, 8);
}

#[tokio::test]
async fn hosted_channels_are_known_before_they_are_live() {
    let tracker = Tracker::start().await;
    let new = tracker.add_hosted("club");
    let (_viewer, welcome) = tracker.viewer("club", 2).await;
    assert_eq!((welcome.channel, welcome.epoch), (new.channel, None));
}

#[tokio::test]
async fn only_the_key_opens_its_channel() {
    let tracker = Tracker::start().await;
    tracker.add_hosted("club");
    let (_source, _) = tracker.source("demo", 1, None).await;
    let stolen = tracker.refusal(|session| {
        let FromPeer::Announce(mut announce) = session.announce("demo", 2, None) else { unreachable!() };
        announce.channel = channel(1);
        FromPeer::Announce(announce)
    });
    assert_eq!(stolen.await, Refusal::BadProof);
    let replayed = tracker.session().await.announce("demo", 1, None);
    assert_eq!(tracker.refusal(|_| replayed).await, Refusal::BadProof);
    assert_eq!(tracker.refusal(|session| session.announce("demo", 2, None)).await, Refusal::NameTaken);
    assert_eq!(tracker.refusal(|session| session.announce("club", 2, None)).await, Refusal::NameTaken);
}

#[tokio::test]
async fn registration_can_be_closed_and_hosted_keys_still_come_in() {
    let tracker = Tracker::start_with(|config| config.registration = Some(Registration::Closed)).await;
    let closed = tracker.refusal(|session| session.announce("demo", 1, None));
    assert_eq!(closed.await, Refusal::RegistrationClosed);
    tracker.add_hosted("club");
    let key = tracker.database().read(|store| store.hosted("club")).unwrap().unwrap().signer;
    let mut session = tracker.session().await;
    let FromPeer::Announce(mut announce) = session.announce("club", 1, None) else { unreachable!() };
    announce.channel = key.channel();
    announce.proof = key.announce(&session.nonce);
    session.say(&FromPeer::Announce(announce)).await;
    assert_eq!(session.welcome().await.channel, key.channel());
}

#[tokio::test]
async fn a_registered_name_survives_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_owned();
    let first = Tracker::start_with(|config| config.data = path.clone()).await;
    drop(first.source("demo", 1, None).await);
    first.stop().await;
    let second = Tracker::start_with(|config| config.data = path).await;
    let (_viewer, welcome) = second.viewer("demo", 2).await;
    assert_eq!(welcome.channel, channel(1));
    assert_eq!(second.refusal(|session| session.announce("demo", 2, None)).await, Refusal::NameTaken);
}

#[tokio::test]
async fn a_channel_that_is_removed_ends_for_all() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    tracker.remove("demo");
    assert_eq!(source.refusal().await, Refusal::UnknownChannel);
    assert!(viewer.told_that(offline).await);
    assert_eq!(viewer.refusal().await, Refusal::UnknownChannel);
    assert_eq!(tracker.refusal(|_| join("demo", 3)).await, Refusal::UnknownChannel);
}

#[tokio::test]
async fn another_version_is_told_so() {
    let tracker = Tracker::start().await;
    let FromPeer::Join(mut other) = join("demo", 1) else { unreachable!() };
    other.version = 2;
    assert_eq!(tracker.refusal(|_| FromPeer::Join(other)).await, Refusal::Version);
}

#[tokio::test]
async fn the_newest_session_of_a_peer_counts() {
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut first, _) = tracker.viewer("demo", 2).await;
    let (mut second, _) = tracker.viewer("demo", 2).await;
    assert_eq!(first.refusal().await, Refusal::Replaced);
    second.settle().await;
}

#[tokio::test]
async fn a_broadcaster_that_takes_over_ends_nothing() {
    let tracker = Tracker::start().await;
    let (mut first, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    let mut second = tracker.session().await;
    let FromPeer::Announce(mut announce) = second.announce("demo", 1, Some(7)) else { unreachable!() };
    announce.secret = wire::PeerSecret([99; 16]);
    second.say(&FromPeer::Announce(announce)).await;
    assert_eq!(second.welcome().await.peer, peer(99));
    assert_eq!(first.refusal().await, Refusal::Replaced);
    let first_news = viewer.told_that(|message| live(message).map(Ok).or(offline(message).map(Err))).await;
    assert_eq!(first_news, Ok(7));
}

#[tokio::test]
async fn viewers_hear_of_the_end_and_of_a_return() {
    let tracker = Tracker::start().await;
    let (source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    drop(source);
    assert!(!viewer.told_that(offline).await);
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    assert_eq!(viewer.told_that(live).await, 7);
    source.say(&FromPeer::Ended).await;
    assert!(viewer.told_that(offline).await);
}

#[tokio::test]
async fn signals_stay_within_the_swarm() {
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (_other, _) = tracker.source("other", 3, Some(7)).await;
    let (mut insider, _) = tracker.viewer("demo", 4).await;
    let (mut neighbor, _) = tracker.viewer("demo", 5).await;
    let (mut outsider, _) = tracker.viewer("other", 6).await;
    let offer = |sdp: &str| FromPeer::Signal { to: peer(5), signal: Signal::Offer { sdp: sdp.to_owned() } };
    outsider.say(&offer("from outside")).await;
    outsider.settle().await;
    insider.say(&offer("from inside")).await;
    let heard = neighbor.told_that(|message| match message {
        FromTracker::Signal { from, signal } => Some((*from, signal.clone())),
        _ => None,
    });
    assert_eq!(heard.await, (peer(4), Signal::Offer { sdp: "from inside".to_owned() }));
}

#[tokio::test]
async fn the_roster_matches_and_counts() {
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    let parents = viewer.told_that(|message| match message {
        FromTracker::Parents { stripes } => Some(stripes.clone()),
        _ => None,
    });
    assert!(parents.await.iter().any(|stripe| stripe.parent == Some(peer(1))));
    let (_second, _) = tracker.viewer("demo", 3).await;
    let counted = viewer.told_that(|message| match message {
        FromTracker::Viewers { count } => Some(*count).filter(|&count| count == 2),
        _ => None,
    });
    assert_eq!(counted.await, 2);
}

#[tokio::test]
async fn a_server_that_ends_says_so() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    let mut waiting = tracker.session().await;
    let address = tracker.address;
    let (stopped, source, viewer, waiting) =
        tokio::join!(tracker.stop(), source.refusal(), viewer.refusal(), waiting.refusal());
    assert_eq!((stopped, source), ((), Refusal::ShuttingDown));
    assert_eq!((viewer, waiting), (Refusal::ShuttingDown, Refusal::ShuttingDown));
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_idle_channel_is_put_away_and_stays_known() {
    let tracker = Tracker::start_with(|config| config.limits.idle_channel = Duration::ZERO).await;
    for round in 0..3 {
        let (source, _) = tracker.source("demo", 1, Some(round)).await;
        drop(source);
        let (viewer, _) = tracker.viewer("demo", 2).await;
        drop(viewer);
    }
}

#[tokio::test]
async fn a_crowd_from_one_address_is_held_back() {
    let tracker = Tracker::start_with(|config| config.limits.sessions_on_loopback = 2).await;
    let (_one, _two) = (tracker.session().await, tracker.session().await);
    assert!(tokio_tungstenite::connect_async(tracker.session_address()).await.is_err());
}

#[tokio::test]
async fn the_welcome_names_the_stun_port() {
    let tracker = Tracker::start_with(|config| config.udp = Some("127.0.0.1:0".parse().unwrap())).await;
    let (_source, welcome) = tracker.source("demo", 1, None).await;
    assert!(welcome.stun_port.is_some());
    assert_eq!(welcome.stun_port, tracker.stun_port);
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut binding = [0; 20];
    // RFC 8489 §5: type, length, magic cookie, transaction.
    binding[..8].copy_from_slice(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
    binding[8..].copy_from_slice(b"transaction!");
    socket.send_to(&binding, ("127.0.0.1", welcome.stun_port.unwrap())).await.unwrap();
    let mut answer = [0; 200];
    let (length, _) = crate::support::within(socket.recv_from(&mut answer)).await.unwrap();
    assert!(length > 20 && answer[..2] == [1, 1] && answer[8..20] == binding[8..]);
}

impl crate::support::Session {
    /// Gives the server a moment with what was said, where no answer tells that it was read.
    async fn settle_unread(&mut self) {
        let quiet = tokio::time::timeout(Duration::from_millis(200), self.heard()).await;
        assert!(!matches!(quiet, Ok(Heard::Closed | Heard::Told(_))), "{quiet:?}");
    }
}
