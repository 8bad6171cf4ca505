//! Which channels are at hand, by id and by name, and the way to the task of each. The one file that names DashMap.
//!
//! The store has them all; here are those that were asked for, so that a join does not wait for a file. What another
//! process changes is noticed by [`Directory::watch`]. No guard of a map lives across an await, and no two at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use utoipa::ToSchema;
use wire::ChannelId;

use crate::admin::ChannelState;
use crate::bans::Bans;
use crate::channel::{ChannelHandle, ChannelTask, ToChannel};
use crate::chat::Chats;
use crate::hooks::{Event, Hooks};
use crate::lately::{End, Lately};
use crate::machine;
use crate::metrics::Metrics;
use crate::shell::Shell;
use crate::store::settings::Visibility;
use crate::store::{Channel, Right, Store, StoreError};

/// How often changes by other processes are looked for. 1 s: whoever removes a channel wants to see it end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Channels at hand without a task, roughly. 4,096: about 2 KB each. The longest idle one is looked up again if wanted.
const AT_HAND_MAX: usize = 4_096;

/// Everything that is known of channels.
#[derive(Clone)]
pub(crate) struct Directory {
    known: Arc<Known>,
    store: Store,
    pub(crate) lately: Arc<Lately>,
    pub(crate) chats: Arc<Chats>,
    hooks: Hooks,
    bans: Arc<Bans>,
}

struct Known {
    channels: DashMap<ChannelId, KnownChannel>,
    names: DashMap<String, ChannelId>,
    /// Somebody registered.
    registered: Notify,
}

struct KnownChannel {
    channel: Arc<Channel>,
    handle: Option<ChannelHandle>,
    used: Instant,
}

/// A channel as the list shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed {
    #[schema(value_type = String)]
    id: ChannelId,
    name: String,
    live: bool,
    viewers: u32,
    /// What its owner has set, where something is.
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    category: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    language: String,
    /// Where its picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    poster: Option<String>,
    /// Unix time of the end of its last broadcast, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
}

impl Listed {
    fn of(channel: &Channel, live: bool, viewers: u32) -> Self {
        Listed {
            id: channel.id,
            name: channel.name.clone(),
            live,
            viewers,
            title: channel.settings.title.clone(),
            category: channel.settings.category.clone(),
            language: channel.settings.language.clone(),
            poster: channel.poster_address(),
            ended_ms: None,
        }
    }
}

impl KnownChannel {
    fn open_handle(&self) -> Option<&ChannelHandle> {
        self.handle.as_ref().filter(|handle| handle.is_open())
    }

    /// The way to its task if it is live in the open. A private broadcast is for those who were sent its link.
    fn listed_handle(&self) -> Option<&ChannelHandle> {
        let public = self.channel.settings.visibility == Visibility::Public;
        self.open_handle()
            .filter(|handle| handle.status().is_live() && public && !handle.status().is_private())
    }
}

impl Directory {
    pub(crate) fn new(store: Store, hooks: Hooks, bans: Arc<Bans>) -> Self {
        let known = Known { channels: DashMap::new(), names: DashMap::new(), registered: Notify::new() };
        Directory {
            known: Arc::new(known),
            store,
            lately: Arc::default(),
            chats: Arc::new(Chats::new()),
            hooks,
            bans,
        }
    }

    /// A channel that is known, live or not. The id of a key that was given up leads to its successor.
    pub(crate) async fn find(&self, name_or_id: &str) -> Result<Option<Arc<Channel>>, StoreError> {
        if let Some(found) = self.find_known(name_or_id) {
            return Ok(Some(found));
        }
        let wanted = name_or_id.to_owned();
        let stored = self.store.read(move |records| records.find(&wanted)).await?;
        Ok(stored.map(|channel| self.know(channel)))
    }

