//! A server on a free port, and peers that talk to it. Every wait has an end.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use futures_util::{SinkExt, StreamExt};
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tracker::{Config, Database, NewChannel, Server};
use wire::session::{Announce, FromPeer, FromTracker, Join, Refusal, Welcome};
use wire::{ChannelId, Epoch, Frame, PeerId, PeerSecret, Signer};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server with a data directory of its own.
pub struct Tracker {
    pub address: SocketAddr,
    pub plain: Option<SocketAddr>,
    pub stun_port: Option<u16>,
    pub rtmp: Option<SocketAddr>,
    pub data: TempDir,
    shutdown: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Tracker {
    pub async fn start() -> Tracker {
        Tracker::start_with(|_| {}).await
    }

    pub async fn start_with(adjust: impl FnOnce(&mut Config)) -> Tracker {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config::new("127.0.0.1:0".parse().unwrap(), data.path().to_owned());
        config.limits.settling = Duration::ZERO;
        adjust(&mut config);
        let server = Server::bind(config).await.unwrap();
        let (address, stun_port, rtmp) = (server.address(), server.stun_port(), server.rtmp_address());
        let plain = server.plain_address();
        let (shutdown, told) = oneshot::channel();
        let running = tokio::spawn(server.run(async { drop(told.await) }));
        Tracker { address, plain, stun_port, rtmp, data, shutdown, running }
    }

    /// The server's database, as another process has it.
    pub fn database(&self) -> Database {
        Database::open(self.data.path()).unwrap()
    }

    pub fn add_hosted(&self, name: &str) -> NewChannel {
        self.database().write(|store| tracker::create_hosted(store, name)).unwrap()
    }

    pub fn remove(&self, name: &str) {
        self.database().write(|store| tracker::remove_named(store, name)).unwrap();
    }

    /// Asks the server to end and waits until it has.
    pub async fn stop(self) {
        self.shutdown.send(()).unwrap();
        within(self.running).await.unwrap();
    }

    /// A session that has heard its hello.
    pub async fn session(&self) -> Session {
        self.session_by(self.session_address()).await
    }

    /// The same, opened by a page of `site`.
    pub async fn session_from(&self, site: &str) -> Session {
        let mut request = self.session_address().into_client_request().unwrap();
        request.headers_mut().insert("origin", site.parse().unwrap());
        self.session_by(request).await
    }

    /// The announcement of `name` on a session that `request` opens.
    pub async fn announced(&self, request: impl IntoClientRequest + Unpin, name: &str, key: u8) -> Session {
        let mut session = self.session_by(request).await;
        let announce = session.announce(name, key, None);
        session.say(&announce).await;
        session
    }

    /// The same, by a request of one's own.
    pub async fn session_by(&self, request: impl IntoClientRequest + Unpin) -> Session {
        let (socket, _) = within(tokio_tungstenite::connect_async(request)).await.unwrap();
        let mut session = Session { socket, nonce: String::new() };
        let FromTracker::Hello { nonce, time_ms } = session.told().await else { panic!("no hello") };
        assert!(time_ms > 1_700_000_000_000 && nonce.len() >= 32);
        session.nonce = nonce;
        session
    }

    pub fn session_address(&self) -> String {
        format!("ws://{}/session", self.address)
    }

    /// A viewer of `channel` that was let in.
    pub async fn viewer(&self, channel: &str, secret: u8) -> (Session, Welcome) {
        let mut session = self.session().await;
        session.say(&join(channel, secret)).await;
        let welcome = session.welcome().await;
        assert_eq!(welcome.peer, peer(secret));
        (session, welcome)
    }

    /// A broadcaster of `name` that was let in.
    pub async fn source(&self, name: &str, key: u8, epoch: Option<u64>) -> (Session, Welcome) {
        let mut session = self.session().await;
        let announce = session.announce(name, key, epoch);
        session.say(&announce).await;
        let welcome = session.welcome().await;
        assert_eq!(welcome.channel, channel(key));
        (session, welcome)
    }

    /// How many were refused so at that door.
    pub async fn refused(&self, door: &str, reason: &str) -> u64 {
        let text = String::from_utf8(self.get("/metrics", "").await.body).unwrap();
        let line = format!("swarmcast_refusals_total{{door=\"{door}\",reason=\"{reason}\"}} ");
        text.lines().find_map(|shown| shown.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
    }

    /// What a first message that is refused is told.
    pub async fn refusal(&self, first: impl FnOnce(&Session) -> FromPeer) -> Refusal {
        let mut session = self.session().await;
        let first = first(&session);
        session.say(&first).await;
        session.refusal().await
    }

    /// The answer to a GET.
    pub async fn get(&self, path: &str, headers: &str) -> Answer {
        self.request("GET", path, headers, b"").await
    }

    /// The answer to a request.
    pub async fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses need not read.
        let _ = stream.write_all(body).await;
        let mut bytes = Vec::new();
        within(stream.read_to_end(&mut bytes)).await.unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        Answer { head, body: bytes[end + 4..].to_vec() }
    }
}

/// An HTTP answer. The head is in lower case.
pub struct Answer {
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A peer's end of a session.
pub struct Session {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub nonce: String,
}

/// What a session hears.
#[derive(Debug)]
pub enum Heard {
    Told(FromTracker),
    Frame(Frame),
    Closed,
}

impl Session {
    pub async fn say(&mut self, message: &FromPeer) {
        self.text(message.to_text()).await;
    }

