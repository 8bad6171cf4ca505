//! The way to a channel's task: what it can be told, and what everyone may know of it without asking.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use bytes::Bytes;
use swarm::{Picture, Still};
use tokio::sync::{mpsc, oneshot};
use wire::session::{FromPeer, Report};
use wire::{Epoch, PeerId};

use super::Rules;
use crate::members::{Member, SessionId};
use crate::stills::LastStill;

/// What sessions tell their channel.
#[derive(Debug)]
pub(crate) enum ToChannel {
    /// A viewer comes.
    Join {
        peer: PeerId,
        member: Member,
        sharing: bool,
        known: Report,
        rules: Rules,
        /// What lets it in again.
        pass: Option<String>,
        asked: Instant,
    },
    /// The broadcaster comes, with its key proven.
    Announce { peer: PeerId, member: Member, name: String, epoch: Option<Epoch> },
    /// A member said something.
    Said { peer: PeerId, session: SessionId, message: FromPeer },
    /// A member sent the relay a frame.
    Frame { peer: PeerId, session: SessionId, bytes: Bytes },
    /// A member's unsent frames have become fewer.
    Drained { peer: PeerId, session: SessionId },
    /// A session is over.
    Left { peer: PeerId, session: SessionId },
    /// The channel is not registered any more.
    Removed,
    /// The operator looks at the swarm.
    Picture { peers_max: usize, answer: oneshot::Sender<Picture> },
    /// Somebody wants to see what is on the air.
    Still { answer: oneshot::Sender<Option<Still>> },
    /// A peer has proven to be a relay elsewhere; it may be a member already.
    Relay { peer: PeerId },
    /// The bans have changed.
    Bans,
    /// The server is about to end.
    ShutDown,
}

/// A message that waits for room in the inbox of a channel's task. Resolves to whether it was taken.
pub(crate) type Waiting = Pin<Box<dyn Future<Output = bool> + Send>>;

/// The way to a channel's task.
#[derive(Debug, Clone)]
pub(crate) struct ChannelHandle {
    pub(super) inbox: mpsc::Sender<ToChannel>,
    pub(super) status: Arc<Status>,
}

/// What everyone may know of a channel.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(super) live: AtomicBool,
    /// What is on the air can only be seen by who has the whole link.
    pub(super) private: AtomicBool,
    pub(super) viewers: AtomicU32,
    /// For who looks for something to watch.
    pub(crate) still: LastStill,
}

impl ChannelHandle {
    /// Whether the task still takes messages.
    pub(crate) fn is_open(&self) -> bool {
        !self.inbox.is_closed()
    }

    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// Waits for room. `Err`: the task is gone.
    pub(crate) async fn tell(&self, message: ToChannel) -> Result<(), mpsc::error::SendError<ToChannel>> {
        self.inbox.send(message).await
    }

    /// As [`tell`](Self::tell), if that takes no waiting; else what waits, and resolves to whether the task has taken it.
    pub(crate) fn tell_or_wait(&self, message: ToChannel) -> Option<Waiting> {
        match self.inbox.try_send(message) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Closed(_)) => Some(Box::pin(std::future::ready(false))),
            Err(mpsc::error::TrySendError::Full(message)) => {
                let inbox = self.inbox.clone();
                // Boxed, so that no session keeps room for what happens seldom.
                Some(Box::pin(async move { inbox.send(message).await.is_ok() }))
            }
        }
    }

    /// As [`tell`](Self::tell), from where nobody can wait.
    pub(crate) fn tell_later(&self, message: ToChannel) {
        if let Err(mpsc::error::TrySendError::Full(message)) = self.inbox.try_send(message) {
            let inbox = self.inbox.clone();
            // Outside of a runtime the task is gone, too.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { inbox.send(message).await });
            }
        }
    }
}

impl Status {
    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }

    pub(crate) fn is_private(&self) -> bool {
        self.private.load(Ordering::Relaxed)
    }

    pub(crate) fn viewers(&self) -> u32 {
        self.viewers.load(Ordering::Relaxed)
    }
}
