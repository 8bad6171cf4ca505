//! One WebSocket session: reads what its peer says and hands it to the channel, writes what the channel queues.
//!
//! Knows nothing of swarms. Who comes in is decided in `opening`, everything else by the channel's task. Reading, writing
//! and the clock share one small task, as there are thousands of them.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use data_encoding::HEXLOWER;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use wire::PeerId;
use wire::limits::{FRAME_MAX, SESSION_TEXT_MAX};
use wire::session::{FromPeer, Refusal};

use crate::channel::{ChannelHandle, ToChannel, Waiting};
use crate::config::{Config, Limits};
use crate::machine;
use crate::members::{Member, SessionId};
use crate::metrics::Metrics;
use crate::opening::{Provenance, Refused, admit, hello};
use crate::outbox::{OutboxReader, Outgoing, outbox};
use crate::pulse::{Pulse, Sign};
use crate::rate::Bucket;
use crate::refusals::{Door, Reason};
use crate::shell::Shell;
use crate::websocket::{Failure, Received, Socket};

/// Bytes that are taken from the queue to be written at once. What is taken cannot be dropped when it is stale.
const BATCH_BYTES: usize = 16 << 10;

/// The longest message of either kind.
const MESSAGE_MAX: usize = if FRAME_MAX > SESSION_TEXT_MAX { FRAME_MAX } else { SESSION_TEXT_MAX };

type SessionSocket = Socket<TokioIo<Upgraded>>;

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
pub(crate) async fn serve(stream: Upgraded, from: Provenance, shell: Arc<Shell>) {
    shell.metrics.sessions.add_one();
    let mut socket = Socket::new(TokioIo::new(stream), MESSAGE_MAX);
    // Boxed, so that what letting somebody in takes is not kept for as long as they stay.
    let opened = Box::pin(open_unless_ending(&mut socket, from, &shell)).await;
    match opened {
        Ok((presence, queue)) => Session::new(socket, presence, queue, &shell).run().await,
        Err(Some(refused)) => Box::pin(turn_away(socket, refused, &shell)).await,
        Err(None) => {}
    }
}

async fn turn_away(mut socket: SessionSocket, refused: Refused, shell: &Shell) {
    shell.metrics.refused(Door::Opening, refused.reason);
    socket.queue_text(&refused.to_text());
    // Whether they hear it is up to them.
    let _ = timeout(shell.config().limits.farewell, say_goodbye(&mut socket)).await;
}

async fn open_unless_ending(
    socket: &mut SessionSocket,
    from: Provenance,
    shell: &Arc<Shell>,
) -> Result<(Presence, OutboxReader), Option<Refused>> {
    let (mut ending, config) = (shell.ending.clone(), shell.config());
    tokio::select! {
        opened = open(socket, from, shell, &config.limits) => opened,
        _ = ending.wait_for(|ending| *ending) => {
            Err(Some(Refused::new(Refusal::ShuttingDown, "The server is shutting down; reconnect.")))
        }
    }
}

/// `Err(None)`: the peer is gone.
async fn open(
    socket: &mut SessionSocket,
    from: Provenance,
    shell: &Arc<Shell>,
    limits: &Limits,
) -> Result<(Presence, OutboxReader), Option<Refused>> {
    let nonce = HEXLOWER.encode(&machine::random::<16>());
    socket.queue_text(&hello(&nonce));
    let first = timeout(limits.first_message_timeout, first_message(socket)).await.map_err(|_| {
        Refused::new(
            Refusal::BadMessage,
            "Nothing was said in time: a session begins with `join` or `announce`.",
        )
        .because(Reason::NothingSaid)
    })??;
    let address = from.address;
    let entrance = admit(first, &nonce, from, shell).await?;
    let (outbox, queue) = outbox(limits);
    let member = Member { session: SessionId::next(), from: address, outbox };
    let presence = Presence {
        channel: entrance.channel.clone(),
        peer: entrance.peer,
        session: member.session,
        is_source: entrance.is_source(),
    };
    match timeout(limits.join_wait, presence.channel.tell(entrance.message(member))).await {
        Ok(Ok(())) => Ok((presence, queue)),
        Ok(Err(_)) => Err(Some(Refused::new(Refusal::Busy, "The channel is restarting; reconnect."))),
        // Members go on: who is inside is served before who comes.
        Err(_) => {
            let message = "More people come than can be let in at once. Try again in a moment.";
            Err(Some(Refused::new(Refusal::Busy, message)))
        }
    }
}

