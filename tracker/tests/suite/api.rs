//! The REST interface, as the uploader speaks it and as others might.

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tracker::{Registration, invite};
use uploader::account::{Account, AccountError};
use wire::request::Request;
use wire::session::{FromTracker, Refusal};

use crate::support::{Answer, Tracker, channel, join, signer};

/// A household that is not this machine.
const ELSEWHERE: &str = "X-Forwarded-For: 203.0.113.9\r\n";

/// As the command line does it: blocking, with the key that follows from `key`.
async fn with_account<T: Send + 'static>(
    tracker: &Tracker,
    key: u8,
    work: impl FnOnce(Account) -> T + Send + 'static,
) -> T {
    let account = Account::new(&format!("http://{}", tracker.address), signer(key), None).unwrap();
    tokio::task::spawn_blocking(move || work(account)).await.unwrap()
}

async fn server() -> Tracker {
    Tracker::start_with(|config| config.limits.registration_work_bits = 8).await
}

fn problem<T: std::fmt::Debug>(result: Result<T, AccountError>) -> String {
    match result {
        Err(AccountError::Refused { problem, detail, .. }) => {
            assert!(detail.len() > 10, "a refusal explains itself: {detail}");
            problem
        }
        other => panic!("{other:?} instead of a refusal"),
    }
}

impl Tracker {
    async fn nonce(&self) -> String {
        self.request("POST", "/api/v1/challenges", "", b"").await.json()["nonce"].as_str().unwrap().to_owned()
    }

    async fn send_signed(&self, request: Request<'_>, key: u8, headers: &str) -> Answer {
        let headers = format!("Authorization: {}\r\n{headers}", request.authorize(&signer(key)));
        self.request(request.method, request.path, &headers, request.body).await
    }
}

#[tokio::test]
async fn a_key_has_a_channel_which_others_cannot_touch() {
    let tracker = server().await;
    let shown = with_account(&tracker, 1, |mine| {
        assert_eq!(problem(mine.change(&json!({ "title": "x" }))), "unknown-channel");
        assert_eq!(mine.claim("demo", None).unwrap()["name"], "demo");
        assert_eq!(mine.claim("demo", None).unwrap()["name"], "demo");
        mine.change(&json!({ "title": "Ein Abend", "language": "de", "viewers_max": 5 })).unwrap();
        mine.set_poster(vec![0xff, 0xd8, 0xff, 0xe0]).unwrap();
        assert_eq!(problem(mine.set_poster(b"<svg>".to_vec())), "bad-setting");
        assert_eq!(problem(mine.change(&json!({ "titel": "x" }))), "bad-request");
        assert_eq!(problem(mine.change(&json!({ "language": "d e" }))), "bad-setting");
        mine.change(&json!({ "name": "club", "viewers_max": null })).unwrap()
    })
    .await;
    assert_eq!((&shown["name"], &shown["settings"]["title"]), (&json!("club"), &json!("Ein Abend")));
    assert_eq!(shown["settings"]["viewers_max"], json!(null));
    let poster = tracker.get(shown["poster"].as_str().unwrap(), "").await;
    assert_eq!((poster.status(), poster.header("content-type")), (200, Some("image/jpeg")));
    with_account(&tracker, 2, |other| {
        assert_eq!(problem(other.claim("club", None)), "name-taken");
        assert_eq!(problem(other.claim("Bad Name", None)), "bad-name");
        other.claim("demo", None).unwrap();
    })
    .await;
    let (mut viewer, _) = tracker.viewer("club", 7).await;
    with_account(&tracker, 1, |mine| mine.delete()).await.unwrap();
    assert_eq!(viewer.refusal().await, Refusal::UnknownChannel);
    assert_eq!(tracker.get("/api/v1/channels/club", "").await.status(), 404);
}

