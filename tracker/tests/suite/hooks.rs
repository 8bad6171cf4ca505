//! Webhooks, as a receiver on this machine sees them.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use ring::hmac;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracker::{Config, Database, PrivateAddresses, Records, Right};
use wire::session::FromPeer;
use wire::{Delegation, Epoch};

use crate::support::{Tracker, channel, signer, within};

const SECRET: &str = "a secret that both know";

/// Somebody who is told, and answers as the test says.
struct Receiver(TcpListener);

impl Receiver {
    async fn start() -> Self {
        Receiver(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next message, whose signature must be good. It is answered with `status`.
    async fn told(&self, status: u16) -> Value {
        let (mut stream, _) = within(self.0.accept()).await.unwrap();
        let mut bytes = Vec::new();
        let (head, body) = loop {
            assert!(within(stream.read_buf(&mut bytes)).await.unwrap() > 0, "closed early");
            if let Some(whole) = whole(&bytes) {
                break whole;
            }
        };
        let answer =
            format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        assert!(head.starts_with("POST /told?by=swarmcast HTTP/1.1\r\n"), "{head}");
        check_signature(&head, &body);
        serde_json::from_slice(&body).unwrap()
    }
}

/// Head and body, once all is there.
fn whole(bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length: usize = header(&head, "content-length")?.parse().unwrap();
    let body = &bytes[end + 4..];
    (body.len() == length).then(|| (head, body.to_vec()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn check_signature(head: &str, body: &[u8]) {
    let (time, proof) = header(head, "swarmcast-signature").unwrap().split_once(",v1=").unwrap();
    let mut signed = format!("{}.", time.strip_prefix("t=").unwrap()).into_bytes();
    signed.extend_from_slice(body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    assert!(hmac::verify(&key, &signed, &HEXLOWER.decode(proof.as_bytes()).unwrap()).is_ok(), "{head}");
}

fn telling(receiver: &Receiver, config: &mut Config) {
    let url = format!("http://{}/told?by=swarmcast", receiver.address());
    config.hooks.webhook_urls = vec![url.parse().unwrap()];
    config.hooks.webhook_secret = Some(SECRET.to_owned());
    config.hooks.webhook_private = PrivateAddresses::Allow;
}

#[tokio::test]
async fn a_receiver_is_told_in_order_and_again_until_it_says_yes() {
    let receiver = Receiver::start().await;
    let tracker = Tracker::start_with(|config| telling(&receiver, config)).await;
    let (mut source, _) = tracker.source("club", 1, Some(7)).await;
    // Neither an error nor a redirect is a yes.
    let first = receiver.told(500).await;
    let again = receiver.told(302).await;
    assert_eq!((&first, &first["event"]), (&again, &json!("registered")));
    assert_eq!((&first["name"], &first["channel"]), (&json!("club"), &json!(channel(1))));
    assert_eq!(receiver.told(204).await["id"], first["id"]);
    let started = receiver.told(200).await;
    assert_eq!((&started["event"], &started["epoch"]), (&json!("started"), &json!(Epoch(7))));
    source.say(&FromPeer::Ended).await;
    assert_eq!(receiver.told(200).await["event"], "ended");
    tracker.shows(&["swarmcast_webhooks_total{outcome=\"failed\"} 2"]).await;
}

#[tokio::test]
async fn who_is_told_hears_of_a_permission_that_ends_soon() {
    let receiver = Receiver::start().await;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let _tracker = Tracker::start_with(|config| {
        telling(&receiver, config);
        let permit = |store: &dyn Records| {
            store.register(channel(1), "club", Right::Open)?;
            let delegate = store.signing_key(channel(1), &[9; 32])?;
            store.delegate(&Delegation::sign(&signer(1), delegate, now_s, now_s + 3600).unwrap())
        };
        Database::open(&config.data).unwrap().write(permit).unwrap();
    })
    .await;
    let told = receiver.told(200).await;
    assert_eq!((&told["event"], &told["expires_s"]), (&json!("delegation_ends"), &json!(now_s + 3600)));
}

#[tokio::test]
async fn an_address_of_this_machine_is_not_asked_unless_it_may_be() {
    let receiver = Receiver::start().await;
    let tracker = Tracker::start_with(|config| {
        telling(&receiver, config);
        config.hooks.webhook_private = PrivateAddresses::Refuse;
    })
    .await;
    let (_source, _) = tracker.source("club", 1, Some(7)).await;
    let failed = async { while tracker.metrics().await.contains("outcome=\"failed\"} 0") {} };
    within(failed).await;
    let asked = tokio::time::timeout(Duration::ZERO, receiver.0.accept()).await;
    assert!(asked.is_err(), "somebody connects");
}
