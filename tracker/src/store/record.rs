//! What is stored about a channel.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;
use wire::{ChannelId, Signer};

use super::secret::JoinSecret;
use super::settings::ChannelSettings;

/// A channel that is known here, live or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its key.
    pub id: ChannelId,
    /// Its name in the directory.
    pub name: String,
    /// What its owner has set.
    pub settings: ChannelSettings,
    /// Its picture, if it has one: part of its address, which changes with the picture.
    pub poster_tag: Option<String>,
    /// Unix time of its registration, in milliseconds.
    pub created_ms: u64,
    /// This server holds a key that it may be broadcast with.
    pub hosted: bool,
    /// Unix time in milliseconds until which its owner lets that key sign; `None`: it is the channel's own, or there is none.
    pub delegated_until_ms: Option<u64>,
    /// What join tokens are signed with, if its owner has asked for one.
    pub join_secret: Option<JoinSecret>,
}

impl Channel {
    /// Where its picture is, for pages of this server.
    pub fn poster_address(&self) -> Option<String> {
        self.poster_tag.as_ref().map(|tag| format!("/api/v1/channels/{}/poster?v={tag}", self.id))
    }
}

/// A picture as it was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poster {
    /// Its media type.
    pub mime: String,
    /// Changes with the bytes.
    pub tag: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A channel that this server may broadcast.
#[derive(Clone)]
pub struct HostedChannel {
    /// The channel's id.
    pub channel: ChannelId,
    /// Its name in the directory.
    pub name: String,
    /// What signs: the channel's own key, or one that it has delegated to.
    pub signer: Signer,
}

impl fmt::Debug for HostedChannel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HostedChannel").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A channel that was just created. The stream key is shown this once.
#[derive(Debug, Serialize)]
pub struct NewChannel {
    /// Its name in the directory.
    pub name: String,
    /// Its id.
    pub channel: ChannelId,
    /// What the encoder is given.
    pub stream_key: String,
}

/// Numbers stream keys; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamKeyId(pub i64);

/// What an encoder showed a key for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKeyOwner {
    /// Which key it was.
    pub key: StreamKeyId,
    /// The channel that it may publish to.
    pub channel: ChannelId,
    /// That channel's name.
    pub name: String,
}

/// A stream key as its owner sees it afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StreamKeyInfo {
    /// What its owner calls it.
    pub label: String,
    /// Unix time of its making, in milliseconds.
    pub created_ms: u64,
}