#[tokio::test]
async fn a_signed_request_counts_once_and_only_as_it_was_signed() {
    let tracker = server().await;
    with_account(&tracker, 1, |mine| mine.claim("demo", None)).await.unwrap();
    let path = format!("/api/v1/channels/{}", channel(1));
    let nonce = tracker.nonce().await;
    let request = Request { method: "PATCH", path: &path, nonce: &nonce, body: br#"{"title":"one"}"# };
    let altered = format!("Authorization: {}\r\n", request.authorize(&signer(1)));
    let answer = tracker.request("PATCH", &path, &altered, br#"{"title":"two"}"#).await;
    assert_eq!((answer.status(), answer.header("content-type")), (401, Some("application/problem+json")));
    assert_eq!(tracker.send_signed(request, 1, "").await.status(), 200);
    assert_eq!(tracker.send_signed(request, 1, "").await.status(), 401);
    let foreign = tracker.nonce().await;
    let request = Request { nonce: &foreign, ..request };
    assert_eq!(tracker.send_signed(request, 2, "").await.status(), 403);
    assert_eq!(tracker.send_signed(Request { nonce: "made-up", ..request }, 1, "").await.status(), 401);
    for header in ["", "Authorization: Swarmcast a.b.c\r\n", "Authorization: Bearer x\r\n"] {
        assert_eq!(tracker.request("DELETE", &path, header, b"").await.status(), 401, "{header}");
    }
    let shown = tracker.get(&path, "").await.json();
    assert_eq!(shown["settings"]["title"], "one");
}

#[tokio::test]
async fn strangers_work_for_a_name_and_cannot_take_many() {
    let tracker = Tracker::start_with(|config| config.limits.registration_work_bits = 0).await;
    let mut last = 0;
    for number in 0..6 {
        let nonce = tracker.nonce().await;
        let path = format!("/api/v1/channels/name-{number}");
        let lazy = Request { method: "PUT", path: &path, nonce: &nonce, body: b"{}" };
        let answer = tracker.send_signed(lazy, number, ELSEWHERE).await;
        assert_eq!((answer.status(), &answer.json()["type"]), (403, &json!("/problems/work-needed")));
        let nonce = tracker.nonce().await;
        let request = Request { nonce: &nonce, body: br#"{"work":0}"#, ..lazy };
        let answer = tracker.send_signed(request, number, ELSEWHERE).await;
        last = answer.status();
        assert!(last == 201 || answer.header("retry-after").is_some(), "{}", answer.head);
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn a_broadcaster_from_elsewhere_claims_its_name_first() {
    let tracker = server().await;
    let announce = |key| {
        let mut request = tracker.session_address().into_client_request().unwrap();
        request.headers_mut().insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        tracker.announced(request, "demo", key)
    };
    let mut session = announce(1).await;
    assert_eq!(session.refusal().await, Refusal::RegistrationClosed);
    with_account(&tracker, 1, |mine| mine.claim_if_free("demo", None)).await.unwrap();
    assert_eq!(announce(1).await.welcome().await.channel, channel(1));
    assert_eq!(announce(2).await.refusal().await, Refusal::NameTaken);
}

#[tokio::test]
async fn an_invite_opens_a_server_that_is_not_open() {
    let tracker = Tracker::start_with(|config| config.registration = Some(Registration::Invite)).await;
    let made = tracker.database().write(|store| invite::create(store, 1, u64::MAX >> 1)).unwrap();
    with_account(&tracker, 1, move |mine| {
        assert_eq!(problem(mine.claim("demo", None)), "registration-closed");
        assert_eq!(problem(mine.claim("demo", Some("guess"))), "bad-invite");
        mine.claim("demo", Some(&made)).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_channel_moves_to_another_key() {
    let tracker = server().await;
    with_account(&tracker, 1, |mine| {
        mine.claim("demo", None).unwrap();
        assert_eq!(mine.rotate(&signer(2)).unwrap()["id"], json!(channel(2)));
        assert_eq!(problem(mine.claim("other", None)), "rotated");
    })
    .await;
    let shown = tracker.get(&format!("/api/v1/channels/{}", channel(1)), "").await.json();
    assert_eq!((&shown["id"], &shown["rotated"]["from"]), (&json!(channel(2)), &json!(channel(1))));
    let statement = shown["rotated"]["statement"].as_str().unwrap();
    assert!(wire::request::check_rotation(channel(1), channel(2), statement).is_ok());
    let (_source, _) = tracker.source("demo", 2, None).await;
    assert_eq!(tracker.refusal(|session| session.announce("demo", 1, None)).await, Refusal::NameTaken);
    let (_viewer, welcome) = tracker.viewer(&channel(1).to_string(), 7).await;
    assert_eq!(welcome.channel, channel(2));
}

#[tokio::test]
async fn an_owner_has_viewers_bring_tokens() {
    let tracker = server().await;
    with_account(&tracker, 1, |mine| {
        mine.claim("demo", None).unwrap();
        assert_eq!(problem(mine.change(&json!({ "join": "closed" }))), "bad-request");
        let shown = mine.change(&json!({ "join": "token" })).unwrap();
        assert_eq!(shown["settings"]["join"], "token");
        let secrets = [(); 2].map(|()| mine.renew_join_secret().unwrap()["join_secret"].clone());
        assert!(secrets[0] != secrets[1] && secrets[0].as_str().unwrap().len() == 64);
        assert!(!mine.show("demo").unwrap().to_string().contains("secret"));
    })
    .await;
    assert_eq!(tracker.refusal(|_| join("demo", 1)).await, Refusal::TokenRefused);
}

#[tokio::test]
async fn private_and_unlisted_channels_are_not_listed() {
    let tracker = server().await;
    with_account(&tracker, 1, |mine| {
        mine.claim("demo", None).unwrap();
        mine.change(&json!({ "visibility": "private", "title": "secret" })).unwrap();
    })
    .await;
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    source.settle().await;
    assert_eq!(tracker.get("/api/v1/channels", "").await.json(), json!([]));
    assert!(
        !String::from_utf8(tracker.get("/api/v1/channels/demo", "").await.body).unwrap().contains("secret")
    );
}

#[tokio::test]
async fn a_link_opens_the_guide_of_its_channel() {
    let free = Some("127.0.0.1:0".parse().unwrap());
    let tracker = Tracker::start_with(|config| (config.rtmp, config.udp) = (free, free)).await;
    tracker.add_hosted("club");
    let link = tracker.database().write(|store| tracker::setup_link::create_named(store, "club")).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", link.token);
    let guide = tracker.get("/api/v1/setup?uplink_kbps=1000", &bearer).await.json();
    assert_eq!((&guide["name"], &guide["encoder"]["height"]), (&json!("club"), &json!(360)));
    assert_eq!(guide["obs_service"]["type"], "rtmp_custom");
    let by_tls = format!("{bearer}X-Forwarded-Proto: https\r\n");
    let guide_by_tls = tracker.get("/api/v1/setup", &by_tls).await.json();
    assert!(guide_by_tls["watch"].as_str().unwrap().starts_with("https://test/watch/club#key="));
    assert_eq!(guide_by_tls["uploader"], "swarmcast-uploader live --tracker https://test --name club");
    assert_eq!(guide["obs_service"]["settings"]["server"], guide["server"]);
    let line = guide["ffmpeg"].as_str().unwrap();
    assert!(line.contains(guide["server"].as_str().unwrap()) && line.ends_with("/STREAM-KEY"), "{line}");
    let made = tracker.request("PUT", "/api/v1/setup/stream-keys/van%20two", &bearer, b"").await.json();
    let key = made["stream_key"].as_str().unwrap();
    let owner = tracker.database().read(|store| store.by_stream_key(key)).unwrap().unwrap();
    assert_eq!((made["label"].as_str(), owner.name.as_str()), (Some("van two"), "club"));
    let test = tracker.request("POST", "/api/v1/setup/upload-test", &bearer, &[0; 70_000]).await;
    assert_eq!(test.json(), json!({ "bytes": 70_000 }));
    for header in ["", "Authorization: Bearer guess\r\n"] {
        assert_eq!(tracker.get("/api/v1/setup", header).await.status(), 401);
        assert_eq!(tracker.request("POST", "/api/v1/setup/upload-test", header, b"x").await.status(), 401);
    }
    assert_eq!(tracker.get("/setup", "").await.status(), 200);
}

#[tokio::test]
async fn any_key_may_measure_its_line_as_often_as_a_household_needs() {
    let tracker = server().await;
    let test = async |signed_over: &[u8], nonce: &str, sent: &[u8]| {
        let path = "/api/v1/upload-tests";
        let request = Request { method: "POST", path, nonce, body: signed_over };
        let headers = format!("Authorization: {}\r\n{ELSEWHERE}", request.authorize(&signer(9)));
        tracker.request("POST", path, &headers, sent).await
    };
    let nonce = tracker.nonce().await;
    assert_eq!(test(b"", &nonce, &[0; 70_000]).await.json(), json!({ "bytes": 70_000 }));
    assert_eq!(test(b"", &nonce, &[0; 70_000]).await.status(), 401, "the challenge is used");
    assert_eq!(
        test(b"body", &tracker.nonce().await, b"body").await.status(),
        401,
        "nothing of a body is signed"
    );
    assert_eq!(tracker.request("POST", "/api/v1/upload-tests", ELSEWHERE, b"x").await.status(), 401);

    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(test(b"", &tracker.nonce().await, b"x").await);
    }
    let last = answers.pop().unwrap();
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!((last.status(), &last.json()["type"]), (429, &json!("/problems/too-many")));
    assert!(last.header("retry-after").is_some());
}

#[tokio::test]
async fn the_interface_describes_itself() {
    let tracker = Tracker::start().await;
    let described = tracker.get("/api/v1/openapi.json", "").await.json();
    assert!(described["openapi"].as_str().unwrap().starts_with("3."));
    let paths = described["paths"].as_object().unwrap();
    for (path, item) in paths {
        let concrete = path.replace("{channel}", "nobody").replace("{label}", "x");
        for method in item.as_object().unwrap().keys() {
            let answer = tracker.request(&method.to_uppercase(), &concrete, "", b"").await;
            assert!(
                ![404, 405].contains(&answer.status()) || answer.head.contains("problem+json"),
                "{method} {path}"
            );
        }
    }
    assert!(
        paths.contains_key("/api/v1/channels/{channel}")
            && described["components"]["schemas"]["Problem"].is_object()
            && described["components"]["securitySchemes"]["operator"]["scheme"] == "bearer"
    );
    let page = String::from_utf8(tracker.get("/api/docs", "").await.body).unwrap();
    assert!(page.contains("/assets/api.js") && !page.contains("http"), "{page}");
    let nothing = tracker.get("/api/v1/nothing", "").await;
    assert_eq!((nothing.status(), nothing.header("content-type")), (404, Some("application/problem+json")));
    assert_eq!(tracker.refusal(|_| join("nobody", 1)).await, Refusal::UnknownChannel);
}

#[tokio::test]
async fn a_household_that_asks_too_much_is_held_back() {
    let tracker = Tracker::start().await;
    let mut status = 200;
    for _ in 0..200 {
        status = tracker.get("/api/v1/channels", ELSEWHERE).await.status();
        if status == 429 {
            break;
        }
    }
    assert_eq!(status, 429);
    assert_eq!(tracker.get("/api/v1/channels", "").await.status(), 200);
}

/// An address that there is or not, with anything in its places.
fn address() -> impl Strategy<Value = String> {
    let own = channel(1).to_string();
    let place = prop_oneof!["[a-z0-9._~%-]{0,50}", Just(own), Just("demo".to_owned())];
    let below = prop::sample::select(vec![
        "",
        "/poster",
        "/rotation",
        "/hosting",
        "/hosting/delegation",
        "/stream-keys",
        "/setup-links",
        "/bans",
    ]);
    prop_oneof![
        4 => (place.clone(), below).prop_map(|(channel, below)| format!("/api/v1/channels/{channel}{below}")),
        1 => place.clone().prop_map(|label| format!("/api/v1/channels/{}/stream-keys/{label}", channel(1))),
        1 => place.prop_map(|rest| format!("/api/v1/{rest}")),
        1 => "[a-z0-9=&%]{0,20}".prop_map(|query| format!("/api/v1/setup?{query}")),
    ]
}

/// A body: bytes, or JSON whose fields have the right names and any kind of value.
fn body() -> impl Strategy<Value = Vec<u8>> {
    const FIELDS: [&str; 15] = [
        "work",
        "invite",
        "name",
        "title",
        "language",
        "visibility",
        "embed_origins",
        "sharing",
        "viewers_max",
        "chat",
        "chat_slow_s",
        "chat_moderators",
        "to",
        "by_old",
        "delegation",
    ];
    let value = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::collection::vec(any::<String>(), 0..3).prop_map(Value::from),
    ];
    let fields = prop::collection::hash_map(prop::sample::select(FIELDS.to_vec()), value, 0..4);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        fields.prop_map(|fields| json!(fields).to_string().into_bytes()),
    ]
}

#[test]
fn any_request_is_answered_and_a_refusal_explains_itself() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tracker = runtime.block_on(server());
    let methods = prop::sample::select(vec!["GET", "PUT", "POST", "PATCH", "DELETE"]);
    proptest!(ProptestConfig::with_cases(128), |(method in methods, path in address(), body in body(), key in 0u8..3)| {
        let answer = runtime.block_on(async {
            let nonce = tracker.nonce().await;
            let request = Request { method, path: &path, nonce: &nonce, body: &body };
            match key {
                0 => tracker.request(method, &path, "", &body).await,
                key => tracker.send_signed(request, key, "").await,
            }
        });
        prop_assert!(answer.status() < 500, "{method} {path}: {}", answer.head);
        let explained = answer.header("content-type") == Some("application/problem+json");
        prop_assert!(answer.status() < 400 || explained, "{method} {path}: {}", answer.head);
    });
    runtime.block_on(tracker.stop());
}

/// The word for what a channel does, for tests of hosted broadcasts.
pub fn live_or_ended(message: &FromTracker) -> Option<&'static str> {
    match message {
        FromTracker::Live { .. } => Some("live"),
        FromTracker::Offline { ended: true } => Some("ended"),
        _ => None,
    }
}