    /// As [`find`](Self::find), but gives broadcasters until `deadline` to register the channel.
    pub(crate) async fn find_until(
        &self,
        name_or_id: &str,
        deadline: Instant,
    ) -> Result<Option<Arc<Channel>>, StoreError> {
        loop {
            let registered = self.known.registered.notified();
            if let Some(found) = self.find(name_or_id).await? {
                return Ok(Some(found));
            }
            if tokio::time::timeout_at(deadline.into(), registered).await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Gives `channel`, whose key was proven, the name that it asks for. It is on the disk when this returns.
    pub(crate) async fn register(
        &self,
        channel: ChannelId,
        name: &str,
        right: Right,
    ) -> Result<Arc<Channel>, StoreError> {
        if let Some(known) = self.find_known(name).filter(|known| known.id == channel) {
            return Ok(known);
        }
        let wanted = name.to_owned();
        let registered = self.store.write(move |records| {
            let is_new = records.channel(channel)?.is_none();
            Ok((records.register(channel, &wanted, right)?, is_new))
        });
        let (registered, is_new) = registered.await?;
        let registered = self.know(registered);
        if is_new {
            self.hooks.tell(channel, name, Event::Registered);
        }
        self.known.registered.notify_waiters();
        Ok(registered)
    }

    /// Keeps what is at hand like what is stored, whoever changes it. Does not return.
    pub(crate) async fn watch(&self) {
        let mut seen = None;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let looked = async {
                let version = self.store.data_version().await?;
                if seen != Some(version) {
                    self.refresh().await?;
                    self.refresh_bans().await?;
                    seen = Some(version);
                }
                Ok::<_, StoreError>(())
            };
            if let Err(error) = looked.await {
                tracing::warn!("cannot look for changed channels: {error}");
            }
        }
    }

    async fn refresh(&self) -> Result<(), StoreError> {
        let ids: Vec<ChannelId> = self.known.channels.iter().map(|entry| *entry.key()).collect();
        let stored = self.store.read(move |records| {
            ids.into_iter().map(|id| Ok((id, records.channel(id)?))).collect::<Result<Vec<_>, _>>()
        });
        for (id, channel) in stored.await? {
            match channel {
                Some(channel) => drop(self.know(channel)),
                None => self.forget(id),
            }
        }
        self.known.registered.notify_waiters();
        Ok(())
    }

    /// Whoever is banned by now hears of it from the task of their channel.
    async fn refresh_bans(&self) -> Result<(), StoreError> {
        if self.bans.replace(self.store.read(|records| records.bans()).await?) {
            self.handles().into_iter().for_each(|handle| handle.tell_later(ToChannel::Bans));
        }
        Ok(())
    }

    /// The way to a channel's task, which is started where there is none.
    pub(crate) fn open(&self, channel: &Arc<Channel>, shell: &Arc<Shell>) -> ChannelHandle {
        let start = || ChannelTask::start(channel.id, channel.name.clone(), Arc::clone(shell));
        match self.known.channels.entry(channel.id) {
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
                entry.insert(KnownChannel {
                    channel: Arc::clone(channel),
                    handle: Some(handle.clone()),
                    used,
                });
                handle
            }
        }
    }

    /// What is live and public, by name.
    pub(crate) fn live(&self) -> Vec<Listed> {
        let listed = self.known.channels.iter().filter_map(|entry| {
            let viewers = entry.listed_handle()?.status().viewers();
            Some(Listed::of(&entry.channel, true, viewers))
        });
        let mut live: Vec<_> = listed.collect();
        live.sort_by(|one, other| one.name.cmp(&other.name));
        live
    }

    /// What was live and public lately and is not now, the newest first.
    pub(crate) fn lately(&self) -> Vec<Listed> {
        let ended = self.lately.at(machine::unix_ms()).into_iter();
        let listed = ended.filter_map(|End { channel, at_ms, .. }| {
            let known = self.known.channels.get(&channel)?;
            let live = known.open_handle().is_some_and(|handle| handle.status().is_live());
            let public = known.channel.settings.visibility == Visibility::Public;
            let listed = || Listed { ended_ms: Some(at_ms), ..Listed::of(&known.channel, false, 0) };
            (public && !live).then(listed)
        });
        listed.collect()
    }

    /// The way to the task of a channel that is in the list.
    pub(crate) fn listed_handle(&self, channel: ChannelId) -> Option<ChannelHandle> {
        self.known.channels.get(&channel)?.listed_handle().cloned()
    }

    /// Whether a channel is live, and whether what it last sent is private.
    pub(crate) fn on_air(&self, channel: ChannelId) -> (bool, bool) {
        let known = self.known.channels.get(&channel);
        let status = known.as_ref().and_then(|known| known.open_handle()).map(ChannelHandle::status);
        status.map_or((false, false), |status| (status.is_live(), status.is_private()))
    }

