//! A table of garbage. Whatever a stranger sends, at whichever door: it is refused under a name that `/metrics` shows, the
//! server lives, and who is inside is served. In a process of its own, whose memory is looked at.

// In a test a panic is the message.
#![allow(clippy::unwrap_used)]

#[path = "suite/support.rs"]
#[allow(dead_code)] // Shared with the suite, which uses all of it.
mod support;

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::interval;
use tracker::channel_settings::{ChannelSettings, JoinPolicy};
use tracker::{Banned, NewBan, address_prefix, renew_join_secret};
use wire::request::Request;
use wire::session::{Announce, FromPeer, Join, Signal};
use wire::{Epoch, PeerSecret};

use support::{Tracker, a_moment, channel, in_seconds, join, join_token, peer, signer, within};

/// Memory that all of the table may leave behind, of this whole process: some threads' buffers and the allocator's slack.
const LEFT_BEHIND_BYTES: u64 = 48 << 20;

/// For who dawdles before it is inside. 3 s: nobody else takes as long for a word, on a busy machine either.
const SOON: Duration = Duration::from_secs(3);

/// For who is inside.
const LATER: Duration = Duration::from_secs(8);

/// The garbage of one case.
enum Garbage {
    /// The first text of a session.
    First(String),
    /// A text of a viewer that was let in.
    Text(String),
    /// A frame of a viewer that was let in.
    Frame(Vec<u8>),
    /// Bytes on the socket of a viewer that was let in, instead of WebSocket frames.
    Inside(Vec<u8>),
    /// The same, of one that is not sent away for it.
    Flood(Vec<u8>),
    /// A session on which nothing is said.
    Mute,
    /// A viewer that was let in, and then neither says nor reads anything.
    Asleep,
    /// The same, that goes on speaking while others speak to it.
    Deaf,
    /// Bytes on a connection to the pages' port.
    Http(Vec<u8>),
    /// Bytes on a connection to the encoders' port.
    Rtmp(Vec<u8>),
}

