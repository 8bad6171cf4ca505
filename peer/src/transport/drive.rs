//! The task of one link: moves datagrams, frames and time between the socket, the handles and the connection.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::connection::{Connection, ConnectionEvent};
use super::endpoint::Registration;
use super::link::{CloseReason, Command, Lane, LinkEvent, Shared};
use super::socket::{Inbound, Outbound};

/// Datagrams and commands taken in one turn, before what they caused is sent.
const TURN_MAX: usize = 64;
/// Shortest time between two turns that only a timer caused.
const TIMER_PAUSE: Duration = Duration::from_millis(1);
/// A link without a timer looks around this often.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Everything the task owns.
pub(super) struct Drive {
    connection: Connection,
    registration: Registration,
    ends: Ends,
    opening: Opening,
    disconnected_grace: Duration,
    closes_at: Option<(Instant, CloseReason)>,
    timer_handled: Option<Instant>,
    notices: VecDeque<LinkEvent>,
    /// Bytes on each lane that the connection had not released when last asked.
    outstanding: [usize; 2],
    outgoing: Vec<Outbound>,
    paths: Paths,
}

/// The task's ends of the queues.
pub(super) struct Ends {
    pub(super) inbox: mpsc::Receiver<Inbound>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Sender<LinkEvent>,
    pub(super) shared: Arc<Shared>,
}

#[derive(Default)]
struct Opening {
    lanes: [bool; 2],
    done: bool,
}

/// What ended a wait.
enum Wake {
    Datagram(Inbound),
    Command(Command),
    Look,
    Close,
}

/// What is known about the addresses of the peer.
#[derive(Default)]
struct Paths {
    /// The local address that datagrams from each address were sent to: answers leave from there.
    sources: HashMap<SocketAddr, IpAddr>,
    /// Addresses that the endpoint routes to this link; false: too many, nothing is sent there.
    routed: HashMap<SocketAddr, bool>,
    claimed: HashSet<SocketAddr>,
}

impl Drive {
    /// A link that closes unless it is open within `open_timeout`.
    pub(super) fn new(
        now: Instant,
        connection: Connection,
        registration: Registration,
        ends: Ends,
        open_timeout: Duration,
        disconnected_grace: Duration,
    ) -> Self {
        Self {
            connection,
            registration,
            ends,
            opening: Opening::default(),
            disconnected_grace,
            closes_at: Some((now + open_timeout, CloseReason::OpenTimeout)),
            timer_handled: None,
            notices: VecDeque::new(),
            outstanding: [0; 2],
            outgoing: Vec::new(),
            paths: Paths::default(),
        }
    }

