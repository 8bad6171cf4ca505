//! One connection to a chat: reads what its visitor says, writes what the room has for them, and ends with those who are
//! gone, silent, or do not read.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use wire::chat::check_proof;

use super::message::{FromVisitor, Objection, ToVisitor};
use super::room::{HouseholdId, Visitor};
use super::{Chats, Place};
use crate::config::Config;
use crate::machine;
use crate::pulse::{Pulse, Sign};
use crate::rate::Bucket;
use crate::refusals::{Door, Reason};
use crate::shell::Shell;
use crate::store::Channel;
use crate::websocket::{Failure, Received, Socket};

/// The longest message: a sealed line, or a text of full length with every character escaped.
const MESSAGE_MAX: usize = 8 << 10;

/// Bytes that are taken from the queue to be written at once.
const BATCH_BYTES: usize = 16 << 10;

/// Messages of one visitor in a second on average, and at once; what is more waits in the network. 5 and 20: a moderator who
/// presses faster than they look.
const MESSAGES: (u32, u32) = (5, 20);

/// Bytes of the secret that makes a speaker.
const SECRET_BYTES: usize = 16;

type ChatSocket = Socket<TokioIo<Upgraded>>;

struct Visit<'a> {
    socket: ChatSocket,
    channel: Arc<Channel>,
    household: Option<HouseholdId>,
    nonce: String,
    shell: &'a Shell,
    config: Arc<Config>,
    place: Option<(Place, mpsc::Receiver<Arc<str>>)>,
    messages: Bucket,
    /// It said too much: nothing is read until then.
    resume_at: Option<Instant>,
    pulse: Pulse,
    /// Who has not entered by then has said nothing.
    enter_by: Instant,
}

enum Event {
    Received(Received),
    Failed(Failure),
    Queued(Arc<str>),
    /// The queue is gone: it was full, or the room is.
    QueueOver,
    Due,
}

/// Why a visit ends. `None`: the visitor is gone.
type End = Option<Objection>;

/// Serves a visit from its hello to its end.
pub(super) async fn serve(
    stream: Upgraded,
    channel: Arc<Channel>,
    household: Option<HouseholdId>,
    shell: &Shell,
) {
    let mut visit = Visit::new(stream, channel, household, shell);
    let mut ending = shell.ending.clone();
    let end = tokio::select! {
        end = visit.converse() => end,
        _ = ending.wait_for(|ending| *ending) => Some(Objection::ShuttingDown),
    };
    let Visit { socket, place, .. } = visit;
    drop(place);
    if let Some(reason) = end {
        say_goodbye(socket, reason, shell).await;
    }
}

/// Says why nobody is let in.
pub(super) async fn turn_away(stream: Upgraded, reason: Objection, shell: &Shell) {
    say_goodbye(Socket::new(TokioIo::new(stream), MESSAGE_MAX), reason, shell).await;
}

async fn say_goodbye(mut socket: ChatSocket, reason: Objection, shell: &Shell) {
    if let Some(counted) = Reason::of_chat(reason) {
        shell.metrics.refused(Door::Chat, counted);
    }
    socket.queue_text(&ToVisitor::Bye { reason }.to_text());
    socket.queue_close();
    let goodbye = async {
        if poll_fn(|context| socket.poll_flush(context)).await.is_ok() {
            // What is still sent is read: unread bytes would make the system reset the connection before the last words.
            while poll_fn(|context| socket.poll_receive(context))
                .await
                .is_ok_and(|received| received != Received::Close)
            {}
        }
    };
    let _ = timeout(shell.config().limits.farewell, goodbye).await;
}

impl<'a> Visit<'a> {
    fn new(
        stream: Upgraded,
        channel: Arc<Channel>,
        household: Option<HouseholdId>,
        shell: &'a Shell,
    ) -> Self {
        let (config, now) = (shell.config(), Instant::now());
        let nonce = HEXLOWER.encode(&machine::random::<16>());
        let mut socket = Socket::new(TokioIo::new(stream), MESSAGE_MAX);
        socket.queue_text(&ToVisitor::Hello { nonce: nonce.clone(), channel: channel.id }.to_text());
        Visit {
            socket,
            channel,
            household,
            nonce,
            shell,
            place: None,
            messages: Bucket::new(MESSAGES.0, MESSAGES.1, machine::instant()),
            resume_at: None,
            pulse: Pulse::begin(now),
            enter_by: now + config.limits.first_message_timeout,
            config,
        }
    }