/// What comes, and the refusal that has to be counted: door and reason.
struct Case(&'static str, Garbage, &'static str, &'static str);

/// `secret`: signs tokens for the channel that asks for them.
fn cases(secret: &str) -> Vec<Case> {
    [first_texts(), tokens(secret), texts(), frames(), websocket(), floods(), http(), rest(), rtmp()]
        .into_iter()
        .flatten()
        .collect()
}

fn first_texts() -> Vec<Case> {
    let first = |name, text: &str, reason| Case(name, Garbage::First(text.to_owned()), "opening", reason);
    let announced = |name: &str, proof: &str| {
        let secret = PeerSecret([1; 16]);
        FromPeer::Announce(Announce {
            version: wire::VERSION,
            channel: channel(3),
            name: name.to_owned(),
            secret,
            proof: proof.to_owned(),
            delegation: None,
            epoch: Some(Epoch(7)),
        })
        .to_text()
    };
    let replayed = signer(3).announce("00112233445566778899aabbccddeeff");
    let foreign = signer(4).announce("00112233445566778899aabbccddeeff");
    let unknown = join("nobody", 9).to_text();
    let old = join("demo", 9).to_text().replace("\"version\":1", "\"version\":0");
    let stolen = join("demo", 2).to_text().replace(&PeerSecret([2; 16]).to_string(), &peer(2).to_string());
    let long_channel = join(&"x".repeat(65), 9).to_text();
    vec![
        first("nothing", "", "malformed"),
        first("a space", " ", "malformed"),
        first("null", "null", "malformed"),
        first("a number", "0", "malformed"),
        first("a list", "[]", "malformed"),
        first("an empty object", "{}", "malformed"),
        first("no type", "{\"version\":1}", "malformed"),
        first("a type that is null", "{\"type\":null}", "malformed"),
        first("a type that is a list", "{\"type\":[\"join\"]}", "malformed"),
        first("half an object", "{\"type\":\"join\"", "malformed"),
        first("two objects", "{\"type\":\"clock\"}{\"type\":\"clock\"}", "malformed"),
        first(
            "nulls for fields",
            "{\"type\":\"join\",\"version\":null,\"channel\":null,\"secret\":null}",
            "malformed",
        ),
        first("offers of nothing", "{\"offers\":[null,null]}", "malformed"),
        first("the tracker's own words", "{\"type\":\"hello\",\"nonce\":\"x\",\"time_ms\":1}", "malformed"),
        first("a number that is none", "{\"type\":\"join\",\"version\":1e400}", "malformed"),
        first("deep lists", &"[".repeat(16_000), "malformed"),
        first("deep objects", &"{\"a\":".repeat(3_000), "malformed"),
        first("a lone surrogate", "{\"type\":\"\\ud800\"}", "malformed"),
        first("a text over the limit", &format!("\"{}\"", "x".repeat(18_000)), "too_long"),
        first("a member's words", "{\"type\":\"clock\"}", "bad_message"),
        first("the end before the beginning", "{\"type\":\"ended\"}", "bad_message"),
        first("another version", &old, "version"),
        first("a channel that is not there", &unknown, "unknown_channel"),
        first("a channel's name over the limit", &long_channel, "over_limit"),
        first("a banned peer", &join("guarded", 8).to_text(), "banned_peer"),
        first("a banned address", &join("barred", 9).to_text(), "banned_prefix"),
        first("a replayed proof", &announced("elsewhere", &replayed), "bad_proof"),
        first("another key's proof", &announced("elsewhere", &foreign), "bad_proof"),
        first("a proof of nothing", &announced("elsewhere", ""), "bad_proof"),
        first("a proof over the limit", &announced("elsewhere", &"x".repeat(129)), "over_limit"),
        first("a name that is a path", &announced("../../etc", &replayed), "over_limit"),
        first("a name that is empty", &announced("", &replayed), "over_limit"),
        first("a peer's id for its secret", &stolen, "malformed"),
    ]
}

fn tokens(secret: &str) -> Vec<Case> {
    let first = |name, text: &str, reason| Case(name, Garbage::First(text.to_owned()), "opening", reason);
    let with = |channel: &str, number: &str, expires_s: i64, secret: &str| {
        with_token(&token(channel, number, expires_s, secret))
    };
    let pass = json!({ "channel": "guarded", "exp": in_seconds(60), "peer": peer(8) });
    vec![
        first("no token", &join("guarded", 9).to_text(), "token_missing"),
        first("an empty token", &with_token(""), "token_missing"),
        first("a token of nonsense", &with_token("a.b.c"), "token_invalid"),
        first("a token that signs itself none", &with_token("eyJhbGciOiJub25lIn0.e30."), "token_invalid"),
        first("a token of dots", &with_token(&".".repeat(1_000)), "token_invalid"),
        first("a token over the limit", &with_token(&"x".repeat(1_025)), "over_limit"),
        first("a token that is a list", &with_token("x").replace("\"x\"", "[]"), "malformed"),
        first("a token that was used by another", &with_token(&spent(secret)), "token_used"),
        first("another channel's token", &with("demo", "1", 60, secret), "token_foreign"),
        first("another's pass", &with_token(&join_token(secret, &pass)), "token_foreign"),
        first("a token that has expired", &with("guarded", "2", -60, secret), "token_expired"),
        first("a token that is good for an hour", &with("guarded", "3", 3_600, secret), "token_invalid"),
        first("a token under another secret", &with("guarded", "4", 60, "guess"), "token_invalid"),
        first("a token whose number is none", &with("guarded", "", 60, secret), "token_invalid"),
        first("a token for ever", &with("guarded", "5", i64::MAX - in_seconds(0), secret), "token_invalid"),
    ]
}

fn token(channel: &str, number: &str, expires_s: i64, secret: &str) -> String {
    let (origin, exp) = ("https://club.example", in_seconds(expires_s));
    join_token(secret, &json!({ "channel": channel, "origin": origin, "exp": exp, "jti": number }))
}

/// The token that the first viewer of the channel comes with.
fn spent(secret: &str) -> String {
    token("guarded", "spent", 300, secret)
}

/// A join of a channel that asks for a token.
fn with_token(token: &str) -> String {
    let FromPeer::Join(join) = join("guarded", 9) else { unreachable!() };
    FromPeer::Join(Join { token: Some(token.to_owned()), ..join }).to_text()
}

fn texts() -> Vec<Case> {
    let text = |name, text: String, reason| Case(name, Garbage::Text(text), "session", reason);
    let many = |count: usize| vec!["\"00000000000000ff\""; count].join(",");
    let report = |fields: &str| {
        format!(
            "{{\"type\":\"report\",\"links\":[],\"feeds\":[],\"from_viewers\":0,\"from_source\":0,\"from_relay\":0{fields}}}"
        )
    };
    let signal =
        |signal: &str| format!("{{\"type\":\"signal\",\"to\":\"00000000000000ff\",\"signal\":{signal}}}");
    vec![
        text("nothing, inside", String::new(), "malformed"),
        text("a join again", join("demo", 99).to_text(), "bad_message"),
        text("somebody else's end", FromPeer::Ended.to_text(), "bad_message"),
        text("negative bytes", report(",\"capacity_bps\":-1"), "malformed"),
        text("a capacity beyond numbers", report(",\"capacity_bps\":99999999999"), "malformed"),
        text(
            "too many links",
            report("").replace("\"links\":[]", &format!("\"links\":[{}]", many(33))),
            "over_limit",
        ),
        text(
            "too many feeds",
            report("").replace("\"feeds\":[]", &format!("\"feeds\":[{}]", many(17))),
            "over_limit",
        ),
        text("a link to nobody", report("").replace("\"links\":[]", "\"links\":[null]"), "malformed"),
        text("a signal without a kind", signal("{}"), "malformed"),
        text("a signal of no kind", signal("{\"kind\":\"dance\"}"), "malformed"),
        text("an offer of nothing", signal("{\"kind\":\"offer\",\"sdp\":null}"), "malformed"),
        text(
            "an offer over the limit",
            signal(&format!("{{\"kind\":\"offer\",\"sdp\":\"{}\"}}", "x".repeat(16_385))),
            "over_limit",
        ),
        text(
            "a candidate over the limit",
            signal(&format!("{{\"kind\":\"candidate\",\"candidate\":\"{}\"}}", "x".repeat(513))),
            "over_limit",
        ),
        text(
            "a fault that is none",
            "{\"type\":\"orphaned\",\"stripes\":1,\"failed\":\"00000000000000ff\",\"fault\":\"bored\"}"
                .to_owned(),
            "malformed",
        ),
        text(
            "stripes beyond all",
            "{\"type\":\"orphaned\",\"stripes\":65536,\"failed\":\"00000000000000ff\",\"fault\":\"lost\"}"
                .to_owned(),
            "malformed",
        ),
        text("sharing neither on nor off", "{\"type\":\"sharing\",\"on\":2}".to_owned(), "malformed"),
    ]
}

fn frames() -> Vec<Case> {
    let frame = |name, bytes: &[u8], reason| Case(name, Garbage::Frame(bytes.to_vec()), "session", reason);
    let forged = {
        let mut piece = vec![0x01; 300];
        piece[1] = wire::VERSION;
        piece
    };
    vec![
        frame("an empty frame", &[], "bad_frame"),
        frame("a frame of no kind", &[0; 20], "bad_frame"),
        frame("half a piece", &[0x01; 20], "bad_frame"),
        frame("a piece of nonsense", &forged, "bad_frame"),
        frame("a header of nonsense", &[0x02; 20_000], "bad_frame"),
        frame(
            "a have that lies about its length",
            &[0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1],
            "bad_frame",
        ),
        frame("half a request", &[0x15, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3], "bad_frame"),
        frame("a ping with a tail", &[0x18; 14], "bad_frame"),
    ]
}

fn websocket() -> Vec<Case> {
    let inside = |name, bytes: Vec<u8>| Case(name, Garbage::Inside(bytes), "session", "unreadable");
    let part = masked(0x02, &[7; 15_000]);
    let more = masked(0x00, &[7; 15_000]);
    vec![
        inside("a frame without a mask", vec![0x81, 2, b'h', b'i']),
        inside("reserved bits", with_first(masked(0x81, b"{}"), 0xc1)),
        inside("an opcode that is none", masked(0x83, b"{}")),
        inside("a control opcode that is none", masked(0x8b, b"")),
        inside("bytes that are not UTF-8", masked(0x81, &[0xff, 0xfe, 0x80])),
        inside("half a character at the end", masked(0x81, &[0xe2, 0x82])),
        inside("a continuation of nothing", masked(0x80, b"x")),
        inside("a message inside of another", [masked(0x01, b"{"), masked(0x81, b"{}")].concat()),
        inside("fragments without end", [part, more.clone(), more].concat()),
        inside(
            "a length that is only claimed",
            vec![0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3, 4],
        ),
        inside("a ping that is too long", vec![0x89, 0xfe, 0, 126, 1, 2, 3, 4]),
        inside("a ping in parts", masked(0x09, b"x")),
        inside("a close frame with half a code", masked(0x88, &[3])),
        inside("a close frame whose reason is not UTF-8", masked(0x88, &[0x03, 0xe8, 0xff])),
        inside("HTTP inside of a session", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
    ]
}

fn floods() -> Vec<Case> {
    let flood = |name, frame: Vec<u8>| Case(name, Garbage::Flood(frame.repeat(300)), "session", "too_many");
    vec![
        flood("a flood of pings", masked(0x89, &[7; 125])),
        flood("a flood of pongs that nobody asked for", masked(0x8a, b"")),
        flood("a flood of questions", masked(0x81, b"{\"type\":\"clock\"}")),
    ]
}

fn rest() -> Vec<Case> {
    let request = |name, line: &str, headers: &str, body: &str, reason| {
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        Case(name, Garbage::Http(head.into_bytes()), "http", reason)
    };
    let channel = format!("/api/v1/channels/{}", channel(1));
    let claim = format!("PUT {channel}");
    let signed = |of: &str| format!("Authorization: Swarmcast {of}\r\n");
    let nonce = "00112233445566778899aabbccddeeff";
    let zeros = signed(&format!("{}.{nonce}.{}", support::channel(1), "A".repeat(86)));
    let unasked = Request { method: "PUT", path: &channel, nonce, body: b"{}" }.authorize(&signer(1));
    let unasked = format!("Authorization: {unasked}\r\n");
    vec![
        request("a claim that nobody has signed", &claim, "", "{}", "unauthorized"),
        request("a signature of nothing", &claim, &signed(""), "{}", "unauthorized"),
        request("a signature of zeros", &claim, &zeros, "{}", "unauthorized"),
        request("a challenge that nobody has set", &claim, &unasked, "{}", "unauthorized"),
        request(
            "the operator's token, guessed",
            "GET /api/v1/bans",
            "Authorization: Bearer x\r\n",
            "",
            "unauthorized",
        ),
        request(
            "a setup link of nobody's",
            "GET /api/v1/setup",
            "Authorization: Bearer x\r\n",
            "",
            "unauthorized",
        ),
        request("an interface that is none", "GET /api/v1/../../etc/passwd", "", "", "not_found"),
        request("a method that the address has not", &format!("POST {channel}"), "", "[]", "method"),
        request("a body over the limit", &claim, &zeros, &"x".repeat(300_000), "too_large"),
    ]
}

fn http() -> Vec<Case> {
    let http = |name, bytes: &[u8], reason| Case(name, Garbage::Http(bytes.to_vec()), "http", reason);
    let get = |name, path: &str, reason| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Case(name, Garbage::Http(request.into_bytes()), "http", reason)
    };
    let upgrade = |name, headers: &str| {
        let request = format!("GET /session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        Case(name, Garbage::Http(request.into_bytes()), "http", "bad_request")
    };
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(5_000));
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(600_000));
    let pipelined = format!(
        "{}GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50)
    );
    vec![
        http("no HTTP", b"what is this\r\n\r\n", "bad_request"),
        http("zeros", &[0; 64], "bad_request"),
        http("TLS where there is none", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "bad_request"),
        http("a header without a colon", b"GET / HTTP/1.1\r\nHost\r\n\r\n", "bad_request"),
        http("a header flood", many.as_bytes(), "too_large"),
        http("a header without end", long.as_bytes(), "too_large"),
        http("pipelining", pipelined.as_bytes(), "not_found"),
        http("a method that is none", b"DANCE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "method"),
        http(
            "a body for a page",
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
            "method",
        ),
        get("up the path", "/assets/../../etc/passwd", "not_found"),
        get("up the path, encoded", "/assets/%2e%2e/%2e%2e/etc/passwd", "not_found"),
        get("up the path, encoded twice", "/assets/%252e%252e%252fetc/passwd", "not_found"),
        get("backslashes", "/assets/..%5c..%5cetc", "not_found"),
        get("an absolute path", "/assets//etc/passwd", "not_found"),
        get("a zero in a path", "/assets/a%00b", "not_found"),
        get("a path that is not UTF-8", "/assets/%ff%fe", "bad_request"),
        upgrade("a session without an upgrade", ""),
        upgrade(
            "a session of another version",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: eA==\r\n",
        ),
        upgrade(
            "a session without a key",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
        ),
    ]
}

fn rtmp() -> Vec<Case> {
    let rtmp = |name, bytes: &[u8]| Case(name, Garbage::Rtmp(bytes.to_vec()), "rtmp", "unusable");
    let greeted = |rest: &[u8]| [&[3u8][..], &[0; 1536], &[0; 1536], rest].concat();
    // A command within one chunk, whose objects hold each other.
    let command =
        [&[2, 0, 7][..], b"connect", &[0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], &b"\x03\x00\x01a".repeat(20)]
            .concat();
    let nested = [&[3, 0, 0, 0, 0, 0, command.len() as u8, 20, 0, 0, 0, 0][..], &command].concat();
    vec![
        rtmp("another version of RTMP", &[0x47; 1_537]),
        rtmp("HTTP where encoders publish", &b"GET / HTTP/1.1\r\n".repeat(97)),
        Case(
            "a message of 16 MB",
            Garbage::Rtmp(greeted(&[2, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0])),
            "rtmp",
            "violation",
        ),
        Case("a chunk of nothing before", Garbage::Rtmp(greeted(&[0xc3; 40])), "rtmp", "violation"),
        Case("objects inside of each other", Garbage::Rtmp(greeted(&nested)), "rtmp", "violation"),
    ]
}

/// Those who do nothing wrong, and nothing else either.
fn dawdlers() -> Vec<Case> {
    let http = |name, bytes: &[u8]| Case(name, Garbage::Http(bytes.to_vec()), "http", "timeout");
    vec![
        http("a connection without a word", b""),
        http("half a request line", b"GET /ses"),
        http("headers that do not end", b"GET /session HTTP/1.1\r\nHost: x\r\nA: b\r\n"),
        Case("a session without a word", Garbage::Mute, "opening", "nothing_said"),
        Case("a viewer whose cable is out", Garbage::Asleep, "session", "silent"),
        Case("a slow reader", Garbage::Deaf, "session", "silent"),
        Case("an encoder without a word", Garbage::Rtmp(Vec::new()), "rtmp", "nothing_said"),
        Case("half a handshake", Garbage::Rtmp(vec![3; 700]), "rtmp", "nothing_said"),
    ]
}

/// A frame as a client sends it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | short as u8),
        long => {
            bytes.push(0x80 | 126);
            bytes.extend((long as u16).to_be_bytes());
        }
    }
    // A mask of zeros leaves all as it is.
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn with_first(mut frame: Vec<u8>, first: u8) -> Vec<u8> {
    frame[0] = first;
    frame
}

