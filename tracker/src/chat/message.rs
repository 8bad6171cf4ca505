//! What is said over a chat's WebSocket, as JSON. docs/protocol.md describes it for others.

use serde::{Deserialize, Serialize};
use wire::ChannelId;

/// What a visitor says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum FromVisitor {
    /// First: 32 hex digits that nobody else knows. Who shows them again is the same speaker.
    Enter { secret: String },
    /// Proves a key: its signature over this connection's nonce and the channel.
    Prove { key: ChannelId, proof: String },
    /// Takes a name.
    Name { name: String },
    /// A line for everyone: `text`, or in a private channel `sealed`.
    Say(Words),
    /// Takes a line back: one's own, or as a moderator anybody's.
    Delete { id: u64 },
    /// The speaker of this line writes no more in this broadcast, and what they wrote goes.
    Ban { id: u64 },
    /// Takes a ban back, by its number.
    Lift { ban: u64 },
    /// Seconds from one line of a guest to the next, for this broadcast; 0: as fast as anybody may.
    Slow { seconds: u32 },
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Words {
    /// For everyone to read, this server included.
    Text(String),
    /// For those who have the channel's media key: name and text, encrypted in the page.
    Sealed(String),
}

/// Whose word it is. Only the server says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Guest,
    Moderator,
    Owner,
}

/// Whether one can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Open {
    /// Yes.
    Yes,
    /// There is no broadcast.
    Waiting,
    /// The channel's owner has switched the chat off.
    Off,
}

/// A line of this broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) id: u64,
    /// The speaker: the same for all of their lines in this channel, until the server restarts.
    pub(crate) by: String,
    pub(crate) role: Role,
    /// Empty where it is sealed with the words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) words: Words,
    /// Unix time in milliseconds.
    pub(crate) at_ms: u64,
}

/// What holds for everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct State {
    pub(crate) open: Open,
    pub(crate) slow_s: u32,
    pub(crate) links: bool,
    /// Lines are sealed: the broadcast is private.
    pub(crate) sealed: bool,
}

/// What holds for one visitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct You {
    pub(crate) by: String,
    pub(crate) role: Role,
    /// Empty: none is taken yet.
    pub(crate) name: String,
    pub(crate) banned: bool,
}

/// A ban, as moderators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BanView {
    pub(crate) ban: u64,
    pub(crate) by: String,
    pub(crate) name: String,
}

/// Why something that was said was not done, or why the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Objection {
    /// The chat is off, or there is no broadcast.
    Closed,
    /// No name has been taken.
    NoName,
    /// Not a name: empty, too long, or nothing to be seen.
    BadName,
    /// Somebody has it, or it looks like one that somebody has.
    NameTaken,
    /// Empty, too long, or nothing to be seen.
    BadText,
    /// Links are not allowed here.
    Link,
    /// Slow mode.
    Slow,
    /// Too much of one speaker, or of one address.
    TooFast,
    /// Too much of everyone.
    Busy,
    Banned,
    /// Only for moderators, or only for the owner.
    NotAllowed,
    /// There is no such line, or no such ban.
    Unknown,
    /// The key is neither the channel's nor a moderator's.
    NotListed,
    /// The signature does not prove the key.
    BadProof,
    /// A private channel takes sealed lines only, others plain ones only.
    Sealing,
    /// Not a message of this protocol, or not now.
    BadMessage,
    /// More connections than the server takes.
    Full,
    /// Does not read what it is told.
    TooSlow,
    /// Nothing was said in time.
    NothingSaid,
    /// The channel was removed.
    Removed,
    /// The server is about to end.
    ShuttingDown,
}

/// What a visitor is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ToVisitor {
    /// First. The nonce is this connection's own.
    Hello {
        nonce: String,
        channel: ChannelId,
    },
    /// The answer to `enter`.
    Welcome {
        state: State,
        you: You,
        lines: Vec<Line>,
    },
    Line(Line),
    Deleted {
        ids: Vec<u64>,
    },
    State(State),
    You(You),
    /// Another broadcast begins: all lines go.
    Cleared,
    /// For moderators.
    Bans {
        bans: Vec<BanView>,
    },
    /// What was asked for last is not done. `wait_ms`: what to wait before asking again.
    Refused {
        reason: Objection,
        #[serde(skip_serializing_if = "Option::is_none")]
        wait_ms: Option<u64>,
    },
    /// The connection ends.
    Bye {
        reason: Objection,
    },
}

impl ToVisitor {
    pub(crate) fn to_text(&self) -> String {
        // Strings, numbers and unit variants: nothing that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_docs_say() {
        let read = |text| serde_json::from_str::<FromVisitor>(text).ok();
        assert_eq!(read(r#"{"type":"say","text":"hi"}"#), Some(FromVisitor::Say(Words::Text("hi".into()))));
        assert_eq!(
            read(r#"{"type":"say","sealed":"AA"}"#),
            Some(FromVisitor::Say(Words::Sealed("AA".into())))
        );
        assert_eq!(read(r#"{"type":"say"}"#), None);
        assert_eq!(read(r#"{"type":"shout","text":"hi"}"#), None);
    }

    #[test]
    fn lines_are_written_as_docs_say() {
        let line = Line {
            id: 1,
            by: "ab".into(),
            role: Role::Owner,
            name: "Anna".into(),
            words: Words::Text("hi".into()),
            at_ms: 5,
        };
        let text = r#"{"type":"line","id":1,"by":"ab","role":"owner","name":"Anna","text":"hi","at_ms":5}"#;
        assert_eq!(ToVisitor::Line(line).to_text(), text);
        let refused = ToVisitor::Refused { reason: Objection::TooFast, wait_ms: Some(9) };
        assert_eq!(refused.to_text(), r#"{"type":"refused","reason":"too_fast","wait_ms":9}"#);
    }
}
