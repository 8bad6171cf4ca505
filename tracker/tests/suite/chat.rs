//! Chat over real sockets: several visitors, hostile ones among them.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tracker::channel_settings::{ChannelSettings, Chat};
use wire::session::FromPeer;

use crate::support::{Tracker, channel, signer, within};

/// A visitor's end of a chat.
struct Visitor {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    nonce: String,
}

impl Visitor {
    /// Opens a connection and hears its hello.
    async fn open(tracker: &Tracker, name: &str) -> Visitor {
        let address = format!("ws://{}/chat/{name}", tracker.address);
        let (socket, _) = within(tokio_tungstenite::connect_async(address)).await.unwrap();
        let mut visitor = Visitor { socket, nonce: String::new() };
        let hello = visitor.told().await;
        assert_eq!(hello["type"], "hello");
        visitor.nonce = hello["nonce"].as_str().unwrap().to_owned();
        visitor
    }

    /// Is let in, and returns what it is shown.
    async fn enters(&mut self, secret: u8) -> Value {
        self.say(json!({ "type": "enter", "secret": format!("{secret:032x}") })).await;
        self.told_of("welcome").await
    }

    /// Somebody with a name in the chat of `demo`.
    async fn named(tracker: &Tracker, secret: u8, name: &str) -> Visitor {
        let mut visitor = Visitor::open(tracker, "demo").await;
        visitor.enters(secret).await;
        visitor.say(json!({ "type": "name", "name": name })).await;
        assert_eq!(visitor.told_of("you").await["name"], name);
        visitor
    }

    /// The owner of `demo`.
    async fn owner(tracker: &Tracker) -> Visitor {
        let mut owner = Visitor::named(tracker, 99, "Olga").await;
        let proof = wire::chat::proof(&signer(1), channel(1), &owner.nonce);
        owner.say(json!({ "type": "prove", "key": channel(1), "proof": proof })).await;
        assert_eq!(owner.told_of("you").await["role"], "owner");
        owner
    }

    async fn say(&mut self, message: Value) {
        within(self.socket.send(Message::text(message.to_string()))).await.unwrap();
    }

    async fn writes(&mut self, text: &str) {
        self.say(json!({ "type": "say", "text": text })).await;
    }

    /// The next message; `null` at the end.
    async fn told(&mut self) -> Value {
        let message = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(_) | Err(_)) | None => return Value::Null,
                }
            }
        };
        within(message).await
    }

    /// The next message of this type; others are passed over.
    async fn told_of(&mut self, kind: &str) -> Value {
        loop {
            let told = self.told().await;
            assert!(!told.is_null(), "closed before any {kind}");
            if told["type"] == kind {
                return told;
            }
        }
    }

    /// Why the connection ends. It does end.
    async fn bye(&mut self) -> String {
        let reason = self.told_of("bye").await["reason"].as_str().unwrap().to_owned();
        assert!(self.told().await.is_null());
        reason
    }
}

#[tokio::test]
async fn what_one_writes_all_read_and_who_comes_later_as_well() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    let mut anna = Visitor::named(&tracker, 1, "Anna").await;
    let mut ben = Visitor::named(&tracker, 2, "Ben").await;
    anna.writes("  hello\n<b>there</b>\u{202e} ").await;
    let line = ben.told_of("line").await;
    assert_eq!(
        (&line["name"], &line["text"], &line["role"]),
        (&json!("Anna"), &json!("hello <b>there</b>"), &json!("guest"))
    );
    assert_eq!(anna.told_of("line").await, line);
    let mut late = Visitor::open(&tracker, "demo").await;
    let welcome = late.enters(3).await;
    assert_eq!(welcome["lines"][0]["text"], line["text"]);
    assert_eq!(welcome["state"]["open"], "yes");
    tracker.shows(&["swarmcast_chat_visits 3.0", "swarmcast_chat_lines_total 1"]).await;
    // Nothing is kept of a broadcast that is over.
    source.say(&FromPeer::Ended).await;
    assert_eq!(late.told_of("state").await["open"], "waiting");
    ben.writes("still here").await;
    assert_eq!(ben.told_of("refused").await["reason"], "closed");
    let welcome = Visitor::open(&tracker, "demo").await.enters(4).await;
    assert_eq!(welcome["lines"], json!([]));
}

