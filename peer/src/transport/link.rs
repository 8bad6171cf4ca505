//! One connection to a peer, as its user sees it: a handle to send on and a stream of events.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};

use super::config::{FRAME_MAX_BYTES, Limits};
use super::sdp;

/// The two data channels of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Channel 0: unordered, given up after one retransmission. For pieces that are pushed.
    Eager,
    /// Channel 1: ordered and reliable. For control messages and repairs.
    Control,
}

impl Lane {
    /// Both lanes, in the order of their channel ids.
    pub const ALL: [Self; 2] = [Self::Eager, Self::Control];

    pub(super) fn index(self) -> usize {
        match self {
            Self::Eager => 0,
            Self::Control => 1,
        }
    }
}

/// What happens on a link. `Closed` comes last and exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// Both lanes are open: frames can be sent.
    Open,
    /// The peer sent a frame.
    Frame {
        /// The lane it came on.
        lane: Lane,
        /// Its content, at most 64 KiB.
        bytes: Bytes,
    },
    /// A frame was refused as [`SendRefused::Full`]; half of the buffer is free again.
    Writable,
    /// The link is gone.
    Closed {
        /// Why it is.
        why: CloseReason,
    },
}

/// Why a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// This side closed it, or dropped its handles.
    Local,
    /// The peer closed it.
    Remote,
    /// The peer fell silent.
    Lost,
    /// It was not open in time.
    OpenTimeout,
    /// The connection broke in a way that is nobody's decision: a protocol violation or a defect.
    Broken,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendRefused {
    /// The link's buffer is full, or the link is not open yet. `Writable`, or `Open`, tells when to try again.
    #[error("the link's buffer is full")]
    Full,
    /// The link is closed.
    #[error("the link is closed")]
    Closed,
    /// No frame of this size will ever be taken.
    #[error("a frame of {0} bytes is larger than a link carries")]
    TooLarge(usize),
}

/// The link closed before it could do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkClosed {
    /// It was closed already.
    #[error("the link is closed")]
    Closed,
    /// The answer could not be used; the link closes.
    #[error("the answer could not be used")]
    UnusableAnswer,
}

/// Handle of one link; clones are the same link. The link closes when the last clone or its [`LinkEvents`]
/// is dropped.
#[derive(Debug, Clone)]
pub struct Link {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) shared: Arc<Shared>,
}

/// What a handle asks of the link's task.
#[derive(Debug)]
pub(super) enum Command {
    Frame { lane: Lane, bytes: Bytes },
    Answer { sdp: String, done: oneshot::Sender<bool> },
    Candidate { line: String },
}

impl Link {
    /// Takes the peer's answer to our offer.
    pub async fn accept_answer(&self, sdp: String) -> Result<(), LinkClosed> {
        if sdp.len() > self.shared.sdp_max_bytes {
            return Err(LinkClosed::UnusableAnswer);
        }
        let (done, accepted) = oneshot::channel();
        self.commands.send(Command::Answer { sdp, done }).await.map_err(|_| LinkClosed::Closed)?;
        match accepted.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(LinkClosed::UnusableAnswer),
            Err(_) => Err(LinkClosed::Closed),
        }
    }

    /// Adds a remote candidate, a line such as `candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host`. Those
    /// that cannot be used (TCP, names under `.local`, the empty end mark) are ignored.
    pub async fn add_candidate(&self, candidate: String) {
        if let Some(line) = sdp::usable_candidate(&candidate, self.shared.candidate_max_bytes) {
            // A closed link has no use for it.
            let _ = self.commands.send(Command::Candidate { line: line.to_owned() }).await;
        }
    }

    /// Hands a frame to the link, at once or not at all.
    pub fn try_send(&self, lane: Lane, frame: Bytes) -> Result<(), SendRefused> {
        let length = frame.len();
        if length > FRAME_MAX_BYTES {
            return Err(SendRefused::TooLarge(length));
        }
        if !self.shared.reserve(lane, length)? {
            return Err(SendRefused::Full);
        }
        self.commands.try_send(Command::Frame { lane, bytes: frame }).map_err(|refused| {
            self.shared.release(lane, length);
            match refused {
                mpsc::error::TrySendError::Full(_) => {
                    self.shared.starved.store(true, Ordering::SeqCst);
                    SendRefused::Full
                }
                mpsc::error::TrySendError::Closed(_) => SendRefused::Closed,
            }
        })
    }

    /// Bytes taken and not yet acknowledged by the peer or given up, both lanes together.
    pub fn buffered(&self) -> usize {
        self.shared.buffered()
    }

    /// Whether frames can be sent: open and not closed.
    pub fn is_open(&self) -> bool {
        self.shared.open.load(Ordering::Acquire) && !self.shared.closed.load(Ordering::Acquire)
    }

    /// Closes the link and tells the peer. `Closed` follows on [`LinkEvents`].
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.closing.notify_one();
    }
}