impl Tracker {
    /// Returns a connection that has to stay until the refusal is counted.
    async fn receive_garbage(&self, garbage: Garbage, secret: u8) -> Option<TcpStream> {
        match garbage {
            Garbage::First(text) => {
                let mut stranger = self.session().await;
                stranger.text(text).await;
                stranger.refusal().await;
            }
            Garbage::Text(text) => {
                let (mut member, _) = self.viewer("demo", secret).await;
                member.text(text).await;
                member.refusal().await;
            }
            Garbage::Frame(frame) => {
                let (mut member, _) = self.viewer("demo", secret).await;
                member.send(Bytes::from(frame)).await;
                member.refusal().await;
            }
            Garbage::Inside(bytes) => {
                let mut stream = self.admitted(secret).await;
                stream.write_all(&bytes).await.unwrap();
                heard(&mut stream, "\"refused\"").await;
            }
            Garbage::Flood(bytes) => {
                let mut stream = self.admitted(secret).await;
                stream.write_all(&bytes).await.unwrap();
                return Some(stream);
            }
            Garbage::Mute => drop(self.session().await.refusal().await),
            Garbage::Asleep => return Some(self.admitted(secret).await),
            Garbage::Deaf => self.is_deaf(secret).await,
            Garbage::Http(bytes) => send_and_listen(self.address, &bytes).await,
            Garbage::Rtmp(bytes) => send_and_listen(self.rtmp.unwrap(), &bytes).await,
        }
        None
    }

