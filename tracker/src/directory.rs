//! Which channels are known, by id and by name, and the way to the task of each. The one file that names DashMap.
//!
//! No guard of a map lives across an await, and no two at once.

use std::sync::Arc;
use std::time::Instant;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde::Serialize;
use tokio::sync::Notify;
use wire::ChannelId;

use crate::channel::{ChannelHandle, ChannelTask};
use crate::channels::HostedChannels;
use crate::machine;
use crate::shell::Shell;

/// Everything that is known of channels.
#[derive(Clone)]
pub(crate) struct Directory {
    known: Arc<Known>,
    hosted: HostedChannels,
}

struct Known {
    channels: DashMap<ChannelId, KnownChannel>,
    names: DashMap<String, ChannelId>,
    /// Somebody registered.
    registered: Notify,
}

struct KnownChannel {
    name: String,
    handle: Option<ChannelHandle>,
    used: Instant,
}

/// A channel as the list shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    id: ChannelId,
    name: String,
    live: bool,
    viewers: u32,
}

/// Why a channel cannot have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRefused {
    /// It is another key's.
    Taken,
    /// Keys that are not known already are not welcome.
    Closed,
    /// No more channels can be known.
    Full,
}

impl Directory {
    pub(crate) fn new(hosted: HostedChannels) -> Self {
        let known = Known { channels: DashMap::new(), names: DashMap::new(), registered: Notify::new() };
        Directory { known: Arc::new(known), hosted }
    }

    /// The id and name of a channel that is known, live or not.
    pub(crate) async fn find(&self, name_or_id: &str) -> Option<(ChannelId, String)> {
        if let Some(found) = self.find_known(name_or_id) {
            return Some(found);
        }
        let wanted = name_or_id.to_owned();
        let hosted = self.find_hosted(wanted).await?;
        self.know(hosted.0, &hosted.1, usize::MAX);
        Some(hosted)
    }

    /// As [`find`](Self::find), but gives broadcasters until `deadline` to register the channel.
    pub(crate) async fn find_until(
        &self,
        name_or_id: &str,
        deadline: Instant,
    ) -> Option<(ChannelId, String)> {
        loop {
            let registered = self.known.registered.notified();
            if let Some(found) = self.find(name_or_id).await {
                return Some(found);
            }
            tokio::time::timeout_at(deadline.into(), registered).await.ok()?;
        }
    }

    /// Gives `channel`, whose key was proven, the name that it asks for.
    pub(crate) async fn register(
        &self,
        channel: ChannelId,
        name: &str,
        open: bool,
        channels_max: usize,
    ) -> Result<(), NameRefused> {
        let hosted = self.find_hosted(name.to_owned()).await.map(|(owner, _)| owner);
        let known = self.known.names.get(name).map(|owner| *owner);
        match (hosted, known) {
            // A hosted name is its owner's even if another key was here first.
            (Some(owner), _) if owner != channel => return Err(NameRefused::Taken),
            (Some(_), _) => {}
            (None, Some(owner)) if owner != channel => return Err(NameRefused::Taken),
            (None, _) if !open => return Err(NameRefused::Closed),
            (None, _) => {}
        }
        if !self.know(channel, name, channels_max) {
            return Err(NameRefused::Full);
        }
        self.known.registered.notify_waiters();
        Ok(())
    }

    /// The way to a channel's task, which is started where there is none.
    pub(crate) fn open(&self, channel: ChannelId, name: &str, shell: &Arc<Shell>) -> ChannelHandle {
        let start = || ChannelTask::start(channel, name.to_owned(), Arc::clone(shell));
        match self.known.channels.entry(channel) {
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.used = machine::instant();
                match &known.handle {
                    Some(handle) if handle.is_open() => handle.clone(),
                    _ => known.handle.insert(start()).clone(),
                }
            }
            Entry::Vacant(entry) => {
                let handle = start();
                let used = machine::instant();
                entry.insert(KnownChannel { name: name.to_owned(), handle: Some(handle.clone()), used });
                handle
            }
        }
    }

    /// What is live, by name.
    pub(crate) fn live(&self) -> Vec<Listed> {
        let listed = self.known.channels.iter().filter_map(|entry| {
            let status = entry.handle.as_ref().filter(|handle| handle.is_open())?.status();
            let viewers = status.viewers();
            status.is_live().then(|| Listed {
                id: *entry.key(),
                name: entry.name.clone(),
                live: true,
                viewers,
            })
        });
        let mut live: Vec<_> = listed.collect();
        live.sort_by(|one, other| one.name.cmp(&other.name));
        live
    }

    /// The ways to all channels with a task.
    pub(crate) fn handles(&self) -> Vec<ChannelHandle> {
        self.known.channels.iter().filter_map(|entry| entry.handle.clone()).collect()
    }

    fn find_known(&self, name_or_id: &str) -> Option<(ChannelId, String)> {
        let by_name = self.known.names.get(name_or_id).map(|id| *id);
        let id = by_name.or_else(|| name_or_id.parse().ok())?;
        self.known.channels.get(&id).map(|known| (id, known.name.clone()))
    }

    async fn find_hosted(&self, name_or_id: String) -> Option<(ChannelId, String)> {
        let hosted = self.hosted.clone();
        // Files are read off the threads that serve sessions.
        let found = tokio::task::spawn_blocking(move || hosted.find(&name_or_id)).await.ok()??;
        Some((found.signer.channel(), found.name))
    }

    fn know(&self, channel: ChannelId, name: &str, channels_max: usize) -> bool {
        let new = !self.known.channels.contains_key(&channel);
        if new && self.known.channels.len() >= channels_max && !self.forget_idle() {
            return false;
        }
        let used = machine::instant();
        let old = match self.known.channels.entry(channel) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().used = used;
                Some(std::mem::replace(&mut entry.get_mut().name, name.to_owned()))
            }
            Entry::Vacant(entry) => {
                entry.insert(KnownChannel { name: name.to_owned(), handle: None, used });
                None
            }
        };
        if let Some(old) = old.filter(|old| old != name) {
            self.known.names.remove_if(&old, |_, owner| *owner == channel);
        }
        self.known.names.insert(name.to_owned(), channel);
        true
    }

    /// Makes room: forgets the channel that has been without a task for the longest.
    fn forget_idle(&self) -> bool {
        let is_idle = |known: &KnownChannel| known.handle.as_ref().is_none_or(|handle| !handle.is_open());
        let idle =
            self.known.channels.iter().filter(|entry| is_idle(entry)).map(|entry| (entry.used, *entry.key()));
        let Some((_, oldest)) = idle.min_by_key(|(used, _)| *used) else { return false };
        match self.known.channels.remove_if(&oldest, |_, known| is_idle(known)) {
            Some((_, known)) => {
                self.known.names.remove_if(&known.name, |_, owner| *owner == oldest).is_some()
            }
            None => false,
        }
    }
}