#[tokio::test]
async fn the_owner_deletes_bans_and_slows_and_nobody_else_does() {
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut owner, mut ben) = (Visitor::owner(&tracker).await, Visitor::named(&tracker, 2, "Ben").await);
    ben.writes("one").await;
    let id = owner.told_of("line").await["id"].clone();
    for message in [json!({ "type": "ban", "id": id }), json!({ "type": "slow", "seconds": 9 })] {
        ben.say(message).await;
        assert_eq!(ben.told_of("refused").await["reason"], "not_allowed");
    }
    owner.say(json!({ "type": "slow", "seconds": 60 })).await;
    assert_eq!(ben.told_of("state").await["slow_s"], 60);
    ben.writes("two").await;
    let refused = ben.told_of("refused").await;
    assert_eq!(refused["reason"], "slow");
    assert!((1..=60_001).contains(&refused["wait_ms"].as_u64().unwrap()));
    owner.say(json!({ "type": "ban", "id": id })).await;
    assert_eq!(ben.told_of("deleted").await["ids"], json!([id]));
    assert_eq!(ben.told_of("you").await["banned"], true);
    let bans = owner.told_of("bans").await;
    let mut bans = if bans["bans"] == json!([]) { owner.told_of("bans").await } else { bans };
    assert_eq!(bans["bans"][0]["name"], "Ben");
    ben.writes("three").await;
    assert_eq!(ben.told_of("refused").await["reason"], "banned");
    owner.say(json!({ "type": "lift", "ban": bans["bans"][0]["ban"].take() })).await;
    assert_eq!(ben.told_of("you").await["banned"], false);
    tracker.shows(&["swarmcast_refusals_total{door=\"chat\",reason=\"slow_mode\"} 1"]).await;
}

#[tokio::test]
async fn a_proof_is_for_one_connection_one_channel_and_one_purpose() {
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let mut thief = Visitor::named(&tracker, 1, "Anna").await;
    let other = Visitor::open(&tracker, "demo").await;
    for (key, proof) in [
        (channel(1), wire::chat::proof(&signer(1), channel(1), &other.nonce)),
        (channel(1), wire::chat::proof(&signer(1), channel(2), &thief.nonce)),
        (channel(1), wire::chat::proof(&signer(2), channel(1), &thief.nonce)),
        (channel(1), signer(1).announce(&thief.nonce)),
        (channel(1), "garbage".to_owned()),
    ] {
        thief.say(json!({ "type": "prove", "key": key, "proof": proof })).await;
        assert_eq!(thief.told_of("refused").await["reason"], "bad_proof");
    }
    // A key of their own is proven, and gives no right.
    let proof = wire::chat::proof(&signer(2), channel(1), &thief.nonce);
    thief.say(json!({ "type": "prove", "key": channel(2), "proof": proof })).await;
    assert_eq!(thief.told_of("refused").await["reason"], "not_listed");
    thief.writes("hello").await;
    assert_eq!(thief.told_of("line").await["role"], "guest");
}

#[tokio::test]
async fn a_moderator_is_whom_the_owner_names_while_the_chat_goes_on() {
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let mut mona = Visitor::named(&tracker, 1, "Mona").await;
    let proof = wire::chat::proof(&signer(5), channel(1), &mona.nonce);
    mona.say(json!({ "type": "prove", "key": channel(5), "proof": proof })).await;
    mona.told_of("refused").await;
    let chat_moderators = vec![channel(5).to_string()];
    let settings = ChannelSettings { chat_moderators, ..ChannelSettings::default() };
    tracker.database().write(|store| store.set(channel(1), &settings)).unwrap();
    assert_eq!(mona.told_of("you").await["role"], "moderator");
    let settings = ChannelSettings { chat: Chat::Off, ..ChannelSettings::default() };
    tracker.database().write(|store| store.set(channel(1), &settings)).unwrap();
    assert_eq!(mona.told_of("state").await["open"], "off");
    assert_eq!(mona.told_of("you").await["role"], "guest");
}

#[tokio::test]
async fn garbage_ends_its_own_connection_with_a_name() {
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let mut resident = Visitor::named(&tracker, 1, "Anna").await;
    for garbage in [
        Message::text("null"),
        Message::text("{\"type\":\"say\",\"text\":\"first\"}"),
        Message::text("{\"type\":\"enter\",\"secret\":\"short\"}"),
        Message::text("[".repeat(8_000)),
        Message::text("x".repeat(20_000)),
        Message::Binary(Bytes::from_static(&[0; 40])),
    ] {
        let mut hostile = Visitor::open(&tracker, "demo").await;
        within(hostile.socket.send(garbage)).await.unwrap();
        assert_eq!(hostile.bye().await, "bad_message");
    }
    let mut twice = Visitor::named(&tracker, 2, "Ben").await;
    twice.say(json!({ "type": "enter", "secret": "0".repeat(32) })).await;
    assert_eq!(twice.bye().await, "bad_message");
    resident.writes("all is well").await;
    resident.told_of("line").await;
}