    /// Runs the link to its end.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.ends.shared);
        let why = self.run_until_end().await;
        shared.become_closed(why);
        self.connection.close();
        while let Some(datagram) = self.connection.poll_transmit() {
            self.outgoing.push(datagram);
        }
        self.flush().await;
        tracing::debug!(?why, "link closed");
    }

    async fn run_until_end(&mut self) -> CloseReason {
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            let now = Instant::now();
            let end = self.advance(now);
            self.flush().await;
            if let Some(why) = end {
                return why;
            }
            if let Some(why) = self.wait(now, timer.as_mut()).await {
                return why;
            }
        }
    }

    /// Waits for something to happen and takes it in.
    async fn wait(&mut self, now: Instant, mut timer: Pin<&mut Sleep>) -> Option<CloseReason> {
        let wake_at = self.wake_at(now).into();
        if timer.deadline() != wake_at {
            timer.as_mut().reset(wake_at);
        }
        let Ends { inbox, commands, events, shared } = &mut self.ends;
        let reader_is_behind = events.capacity() == 0;
        let wake = tokio::select! {
            Some(datagram) = inbox.recv() => Wake::Datagram(datagram),
            command = commands.recv() => command.map_or(Wake::Close, Wake::Command),
            () = timer => Wake::Look,
            permit = events.reserve(), if reader_is_behind => permit.map_or(Wake::Close, |_| Wake::Look),
            () = events.closed() => Wake::Close,
            () = shared.closing.notified() => Wake::Close,
        };
        match wake {
            Wake::Datagram(datagram) => self.take_datagrams(datagram),
            Wake::Command(command) => return self.take_commands(command),
            Wake::Look => {}
            Wake::Close => return Some(CloseReason::Local),
        }
        None
    }

    fn take_datagrams(&mut self, first: Inbound) {
        let now = Instant::now();
        let mut next = Some(first);
        for _ in 0..TURN_MAX {
            let Some(datagram) = next else { return };
            if let Some(to) = datagram.to {
                self.paths.sources.insert(datagram.from, to);
            }
            self.connection.handle_datagram(now, datagram);
            next = self.ends.inbox.try_recv().ok();
        }
        if let Some(datagram) = next {
            self.connection.handle_datagram(now, datagram);
        }
    }

    fn take_commands(&mut self, first: Command) -> Option<CloseReason> {
        let now = Instant::now();
        let end = self.take_command(now, first);
        for _ in 1..TURN_MAX {
            if end.is_some() {
                break;
            }
            let Ok(command) = self.ends.commands.try_recv() else { break };
            if let Some(why) = self.take_command(now, command) {
                return Some(why);
            }
        }
        end
    }

    fn take_command(&mut self, now: Instant, command: Command) -> Option<CloseReason> {
        match command {
            Command::Frame { lane, bytes } => {
                let length = bytes.len();
                if !self.connection.send(now, lane, bytes) {
                    self.ends.shared.release(lane, length);
                    return Some(CloseReason::Broken);
                }
                self.outstanding[lane.index()] += length;
                None
            }
            Command::Candidate { line } => {
                self.connection.add_candidate(&line);
                None
            }
            Command::Answer { sdp, done } => {
                let taken = self.connection.accept_answer(now, &sdp);
                let _ = done.send(taken.is_ok());
                taken.err().map(|_| CloseReason::Broken)
            }
        }
    }

    /// Lets the connection do all it can now; the reason when that ends the link.
    fn advance(&mut self, now: Instant) -> Option<CloseReason> {
        let due = self.connection.poll_timeout().is_some_and(|at| at <= now);
        if due {
            self.connection.handle_timeout(now);
            self.timer_handled = Some(now);
        }
        // Each step can make work for the others, so go round until there is none: what is left lying here
        // would wait for the next timer.
        let mut nudged = false;
        loop {
            let mut idle = true;
            while let Some(datagram) = self.connection.poll_transmit() {
                self.outgoing.push(datagram);
                idle = false;
            }
            while let Some(event) = self.connection.poll_event(now) {
                if let Some(why) = self.take_event(now, event) {
                    return Some(why);
                }
                idle = false;
            }
            idle &= !self.deliver();
            if idle && (nudged || self.opening.done) {
                break;
            }
            // The crate starts DTLS after ICE, and SCTP after DTLS, only when time passes next. Left to its own
            // timers that costs a quarter of a second.
            nudged = idle;
            if nudged {
                self.connection.handle_timeout(now);
            }
        }
        self.release_sent();
        self.closes_at.filter(|(at, _)| *at <= now).map(|(_, why)| why)
    }

    fn take_event(&mut self, now: Instant, event: ConnectionEvent) -> Option<CloseReason> {
        match event {
            ConnectionEvent::LaneOpen(lane) => self.lane_opened(lane),
            ConnectionEvent::Reachable if self.opening.done => self.closes_at = None,
            ConnectionEvent::Unreachable if self.opening.done => {
                self.closes_at = Some((now + self.disconnected_grace, CloseReason::Lost));
            }
            ConnectionEvent::Reachable | ConnectionEvent::Unreachable => {}
            ConnectionEvent::Failed => return Some(CloseReason::Lost),
            ConnectionEvent::Ended => return Some(CloseReason::Remote),
        }
        None
    }

    fn lane_opened(&mut self, lane: Lane) {
        self.opening.lanes[lane.index()] = true;
        if self.opening.lanes == [true; 2] && !self.opening.done {
            self.opening.done = true;
            self.closes_at = None;
            self.ends.shared.become_open();
            self.notices.push_back(LinkEvent::Open);
        }
    }

    /// Passes on notices and frames while the reader has room; whether there were any.
    fn deliver(&mut self) -> bool {
        let mut any = false;
        while self.ends.events.capacity() > 0 {
            let Some(event) = self.next_event() else { break };
            if self.ends.events.try_send(event).is_err() {
                break;
            }
            any = true;
        }
        any
    }

    fn next_event(&mut self) -> Option<LinkEvent> {
        if let Some(notice) = self.notices.pop_front() {
            return Some(notice);
        }
        if !self.opening.done {
            return None;
        }
        let (lane, bytes) = self.connection.poll_frame()?;
        Some(LinkEvent::Frame { lane, bytes })
    }

    /// Gives back the room of what was acknowledged or given up, and says so to whoever waits.
    fn release_sent(&mut self) {
        for lane in Lane::ALL {
            let now = self.connection.outstanding(lane);
            let before = std::mem::replace(&mut self.outstanding[lane.index()], now);
            self.ends.shared.release(lane, before.saturating_sub(now));
        }
        if self.opening.done && self.ends.shared.take_writable() {
            self.notices.push_back(LinkEvent::Writable);
            self.deliver();
        }
    }

    /// When to look again if nothing happens.
    fn wake_at(&mut self, now: Instant) -> Instant {
        let mut at = self.connection.poll_timeout().unwrap_or(now + IDLE_PAUSE);
        if let Some(handled) = self.timer_handled {
            at = at.max(handled + TIMER_PAUSE);
        }
        match self.closes_at {
            Some((closes_at, _)) => at.min(closes_at),
            None => at,
        }
    }

    /// Sends what has gathered.
    async fn flush(&mut self) {
        if self.outgoing.is_empty() {
            return;
        }
        let mut batch = std::mem::take(&mut self.outgoing);
        batch.retain(|datagram| self.may_send(datagram));
        let sources = &self.paths.sources;
        self.registration.socket().send(&batch, |to| sources.get(&to).copied()).await;
        batch.clear();
        self.outgoing = batch;
    }

    /// Makes sure that what the addressee answers finds this link.
    fn may_send(&mut self, datagram: &Outbound) -> bool {
        let secured = datagram.bytes.first().is_some_and(|byte| *byte >= 20);
        if secured && self.paths.claimed.insert(datagram.to) {
            // Only addresses that passed a connectivity check get here.
            let mut routes = self.registration.routes().lock().unwrap_or_else(PoisonError::into_inner);
            routes.claim(self.registration.id(), datagram.to);
        }
        *self.paths.routed.entry(datagram.to).or_insert_with(|| {
            let mut routes = self.registration.routes().lock().unwrap_or_else(PoisonError::into_inner);
            routes.associate(self.registration.id(), datagram.to)
        })
    }
}
