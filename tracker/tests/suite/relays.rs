//! The door for relays elsewhere: who does not know the secret stays outside, and is told why.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, connect_async};
use tracker::{Outpost, OutpostConfig, OutpostError};

use crate::support::{Tracker, within};

async fn origin() -> Tracker {
    Tracker::start_with(|config| config.relay_secret = Some("known-to-both-servers".to_owned())).await
}

#[tokio::test]
async fn a_relay_with_another_secret_is_turned_away() {
    let origin = origin().await;
    let outpost = Outpost::bind(OutpostConfig {
        of: format!("http://{}", origin.address),
        authorities: peer::Authorities::OfTheWeb,
        name: "elsewhere".to_owned(),
        secret: "guessed-by-a-stranger".to_owned(),
        links: "127.0.0.1:0".parse().unwrap(),
        announce: Vec::new(),
        egress_bps: None,
    });
    let ended = within(outpost.await.unwrap().run(std::future::pending())).await;
    assert!(matches!(&ended, Err(OutpostError::Refused(why)) if why.contains("--relay-secret")), "{ended:?}");
    origin.shows(&["swarmcast_refusals_total{door=\"opening\",reason=\"bad_proof\"} 1"]).await;
}

#[tokio::test]
async fn a_relay_says_nothing_before_it_is_spoken_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outpost = Outpost::bind(OutpostConfig {
        of: format!("http://{}", listener.local_addr().unwrap()),
        authorities: peer::Authorities::OfTheWeb,
        name: "elsewhere".to_owned(),
        secret: "known-to-both-servers".to_owned(),
        links: "127.0.0.1:0".parse().unwrap(),
        announce: Vec::new(),
        egress_bps: None,
    });
    let outpost = outpost.await.unwrap();
    let relaying = tokio::spawn(outpost.run(std::future::pending()));
    let (stream, _) = within(listener.accept()).await.unwrap();
    let mut origin = within(accept_async(stream)).await.unwrap();
    assert!(timeout(Duration::from_millis(300), origin.next()).await.is_err(), "not a word");
    within(origin.send(Message::text(r#"{"nonce":"n"}"#))).await.unwrap();
    let Some(Ok(Message::Text(said))) = within(origin.next()).await else { panic!("no introduction") };
    assert!(said.contains("\"proof\""), "{said}");
    relaying.abort();
}

#[tokio::test]
async fn what_no_relay_says_is_refused_by_name() {
    let origin = origin().await;
    for (said, reason) in [
        (Message::text("{}"), "malformed"),
        (Message::binary(&b"\0"[..]), "bad_message"),
        (Message::text("x".repeat(2_000)), "too_long"),
    ] {
        let (mut stranger, _) =
            within(connect_async(format!("ws://{}/relay", origin.address))).await.unwrap();
        within(stranger.send(said)).await.unwrap();
        let shown = format!("swarmcast_refusals_total{{door=\"opening\",reason=\"{reason}\"}} 1");
        origin.shows(&[&shown]).await;
        // It is let go.
        within(async { while let Some(Ok(_)) = stranger.next().await {} }).await;
    }
}

#[tokio::test]
async fn without_a_secret_there_is_no_such_door() {
    let tracker = Tracker::start().await;
    let refused = within(connect_async(format!("ws://{}/relay", tracker.address))).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("404")));
}
