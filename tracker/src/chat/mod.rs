//! Chat by the channel: a WebSocket of its own for each who reads, so that a viewer who does not costs nothing.
//!
//! `room` decides, `words` looks at text, `message` is the wire format; `visit` is one connection, `door` lets it in. Here
//! are the rooms, and the queues to those who are in them. What is said is in memory alone.

mod door;
mod message;
mod room;
mod visit;
mod words;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use swarm::Timestamp;
use tokio::sync::mpsc;
use wire::{ChannelId, Epoch};

use crate::config::Limits;
use crate::machine;
use crate::store::Channel;
pub(crate) use door::routes;
pub(crate) use message::Objection;
use message::{FromVisitor, ToVisitor};
use room::{Bounds, HouseholdId, Output, Room, Rules, SpeakerId, VisitId, Visitor};

/// The rooms of all channels that are on the air or read.
#[derive(Debug)]
pub(crate) struct Chats {
    rooms: Mutex<HashMap<ChannelId, Arc<Mutex<Hall>>>>,
    /// Of this process: what speakers and households are hashed with.
    secret: [u8; 32],
    /// Connections that are open.
    open: AtomicU64,
}

/// A room, and the queues to those who are in it.
#[derive(Debug)]
struct Hall {
    room: Room,
    queues: HashMap<VisitId, mpsc::Sender<Arc<str>>>,
    /// The channel is not there any more.
    removed: bool,
}

/// A place in a room, given back on drop.
#[derive(Debug)]
struct Place {
    chats: Arc<Chats>,
    channel: ChannelId,
    hall: Arc<Mutex<Hall>>,
    visit: VisitId,
}

