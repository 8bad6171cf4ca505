//! What a monitor reads: counters that move when something happens, and who may read them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tracker::{MetricsAccess, Token};
use wire::session::{FromPeer, FromTracker, Refusal, Report};

use crate::support::{Tracker, join, within};

impl Tracker {
    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        let answer = self.get("/metrics", "").await;
        assert_eq!(answer.status(), 200);
        String::from_utf8(answer.body).unwrap()
    }

    /// Waits until `/metrics` has all of these lines.
    pub async fn shows(&self, lines: &[&str]) {
        let shown = async {
            loop {
                let text = self.metrics().await;
                let missing: Vec<_> =
                    lines.iter().filter(|line| !text.lines().any(|shown| shown == **line)).collect();
                if missing.is_empty() {
                    return;
                }
                let seen: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
                println!("still missing: {missing:?} of\n{}", seen.join("\n"));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(shown).await;
    }
}

#[tokio::test]
async fn a_channel_s_viewers_and_what_they_got_are_counted() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    viewer.told_that(|message| matches!(message, FromTracker::Parents { .. }).then_some(())).await;
    let report =
        Report { from_viewers: 300_000, from_source: 50_000, from_relay: 50_000, ..Report::default() };
    viewer.say(&FromPeer::Report(report)).await;
    source.settle().await;
    tracker
        .shows(&[
            "swarmcast_channel_live{channel=\"demo\"} 1.0",
            "swarmcast_channel_viewers{channel=\"demo\"} 1.0",
            "swarmcast_channel_sharing{channel=\"demo\"} 1.0",
            "swarmcast_received_bytes_total{channel=\"demo\",from=\"viewers\"} 300000",
            "swarmcast_received_bytes_total{channel=\"demo\",from=\"relay\"} 50000",
            "swarmcast_joins_total{role=\"viewer\"} 1",
            "swarmcast_joins_total{role=\"source\"} 1",
            "swarmcast_broadcasts_started_total 1",
            "swarmcast_match_seconds_count 1",
            "swarmcast_sessions 2.0",
        ])
        .await;
    drop((source, viewer));
    tracker
        .shows(&[
            "swarmcast_channel_live{channel=\"demo\"} 0.0",
            "swarmcast_channel_viewers{channel=\"demo\"} 0.0",
            "swarmcast_received_bytes_total{channel=\"demo\",from=\"viewers\"} 300000",
            "swarmcast_sessions 0.0",
        ])
        .await;
}

#[tokio::test]
async fn every_refusal_has_a_name() {
    let tracker = Tracker::start_with(|config| {
        config.rtmp = Some("127.0.0.1:0".parse().unwrap());
        config.limits.first_message_timeout = Duration::from_millis(300);
    })
    .await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    // At the door of HTTP.
    tracker.get("/nowhere", "").await;
    let mut rude = TcpStream::connect(tracker.address).await.unwrap();
    rude.write_all(b"what is this\r\n\r\n").await.unwrap();
    within(rude.read_to_end(&mut Vec::new())).await.unwrap();
    // As a session opens.
    assert_eq!(tracker.refusal(|_| join("nobody", 2)).await, Refusal::UnknownChannel);
    let mut babbler = tracker.session().await;
    babbler.text("null".to_owned()).await;
    babbler.refusal().await;
    tracker.session().await.refusal().await;
    // In a session.
    let (mut viewer, _) = tracker.viewer("demo", 3).await;
    viewer.say(&join("demo", 3)).await;
    viewer.refusal().await;
    let (mut viewer, _) = tracker.viewer("demo", 4).await;
    viewer.send(bytes::Bytes::from_static(&[255; 40])).await;
    // Of an encoder: the handshake's version byte is all that is wrong with it.
    let mut encoder = TcpStream::connect(tracker.rtmp.unwrap()).await.unwrap();
    encoder.write_all(&[0x47; 1537]).await.unwrap();
    let _ = within(encoder.read_to_end(&mut Vec::new())).await;
    tracker
        .shows(&[
            "swarmcast_refusals_total{door=\"http\",reason=\"not_found\"} 1",
            "swarmcast_refusals_total{door=\"http\",reason=\"bad_request\"} 1",
            "swarmcast_refusals_total{door=\"opening\",reason=\"unknown_channel\"} 1",
            "swarmcast_refusals_total{door=\"opening\",reason=\"malformed\"} 1",
            "swarmcast_refusals_total{door=\"opening\",reason=\"nothing_said\"} 1",
            "swarmcast_refusals_total{door=\"session\",reason=\"bad_message\"} 1",
            "swarmcast_refusals_total{door=\"session\",reason=\"bad_frame\"} 1",
            "swarmcast_refusals_total{door=\"rtmp\",reason=\"unusable\"} 1",
        ])
        .await;
}

#[tokio::test]
async fn a_stun_port_that_strangers_do_not_reach_is_told_from_one_that_nobody_needs() {
    let tracker = Tracker::start_with(|config| config.udp = Some("127.0.0.1:0".parse().unwrap())).await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    tracker.shows(&["swarmcast_stun_blocked 0.0"]).await;
    let mut viewers = Vec::new();
    for place in 10..15 {
        let mut request = tracker.session_address().into_client_request().unwrap();
        request.headers_mut().insert("x-forwarded-for", format!("203.0.113.{place}").parse().unwrap());
        let mut viewer = tracker.session_by(request).await;
        viewer.say(&join("demo", place)).await;
        viewer.told_that(|message| matches!(message, FromTracker::Link { .. }).then_some(())).await;
        viewers.push(viewer);
    }
    // All are to make links, and none has asked for its address.
    tracker.shows(&["swarmcast_stun_blocked 1.0"]).await;
}

#[tokio::test]
async fn metrics_are_not_for_everyone() {
    let tracker = Tracker::start_with(|config| {
        config.seeing.metrics_token = Some(Token::new("for prometheus"));
    })
    .await;
    // A proxy on this machine speaks for somebody elsewhere.
    let elsewhere = "X-Forwarded-For: 203.0.113.9\r\n";
    assert_eq!(tracker.get("/metrics", elsewhere).await.status(), 403);
    let wrong = format!("{elsewhere}Authorization: Bearer for nobody\r\n");
    assert_eq!(tracker.get("/metrics", &wrong).await.status(), 403);
    let right = format!("{elsewhere}Authorization: Bearer for prometheus\r\n");
    let answer = tracker.get("/metrics", &right).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(!String::from_utf8(answer.body).unwrap().contains("203.0.113.9"));

    let closed = Tracker::start_with(|config| config.seeing.metrics = MetricsAccess::Off).await;
    assert_eq!(closed.get("/metrics", "").await.status(), 404);
}

#[tokio::test]
async fn a_server_is_ready_while_it_can_serve_and_write() {
    let tracker = Tracker::start().await;
    assert_eq!(tracker.get("/readyz", "").await.status(), 200);
    std::fs::remove_dir_all(tracker.data.path()).unwrap();
    let unready = async {
        loop {
            let answer = tracker.get("/readyz", "").await;
            if answer.status() == 503 {
                break answer;
            }
        }
    };
    let answer = within(unready).await;
    assert_eq!(answer.json()["why"], "the data folder cannot be written");
    assert_eq!(tracker.get("/healthz", "").await.status(), 200);

    let starting = Tracker::start_with(|config| config.limits.settling = Duration::from_secs(3600)).await;
    assert_eq!(starting.get("/readyz", "").await.status(), 503);
}
