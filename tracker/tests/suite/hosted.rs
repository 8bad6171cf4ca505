//! Hosted channels, with a real encoder (ffmpeg) and nothing else.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::process::{Child, Command};
use uploader::account::Account;
use wire::session::FromTracker;
use wire::{Frame, JOIN_POINT, StreamHeader, StripeSet, Verifier};

use crate::api::live_or_ended;
use crate::support::{Tracker, channel, signer, within};

/// A test picture and a tone, published in real time until dropped.
pub fn encoder(rtmp: SocketAddr, key: &str) -> Child {
    let inputs = "-re -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440";
    let codecs =
        "-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 25 -b:v 400k -c:a aac -f flv";
    Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error"])
        .args(inputs.split(' '))
        .args(codecs.split(' '))
        .arg(format!("rtmp://{rtmp}/live/{key}"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("ffmpeg is installed")
}

async fn hosting() -> (Tracker, SocketAddr) {
    let free = Some("127.0.0.1:0".parse().unwrap());
    let tracker = Tracker::start_with(|config| (config.rtmp, config.udp) = (free, free)).await;
    let rtmp = tracker.rtmp.unwrap();
    (tracker, rtmp)
}

#[tokio::test]
async fn an_encoder_with_the_stream_key_is_broadcast() {
    let (tracker, rtmp) = hosting().await;
    let new = tracker.add_hosted("club");
    let (mut viewer, _) = tracker.viewer("club", 2).await;
    let _encoder = encoder(rtmp, &new.stream_key);
    let live = viewer.told_that(|message| match message {
        FromTracker::Live { epoch, .. } => Some(*epoch),
        _ => None,
    });
    let epoch = live.await;
    viewer.send(Frame::Subscribe { stripes: StripeSet::all(16), from: JOIN_POINT }.encode()).await;
    let verifier = Verifier::new(new.channel).unwrap();
    let mut chunks = 0;
    while chunks < 20 {
        match viewer.frame().await {
            Frame::Stream(header, frame) => {
                StreamHeader::verifier(&frame, &verifier).unwrap();
                assert_eq!(header.epoch, epoch);
                assert!(header.mime.contains("avc1") && header.mime.contains("mp4a"), "{}", header.mime);
            }
            Frame::Piece(piece) => {
                piece.verify(&verifier).unwrap();
                chunks += usize::from(piece.header.index == 0);
            }
            _ => {}
        }
    }
    let listed = tracker.get("/api/v1/channels", "").await.json();
    assert_eq!((&listed[0]["name"], &listed[0]["live"]), (&"club".into(), &true.into()));

    tracker.remove("club");
    let offline = viewer.told_that(|message| match message {
        FromTracker::Offline { ended } => Some(*ended),
        _ => None,
    });
    assert!(offline.await, "a channel that is removed has ended");
}

#[tokio::test]
async fn a_wrong_key_broadcasts_nothing() {
    let (tracker, rtmp) = hosting().await;
    let new = tracker.add_hosted("club");
    for key in ["guess", "club", &new.channel.to_string()] {
        let refused = within(encoder(rtmp, key).wait_with_output()).await.unwrap();
        assert!(!refused.status.success());
        assert_eq!(tracker.get("/api/v1/channels", "").await.json(), serde_json::json!([]));
    }
}

#[tokio::test]
async fn an_owner_delegates_and_a_revoked_stream_key_ends_the_broadcast() {
    let (tracker, rtmp) = hosting().await;
    let account = Account::new(&format!("http://{}", tracker.address), signer(1), None).unwrap();
    let made = tokio::task::spawn_blocking(move || {
        account.claim("club", None).unwrap();
        assert!(account.add_stream_key("van").is_err(), "nothing signs yet");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        account.host(now, 1).unwrap();
        (account.add_stream_key("van").unwrap()["stream_key"].as_str().unwrap().to_owned(), account)
    });
    let (stream_key, account) = made.await.unwrap();
    let signer = tracker.database().read(|store| store.hosted("club")).unwrap().unwrap().signer;
    assert!(signer.channel() == channel(1) && signer.delegation().is_some());
    let (mut viewer, welcome) = tracker.viewer("club", 2).await;
    assert_eq!(welcome.channel, channel(1));
    let _encoder = encoder(rtmp, &stream_key);
    assert_eq!(viewer.told_that(live_or_ended).await, "live");
    tokio::task::spawn_blocking(move || account.revoke_stream_key("van")).await.unwrap().unwrap();
    assert_eq!(viewer.told_that(live_or_ended).await, "ended");
}