    /// Says that it is there until that is over, and reads nothing of what it is offered.
    async fn is_deaf(&self, secret: u8) {
        let mut stream = self.admitted(secret).await;
        let (mut talker, _) = self.viewer("demo", secret + 1).await;
        for _ in 0..40 {
            let signal = Signal::Offer { sdp: "x".repeat(16_000) };
            talker.say(&FromPeer::Signal { to: peer(secret), signal }).await;
        }
        let mut pulse = interval(Duration::from_millis(200));
        while stream.write_all(&masked(0x8a, b"")).await.is_ok() {
            pulse.tick().await;
            talker.settle().await;
        }
    }

    /// The connection of a viewer that was let in, with little room for what is not read.
    async fn admitted(&self, secret: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        let upgrade = "GET /session HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let join = join("demo", secret).to_text();
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        heard(&mut stream, "\"hello\"").await;
        stream.write_all(&masked(0x81, join.as_bytes())).await.unwrap();
        heard(&mut stream, "\"welcome\"").await;
        stream
    }
}

/// Reads until `words` have come.
async fn heard(stream: &mut TcpStream, words: &str) {
    let mut all = Vec::new();
    let reading = async {
        while !all.windows(words.len()).any(|window| window == words.as_bytes()) {
            let read = stream.read_buf(&mut all).await.unwrap();
            assert!(read > 0, "closed before {words}: {}", String::from_utf8_lossy(&all));
        }
    };
    within(reading).await;
}

