//! What a channel's owner may set, and the limit of each.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::ChannelId;

/// Bytes of a title: one line under a picture.
pub const TITLE_MAX: usize = 120;

/// Bytes of a description: a page of text.
pub const DESCRIPTION_MAX: usize = 4_000;

/// Bytes of a category: a word or two.
pub const CATEGORY_MAX: usize = 40;

/// Bytes of a language tag (BCP 47 asks for at least 35).
pub const LANGUAGE_MAX: usize = 35;

/// Origins that may embed a channel: the sites of a large organisation.
pub const EMBED_ORIGINS_MAX: usize = 32;

/// Bytes of one origin: `https://`, the longest host name (253), and a port.
pub const ORIGIN_MAX: usize = 270;

/// Bytes of a poster: 1280 x 720 as a good JPEG takes about 150 KiB.
pub const POSTER_BYTES_MAX: usize = 256 << 10;

/// Seconds between two lines of one guest at most, in slow mode. An hour: who wants more switches the chat off.
pub const CHAT_SLOW_S_MAX: u32 = 3_600;

/// Moderators of one chat: enough for each hour of a long programme.
pub const CHAT_MODERATORS_MAX: usize = 32;

/// What the owner of a channel has set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ChannelSettings {
    /// One line. Empty: the name is shown.
    pub title: String,
    /// Plain text, in lines.
    pub description: String,
    /// A word or two. Empty: none.
    pub category: String,
    /// Language of the programme (BCP 47, for example `de` or `pt-BR`). Empty: not said.
    pub language: String,
    /// Who finds it.
    pub visibility: Visibility,
    /// Origins (`https://example.org`) whose pages may embed it. Empty: all.
    pub embed_origins: Vec<String>,
    /// Who may watch.
    pub join: JoinPolicy,
    /// Whether viewers pass it on.
    pub sharing: Sharing,
    /// Viewers from which on it is passed on; `None`: from the second on.
    pub sharing_viewers_min: Option<u32>,
    /// Viewers at once; `None`: as many as the server takes.
    pub viewers_max: Option<u32>,
    /// Whether viewers can write to each other.
    pub chat: Chat,
    /// Whether guests may write links there.
    pub chat_links: ChatLinks,
    /// Seconds from one line of a guest to the next; `None`: as fast as the server lets anybody.
    pub chat_slow_s: Option<u32>,
    /// Public keys of those who may delete lines and ban, as a channel's id is written.
    pub chat_moderators: Vec<String>,
}

/// Who finds a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// It is listed.
    #[default]
    Public,
    /// Whoever has the link.
    Unlisted,
    /// Whoever has the link; not even that it is there is told otherwise.
    Private,
}

/// Who may watch a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinPolicy {
    /// Everyone who finds it.
    #[default]
    Open,
    /// Whoever brings a token that the owner's site has made with the channel's join secret.
    Token,
}

/// Whether a channel's viewers pass it on to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Yes, unless a viewer switches it off.
    #[default]
    On,
    /// Only those who have said yes.
    Ask,
    /// Nobody: the relay feeds all.
    Off,
}

/// Whether a channel has a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Chat {
    /// During its broadcasts.
    #[default]
    On,
    /// No.
    Off,
}

/// Whether guests may write links in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatLinks {
    /// A line with a link is refused, in words.
    #[default]
    Off,
    /// They may.
    On,
}

/// A setting is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {wrong}")]
pub struct SettingsError {
    /// Which.
    pub field: &'static str,
    /// What is wrong with it and what to do.
    pub wrong: String,
}

