//! The sessions of one channel, by peer: one each, the newest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use wire::PeerId;
use wire::session::{FromTracker, Refusal};

use crate::bans::Address;
use crate::outbox::Outbox;

/// Tells a peer's sessions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId(u64);

impl SessionId {
    /// One that no other session of this process has.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        SessionId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One peer's session. Dropping it ends the session.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) session: SessionId,
    pub(crate) from: Address,
    pub(crate) outbox: Outbox,
}

impl Member {
    /// Ends the session, with a reason.
    pub(crate) fn refuse(self, code: Refusal, message: &str) {
        self.outbox.refuse(code, message);
    }
}

/// All sessions of a channel.
#[derive(Debug, Default)]
pub(crate) struct Members {
    table: HashMap<PeerId, Member>,
}

impl Members {
    pub(crate) fn insert(&mut self, peer: PeerId, member: Member) {
        self.table.insert(peer, member);
    }

    pub(crate) fn remove(&mut self, peer: PeerId) -> Option<Member> {
        self.table.remove(&peer)
    }

    /// Who is here, and from where.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (PeerId, Address)> {
        self.table.iter().map(|(peer, member)| (*peer, member.from))
    }

    /// Where this one is.
    pub(crate) fn address(&self, peer: PeerId) -> Option<Address> {
        self.table.get(&peer).map(|member| member.from)
    }

    pub(crate) fn contains(&self, peer: PeerId) -> bool {
        self.table.contains_key(&peer)
    }

    pub(crate) fn take_all(&mut self) -> Vec<Member> {
        self.table.drain().map(|(_, member)| member).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether `session` is the one that speaks for `peer`.
    pub(crate) fn is_current(&self, peer: PeerId, session: SessionId) -> bool {
        self.table.get(&peer).is_some_and(|member| member.session == session)
    }

    pub(crate) fn say(&self, to: PeerId, message: &FromTracker) {
        if let Some(member) = self.table.get(&to) {
            member.outbox.say(message);
        }
    }

    /// As [`say`](Self::say), for what another peer wrote.
    pub(crate) fn pass_on(&self, to: PeerId, message: &FromTracker) {
        if let Some(member) = self.table.get(&to) {
            member.outbox.pass_on(message);
        }
    }

    pub(crate) fn say_to_all_but(&self, except: PeerId, message: &FromTracker) {
        let others = self.table.iter().filter(|(peer, _)| **peer != except);
        others.for_each(|(_, member)| member.outbox.say(message));
    }

    pub(crate) fn send(&self, to: PeerId, frame: Bytes) {
        if let Some(member) = self.table.get(&to) {
            member.outbox.send(frame);
        }
    }

    /// What a peer's session holds unsent; `None` without a session.
    pub(crate) fn unsent_bytes(&self, peer: PeerId) -> Option<usize> {
        self.table.get(&peer).map(|member| member.outbox.unsent_bytes())
    }
}
