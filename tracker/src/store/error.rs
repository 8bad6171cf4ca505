//! Why the store cannot do what it was asked.

use std::io;
use std::path::PathBuf;

use super::settings::SettingsError;

/// Why channels cannot be stored or found as asked. Messages say what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not a name.
    #[error(
        "`{0}` cannot name a channel: use 1 to 48 of the characters a-z, 0-9, `-` and `_` (and not exactly 43 of them)"
    )]
    BadName(String),
    /// A setting is over its limit, or not what it must be.
    #[error(transparent)]
    BadSettings(#[from] SettingsError),
    /// There is one already.
    #[error("channel `{0}` exists already; pick another name, or remove it first with `channel remove {0}`")]
    Exists(String),
    /// There is none.
    #[error("there is no channel `{0}`; `channel list` shows those that exist")]
    Unknown(String),
    /// Keys that are not known are not welcome.
    #[error("this server does not register channels by itself")]
    Closed,
    /// The invite is unknown, used up or too old.
    #[error("this invite is unknown, used up or expired; ask the server's owner for another")]
    BadInvite,
    /// As many as there may be.
    #[error("there are as many {0} as there may be; remove one that is not needed")]
    Full(&'static str),
    /// One of this label exists.
    #[error("there is a stream key `{0}` already; choose another label, or revoke that one first")]
    LabelTaken(String),
    /// No key of this label.
    #[error("there is no stream key `{0}` on this channel")]
    UnknownLabel(String),
    /// No ban of this number.
    #[error("there is no ban {0} here; list the bans to see their numbers")]
    UnknownBan(i64),
    /// The key is a channel's already, or was.
    #[error("this key has, or had, a channel of its own; make a new one with `swarmcast-uploader keygen`")]
    KeyInUse,
    /// The channel goes on under another key.
    #[error("this key was given up: the channel goes on under {0}; use that key")]
    Rotated(wire::ChannelId),
    /// The delegation is for another key.
    #[error("this delegation is for another key; ask for the server's key of this channel first")]
    NotDelegate,
    /// The server holds no key for it, so that it cannot broadcast it.
    #[error("channel `{0}` is not hosted: its key is with its owner")]
    NotHosted(String),
    /// The file system said no.
    #[error("cannot use {path}: {source}; check that --data names a directory that this user may write")]
    Files {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A newer program has written it.
    #[error("{path} was written by a newer version of this program (schema {found}); use that one")]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// The file to write is there.
    #[error("{0} exists already and is not overwritten; choose another file")]
    FileExists(PathBuf),
    /// A row that this program did not write.
    #[error("the database holds something that is none of this program's ({0}); restore a backup")]
    Damaged(&'static str),
    /// The database said no.
    #[error("the database in --data refuses: {0}")]
    Database(String),
    /// The server is ending, or its writer has failed.
    #[error("nothing can be stored any more; the server is ending")]
    Ended,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::Database(error.to_string())
    }
}