/// The events of one link.
#[derive(Debug)]
pub struct LinkEvents {
    pub(super) receiver: mpsc::Receiver<LinkEvent>,
    pub(super) shared: Arc<Shared>,
    pub(super) ended: bool,
}

impl LinkEvents {
    /// The next event; `None` after `Closed`. Cancel-safe.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        if self.ended {
            return None;
        }
        if let Some(event) = self.receiver.recv().await {
            return Some(event);
        }
        self.ended = true;
        Some(LinkEvent::Closed { why: self.shared.reason() })
    }
}

/// What the handles and the task of a link have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) closing: Notify,
    open: AtomicBool,
    closed: AtomicBool,
    /// A sender was told `Full` and waits for `Writable`.
    starved: AtomicBool,
    lanes: [AtomicUsize; 2],
    reason: Mutex<Option<CloseReason>>,
    buffered_max_bytes: usize,
    buffered_eager_max_bytes: usize,
    sdp_max_bytes: usize,
    candidate_max_bytes: usize,
}

impl Shared {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            closing: Notify::new(),
            open: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            lanes: Default::default(),
            reason: Mutex::new(None),
            buffered_max_bytes: limits.buffered_max_bytes,
            buffered_eager_max_bytes: limits.buffered_eager_max_bytes,
            sdp_max_bytes: limits.sdp_max_bytes,
            candidate_max_bytes: limits.candidate_max_bytes,
        }
    }

    pub(super) fn become_open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Records the end; the first reason stays.
    pub(super) fn become_closed(&self, why: CloseReason) {
        self.closed.store(true, Ordering::Release);
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    /// Gives back bytes that were sent, given up or never taken.
    pub(super) fn release(&self, lane: Lane, bytes: usize) {
        let _ = self.lanes[lane.index()]
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(now.saturating_sub(bytes)));
    }

    /// Whether a starved sender can be told to go on; asking again tells no more.
    pub(super) fn take_writable(&self) -> bool {
        self.buffered() <= self.buffered_max_bytes / 2
            && self.lane(Lane::Eager) <= self.buffered_eager_max_bytes / 2
            && self.starved.swap(false, Ordering::SeqCst)
    }

    /// The recorded reason. A task that ended without one has panicked.
    fn reason(&self) -> CloseReason {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(CloseReason::Broken)
    }

    fn buffered(&self) -> usize {
        self.lane(Lane::Eager) + self.lane(Lane::Control)
    }

    fn lane(&self, lane: Lane) -> usize {
        self.lanes[lane.index()].load(Ordering::SeqCst)
    }

    /// Takes room for `bytes` on `lane`, if there is.
    fn reserve(&self, lane: Lane, bytes: usize) -> Result<bool, SendRefused> {
        if self.closed.load(Ordering::Acquire) {
            return Err(SendRefused::Closed);
        }
        if !self.open.load(Ordering::Acquire) {
            return Ok(false);
        }
        if self.take_room(lane, bytes) {
            return Ok(true);
        }
        // The mark first, then one more look: otherwise room made in between would be announced to nobody.
        self.starved.store(true, Ordering::SeqCst);
        Ok(self.take_room(lane, bytes))
    }

    fn take_room(&self, lane: Lane, bytes: usize) -> bool {
        let others = match lane {
            Lane::Eager => self.lane(Lane::Control),
            Lane::Control => self.lane(Lane::Eager),
        };
        let room = self.buffered_max_bytes.saturating_sub(others);
        let room = if lane == Lane::Eager { room.min(self.buffered_eager_max_bytes) } else { room };
        self.lanes[lane.index()]
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
                (now + bytes <= room).then_some(now + bytes)
            })
            .is_ok()
    }
}