#[tokio::test]
async fn a_flood_of_one_is_refused_and_the_others_go_on() {
    let tracker = Tracker::start().await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let mut flooder = Visitor::named(&tracker, 1, "Anna").await;
    let mut resident = Visitor::named(&tracker, 2, "Ben").await;
    for number in 0..15 {
        flooder.writes(&format!("line {number}")).await;
    }
    let refused = flooder.told_of("refused").await;
    assert_eq!(refused["reason"], "too_fast");
    resident.writes("still here").await;
    let mut read = 0;
    while resident.told_of("line").await["text"] != "still here" {
        read += 1;
    }
    assert!(read < 15, "{read}");
}

#[tokio::test]
async fn who_does_not_read_is_let_go_by_name_and_nobody_waits_for_them() {
    const TALKERS: u8 = 5;
    // More than both ends' kernels, the visit and its queue hold, and less than talkers may say in one go and a second.
    const ROUNDS: usize = 100;
    let tracker = Tracker::start_with(|config| {
        config.limits.chat_queued_max = 8;
        config.limits.chat_line_every = Duration::from_micros(1);
        config.limits.chat_lines_per_second = 1_000;
        // When it is seen at the latest. Answers to pings count as messages, of which a visitor has five a second.
        config.limits.ping_every = Duration::from_millis(500);
    })
    .await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    // Kernels take megabytes for who does not read, unless packets are small and the window is.
    let narrow = TcpSocket::new_v4().unwrap();
    narrow.set_recv_buffer_size(4_096).unwrap();
    SockRef::from(&narrow).set_tcp_mss(536).unwrap();
    let stream = MaybeTlsStream::Plain(within(narrow.connect(tracker.address)).await.unwrap());
    let address = format!("ws://{}/chat/demo", tracker.address);
    let (socket, _) = within(tokio_tungstenite::client_async(address, stream)).await.unwrap();
    let mut sleeper = Visitor { socket, nonce: String::new() };
    sleeper.enters(1).await;
    let mut talkers = Vec::new();
    for number in 0..TALKERS {
        talkers.push(Visitor::named(&tracker, 2 + number, &format!("Ben {number}")).await);
    }
    let long = "\u{1d11e}".repeat(300);
    let mut rounds = 0;
    while tracker.refused("chat", "too_slow").await == 0 {
        for talker in &mut talkers {
            talker.writes(&long).await;
        }
        for talker in &mut talkers {
            for _ in 0..TALKERS {
                assert_eq!(talker.told_of("line").await["text"], long);
            }
        }
        rounds += 1;
        assert!(rounds < ROUNDS, "what is written to who does not read is held without an end");
    }
}

#[tokio::test]
async fn a_full_server_a_silent_visitor_and_an_end_are_told_in_words() {
    let tracker = Tracker::start_with(|config| {
        config.limits.chat_visits_max = 1;
        config.limits.first_message_timeout = Duration::from_millis(200);
    })
    .await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    assert_eq!(Visitor::open(&tracker, "demo").await.bye().await, "nothing_said");
    let mut only = Visitor::named(&tracker, 1, "Anna").await;
    let address = format!("ws://{}/chat/demo", tracker.address);
    let (socket, _) = within(tokio_tungstenite::connect_async(address)).await.unwrap();
    assert_eq!(Visitor { socket, nonce: String::new() }.bye().await, "full");
    assert_eq!(tracker.get("/chat/demo", "").await.status(), 400);
    let ended = tokio::spawn(tracker.stop());
    assert_eq!(only.bye().await, "shutting_down");
    within(ended).await.unwrap();
}

#[tokio::test]
async fn a_chat_is_where_its_channel_may_be_shown_and_ends_with_it() {
    let tracker = Tracker::start().await;
    tracker.add_hosted("demo");
    let embed_origins = vec!["https://example.org".to_owned()];
    let id = tracker.database().read(|store| store.find("demo")).unwrap().unwrap().id;
    let settings = ChannelSettings { embed_origins, ..ChannelSettings::default() };
    tracker.database().write(|store| store.set(id, &settings)).unwrap();
    let status = async |path: &str, site: &str| {
        let mut request = format!("ws://{}{path}", tracker.address).into_client_request().unwrap();
        request.headers_mut().insert("origin", site.parse().unwrap());
        match within(tokio_tungstenite::connect_async(request)).await {
            Ok(_) => 101,
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => answer.status().as_u16(),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(status("/chat/demo", "https://example.org").await, 101);
    assert_eq!(status("/chat/demo", "https://evil.example").await, 403);
    assert_eq!(status("/chat/nobody", "https://example.org").await, 404);
    let mut visitor = Visitor::open(&tracker, "demo").await;
    assert_eq!(visitor.enters(1).await["state"]["open"], "waiting");
    tracker.remove("demo");
    assert_eq!(visitor.told_of("bye").await["reason"], "removed");
}
