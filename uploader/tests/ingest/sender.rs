//! A sender that speaks RTMP byte by byte, so that it can be wrong in every way.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{KEY, PATIENCE, World};

/// One hand-made connection.
pub struct Sender {
    pub socket: TcpStream,
}

impl Sender {
    pub async fn connected(world: &World) -> Self {
        Self { socket: TcpStream::connect(world.address).await.expect("the server listens") }
    }

    /// Past the handshake.
    pub async fn greeted(world: &World) -> Self {
        Self::try_greeted(world).await.expect("a handshake")
    }

    /// Past the handshake, unless the server hangs up.
    pub async fn try_greeted(world: &World) -> Option<Self> {
        let mut sender = Self::connected(world).await;
        let mut hello = vec![3; 1 + 1_536];
        hello[1..9].fill(0);
        sender.send(&hello).await;
        let mut reply = vec![0; 1 + 2 * 1_536];
        sender.socket.read_exact(&mut reply).await.ok()?;
        sender.send(&reply[1..=1_536]).await;
        Some(sender)
    }

    /// Past `connect` and `createStream`.
    pub async fn with_stream(world: &World) -> Self {
        let mut sender = Self::greeted(world).await;
        sender.send(&message(3, 20, 0, &connect("live"))).await;
        sender.send(&message(3, 20, 0, &[command("createStream", 4.0), vec![5]].concat())).await;
        sender
    }

    /// Past an accepted key.
    pub async fn publishing(world: &World) -> Self {
        let mut sender = Self::with_stream(world).await;
        sender.send(&message(4, 20, 1, &publish(KEY))).await;
        let said = sender.hear_until("NetStream.Publish.Start").await;
        assert!(said.contains("NetStream.Publish.Start"));
        sender
    }

    /// Sends what can be sent: the server may have hung up in the middle, which is its right.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.socket.write_all(bytes)).await.expect("the server reads or closes");
    }

    /// All that the server says until it closes, as text.
    pub async fn hear_to_the_end(&mut self) -> String {
        self.hear_until("\u{0}no such text").await
    }

    async fn hear_until(&mut self, text: &str) -> String {
        let (mut heard, mut buffer) = (Vec::new(), [0; 4_096]);
        loop {
            let read =
                timeout(PATIENCE, self.socket.read(&mut buffer)).await.expect("the server answers or closes");
            let count = read.unwrap_or(0);
            heard.extend_from_slice(&buffer[..count]);
            let so_far = String::from_utf8_lossy(&heard).into_owned();
            if count == 0 || so_far.contains(text) {
                return so_far;
            }
        }
    }

    /// Whether the server has hung up within a moment.
    pub async fn is_closed_within(&mut self, moment: Duration) -> bool {
        timeout(moment, self.hear_to_the_end()).await.is_ok()
    }
}

/// One message in chunks of 128 bytes, RTMP's initial size.
pub fn message(chunk_stream: u8, type_id: u8, stream_id: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = header(chunk_stream, type_id, stream_id, body.len());
    for (index, chunk) in body.chunks(128).enumerate() {
        if index > 0 {
            bytes.push(0xc0 | chunk_stream);
        }
        bytes.extend_from_slice(chunk);
    }
    bytes
}

/// A full header that claims `length` bytes.
pub fn header(chunk_stream: u8, type_id: u8, stream_id: u32, length: usize) -> Vec<u8> {
    let length = &(length as u32).to_be_bytes()[1..];
    [&[chunk_stream, 0, 0, 0], length, &[type_id], &stream_id.to_le_bytes()].concat()
}

pub fn connect(app: &str) -> Vec<u8> {
    let properties = [vec![3], name("app"), string(app), vec![0, 0, 9]].concat();
    [command("connect", 1.0), properties].concat()
}

pub fn publish(key: &str) -> Vec<u8> {
    [command("publish", 5.0), vec![5], string(key), string("live")].concat()
}

/// A command's name and transaction.
pub fn command(name: &str, transaction: f64) -> Vec<u8> {
    [string(name), vec![0], transaction.to_be_bytes().to_vec()].concat()
}

pub fn string(text: &str) -> Vec<u8> {
    [vec![2], name(text)].concat()
}

fn name(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}
