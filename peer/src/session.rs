//! The WebSocket session to the tracker: connects, reconnects with capped and jittered back-off, carries text and
//! binary messages. What they mean is left to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use crate::authorities::Authorities;

/// First wait before another attempt.
const BACK_OFF_FIRST: Duration = Duration::from_millis(200);

/// Longest wait: a tracker that returns has its swarms back within this time and a round trip.
const BACK_OFF_MAX: Duration = Duration::from_secs(3);

/// A session that lasted this long was a good one: the next wait is the first again.
const LASTED: Duration = Duration::from_secs(5);

/// For one attempt, TCP and WebSocket handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The tracker pings every 50 s; silence for half as long again is a dead session.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// Messages read and not yet handled.
const INCOMING_MAX: usize = 256;

/// Messages that wait to be written. Pieces are held back by bytes long before.
const OUTGOING_MAX: usize = 4096;

/// One message in either direction.
#[derive(Debug)]
pub(crate) enum SessionMessage {
    Text(String),
    Frame(Bytes),
}

/// What happens to the session.
#[derive(Debug)]
pub(crate) enum SessionEvent {
    Opened,
    Message(SessionMessage),
    Closed { why: String },
}

/// The writing end. Messages for a session that is not open are lost, as they would be stale in the next one.
pub(crate) struct SessionSender {
    outgoing: mpsc::Sender<SessionMessage>,
    unsent_bytes: Arc<AtomicUsize>,
}

impl SessionSender {
    /// Hands a message over; `false` when there is no room, which means that the session is as good as dead.
    pub(crate) fn send(&self, message: SessionMessage) -> bool {
        let length = length(&message);
        self.unsent_bytes.fetch_add(length, Ordering::Relaxed);
        let taken = self.outgoing.try_send(message).is_ok();
        if !taken {
            self.unsent_bytes.fetch_sub(length, Ordering::Relaxed);
        }
        taken
    }

    /// Bytes handed over and not yet taken by the system.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.unsent_bytes.load(Ordering::Relaxed)
    }
}

/// Keeps a session to `url` until both ends are dropped.
pub(crate) fn keep(url: String, authorities: Authorities) -> (SessionSender, mpsc::Receiver<SessionEvent>) {
    let (events, events_end) = mpsc::channel(INCOMING_MAX);
    let (outgoing, outgoing_end) = mpsc::channel(OUTGOING_MAX);
    let unsent_bytes = Arc::new(AtomicUsize::new(0));
    let address = Address { url, authorities };
    tokio::spawn(run(address, events, outgoing_end, Arc::clone(&unsent_bytes)));
    (SessionSender { outgoing, unsent_bytes }, events_end)
}

async fn run(
    address: Address,
    events: mpsc::Sender<SessionEvent>,
    mut outgoing: mpsc::Receiver<SessionMessage>,
    unsent_bytes: Arc<AtomicUsize>,
) {
    let mut back_off = BACK_OFF_FIRST;
    while !events.is_closed() {
        let why = match address.connect().await {
            Ok(socket) => {
                let opened = Instant::now();
                while outgoing.try_recv().is_ok() {}
                unsent_bytes.store(0, Ordering::Relaxed);
                if events.send(SessionEvent::Opened).await.is_err() {
                    return;
                }
                let ended = converse(socket, &events, &mut outgoing, &unsent_bytes).await;
                if opened.elapsed() > LASTED {
                    back_off = BACK_OFF_FIRST;
                }
                match ended {
                    Some(why) => why,
                    None => return,
                }
            }
            Err(why) => why,
        };
        if events.send(SessionEvent::Closed { why }).await.is_err() {
            return;
        }
        sleep(jittered(back_off)).await;
        back_off = (back_off * 2).min(BACK_OFF_MAX);
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where the tracker is, and how it is known.
struct Address {
    url: String,
    authorities: Authorities,
}

impl Address {
    async fn connect(&self) -> Result<Socket, String> {
        let config = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(64 << 10))
            .max_frame_size(Some(64 << 10));
        let connector = self.authorities.connector(&self.url).map_err(|error| error.to_string())?;
        let connecting =
            connect_async_tls_with_config(self.url.as_str(), Some(config), true, Some(connector));
        match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    }
}

/// Reads and writes until the session ends, and says why; `None` when nobody wants it any more.
async fn converse(
    socket: Socket,
    events: &mpsc::Sender<SessionEvent>,
    outgoing: &mut mpsc::Receiver<SessionMessage>,
    unsent_bytes: &AtomicUsize,
) -> Option<String> {
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            message = outgoing.recv() => {
                let message = message?;
                let length = length(&message);
                let message = match message {
                    SessionMessage::Text(text) => Message::text(text),
                    SessionMessage::Frame(bytes) => Message::binary(bytes),
                };
                let sent = sink.send(message).await;
                unsent_bytes.fetch_sub(length, Ordering::Relaxed);
                if let Err(error) = sent {
                    return Some(error.to_string());
                }
            }
            incoming = timeout(SILENCE_MAX, stream.next()) => {
                let message = match incoming {
                    Err(_) => return Some("the tracker fell silent".to_owned()),
                    Ok(None) => return Some("the tracker closed the session".to_owned()),
                    Ok(Some(Err(error))) => return Some(error.to_string()),
                    Ok(Some(Ok(Message::Text(text)))) => SessionMessage::Text(text.to_string()),
                    Ok(Some(Ok(Message::Binary(bytes)))) => SessionMessage::Frame(bytes),
                    Ok(Some(Ok(_))) => continue,
                };
                events.send(SessionEvent::Message(message)).await.ok()?;
            }
        }
    }
}

fn length(message: &SessionMessage) -> usize {
    match message {
        SessionMessage::Text(text) => text.len(),
        SessionMessage::Frame(bytes) => bytes.len(),
    }
}

/// Between half of the wait and all of it, so that a swarm does not return in step.
fn jittered(wait: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    wait / 2 + wait.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
}