    pub async fn text(&mut self, text: String) {
        within(self.socket.send(Message::text(text))).await.unwrap();
    }

    pub async fn send(&mut self, frame: Bytes) {
        within(self.socket.send(Message::Binary(frame))).await.unwrap();
    }

    pub async fn heard(&mut self) -> Heard {
        loop {
            match within(self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return Heard::Told(FromTracker::parse(&text).unwrap()),
                Some(Ok(Message::Binary(frame))) => return Heard::Frame(Frame::decode(frame).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return Heard::Closed,
            }
        }
    }

    /// The next message of the tracker; frames are passed over.
    pub async fn told(&mut self) -> FromTracker {
        loop {
            match self.heard().await {
                Heard::Told(message) => return message,
                Heard::Frame(_) => {}
                Heard::Closed => panic!("closed without a word"),
            }
        }
    }

    /// The next message that `wanted` takes; others are passed over.
    pub async fn told_that<T>(&mut self, wanted: impl Fn(&FromTracker) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(&self.told().await) {
                return found;
            }
        }
    }

    /// The next frame; messages of the tracker are passed over.
    pub async fn frame(&mut self) -> Frame {
        loop {
            match self.heard().await {
                Heard::Frame(frame) => return frame,
                Heard::Told(_) => {}
                Heard::Closed => panic!("closed"),
            }
        }
    }

    pub async fn welcome(&mut self) -> Welcome {
        match self.told().await {
            FromTracker::Welcome(welcome) => welcome,
            other => panic!("{other:?} instead of a welcome"),
        }
    }

    /// Why the session ends. It does end.
    pub async fn refusal(&mut self) -> Refusal {
        let code = self
            .told_that(|message| match message {
                FromTracker::Refused { code, message } => {
                    assert!(message.len() > 10, "a refusal explains itself: {message}");
                    Some(*code)
                }
                _ => None,
            })
            .await;
        while !matches!(self.heard().await, Heard::Closed) {}
        code
    }

    pub fn announce(&self, name: &str, key: u8, epoch: Option<u64>) -> FromPeer {
        FromPeer::Announce(Announce {
            version: wire::VERSION,
            channel: channel(key),
            name: name.to_owned(),
            secret: PeerSecret([key; 16]),
            proof: signer(key).announce(&self.nonce),
            delegation: None,
            epoch: epoch.map(Epoch),
        })
    }

    /// Waits until the server has dealt with everything said so far: the answer to a ping comes after it was read.
    pub async fn settle(&mut self) {
        within(self.socket.send(Message::Ping(Bytes::from_static(b"?")))).await.unwrap();
        while !matches!(within(self.socket.next()).await, Some(Ok(Message::Pong(_)))) {}
    }
}

pub fn join(channel: &str, secret: u8) -> FromPeer {
    FromPeer::Join(Join {
        version: wire::VERSION,
        channel: channel.to_owned(),
        secret: PeerSecret([secret; 16]),
        sharing: true,
        consent: false,
        token: None,
        links: Vec::new(),
        feeds: Vec::new(),
    })
}

/// A join token, as the back end of a site mints it: with nothing of ours but the join secret.
pub fn join_token(secret: &str, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let said = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("{said}.{}", BASE64URL_NOPAD.encode(hmac::sign(&key, said.as_bytes()).as_ref()))
}

/// Unix time, so many seconds from now.
pub fn in_seconds(seconds: i64) -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64 + seconds
}

pub fn signer(key: u8) -> Signer {
    Signer::from_seed(&[key; 32])
}

pub fn channel(key: u8) -> ChannelId {
    signer(key).channel()
}

pub fn peer(secret: u8) -> PeerId {
    PeerSecret([secret; 16]).peer()
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("within the time that a test waits")
}

/// Between two looks at what another process has changed: who knocks without a pause is refused as a flood.
pub async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