async fn first_message(socket: &mut SessionSocket) -> Result<FromPeer, Option<Refused>> {
    loop {
        match receive(socket).await {
            Ok(Received::Text(text)) => return Ok(FromPeer::parse(&text).map_err(bad_message)?),
            Ok(Received::Beat) => {}
            Ok(Received::Binary(_)) => {
                return Err(Some(Refused::new(
                    Refusal::BadMessage,
                    "Frames come after `join` or `announce`.",
                )));
            }
            Ok(Received::Close) => return Err(None),
            Err(failure) => return Err(unreadable(failure)),
        }
    }
}

/// The next that the peer says, while all that is queued is written.
async fn receive(socket: &mut SessionSocket) -> Result<Received, Failure> {
    poll_fn(|context| {
        if socket.unsent_bytes() > 0
            && let Poll::Ready(Err(failure)) = socket.poll_flush(context)
        {
            return Poll::Ready(Err(failure));
        }
        socket.poll_receive(context)
    })
    .await
}

/// Closes in order. What the peer still sends is read: unread bytes would make the system reset the connection,
/// and the peer lose our last words.
async fn say_goodbye(socket: &mut SessionSocket) {
    socket.queue_close();
    if poll_fn(|context| socket.poll_flush(context)).await.is_ok() {
        while let Ok(received) = receive(socket).await {
            if received == Received::Close {
                break;
            }
        }
    }
}

/// A session that is under way.
struct Session {
    socket: SessionSocket,
    presence: Presence,
    queue: OutboxReader,
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    texts: Bucket,
    frames: Bucket,
    pulse: Pulse,
    /// A message for the channel, whose inbox is full. Nothing is read meanwhile.
    waiting: Option<Waiting>,
    /// It said too much: nothing is read until then, and the network waits with it.
    resume_at: Option<Instant>,
    /// It has said too much before, which is counted once.
    slowed: bool,
    /// Bytes of frames in what is being written.
    frame_bytes: usize,
}

/// What happens next on a session.
enum Event {
    /// The peer said something.
    Received(Received),
    /// It will say nothing more.
    Failed(Failure),
    /// All that was taken from the queue is written.
    Written,
    /// There is something in the queue.
    Queued,
    /// The channel has taken what waited for it, or is gone.
    Told(bool),
    /// The time that was waited for has come.
    Due,
}

/// Why a session ends.
enum End {
    /// The peer is gone.
    Gone,
    /// It is sent away.
    Refused(Refused),
    /// The channel has said all that it has to say.
    Said,
}

impl Session {
    fn new(socket: SessionSocket, presence: Presence, queue: OutboxReader, shell: &Shell) -> Self {
        let config = shell.config();
        let limits = &config.limits;
        let instant = machine::instant();
        let frame_rate =
            if presence.is_source { limits.source_frames_per_second } else { limits.frames_per_second };
        Session {
            socket,
            presence,
            queue,
            texts: Bucket::new(limits.texts_per_second, limits.texts_burst, instant),
            frames: Bucket::new(frame_rate, frame_rate, instant),
            pulse: Pulse::begin(Instant::now()),
            waiting: None,
            resume_at: None,
            slowed: false,
            frame_bytes: 0,
            config,
            metrics: Arc::clone(&shell.metrics),
        }
    }

    async fn run(mut self) {
        let end = {
            let mut timer = pin!(sleep_until(self.due()));
            self.converse(timer.as_mut()).await
        };
        Box::pin(self.finish(end)).await;
    }

