//! Who is kept out, at the door and inside, by the server's operator and by a channel's owner.

use futures_util::StreamExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tracker::{AdminToken, Banned, NewBan, address_prefix};
use uploader::account::{Account, AccountError};
use wire::session::{FromTracker, Refusal};

use crate::support::{Session, Tracker, a_moment, join, peer, signer, within};

/// A server at whose door one may knock as often as one likes.
async fn open_to_crowds() -> Tracker {
    Tracker::start_with(|config| config.limits.openings_per_second = 100_000).await
}

impl Tracker {
    /// A viewer of `demo` from another address, welcome or not.
    async fn comes_from(&self, address: &str, secret: u8) -> Session {
        let mut request = self.session_address().into_client_request().unwrap();
        request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
        let mut session = self.session_by(request).await;
        session.say(&join("demo", secret)).await;
        session
    }

    /// Comes again until the door is as `open` says: the server notices another process's changes within a second.
    async fn door_is(&self, open: bool, address: &str, secret: u8) {
        let knocking = async {
            loop {
                let first = self.comes_from(address, secret).await.told().await;
                if matches!(first, FromTracker::Welcome(_)) == open {
                    return;
                }
                a_moment().await;
            }
        };
        within(knocking).await;
    }

    /// The first words of the chat of `demo` to somebody from another address.
    async fn chat_says_to(&self, address: &str) -> serde_json::Value {
        let mut request = format!("ws://{}/chat/demo", self.address).into_client_request().unwrap();
        request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
        let (mut chat, _) = within(tokio_tungstenite::connect_async(request)).await.unwrap();
        let first = within(chat.next()).await.unwrap().unwrap();
        serde_json::from_str(first.to_text().unwrap()).unwrap()
    }

    fn bans_prefix(&self, prefix: &str, channel: bool) -> i64 {
        let banned = Banned::Prefix(address_prefix(prefix).unwrap());
        let ban = self.database().write(|store| {
            let channel = if channel { store.find("demo")?.map(|demo| demo.id) } else { None };
            store.ban(&NewBan { channel, banned, reason: "spam".into(), for_ms: Some(3_600_000) })
        });
        ban.unwrap().id
    }
}

async fn words(session: &mut Session) -> String {
    let said = session.told_that(|message| match message {
        FromTracker::Refused { code: Refusal::Banned, message } => Some(message.clone()),
        _ => None,
    });
    said.await
}

#[tokio::test]
async fn a_banned_network_is_let_go_and_kept_out_until_the_ban_is_lifted() {
    let tracker = open_to_crowds().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let mut inside = tracker.comes_from("203.0.113.9", 1).await;
    let mut by_ipv6 = tracker.comes_from("2001:db8::9", 2).await;
    let (mut resident, _) = tracker.viewer("demo", 3).await;
    for session in [&mut inside, &mut by_ipv6] {
        session.welcome().await;
    }
    let of_channel = tracker.bans_prefix("203.0.113.0/24", true);
    tracker.bans_prefix("2001:db8::/32", false);
    let said = words(&mut inside).await;
    assert!(
        said.starts_with("You are banned from this channel until ") && said.ends_with("The reason: spam")
    );
    assert!(words(&mut by_ipv6).await.starts_with("You are banned from this server until "));
    for (address, secret) in [("203.0.113.77", 4), ("2001:db8:5::1", 5)] {
        tracker.door_is(false, address, secret).await;
    }
    assert_eq!(tracker.chat_says_to("203.0.113.77").await["reason"], "banned");
    assert_eq!(tracker.chat_says_to("198.51.100.1").await["type"], "hello");
    resident.settle().await;
    assert!(tracker.refused("session", "banned_prefix").await == 2);
    assert!(tracker.refused("opening", "banned_prefix").await >= 2);
    let demo = tracker.database().read(|store| store.find("demo")).unwrap().unwrap().id;
    let lift = |channel, id| tracker.database().write(|store| store.lift_ban(channel, id));
    assert!(lift(None, of_channel).is_err(), "it is not the server's");
    lift(Some(demo), of_channel).unwrap();
    tracker.door_is(true, "203.0.113.77", 4).await;
}

