//! What every part of the running server shares.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use wire::PeerId;
use wire::session::Turn;

use crate::admin;
use crate::api::Api;
use crate::bans::{Address, Bans};
use crate::config::Config;
use crate::directory::Directory;
use crate::egress::Egress;
use crate::firewall::Firewall;
use crate::history::History;
use crate::hooks::Hooks;
use crate::machine::{self, Clock, Disk};
use crate::metrics::{Metrics, Present, Stun};
use crate::rate::Addresses;
use crate::relays::Relays;
use crate::store::{Ban, Banned, Store};
use crate::tokens::Tokens;
use crate::turn;

/// Shared by all sessions and channels.
pub(crate) struct Shell {
    /// The settings in force; told when they change.
    pub(crate) settings: watch::Receiver<Arc<Config>>,
    pub(crate) clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) store: Store,
    pub(crate) addresses: Addresses,
    /// Relays elsewhere.
    pub(crate) relays: Relays,
    pub(crate) api: Api,
    pub(crate) bans: Arc<Bans>,
    /// Join tokens that have let somebody in.
    pub(crate) tokens: Tokens,
    /// What the relay may send.
    pub(crate) egress: Arc<Egress>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hooks: Hooks,
    pub(crate) admin: admin::Door,
    pub(crate) history: History,
    pub(crate) disk: Disk,
    /// One permit a session.
    pub(crate) sessions: Arc<Semaphore>,
    /// One permit for each connection to a chat.
    pub(crate) chat_visits: Arc<Semaphore>,
    /// Port of the STUN server, for viewers.
    pub(crate) stun_port: Option<u16>,
    /// Whether strangers reach it.
    pub(crate) firewall: Option<Arc<Firewall>>,
    /// `true` once the server is about to end.
    pub(crate) ending: watch::Receiver<bool>,
}

impl Shell {
    /// The settings in force now. Who keeps them goes on with them after a reload.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.settings.borrow())
    }

    /// Sessions that are open.
    pub(crate) fn sessions_open(&self) -> usize {
        self.config().limits.sessions_max.saturating_sub(self.sessions.available_permits())
    }

    /// What stands in the way of serving, in words; `None`: nothing.
    pub(crate) fn unready(&self) -> Option<&'static str> {
        if *self.ending.borrow() {
            return Some("shutting down");
        }
        if self.clock.now() < swarm::Timestamp::default() + self.config().limits.settling {
            return Some("starting: broadcasters are coming back");
        }
        (!self.disk.is_writable(&self.config().data)).then_some("the data folder cannot be written")
    }

    /// For a monitor.
    pub(crate) fn present(&self) -> Present {
        Present {
            sessions: self.sessions_open(),
            sessions_max: self.config().limits.sessions_max,
            uptime: self.clock.uptime(),
            ready: self.unready().is_none(),
            chat_visits: self.directory.chats.open(),
            stun: self.firewall.as_ref().map(|firewall| Stun::of(firewall)),
        }
    }

    /// Has the ban of a peer hold for the household where that peer was just seen.
    pub(crate) fn note_banned(&self, ban: Ban, from: Address) {
        let unseen = ban.household.is_none() && matches!(ban.banned, Banned::Peer(_));
        let Some(household) = self.bans.household(from).filter(|_| unseen) else { return };
        let store = self.store.clone();
        tokio::spawn(async move {
            let noted = store.write(move |records| records.saw_banned(ban.id, household)).await;
            if let Err(error) = noted {
                tracing::warn!(ban = ban.id, "the ban holds for one peer id only: {error}");
            }
        });
    }

    /// Credentials of a peer for the TURN server, if there is one.
    pub(crate) fn turn(&self, peer: PeerId) -> Option<Turn> {
        turn::credentials(&self.settings.borrow(), peer, machine::unix_ms() / 1000)
    }
}