async fn send_and_listen(address: std::net::SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close before all is sent, and the system then reset what it has said.
    let _ = within(stream.write_all(bytes)).await;
    let _ = within(stream.read_to_end(&mut Vec::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_refused_by_name_and_residents_are_served() {
    let tracker = Tracker::start_with(|config| {
        config.rtmp = Some("127.0.0.1:0".parse().unwrap());
        config.limits.farewell = Duration::from_millis(200);
    })
    .await;
    let secret = guard(&tracker).await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut resident, _) = tracker.viewer("demo", 2).await;
    let cases = cases(&secret);
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let before_bytes = own_bytes();
    for (Case(name, garbage, door, reason), secret) in cases.into_iter().zip((10..200).cycle()) {
        println!("{name}");
        let before = tracker.refused(door, reason).await;
        let _held = tracker.receive_garbage(garbage, secret).await;
        let counted = async { while tracker.refused(door, reason).await <= before {} };
        within(counted).await;
        resident.settle().await;
    }
    let grown = own_bytes().saturating_sub(before_bytes);
    assert!(grown < LEFT_BEHIND_BYTES, "{grown} bytes are left behind");
    let (mut newcomer, _) = tracker.viewer("demo", 3).await;
    newcomer.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dawdles_is_let_go_by_name_and_residents_are_served() {
    let tracker = Tracker::start_with(|config| {
        config.rtmp = Some("127.0.0.1:0".parse().unwrap());
        (config.limits.header_timeout, config.limits.first_message_timeout) = (SOON, SOON);
        (config.limits.ping_every, config.limits.dead_after) = (LATER / 4, LATER);
    })
    .await;
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut resident, _) = tracker.viewer("demo", 2).await;
    let cases = dawdlers();
    let mut wanted = BTreeMap::new();
    cases.iter().for_each(|Case(_, _, door, reason)| *wanted.entry((*door, *reason)).or_insert(0) += 1);
    let dawdling = cases.into_iter().zip((10..).step_by(2));
    let dawdling = dawdling.map(|(Case(_, garbage, ..), secret)| tracker.receive_garbage(garbage, secret));
    let mut dawdling = pin!(join_all(dawdling));
    let _held = loop {
        tokio::select! {
            held = &mut dawdling => break held,
            () = a_moment() => {
                source.settle().await;
                resident.settle().await;
            }
        }
    };
    for ((door, reason), times) in wanted {
        let counted = async {
            while tracker.refused(door, reason).await < times {
                source.settle().await;
                resident.settle().await;
                a_moment().await;
            }
        };
        within(counted).await;
    }
    let (mut newcomer, _) = tracker.viewer("demo", 3).await;
    newcomer.settle().await;
}

/// Makes the channels that not everyone may watch. The secret of the one that asks for tokens, of which one is used.
async fn guard(tracker: &Tracker) -> String {
    let [guarded, barred] = ["guarded", "barred"].map(|name| tracker.add_hosted(name).channel);
    let settings = ChannelSettings { join: JoinPolicy::Token, ..ChannelSettings::default() };
    let bans =
        [(guarded, Banned::Peer(peer(8))), (barred, Banned::Prefix(address_prefix("127.0.0.0/8").unwrap()))];
    let made = tracker.database().write(|store| {
        store.set(guarded, &settings)?;
        for (channel, banned) in bans {
            store.ban(&NewBan { channel: Some(channel), banned, reason: String::new(), for_ms: None })?;
        }
        renew_join_secret(store, "guarded")
    });
    let secret = serde_json::to_value(made.unwrap()).unwrap().as_str().unwrap().to_owned();
    // The server notices within a second.
    while tracker.refused("opening", "banned_prefix").await == 0 {
        let mut stranger = tracker.session().await;
        stranger.say(&join("barred", 9)).await;
        stranger.told().await;
        a_moment().await;
    }
    let mut member = tracker.session().await;
    let FromPeer::Join(join) = join("guarded", 7) else { unreachable!() };
    member.say(&FromPeer::Join(Join { token: Some(spent(&secret)), ..join })).await;
    member.welcome().await;
    secret
}

/// Memory of this process that is its own.
fn own_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