impl ChannelSettings {
    /// Holds every setting against its limit.
    pub fn check(&self) -> Result<(), SettingsError> {
        one_line("title", &self.title, TITLE_MAX)?;
        one_line("category", &self.category, CATEGORY_MAX)?;
        short("description", &self.description, DESCRIPTION_MAX)?;
        short("language", &self.language, LANGUAGE_MAX)?;
        let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        require(self.language.bytes().all(is_tag), "language", "must be a tag such as `de` or `pt-BR`")?;
        let few = self.embed_origins.len() <= EMBED_ORIGINS_MAX;
        require(few, "embed_origins", &format!("may name at most {EMBED_ORIGINS_MAX} origins"))?;
        let origins = self.embed_origins.iter().all(|origin| is_origin(origin));
        require(origins, "embed_origins", "must be origins such as `https://example.org`, without a path")?;
        require(self.viewers_max != Some(0), "viewers_max", "must be at least 1, or absent for no limit")?;
        let slow = self.chat_slow_s.is_none_or(|seconds| (1..=CHAT_SLOW_S_MAX).contains(&seconds));
        require(
            slow,
            "chat_slow_s",
            &format!("must be 1 to {CHAT_SLOW_S_MAX} seconds, or absent for no slow mode"),
        )?;
        let few = self.chat_moderators.len() <= CHAT_MODERATORS_MAX;
        require(few, "chat_moderators", &format!("may name at most {CHAT_MODERATORS_MAX} keys"))?;
        let keys = self.chat_moderators.iter().all(|key| key.parse::<ChannelId>().is_ok());
        require(
            keys,
            "chat_moderators",
            "must be public keys of 43 characters, as their owners' pages show them",
        )
    }
}

/// `scheme://host` or `scheme://host:port`, as browsers send it (RFC 6454): lower case, no path.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
    };
    text.len() <= ORIGIN_MAX && host.is_some_and(|host| !host.is_empty() && host.bytes().all(allowed))
}

fn one_line(field: &'static str, text: &str, bytes_max: usize) -> Result<(), SettingsError> {
    short(field, text, bytes_max)?;
    require(!text.chars().any(char::is_control), field, "must be one line without control characters")
}

fn short(field: &'static str, text: &str, bytes_max: usize) -> Result<(), SettingsError> {
    require(text.len() <= bytes_max, field, &format!("may have at most {bytes_max} bytes"))
}

fn require(condition: bool, field: &'static str, wrong: &str) -> Result<(), SettingsError> {
    if condition { Ok(()) } else { Err(SettingsError { field, wrong: wrong.to_owned() }) }
}

/// The media type of a poster, if it is a picture of bounded size.
pub(super) fn check_poster(bytes: &[u8]) -> Result<&'static str, SettingsError> {
    let small = bytes.len() <= POSTER_BYTES_MAX;
    require(small, "poster", &format!("may have at most {POSTER_BYTES_MAX} bytes; make it smaller"))?;
    let wrong = "must be a JPEG, PNG, WebP or AVIF picture".to_owned();
    poster_mime(bytes).ok_or(SettingsError { field: "poster", wrong })
}

/// The media type of a picture that browsers show, by its first bytes.
fn poster_mime(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => Some("image/avif"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_a_limit_is_named() {
        let good = ChannelSettings {
            title: "Ein Abend".into(),
            description: "two\nlines".into(),
            language: "pt-BR".into(),
            embed_origins: vec!["https://example.org".into(), "http://[::1]:8080".into()],
            ..ChannelSettings::default()
        };
        assert_eq!(good.check(), Ok(()));
        let bad = |field, change: fn(&mut ChannelSettings)| {
            let mut settings = good.clone();
            change(&mut settings);
            assert_eq!(settings.check().unwrap_err().field, field);
        };
        bad("title", |settings| settings.title = "x".repeat(TITLE_MAX + 1));
        bad("title", |settings| settings.title = "two\nlines".into());
        bad("description", |settings| settings.description = "x".repeat(DESCRIPTION_MAX + 1));
        bad("language", |settings| settings.language = "de_DE".into());
        bad("embed_origins", |settings| settings.embed_origins = vec!["https://example.org/".into()]);
        bad("embed_origins", |settings| settings.embed_origins = vec!["example.org".into()]);
        bad("embed_origins", |settings| settings.embed_origins = vec!["https://a".into(); 33]);
        bad("viewers_max", |settings| settings.viewers_max = Some(0));
        bad("chat_slow_s", |settings| settings.chat_slow_s = Some(CHAT_SLOW_S_MAX + 1));
        bad("chat_moderators", |settings| settings.chat_moderators = vec!["anna".into()]);
    }

    #[test]
    fn posters_are_pictures() {
        assert_eq!(poster_mime(&[0xff, 0xd8, 0xff, 0xe0]), Some("image/jpeg"));
        assert_eq!(poster_mime(b"<svg onload=alert(1)>"), None);
        assert_eq!(poster_mime(b""), None);
    }
}