    /// All channels with a task, those with the most viewers first.
    pub(crate) fn active(&self, metrics: &Metrics) -> Vec<ChannelState> {
        let active = self.known.channels.iter().filter_map(|entry| {
            let status = entry.handle.as_ref().filter(|handle| handle.is_open())?.status();
            let figures = metrics.channels.find(&entry.channel.name);
            let encoder = figures.as_ref().filter(|figures| figures.encoders.now() > 0);
            Some(ChannelState {
                id: *entry.key(),
                name: entry.channel.name.clone(),
                live: status.is_live(),
                viewers: status.viewers(),
                offload: figures.as_ref().map(|figures| figures.offload()),
                encoder: encoder.map(|of| (of.bitrate_bps.now(), of.keyframe_interval_ms.now())),
            })
        });
        let mut active: Vec<_> = active.collect();
        active.sort_by(|one, other| (other.viewers, &one.name).cmp(&(one.viewers, &other.name)));
        active
    }

    /// The way to the task of one channel, if it has one.
    pub(crate) fn handle(&self, channel: ChannelId) -> Option<ChannelHandle> {
        self.known.channels.get(&channel)?.handle.clone()
    }

    /// Channels that are live and watched, public or not.
    pub(crate) fn watched(&self) -> Vec<ChannelId> {
        let is_watched = |handle: &ChannelHandle| handle.status().is_live() && handle.status().viewers() > 0;
        let channels = self.known.channels.iter();
        let watched = channels.filter(|entry| entry.handle.as_ref().is_some_and(is_watched));
        let mut watched: Vec<_> = watched.map(|entry| *entry.key()).collect();
        watched.sort_unstable();
        watched
    }

    /// Whether a channel is live, and how many watch it.
    pub(crate) fn status(&self, id: ChannelId) -> (bool, u32) {
        let known = self.known.channels.get(&id);
        let handle = known.as_ref().and_then(|known| known.handle.as_ref()).filter(|handle| handle.is_open());
        handle.map_or((false, 0), |handle| (handle.status().is_live(), handle.status().viewers()))
    }

    /// The ways to all channels with a task.
    pub(crate) fn handles(&self) -> Vec<ChannelHandle> {
        self.known.channels.iter().filter_map(|entry| entry.handle.clone()).collect()
    }

    fn find_known(&self, name_or_id: &str) -> Option<Arc<Channel>> {
        let by_name = self.known.names.get(name_or_id).map(|id| *id);
        let id = by_name.or_else(|| name_or_id.parse().ok())?;
        self.known.channels.get(&id).map(|known| Arc::clone(&known.channel))
    }

    /// A channel that somebody has asked for lately.
    pub(crate) fn at_hand(&self, id: ChannelId) -> Option<Arc<Channel>> {
        self.known.channels.get(&id).map(|known| Arc::clone(&known.channel))
    }

    /// Keeps at hand what the store says.
    pub(crate) fn know(&self, channel: Channel) -> Arc<Channel> {
        if !self.known.channels.contains_key(&channel.id) && self.known.channels.len() >= AT_HAND_MAX {
            self.forget_idle();
        }
        let (channel, used) = (Arc::new(channel), machine::instant());
        let old = match self.known.channels.entry(channel.id) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().used = used;
                Some(std::mem::replace(&mut entry.get_mut().channel, Arc::clone(&channel)))
            }
            Entry::Vacant(entry) => {
                entry.insert(KnownChannel { channel: Arc::clone(&channel), handle: None, used });
                None
            }
        };
        if let Some(old) = old.filter(|old| old.name != channel.name) {
            self.known.names.remove_if(&old.name, |_, owner| *owner == channel.id);
        }
        self.known.names.insert(channel.name.clone(), channel.id);
        self.chats.changed(&channel);
        channel
    }

    /// The channel is not stored any more: those who are there hear of it, and nobody else comes in.
    pub(crate) fn forget(&self, id: ChannelId) {
        let Some((_, known)) = self.known.channels.remove(&id) else { return };
        self.known.names.remove_if(&known.channel.name, |_, owner| *owner == id);
        self.chats.removed(id);
        if let Some(handle) = known.handle {
            handle.tell_later(ToChannel::Removed);
        }
    }

    /// Makes room: the channel that has been without a task for the longest is not at hand any more.
    fn forget_idle(&self) {
        let is_idle = |known: &KnownChannel| known.handle.as_ref().is_none_or(|handle| !handle.is_open());
        let idle =
            self.known.channels.iter().filter(|entry| is_idle(entry)).map(|entry| (entry.used, *entry.key()));
        let Some((_, oldest)) = idle.min_by_key(|(used, _)| *used) else { return };
        if let Some((_, known)) = self.known.channels.remove_if(&oldest, |_, known| is_idle(known)) {
            self.known.names.remove_if(&known.channel.name, |_, owner| *owner == oldest);
        }
    }
}
