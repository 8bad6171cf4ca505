//! What every part of the running server shares.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use crate::config::Config;
use crate::directory::Directory;
use crate::egress::Egress;
use crate::machine::Clock;
use crate::rate::Addresses;
use crate::store::Store;

/// Shared by all sessions and channels.
pub(crate) struct Shell {
    /// The settings in force; told when they change.
    pub(crate) settings: watch::Receiver<Arc<Config>>,
    pub(crate) clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) store: Store,
    pub(crate) addresses: Addresses,
    /// What the relay may send.
    pub(crate) egress: Arc<Egress>,
    /// One permit a session.
    pub(crate) sessions: Arc<Semaphore>,
    /// Port of the STUN server, for viewers.
    pub(crate) stun_port: Option<u16>,
    /// `true` once the server is about to end.
    pub(crate) ending: watch::Receiver<bool>,
}

impl Shell {
    /// The settings in force now. Who keeps them goes on with them after a reload.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.settings.borrow())
    }
}
