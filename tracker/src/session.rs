//! One WebSocket session: reads what its peer says and hands it to the channel, writes what the channel queues.
//!
//! Knows nothing of swarms. Who comes in is decided in `opening`, everything else by the channel's task.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use data_encoding::HEXLOWER;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{MissedTickBehavior, interval_at, timeout};
use wire::PeerId;
use wire::session::{FromPeer, Refusal};

use crate::channel::{ChannelHandle, ToChannel};
use crate::config::Limits;
use crate::machine;
use crate::members::{Member, SessionId};
use crate::metrics::Metrics;
use crate::opening::{Refused, admit, hello};
use crate::outbox::{OutboxReader, Outgoing, outbox};
use crate::rate::Bucket;
use crate::refusals::{Door, Reason};
use crate::shell::Shell;

/// A peer's place in its channel, which hears of its end however that comes.
struct Presence {
    channel: ChannelHandle,
    peer: PeerId,
    session: SessionId,
    is_source: bool,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.channel.tell_later(ToChannel::Left { peer: self.peer, session: self.session });
    }
}

/// Serves one session from its hello to its end.
/// `embedded_in`: the other site whose page opened it.
pub(crate) async fn serve(mut socket: WebSocket, embedded_in: Option<String>, shell: Arc<Shell>) {
    shell.metrics.sessions.add_one();
    let (mut ending, config) = (shell.ending.clone(), shell.config());
    let opened = tokio::select! {
        opened = open(&mut socket, embedded_in, &shell, &config.limits) => opened,
        _ = ending.wait_for(|ending| *ending) => {
            Err(Some(Refused::new(Refusal::ShuttingDown, "The server is shutting down; reconnect.")))
        }
    };
    match opened {
        Ok((presence, queue)) => run(socket, presence, queue, &config.limits, &shell.metrics).await,
        Err(Some(refused)) => {
            shell.metrics.refused(Door::Opening, refused.reason);
            let farewell = async {
                if socket.send(Message::text(refused.to_text())).await.is_ok() {
                    say_goodbye(&mut socket).await;
                }
            };
            // Whether they hear it is up to them.
            let _ = timeout(config.limits.farewell, farewell).await;
        }
        Err(None) => {}
    }
}

/// `Err(None)`: the peer is gone.
async fn open(
    socket: &mut WebSocket,
    embedded_in: Option<String>,
    shell: &Arc<Shell>,
    limits: &Limits,
) -> Result<(Presence, OutboxReader), Option<Refused>> {
    let nonce = HEXLOWER.encode(&machine::random::<16>());
    socket.send(Message::text(hello(&nonce))).await.map_err(|_| None)?;
    let first = timeout(limits.first_message_timeout, first_message(socket)).await.map_err(|_| {
        Refused::new(
            Refusal::BadMessage,
            "Nothing was said in time: a session begins with `join` or `announce`.",
        )
        .because(Reason::NothingSaid)
    })??;
    let entrance = admit(first, &nonce, embedded_in, shell).await?;
    let (outbox, queue) = outbox(limits);
    let member = Member { session: SessionId::next(), outbox };
    let presence = Presence {
        channel: entrance.channel.clone(),
        peer: entrance.peer,
        session: member.session,
        is_source: entrance.is_source(),
    };
    if presence.channel.tell(entrance.message(member)).await.is_err() {
        return Err(Some(Refused::new(Refusal::Busy, "The channel is restarting; reconnect.")));
    }
    Ok((presence, queue))
}

async fn first_message(socket: &mut WebSocket) -> Result<FromPeer, Option<Refused>> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => return Ok(FromPeer::parse(&text).map_err(bad_message)?),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => {
                return Err(Some(Refused::new(
                    Refusal::BadMessage,
                    "Frames come after `join` or `announce`.",
                )));
            }
            Some(Ok(Message::Close(_))) | None => return Err(None),
            Some(Err(error)) => return Err(Some(unreadable(&error))),
        }
    }
}