    async fn converse(&mut self, mut timer: Pin<&mut Sleep>) -> End {
        loop {
            let event = poll_fn(|context| self.poll(context, timer.as_mut())).await;
            let ended = match event {
                Event::Received(received) => self.take(received),
                Event::Failed(failure) => Err(unreadable(failure).map_or(End::Gone, End::Refused)),
                Event::Written => self.written(),
                Event::Queued => self.fill(),
                Event::Told(told) => {
                    self.waiting = None;
                    if told { Ok(()) } else { Err(restarting()) }
                }
                Event::Due => self.look_at_clock(),
            };
            if let Err(end) = ended {
                return end;
            }
            let due = self.due();
            // A timer that is due too early is set anew when it has come: most messages change nothing about it.
            if timer.is_elapsed() || due < timer.deadline() {
                timer.as_mut().reset(due);
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Poll<Event> {
        if timer.poll(context).is_ready() {
            return Poll::Ready(Event::Due);
        }
        if self.socket.unsent_bytes() > 0 {
            match self.socket.poll_flush(context) {
                Poll::Ready(Ok(())) => return Poll::Ready(Event::Written),
                Poll::Ready(Err(failure)) => return Poll::Ready(Event::Failed(failure)),
                Poll::Pending => {}
            }
        } else if self.queue.poll_queued(context).is_ready() {
            return Poll::Ready(Event::Queued);
        }
        if let Some(waiting) = &mut self.waiting {
            return waiting.as_mut().poll(context).map(Event::Told);
        }
        if self.resume_at.is_some() {
            return Poll::Pending;
        }
        match self.socket.poll_receive(context) {
            Poll::Ready(Ok(received)) => Poll::Ready(Event::Received(received)),
            Poll::Ready(Err(failure)) => Poll::Ready(Event::Failed(failure)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn take(&mut self, received: Received) -> Result<(), End> {
        let now = Instant::now();
        self.pulse.heard(now);
        let bucket = if matches!(received, Received::Binary(_)) { &mut self.frames } else { &mut self.texts };
        // What was read is dealt with; for what comes next there may be a wait.
        self.resume_at = bucket.take(machine::instant()).err().map(|wait| now + wait);
        if self.resume_at.is_some() && !std::mem::replace(&mut self.slowed, true) {
            self.metrics.refused(Door::Session, Reason::TooMany);
        }
        let Presence { peer, session, .. } = self.presence;
        let message = match received {
            Received::Text(text) => {
                let message = FromPeer::parse(&text).map_err(|error| End::Refused(bad_message(error)))?;
                ToChannel::Said { peer, session, message }
            }
            Received::Binary(bytes) => ToChannel::Frame { peer, session, bytes },
            Received::Beat => return Ok(()),
            Received::Close => return Err(End::Gone),
        };
        self.waiting = self.presence.channel.tell_or_wait(message);
        Ok(())
    }

    /// Takes what waits for the peer, as much as is written at once.
    fn fill(&mut self) -> Result<(), End> {
        self.pulse.taken(Instant::now());
        while self.socket.unsent_bytes() < BATCH_BYTES {
            match self.queue.take() {
                Some(Outgoing::Text(text)) => self.socket.queue_text(&text),
                Some(Outgoing::Frame(frame)) => {
                    self.frame_bytes += frame.len();
                    self.socket.queue_binary(&frame);
                }
                None => break,
            }
        }
        // Nothing was there, and nothing will come.
        if self.socket.unsent_bytes() == 0 && self.queue.is_over() { Err(End::Said) } else { Ok(()) }
    }

    fn written(&mut self) -> Result<(), End> {
        self.pulse.taken(Instant::now());
        let frame_bytes = std::mem::take(&mut self.frame_bytes);
        if frame_bytes > 0 && self.queue.sent(frame_bytes) {
            let Presence { peer, session, .. } = self.presence;
            // A channel that is gone closes the queue as well.
            self.presence.channel.tell_later(ToChannel::Drained { peer, session });
        }
        Ok(())
    }

    /// When to look at the clock next.
    fn due(&self) -> Instant {
        let due = self.pulse.due(self.socket.unsent_bytes() > 0, &self.config.limits);
        self.resume_at.map_or(due, |resume_at| resume_at.min(due))
    }

    fn look_at_clock(&mut self) -> Result<(), End> {
        let now = Instant::now();
        self.resume_at.take_if(|at| *at <= now);
        match self.pulse.look(now, self.socket.unsent_bytes() > 0, &self.config.limits) {
            Sign::Well => {}
            Sign::PingDue => self.socket.queue_ping(),
            Sign::Dead => {
                self.metrics.refused(Door::Session, Reason::Silent);
                return Err(End::Gone);
            }
        }
        Ok(())
    }

    /// Last words.
    async fn finish(self, end: End) {
        if self.queue.has_overflowed() {
            self.metrics.refused(Door::Session, Reason::TooSlow);
        }
        if let End::Gone = end {
            return;
        }
        if let End::Refused(refused) = end {
            self.metrics.refused(Door::Session, refused.reason);
            self.queue.refuse(refused.code, refused.message);
        }
        let farewell = self.config.limits.farewell;
        let Session { mut socket, presence, queue, .. } = self;
        let rest = async {
            while let Some(outgoing) = queue.take() {
                if let Outgoing::Text(text) = outgoing {
                    socket.queue_text(&text);
                }
            }
            drop(presence);
            say_goodbye(&mut socket).await;
        };
        let _ = timeout(farewell, rest).await;
    }
}

fn restarting() -> End {
    End::Refused(Refused::new(Refusal::Busy, "The channel is restarting; reconnect."))
}

fn bad_message(error: wire::session::SessionError) -> Refused {
    Refused::new(Refusal::BadMessage, error.to_string()).because(Reason::from(&error))
}

/// `None`: the peer is gone.
fn unreadable(failure: Failure) -> Option<Refused> {
    match failure {
        Failure::Gone => None,
        Failure::Violation(violation) => {
            let refused = Refused::new(Refusal::BadMessage, format!("Unreadable: {violation}."));
            Some(refused.because(Reason::Unreadable))
        }
    }
}