#[tokio::test]
async fn an_owner_bans_a_peer_and_with_it_the_household_that_nobody_is_told() {
    let tracker = open_to_crowds().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (_another, _) = tracker.source("another", 2, None).await;
    let mut troll = tracker.comes_from("203.0.113.9", 1).await;
    troll.welcome().await;
    let address = format!("http://{}", tracker.address);
    let [mine, other] = [1, 2].map(|key| Account::new(&address, signer(key), None).unwrap());
    let request = json!({ "peer": peer(1), "reason": "shouting", "for_s": 600 });
    let (ban, listed) = tokio::task::spawn_blocking(move || {
        for bad in [
            json!({}),
            json!({ "peer": peer(1), "prefix": "203.0.113.9" }),
            json!({ "prefix": "203.0.113.9/33" }),
            json!({ "peer": "me" }),
            json!({ "peer": peer(1), "for_s": 31 * 86_400 }),
            json!({ "peer": peer(1), "reason": "two\nlines" }),
            json!({ "peer": peer(1), "address": "203.0.113.9" }),
        ] {
            let refused = mine.ban(&bad);
            assert!(matches!(refused, Err(AccountError::Refused { status: 400, .. })), "{bad}: {refused:?}");
        }
        let ban = mine.ban(&request).unwrap();
        let refused = other.lift_ban(ban["id"].as_i64().unwrap());
        assert!(matches!(refused, Err(AccountError::Refused { status: 404, .. })));
        (ban, mine.bans().unwrap())
    })
    .await
    .unwrap();
    assert_eq!(listed, json!([ban]));
    assert!(words(&mut troll).await.ends_with("The reason: shouting"));
    // As another peer, from there, and from somewhere else.
    tracker.door_is(false, "203.0.113.9", 2).await;
    tracker.comes_from("203.0.113.8", 3).await.welcome().await;
    tracker.comes_from("203.0.113.8", 1).await.refusal().await;
    let stored = tracker.database().read(|store| store.bans()).unwrap();
    assert!(!format!("{stored:?}").contains("203") && !listed.to_string().contains("household"));
    assert!(tracker.refused("opening", "banned_peer").await >= 2);
}

#[tokio::test]
async fn the_operator_bans_from_every_channel_over_rest_and_nobody_else_does() {
    let tracker = open_to_crowds().await;
    let AdminToken(token) = AdminToken::first(tracker.data.path()).unwrap().unwrap();
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let of_channel = tracker.bans_prefix("198.51.100.0/24", true);
    let mut inside = tracker.comes_from("203.0.113.9", 1).await;
    inside.welcome().await;
    let ban = json!({ "prefix": "203.0.113.0/24", "reason": "spam", "for_s": 600 }).to_string();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let ask = async |method: &str, number: Option<i64>, headers: &str, body: &str| {
        let path = number.map_or("/api/v1/bans".to_owned(), |number| format!("/api/v1/bans/{number}"));
        let answer = tracker.request(method, &path, headers, body.as_bytes()).await;
        let explained = answer.header("content-type") == Some("application/problem+json");
        assert_eq!(explained, answer.status() >= 400, "{method} {path}: {}", answer.head);
        answer
    };
    for headers in [String::new(), bearer("guess"), "Authorization: Swarmcast a.b.c\r\n".to_owned()] {
        for (method, number, body) in [("GET", None, ""), ("POST", None, &*ban), ("DELETE", Some(1), "")] {
            assert_eq!(ask(method, number, &headers, body).await.status(), 401, "{method} {headers}");
        }
    }
    let operator = bearer(&token);
    for bad in ["", "{}", "null", r#"{"peer":"me"}"#, r#"{"prefix":"203.0.113.9/33"}"#] {
        assert_eq!(ask("POST", None, &operator, bad).await.status(), 400, "{bad}");
    }
    let added = ask("POST", None, &operator, &ban).await;
    assert_eq!((added.status(), &added.json()["prefix"]), (201, &json!("203.0.113.0/24")));
    assert!(words(&mut inside).await.starts_with("You are banned from this server until "));
    assert_eq!(ask("GET", None, &operator, "").await.json(), json!([added.json()]));
    assert_eq!(ask("DELETE", Some(of_channel), &operator, "").await.status(), 404, "it is a channel's");
    let number = added.json()["id"].as_i64();
    assert_eq!(ask("DELETE", number, &operator, "").await.status(), 204);
    tracker.door_is(true, "203.0.113.9", 1).await;
    assert_eq!(ask("GET", None, &operator, "").await.json(), json!([]));
}
