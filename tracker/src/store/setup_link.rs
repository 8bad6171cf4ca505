//! Short-lived links to a channel's setup guide. The token travels behind `#`, which browsers send to nobody.

use wire::ChannelId;

use super::error::StoreError;
use super::record::Channel;
use super::records::Records;
use super::secret;
use crate::machine;

/// How long a link is good: half an hour, to set up an encoder.
const GOOD_FOR_MS: u64 = 30 * 60 * 1000;

/// A link that was just made.
pub struct SetupLink {
    /// What opens the guide. Shown this once.
    pub token: String,
    /// Unix time in milliseconds.
    pub expires_ms: u64,
}

impl SetupLink {
    /// Path and fragment of the page.
    pub fn page(&self) -> String {
        format!("/setup#token={}", self.token)
    }
}

/// Makes a link to the guide of a channel.
pub fn create(store: &dyn Records, channel: ChannelId, now_ms: u64) -> Result<SetupLink, StoreError> {
    let (token, expires_ms) = (secret::fresh(), now_ms + GOOD_FOR_MS);
    store.add_setup_link(secret::hash(&token), channel, expires_ms)?;
    Ok(SetupLink { token, expires_ms })
}

/// The same, by the channel's name, now.
pub fn create_named(store: &dyn Records, name: &str) -> Result<SetupLink, StoreError> {
    let channel = store.find(name)?.ok_or_else(|| StoreError::Unknown(name.to_owned()))?;
    create(store, channel.id, machine::unix_ms())
}

/// The channel whose guide a token opens now.
pub fn open(store: &dyn Records, token: &str) -> Result<Option<Channel>, StoreError> {
    match store.by_setup_link(secret::hash(token), machine::unix_ms())? {
        Some(channel) => store.channel(channel),
        None => Ok(None),
    }
}
