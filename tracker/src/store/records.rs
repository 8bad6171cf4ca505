//! What can be asked of the store, and the rows behind it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use subtle::ConstantTimeEq;
use wire::session::is_name;
use wire::{ChannelId, DELEGATION_LENGTH, DelegateId, Delegation, Signer};

use super::ban::{self, Ban, Household, NewBan};
use super::error::StoreError;
use super::record::{Channel, HostedChannel, Poster, StreamKeyId, StreamKeyInfo, StreamKeyOwner};
use super::secret::{Hash, JoinSecret, hash, tag};
use super::settings::{ChannelSettings, SettingsError, check_poster};
use crate::delegations::Ending;
use crate::machine;

/// Channels that may be stored. 100,000: about 1 KB each without poster.
pub const CHANNELS_MAX: u32 = 100_000;

/// Stream keys of one channel. 16: more encoders than anyone has.
pub const STREAM_KEYS_MAX: u32 = 16;

/// Bytes of a stream key's label.
pub const LABEL_MAX: usize = 40;

/// Invites at once.
pub const INVITES_MAX: u32 = 1_000;

/// Links to setup guides at once.
pub const SETUP_LINKS_MAX: u32 = 10_000;

/// Where an unknown key's right to a name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Everyone may.
    Open,
    /// Nobody may; those who are known come in.
    Closed,
    /// Whoever has an unused invite.
    Invite(Hash),
}

/// The store's small surface. Writing calls belong into a transaction: see [`Database::write`](super::Database::write).
pub trait Records {
    /// The channel of this name, or with this id. An id that was given up leads to its successor.
    fn find(&self, name_or_id: &str) -> Result<Option<Channel>, StoreError>;
    /// The channel with exactly this key.
    fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError>;
    /// Where a channel is now whose key was this one.
    fn rotated_to(&self, old: ChannelId) -> Result<Option<ChannelId>, StoreError>;
    /// All channels, by name.
    fn channels(&self) -> Result<Vec<Channel>, StoreError>;
    /// Gives a channel, whose key was proven, this name. A known channel is renamed.
    fn register(&self, id: ChannelId, name: &str, right: Right) -> Result<Channel, StoreError>;
    /// Replaces what its owner has set.
    fn set(&self, id: ChannelId, settings: &ChannelSettings) -> Result<(), StoreError>;
    /// Replaces its picture, or takes it away.
    fn set_poster(&self, id: ChannelId, bytes: Option<&[u8]>) -> Result<(), StoreError>;
    /// The picture of the channel of this name or id.
    fn poster(&self, name_or_id: &str) -> Result<Option<Poster>, StoreError>;
    /// Signs join tokens with another secret from now on: those of the old one are of no use any more.
    fn set_join_secret(&self, id: ChannelId, secret: &JoinSecret) -> Result<(), StoreError>;
    /// Forgets a channel and its keys.
    fn remove(&self, id: ChannelId) -> Result<(), StoreError>;
    /// Keeps the channel's own key here.
    fn host(&self, signer: &Signer) -> Result<(), StoreError>;
    /// The key that this server would sign the channel with; `seed` becomes it if there is none.
    fn signing_key(&self, id: ChannelId, seed: &[u8; 32]) -> Result<DelegateId, StoreError>;
    /// Lets that key sign, once the owner has said so.
    fn delegate(&self, delegation: &Delegation) -> Result<(), StoreError>;
    /// Permissions to sign that end in this span of Unix time, in seconds; soonest first.
    fn delegations_ending(&self, after_s: u64, until_s: u64) -> Result<Vec<Ending>, StoreError>;
    /// What this server may broadcast now under this name or id.
    fn hosted(&self, name_or_id: &str) -> Result<Option<HostedChannel>, StoreError>;
    /// Takes the hash of one more stream key.
    fn add_stream_key(&self, id: ChannelId, label: &str, hash: Hash) -> Result<(), StoreError>;
    /// The stream keys of a channel, oldest first.
    fn stream_keys(&self, id: ChannelId) -> Result<Vec<StreamKeyInfo>, StoreError>;
    /// Ends a stream key's validity.
    fn revoke_stream_key(&self, id: ChannelId, label: &str) -> Result<(), StoreError>;
    /// Where an encoder with this stream key may publish.
    fn by_stream_key(&self, stream_key: &str) -> Result<Option<StreamKeyOwner>, StoreError>;
    /// Whether a stream key is still valid.
    fn is_valid(&self, key: StreamKeyId) -> Result<bool, StoreError>;
    /// Gives a channel another key. `statement` is the old key's word for it.
    fn rotate(&self, old: ChannelId, new: ChannelId, statement: &str) -> Result<Channel, StoreError>;
    /// What the key `old` has said when it was given up.
    fn rotation_statement(&self, old: ChannelId) -> Result<Option<String>, StoreError>;
    /// Takes the hash of a link to a channel's setup guide.
    fn add_setup_link(&self, hash: Hash, id: ChannelId, expires_ms: u64) -> Result<(), StoreError>;
    /// Whose setup guide a link opens at `now_ms`.
    fn by_setup_link(&self, hash: Hash, now_ms: u64) -> Result<Option<ChannelId>, StoreError>;
    /// Takes the hash of an invite for so many channels, until `expires_ms`.
    fn add_invite(&self, hash: Hash, uses: u32, expires_ms: u64) -> Result<(), StoreError>;
    /// Bans somebody. A running server ends their sessions within a second.
    fn ban(&self, new: &NewBan) -> Result<Ban, StoreError>;
    /// The bans that hold, of all channels and of the server, oldest first.
    fn bans(&self) -> Result<Vec<Ban>, StoreError>;
    /// Takes back a ban of the channel, or with `None` of the server.
    fn lift_ban(&self, channel: Option<ChannelId>, id: i64) -> Result<(), StoreError>;
    /// Forgets the bans that are over.
    fn forget_bans(&self) -> Result<(), StoreError>;
    /// Notes the household where a banned peer was seen.
    fn saw_banned(&self, id: i64, household: Household) -> Result<(), StoreError>;
}

