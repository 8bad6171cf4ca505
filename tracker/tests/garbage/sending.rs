//! How garbage gets to the server.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::interval;
use wire::session::{FromPeer, Signal};

use crate::socket::masked;
use crate::support::{Tracker, join, peer, within};
use crate::table::Garbage;

impl Tracker {
    /// Returns a connection that has to stay until the refusal is counted.
    pub async fn receive_garbage(&self, garbage: Garbage, secret: u8) -> Option<TcpStream> {
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