async fn run(socket: WebSocket, presence: Presence, queue: OutboxReader, limits: &Limits, metrics: &Metrics) {
    let (mut sink, mut stream) = socket.split();
    {
        let mut writing = pin!(write(&mut sink, &presence, &queue, limits));
        tokio::select! {
            ended = read(&mut stream, &presence, limits, metrics) => match ended {
                Some(refused) => {
                    metrics.refused(Door::Session, refused.reason);
                    queue.refuse(refused.code, refused.message);
                    let _ = timeout(limits.farewell, &mut writing).await;
                }
                None => return,
            },
            () = &mut writing => {}
        }
    }
    if queue.has_overflowed() {
        metrics.refused(Door::Session, Reason::TooSlow);
    }
    drop(presence);
    if let Ok(mut socket) = sink.reunite(stream) {
        let _ = timeout(limits.farewell, say_goodbye(&mut socket)).await;
    }
}

/// Closes in order. What the peer still sends is read: unread bytes would make the system reset the connection,
/// and the peer lose our last words.
async fn say_goodbye(socket: &mut WebSocket) {
    if socket.send(Message::Close(None)).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

/// Returns why the session has to end; `None`: the peer is gone.
async fn read(
    stream: &mut SplitStream<WebSocket>,
    presence: &Presence,
    limits: &Limits,
    metrics: &Metrics,
) -> Option<Refused> {
    let Presence { channel, peer, session, is_source } = presence;
    let (peer, session) = (*peer, *session);
    let frame_rate = if *is_source { limits.source_frames_per_second } else { limits.frames_per_second };
    let mut texts = Bucket::new(limits.texts_per_second, limits.texts_burst, machine::instant());
    let mut frames = Bucket::new(frame_rate, frame_rate, machine::instant());
    loop {
        let told = match timeout(limits.dead_after, stream.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => {
                wait_for(&mut texts).await;
                match FromPeer::parse(&text) {
                    Ok(message) => channel.tell(ToChannel::Said { peer, session, message }).await,
                    Err(error) => return Some(bad_message(error)),
                }
            }
            Ok(Some(Ok(Message::Binary(bytes)))) => {
                wait_for(&mut frames).await;
                channel.tell(ToChannel::Frame { peer, session, bytes }).await
            }
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {
                wait_for(&mut texts).await;
                Ok(())
            }
            Ok(Some(Err(error))) => return Some(unreadable(&error)),
            Ok(Some(Ok(Message::Close(_))) | None) => return None,
            Err(_) => {
                metrics.refused(Door::Session, Reason::Silent);
                return None;
            }
        };
        if told.is_err() {
            return Some(Refused::new(Refusal::Busy, "The channel is restarting; reconnect."));
        }
    }
}

/// Who says too much waits, and the network with it.
async fn wait_for(bucket: &mut Bucket) {
    while let Err(wait) = bucket.take(machine::instant()) {
        tokio::time::sleep(wait).await;
    }
}

/// Returns when all is said, or the peer does not take it.
async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    presence: &Presence,
    queue: &OutboxReader,
    limits: &Limits,
) {
    let mut ping = interval_at(tokio::time::Instant::now() + limits.ping_every, limits.ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next = tokio::select! {
            biased;
            _ = ping.tick() => Some(None),
            next = queue.next() => next.map(Some),
        };
        let (message, frame_bytes) = match next {
            Some(None) => (Message::Ping(bytes::Bytes::new()), 0),
            Some(Some(Outgoing::Text(text))) => (Message::text(text), 0),
            Some(Some(Outgoing::Frame(frame))) => {
                let length = frame.len();
                (Message::Binary(frame), length)
            }
            None => return,
        };
        if !send(sink, message, limits.dead_after).await {
            return;
        }
        if frame_bytes > 0 && queue.sent(frame_bytes) {
            let drained = ToChannel::Drained { peer: presence.peer, session: presence.session };
            // A channel that is gone closes the queue as well.
            let _ = presence.channel.tell(drained).await;
        }
    }
}

async fn send(sink: &mut SplitSink<WebSocket, Message>, message: Message, within: Duration) -> bool {
    matches!(timeout(within, sink.send(message)).await, Ok(Ok(())))
}

fn bad_message(error: wire::session::SessionError) -> Refused {
    Refused::new(Refusal::BadMessage, error.to_string()).because(Reason::from(&error))
}

fn unreadable(error: &axum::Error) -> Refused {
    Refused::new(Refusal::BadMessage, format!("Unreadable: {error}")).because(Reason::Unreadable)
}