    async fn converse(&mut self) -> End {
        let mut timer = pin!(sleep_until(self.due()));
        loop {
            let event = poll_fn(|context| self.poll(context, timer.as_mut())).await;
            let ended = match event {
                Event::Received(received) => self.take(received),
                Event::Failed(Failure::Gone) => Err(None),
                Event::Failed(Failure::Violation(_)) => Err(Some(Objection::BadMessage)),
                Event::Queued(text) => {
                    if self.socket.unsent_bytes() == 0 {
                        self.pulse.taken(Instant::now());
                    }
                    self.socket.queue_text(&text);
                    Ok(())
                }
                Event::QueueOver => Err(self.place.as_ref().map(|(place, _)| place.end())),
                Event::Due => self.look_at_clock(),
            };
            if let Err(end) = ended {
                return end;
            }
            let due = self.due();
            // As in a session: a timer that is due too early is set anew when it has come.
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
                Poll::Ready(Ok(())) => self.pulse.taken(Instant::now()),
                Poll::Ready(Err(failure)) => return Poll::Ready(Event::Failed(failure)),
                Poll::Pending => {}
            }
        }
        match self.place.as_mut() {
            Some((_, queue)) if self.socket.unsent_bytes() < BATCH_BYTES => {
                if let Poll::Ready(queued) = queue.poll_recv(context) {
                    return Poll::Ready(queued.map_or(Event::QueueOver, Event::Queued));
                }
            }
            // Nothing is taken from the queue, so its end wakes nobody: it is seen at the next look at the clock.
            Some((_, queue)) if queue.is_closed() => return Poll::Ready(Event::QueueOver),
            _ => {}
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
        // What was read is dealt with; for what comes next there may be a wait.
        self.resume_at = self.messages.take(machine::instant()).err().map(|wait| now + wait);
        match received {
            Received::Text(text) => {
                let said = serde_json::from_str(&text).map_err(|_| Some(Objection::BadMessage))?;
                self.hear(said)
            }
            Received::Binary(_) => Err(Some(Objection::BadMessage)),
            Received::Beat => Ok(()),
            Received::Close => Err(None),
        }
    }

    fn hear(&mut self, said: FromVisitor) -> Result<(), End> {
        let now = self.shell.clock.now();
        let done = match (&self.place, said) {
            (None, FromVisitor::Enter { secret }) => {
                let secret = secret_of(&secret).ok_or(Some(Objection::BadMessage))?;
                self.enter(&secret);
                return Ok(());
            }
            (None, _) | (Some(_), FromVisitor::Enter { .. }) => return Err(Some(Objection::BadMessage)),
            (Some((place, _)), FromVisitor::Prove { key, proof }) => {
                let proven = check_proof(key, self.channel.id, &self.nonce, &proof);
                let done = proven.map_err(|_| Objection::BadProof).and_then(|()| place.prove(key));
                done.inspect_err(|reason| place.object(*reason))
            }
            (Some((place, _)), FromVisitor::Say(words)) => {
                place.say(now, FromVisitor::Say(words)).inspect(|()| self.shell.metrics.chat_lines.add_one())
            }
            (Some((place, _)), said) => place.say(now, said),
        };
        if let Some(counted) = done.err().and_then(Reason::of_chat) {
            self.shell.metrics.refused(Door::Chat, counted);
        }
        Ok(())
    }

    fn enter(&mut self, secret: &[u8; SECRET_BYTES]) {
        let chats: &Arc<Chats> = &self.shell.directory.chats;
        let speaker = chats.speaker(self.channel.id, secret);
        let visitor = Visitor { speaker, household: self.household };
        self.place = Some(chats.enter(&self.channel, visitor, &self.config.limits, self.shell.clock.now()));
    }

    fn due(&self) -> Instant {
        let due = match &self.place {
            Some(_) => self.pulse.due(self.socket.unsent_bytes() > 0, &self.config.limits),
            None => self.enter_by,
        };
        self.resume_at.map_or(due, |resume_at| resume_at.min(due))
    }

    fn look_at_clock(&mut self) -> Result<(), End> {
        let now = Instant::now();
        self.resume_at.take_if(|at| *at <= now);
        if self.place.is_none() {
            return if now < self.enter_by { Ok(()) } else { Err(Some(Objection::NothingSaid)) };
        }
        match self.pulse.look(now, self.socket.unsent_bytes() > 0, &self.config.limits) {
            Sign::Well => {}
            Sign::PingDue => self.socket.queue_ping(),
            Sign::Dead => {
                self.shell.metrics.refused(Door::Chat, Reason::Silent);
                return Err(None);
            }
        }
        Ok(())
    }
}

fn secret_of(text: &str) -> Option<[u8; SECRET_BYTES]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}