impl Chats {
    pub(crate) fn new() -> Self {
        Chats { rooms: Mutex::default(), secret: machine::random(), open: AtomicU64::new(0) }
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// A broadcast of `channel` is on the air.
    pub(crate) fn begin(&self, channel: &Channel, epoch: Epoch, limits: &Limits, now: Timestamp) {
        let mut rooms = self.rooms();
        let hall = Arc::clone(rooms.entry(channel.id).or_insert_with(|| Hall::new(channel, limits, now)));
        lock(&hall).change(|room| room.begin(epoch));
    }

    /// It has ended.
    pub(crate) fn over(&self, channel: ChannelId) {
        self.change(channel, Room::over);
    }

    /// Whether it is for those with the whole link.
    pub(crate) fn seal(&self, channel: ChannelId, sealed: bool) {
        self.change(channel, |room| room.seal(sealed));
    }

    /// The owner has changed something.
    pub(crate) fn changed(&self, channel: &Channel) {
        self.change(channel.id, |room| room.set_rules(Rules::of(channel)));
    }

    /// The channel is not there any more.
    pub(crate) fn removed(&self, channel: ChannelId) {
        if let Some(hall) = self.rooms().remove(&channel) {
            let mut hall = lock(&hall);
            hall.removed = true;
            hall.queues.clear();
        }
    }

    fn change(&self, channel: ChannelId, change: impl FnOnce(&mut Room)) {
        let mut rooms = self.rooms();
        let Some(hall) = rooms.get(&channel).cloned() else { return };
        let mut hall = lock(&hall);
        hall.change(change);
        if hall.room.is_idle() {
            rooms.remove(&channel);
        }
    }

    /// Lets somebody in. What they are told comes out of the queue; one that is full ends the visit.
    fn enter(
        self: &Arc<Self>,
        channel: &Channel,
        visitor: Visitor,
        limits: &Limits,
        now: Timestamp,
    ) -> (Place, mpsc::Receiver<Arc<str>>) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let visit = VisitId(NEXT.fetch_add(1, Ordering::Relaxed));
        let (queue, reader) = mpsc::channel(limits.chat_queued_max.max(1));
        let mut rooms = self.rooms();
        let hall = Arc::clone(rooms.entry(channel.id).or_insert_with(|| Hall::new(channel, limits, now)));
        {
            let mut hall = lock(&hall);
            hall.queues.insert(visit, queue);
            hall.change(|room| room.enter(visit, visitor));
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        (Place { chats: Arc::clone(self), channel: channel.id, hall, visit }, reader)
    }

    /// The speaker that a secret stands for in a channel.
    fn speaker(&self, channel: ChannelId, secret: &[u8]) -> SpeakerId {
        SpeakerId(self.hashed(b"speaker", &[&channel.0, secret]))
    }

    fn household(&self, address: std::net::IpAddr) -> Option<HouseholdId> {
        let address = crate::rate::household(address);
        (!address.is_loopback())
            .then(|| HouseholdId(self.hashed(b"address", &[address.to_string().as_bytes()])))
    }

    fn hashed(&self, kind: &[u8; 7], parts: &[&[u8]]) -> [u8; 8] {
        let mut digest = Sha256::new_with_prefix(self.secret).chain_update(kind);
        parts.iter().for_each(|part| digest.update(part));
        let mut hashed = [0; 8];
        hashed.copy_from_slice(&digest.finalize()[..8]);
        hashed
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<ChannelId, Arc<Mutex<Hall>>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hall {
    fn new(channel: &Channel, limits: &Limits, now: Timestamp) -> Arc<Mutex<Self>> {
        let bounds = Bounds {
            lines_kept: limits.chat_lines_kept,
            lines_per_second: limits.chat_lines_per_second,
            line_every: limits.chat_line_every,
        };
        let zero_unix_ms = machine::unix_ms().saturating_sub(now.as_millis());
        let room = Room::new(bounds, Rules::of(channel), zero_unix_ms);
        Arc::new(Mutex::new(Hall { room, queues: HashMap::new(), removed: false }))
    }

    /// Changes the room, and queues what it says to that.
    fn change<T>(&mut self, change: impl FnOnce(&mut Room) -> T) -> T {
        let changed = change(&mut self.room);
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::All(message) => self.tell_all(&message),
                Output::One(visit, message) => self.tell(visit, message.to_text().into()),
            }
        }
        changed
    }

    fn tell_all(&mut self, message: &ToVisitor) {
        let text: Arc<str> = message.to_text().into();
        self.queues.retain(|_, queue| queue.try_send(Arc::clone(&text)).is_ok());
    }

    /// Who does not read has no queue any more, which ends the visit.
    fn tell(&mut self, visit: VisitId, text: Arc<str>) {
        if self.queues.get(&visit).is_some_and(|queue| queue.try_send(text).is_err()) {
            self.queues.remove(&visit);
        }
    }
}

impl Place {
    fn say(&self, now: Timestamp, said: FromVisitor) -> Result<(), Objection> {
        lock(&self.hall).change(|room| room.handle(now, self.visit, said))
    }

    fn prove(&self, key: ChannelId) -> Result<(), Objection> {
        lock(&self.hall).change(|room| room.proven(self.visit, key))
    }

    /// Why there is no queue any more.
    fn end(&self) -> Objection {
        if lock(&self.hall).removed { Objection::Removed } else { Objection::TooSlow }
    }

    fn object(&self, reason: Objection) {
        let refused = ToVisitor::Refused { reason, wait_ms: None };
        lock(&self.hall).tell(self.visit, refused.to_text().into());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut rooms = self.chats.rooms();
        let mut hall = lock(&self.hall);
        hall.queues.remove(&self.visit);
        hall.change(|room| room.leave(self.visit));
        // A channel that was removed and came back has another room.
        let is_current = rooms.get(&self.channel).is_some_and(|current| Arc::ptr_eq(current, &self.hall));
        if is_current && hall.room.is_idle() {
            rooms.remove(&self.channel);
        }
        self.chats.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock(hall: &Mutex<Hall>) -> MutexGuard<'_, Hall> {
    hall.lock().unwrap_or_else(PoisonError::into_inner)
}