const CHANNEL_COLUMNS: &str = "channel.id, channel.name, channel.settings, channel.created_ms, \
     (SELECT tag FROM poster WHERE poster.channel = channel.id), \
     EXISTS (SELECT 1 FROM signing_key WHERE signing_key.channel = channel.id AND expires_ms IS NOT 0), \
     (SELECT expires_ms FROM signing_key WHERE signing_key.channel = channel.id AND expires_ms > 0), \
     (SELECT secret FROM join_secret WHERE join_secret.channel = channel.id)";

impl Records for Connection {
    fn find(&self, name_or_id: &str) -> Result<Option<Channel>, StoreError> {
        // 43 characters are an id's, never a name's.
        match name_or_id.parse::<ChannelId>() {
            Ok(id) => self.channel(self.rotated_to(id)?.unwrap_or(id)),
            Err(_) => one_channel(self, "name = ?1", params![name_or_id]),
        }
    }

    fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        one_channel(self, "id = ?1", params![id.0])
    }

    fn rotated_to(&self, old: ChannelId) -> Result<Option<ChannelId>, StoreError> {
        let query = "SELECT new FROM rotation WHERE old = ?1";
        let new = self.prepare_cached(query)?.query_row(params![old.0], |row| row.get(0)).optional()?;
        Ok(new.map(ChannelId))
    }

    fn channels(&self) -> Result<Vec<Channel>, StoreError> {
        let mut query = self.prepare(&format!("SELECT {CHANNEL_COLUMNS} FROM channel ORDER BY name"))?;
        let rows = query.query_map([], read_channel)?;
        rows.map(|row| row?.into_channel()).collect()
    }

    fn register(&self, id: ChannelId, name: &str, right: Right) -> Result<Channel, StoreError> {
        if !is_name(name) {
            return Err(StoreError::BadName(name.to_owned()));
        }
        if let Some(new) = self.rotated_to(id)? {
            return Err(StoreError::Rotated(new));
        }
        let owner = self.find(name)?;
        match (owner, self.channel(id)?) {
            (Some(owner), _) if owner.id == id => return Ok(owner),
            (Some(_), _) => return Err(StoreError::Exists(name.to_owned())),
            (None, Some(_)) if right == Right::Closed => return Err(StoreError::Closed),
            (None, Some(_)) => {
                self.execute("UPDATE channel SET name = ?2 WHERE id = ?1", params![id.0, name])?;
            }
            (None, None) => insert_channel(self, id, name, right)?,
        }
        self.channel(id)?.ok_or_else(|| StoreError::Unknown(name.to_owned()))
    }

    fn set(&self, id: ChannelId, settings: &ChannelSettings) -> Result<(), StoreError> {
        settings.check()?;
        let text = serde_json::to_string(settings).map_err(|_| StoreError::Damaged("settings"))?;
        let changed = self.execute("UPDATE channel SET settings = ?2 WHERE id = ?1", params![id.0, text])?;
        at_least_one(changed, || StoreError::Unknown(id.to_string()))
    }

    fn set_poster(&self, id: ChannelId, bytes: Option<&[u8]>) -> Result<(), StoreError> {
        let Some(bytes) = bytes else {
            self.execute("DELETE FROM poster WHERE channel = ?1", params![id.0])?;
            return Ok(());
        };
        let mime = check_poster(bytes)?;
        self.channel(id)?.ok_or_else(|| StoreError::Unknown(id.to_string()))?;
        let query = "INSERT OR REPLACE INTO poster (channel, mime, tag, bytes) VALUES (?1, ?2, ?3, ?4)";
        self.execute(query, params![id.0, mime, tag(bytes), bytes])?;
        Ok(())
    }

    fn poster(&self, name_or_id: &str) -> Result<Option<Poster>, StoreError> {
        let Some(channel) = self.find(name_or_id)? else { return Ok(None) };
        let query = "SELECT mime, tag, bytes FROM poster WHERE channel = ?1";
        let read = |row: &Row| Ok(Poster { mime: row.get(0)?, tag: row.get(1)?, bytes: row.get(2)? });
        Ok(self.prepare_cached(query)?.query_row(params![channel.id.0], read).optional()?)
    }

    fn set_join_secret(&self, id: ChannelId, secret: &JoinSecret) -> Result<(), StoreError> {
        self.channel(id)?.ok_or_else(|| StoreError::Unknown(id.to_string()))?;
        let query = "INSERT OR REPLACE INTO join_secret (channel, secret) VALUES (?1, ?2)";
        self.execute(query, params![id.0, secret.0])?;
        Ok(())
    }

    fn remove(&self, id: ChannelId) -> Result<(), StoreError> {
        let removed = self.execute("DELETE FROM channel WHERE id = ?1", params![id.0])?;
        at_least_one(removed, || StoreError::Unknown(id.to_string()))
    }

    fn host(&self, signer: &Signer) -> Result<(), StoreError> {
        let row = params![signer.channel().0, signer.seed()];
        self.execute("INSERT INTO signing_key (channel, seed) VALUES (?1, ?2)", row)?;
        Ok(())
    }

    fn hosted(&self, name_or_id: &str) -> Result<Option<HostedChannel>, StoreError> {
        let Some(channel) = self.find(name_or_id)? else { return Ok(None) };
        let query = "SELECT seed, delegation FROM signing_key \
                     WHERE channel = ?1 AND (expires_ms IS NULL OR expires_ms > ?2)";
        let read =
            |row: &Row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, Option<[u8; DELEGATION_LENGTH]>>(1)?));
        let now = machine::unix_ms() as i64;
        let key = self.prepare_cached(query)?.query_row(params![channel.id.0, now], read).optional()?;
        let Some((seed, delegation)) = key else { return Ok(None) };
        let signer = Signer::from_seed(&seed);
        let signer = match delegation {
            Some(bytes) => {
                signer.delegated(Delegation::from_bytes(bytes)).map_err(|_| StoreError::Damaged("a key"))?
            }
            None => signer,
        };
        Ok(Some(HostedChannel { channel: channel.id, name: channel.name, signer }))
    }

    fn signing_key(&self, id: ChannelId, seed: &[u8; 32]) -> Result<DelegateId, StoreError> {
        self.channel(id)?.ok_or_else(|| StoreError::Unknown(id.to_string()))?;
        let query =
            "INSERT INTO signing_key (channel, seed, expires_ms) VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING";
        self.execute(query, params![id.0, seed])?;
        let query = "SELECT seed FROM signing_key WHERE channel = ?1";
        let seed = self.query_row(query, params![id.0], |row| row.get(0))?;
        Ok(Signer::from_seed(&seed).delegate())
    }

    fn delegate(&self, delegation: &Delegation) -> Result<(), StoreError> {
        let id = delegation.channel();
        let query = "SELECT seed FROM signing_key WHERE channel = ?1";
        let seed = self.query_row(query, params![id.0], |row| row.get(0)).optional()?;
        let ours = seed.is_some_and(|seed| Signer::from_seed(&seed).delegate() == delegation.delegate());
        if !ours {
            return Err(StoreError::NotDelegate);
        }
        let expires_ms = delegation.expires_s().saturating_mul(1000) as i64;
        let query = "UPDATE signing_key SET delegation = ?2, expires_ms = ?3 WHERE channel = ?1";
        self.execute(query, params![id.0, delegation.as_bytes(), expires_ms])?;
        Ok(())
    }

    fn delegations_ending(&self, after_s: u64, until_s: u64) -> Result<Vec<Ending>, StoreError> {
        let query = "SELECT channel.id, channel.name, expires_ms FROM signing_key \
                     JOIN channel ON channel.id = signing_key.channel \
                     WHERE expires_ms > ?1 AND expires_ms <= ?2 ORDER BY expires_ms";
        let span = [after_s, until_s].map(|seconds| seconds.saturating_mul(1000) as i64);
        let mut query = self.prepare_cached(query)?;
        let rows = query.query_map(span, |row| {
            let expires_s = row.get::<_, i64>(2)? as u64 / 1000;
            Ok(Ending { channel: ChannelId(row.get(0)?), name: row.get(1)?, expires_s })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn add_stream_key(&self, id: ChannelId, label: &str, hash: Hash) -> Result<(), StoreError> {
        let channel = self.channel(id)?.ok_or_else(|| StoreError::Unknown(id.to_string()))?;
        if !channel.hosted {
            return Err(StoreError::NotHosted(channel.name));
        }
        check_label(label)?;
        let labels = self.stream_keys(id)?;
        if labels.iter().any(|key| key.label == label) {
            return Err(StoreError::LabelTaken(label.to_owned()));
        }
        at_most(labels.len() as u32, STREAM_KEYS_MAX, "stream keys")?;
        let query = "INSERT INTO stream_key (channel, label, hash, hash_start, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(query, params![id.0, label, hash.0, hash.start(), machine::unix_ms() as i64])?;
        Ok(())
    }

    fn stream_keys(&self, id: ChannelId) -> Result<Vec<StreamKeyInfo>, StoreError> {
        let mut query =
            self.prepare_cached("SELECT label, created_ms FROM stream_key WHERE channel = ?1 ORDER BY id")?;
        let rows = query.query_map(params![id.0], |row| {
            Ok(StreamKeyInfo { label: row.get(0)?, created_ms: row.get::<_, i64>(1)? as u64 })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn revoke_stream_key(&self, id: ChannelId, label: &str) -> Result<(), StoreError> {
        let query = "DELETE FROM stream_key WHERE channel = ?1 AND label = ?2";
        at_least_one(self.execute(query, params![id.0, label])?, || {
            StoreError::UnknownLabel(label.to_owned())
        })
    }

    fn by_stream_key(&self, stream_key: &str) -> Result<Option<StreamKeyOwner>, StoreError> {
        let shown = hash(stream_key);
        let query = "SELECT stream_key.id, stream_key.hash, channel.id, channel.name FROM stream_key \
                     JOIN channel ON channel.id = stream_key.channel WHERE hash_start = ?1";
        let mut query = self.prepare_cached(query)?;
        let mut rows = query.query(params![shown.start()])?;
        let mut found = None;
        while let Some(row) = rows.next()? {
            let stored: [u8; 32] = row.get(1)?;
            if bool::from(stored.ct_eq(&shown.0)) {
                let (key, channel) = (StreamKeyId(row.get(0)?), ChannelId(row.get(2)?));
                found = Some(StreamKeyOwner { key, channel, name: row.get(3)? });
            }
        }
        Ok(found)
    }

    fn is_valid(&self, key: StreamKeyId) -> Result<bool, StoreError> {
        Ok(self.prepare_cached("SELECT 1 FROM stream_key WHERE id = ?1")?.exists(params![key.0])?)
    }

    fn rotate(&self, old: ChannelId, new: ChannelId, statement: &str) -> Result<Channel, StoreError> {
        if self.channel(new)?.is_some() || self.rotated_to(new)?.is_some() {
            return Err(StoreError::KeyInUse);
        }
        let unknown = || StoreError::Unknown(old.to_string());
        let changed = self.execute("UPDATE channel SET id = ?2 WHERE id = ?1", params![old.0, new.0])?;
        at_least_one(changed, unknown)?;
        // It was the old key, or had the old key's word.
        self.execute("DELETE FROM signing_key WHERE channel = ?1", params![new.0])?;
        let query = "INSERT INTO rotation (old, new, rotated_ms, statement) VALUES (?1, ?2, ?3, ?4)";
        self.execute(query, params![old.0, new.0, machine::unix_ms() as i64, statement])?;
        self.channel(new)?.ok_or_else(unknown)
    }

    fn rotation_statement(&self, old: ChannelId) -> Result<Option<String>, StoreError> {
        let query = "SELECT statement FROM rotation WHERE old = ?1";
        Ok(self.prepare_cached(query)?.query_row(params![old.0], |row| row.get(0)).optional()?)
    }

    fn add_setup_link(&self, hash: Hash, id: ChannelId, expires_ms: u64) -> Result<(), StoreError> {
        let now = machine::unix_ms() as i64;
        self.execute("DELETE FROM setup_link WHERE expires_ms <= ?1", params![now])?;
        at_most(count(self, "setup_link")?, SETUP_LINKS_MAX, "setup links")?;
        self.channel(id)?.ok_or_else(|| StoreError::Unknown(id.to_string()))?;
        let query = "INSERT INTO setup_link (hash, channel, expires_ms) VALUES (?1, ?2, ?3)";
        self.execute(query, params![hash.0, id.0, expires_ms as i64])?;
        Ok(())
    }

    fn by_setup_link(&self, hash: Hash, now_ms: u64) -> Result<Option<ChannelId>, StoreError> {
        let query = "SELECT channel FROM setup_link WHERE hash = ?1 AND expires_ms > ?2";
        let found = self.prepare_cached(query)?.query_row(params![hash.0, now_ms as i64], |row| row.get(0));
        Ok(found.optional()?.map(ChannelId))
    }

    fn add_invite(&self, hash: Hash, uses: u32, expires_ms: u64) -> Result<(), StoreError> {
        let now = machine::unix_ms() as i64;
        self.execute("DELETE FROM invite WHERE expires_ms <= ?1 OR uses_left = 0", params![now])?;
        at_most(count(self, "invite")?, INVITES_MAX, "invites")?;
        let query = "INSERT INTO invite (hash, uses_left, created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4)";
        self.execute(query, params![hash.0, uses, now, expires_ms as i64])?;
        Ok(())
    }

    fn ban(&self, new: &NewBan) -> Result<Ban, StoreError> {
        ban::add(self, new)
    }

    fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        ban::all(self)
    }

    fn lift_ban(&self, channel: Option<ChannelId>, id: i64) -> Result<(), StoreError> {
        ban::lift(self, channel, id)
    }

    fn forget_bans(&self) -> Result<(), StoreError> {
        ban::forget_over(self)
    }

    fn saw_banned(&self, id: i64, household: Household) -> Result<(), StoreError> {
        ban::seen(self, id, household)
    }
}

fn insert_channel(store: &Connection, id: ChannelId, name: &str, right: Right) -> Result<(), StoreError> {
    at_most(count(store, "channel")?, CHANNELS_MAX, "channels")?;
    let now = machine::unix_ms() as i64;
    match right {
        Right::Open => {}
        Right::Closed => return Err(StoreError::Closed),
        Right::Invite(hash) => {
            let query = "UPDATE invite SET uses_left = uses_left - 1 \
                         WHERE hash = ?1 AND uses_left > 0 AND expires_ms > ?2";
            at_least_one(store.execute(query, params![hash.0, now])?, || StoreError::BadInvite)?;
        }
    }
    let query = "INSERT INTO channel (id, name, settings, created_ms) VALUES (?1, ?2, '{}', ?3)";
    store.execute(query, params![id.0, name, now])?;
    Ok(())
}

/// A row before its settings are read.
struct ChannelRow {
    channel: Channel,
    settings: String,
}

impl ChannelRow {
    fn into_channel(self) -> Result<Channel, StoreError> {
        let settings = serde_json::from_str(&self.settings).map_err(|_| StoreError::Damaged("settings"))?;
        Ok(Channel { settings, ..self.channel })
    }
}

fn one_channel(
    store: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<Channel>, StoreError> {
    let query = format!("SELECT {CHANNEL_COLUMNS} FROM channel WHERE {condition}");
    let row = store.prepare_cached(&query)?.query_row(parameters, read_channel).optional()?;
    row.map(ChannelRow::into_channel).transpose()
}

fn read_channel(row: &Row) -> rusqlite::Result<ChannelRow> {
    let channel = Channel {
        id: ChannelId(row.get(0)?),
        name: row.get(1)?,
        settings: ChannelSettings::default(),
        created_ms: row.get::<_, i64>(3)? as u64,
        poster_tag: row.get(4)?,
        hosted: row.get(5)?,
        delegated_until_ms: row.get::<_, Option<i64>>(6)?.map(|ms| ms as u64),
        join_secret: row.get::<_, Option<String>>(7)?.map(JoinSecret),
    };
    Ok(ChannelRow { channel, settings: row.get(2)? })
}

fn check_label(label: &str) -> Result<(), StoreError> {
    let plain = (1..=LABEL_MAX).contains(&label.len()) && !label.chars().any(char::is_control);
    if plain {
        return Ok(());
    }
    let wrong = format!("must have 1 to {LABEL_MAX} bytes, without control characters");
    Err(SettingsError { field: "label", wrong }.into())
}

fn count(store: &Connection, table: &str) -> Result<u32, StoreError> {
    Ok(store.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?)
}

pub(super) fn at_most(present: u32, most: u32, what: &'static str) -> Result<(), StoreError> {
    if present < most { Ok(()) } else { Err(StoreError::Full(what)) }
}

pub(super) fn at_least_one(changed: usize, otherwise: impl FnOnce() -> StoreError) -> Result<(), StoreError> {
    if changed > 0 { Ok(()) } else { Err(otherwise()) }
}
