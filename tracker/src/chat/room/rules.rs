//! What a channel's owner sets for its chat.

use wire::ChannelId;

use crate::chat::message::Role;
use crate::chat::words;
use crate::store::Channel;
use crate::store::settings::{Chat, ChatLinks, JoinPolicy};

/// What the channel's owner sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    channel: ChannelId,
    pub(super) off: bool,
    pub(super) links: bool,
    pub(super) slow_s: u32,
    moderators: Vec<ChannelId>,
    /// Looks of names that only the owner may have.
    pub(super) owners_names: [String; 2],
}

impl Rules {
    pub(crate) fn of(channel: &Channel) -> Self {
        let settings = &channel.settings;
        Rules {
            channel: channel.id,
            // A chat asks nobody for a token: where watching takes one, there is none.
            off: settings.chat == Chat::Off || settings.join == JoinPolicy::Token,
            links: settings.chat_links == ChatLinks::On,
            slow_s: settings.chat_slow_s.unwrap_or(0),
            moderators: settings.chat_moderators.iter().filter_map(|key| key.parse().ok()).collect(),
            owners_names: [&channel.name, &settings.title].map(|name| words::looks(name)),
        }
    }

    pub(super) fn role(&self, key: Option<ChannelId>) -> Role {
        match key {
            Some(key) if key == self.channel => Role::Owner,
            Some(key) if self.moderators.contains(&key) => Role::Moderator,
            _ => Role::Guest,
        }
    }
}
