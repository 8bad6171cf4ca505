//! Bans as they are stored: whom they hold for, where, and until when. Whether one holds for somebody is decided in `bans`.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use rusqlite::{Connection, Row, params};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use wire::{ChannelId, PeerId};

use super::error::StoreError;
use super::records::{at_least_one, at_most};
use super::settings::SettingsError;
use crate::machine;

/// Bans of one channel. 500: somebody who moderates for years.
pub const CHANNEL_BANS_MAX: u32 = 500;

/// Bans of the whole server. 5,000: a public list of networks.
pub const SERVER_BANS_MAX: u32 = 5_000;

/// Bans in all. 50,000: 10 MB at hand.
pub const BANS_MAX: u32 = 50_000;

/// Bytes of a reason: one line.
pub const REASON_MAX: usize = 200;

const DAY_MS: u64 = 86_400_000;

/// For how long a peer is banned if nothing else is said. A day: addresses change hands.
pub const PEER_BAN_MS: u64 = DAY_MS;

/// And at most: for as long something of an address is kept.
pub const PEER_BAN_MS_MAX: u64 = 30 * DAY_MS;

/// Whom a ban holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Banned {
    /// All of these addresses.
    #[schema(value_type = String, example = "203.0.113.0/24")]
    Prefix(#[serde(serialize_with = "as_text")] IpNet),
    /// A peer, and the household where it is seen.
    #[schema(value_type = String, example = "be45cb2605bf36be")]
    Peer(PeerId),
}

fn as_text<S: Serializer>(prefix: &IpNet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(prefix)
}

/// A household as a keyed hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Household(pub(crate) [u8; 16]);

impl fmt::Debug for Household {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Household")
    }
}

/// A ban to be stored.
#[derive(Debug, Clone)]
pub struct NewBan {
    /// Where; `None`: on the whole server.
    pub channel: Option<ChannelId>,
    /// Whom.
    pub banned: Banned,
    /// For the one who is banned. May be empty.
    pub reason: String,
    /// For so long; `None`: for good, a peer for a day.
    pub for_ms: Option<u64>,
}

/// A ban that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ban {
    /// Its number.
    pub id: i64,
    /// Where; `None`: on the whole server.
    #[serde(skip)]
    pub channel: Option<ChannelId>,
    /// Whom it holds for.
    #[serde(flatten)]
    pub banned: Banned,
    #[serde(skip)]
    pub(crate) household: Option<Household>,
    /// What the one who is banned reads.
    pub reason: String,
    /// Unix time of its making, in milliseconds.
    pub created_ms: u64,
    /// Unix time of its end, in milliseconds; `null`: there is none.
    pub expires_ms: Option<u64>,
}

/// An address or a prefix of either family, as people write them.
pub fn prefix(text: &str) -> Result<IpNet, &'static str> {
    let address = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    let network = text.parse::<IpNet>().map(|network| network.trunc());
    network
        .or_else(|_| address())
        .map_err(|_| "write an IP address or a prefix, as in 203.0.113.0/24 or 2001:db8::/32")
}

const COLUMNS: &str = "id, channel, prefix, peer, household, reason, created_ms, expires_ms";

/// Stores a ban.
pub(super) fn add(store: &Connection, new: &NewBan) -> Result<Ban, StoreError> {
    let now_ms = machine::unix_ms();
    let expires_ms = new.check()?.map(|for_ms| now_ms.saturating_add(for_ms).min(i64::MAX as u64));
    let channel = new.channel.map(|channel| channel.0);
    forget_over(store)?;
    at_most(store.query_row("SELECT count(*) FROM ban", [], |row| row.get(0))?, BANS_MAX, "bans")?;
    let query = "SELECT count(*) FROM ban WHERE channel IS ?1";
    let here_max = if channel.is_some() { CHANNEL_BANS_MAX } else { SERVER_BANS_MAX };
    at_most(store.query_row(query, params![channel], |row| row.get(0))?, here_max, "bans")?;
    let (prefix, peer) = match new.banned {
        Banned::Prefix(prefix) => (Some(prefix.to_string()), None),
        Banned::Peer(peer) => (None, Some(peer.0.to_be_bytes())),
    };
    let query = "INSERT INTO ban (channel, prefix, peer, reason, created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let expires = expires_ms.map(|ms| ms as i64);
    store.execute(query, params![channel, prefix, peer, new.reason, now_ms as i64, expires])?;
    Ok(Ban {
        id: store.last_insert_rowid(),
        channel: new.channel,
        banned: new.banned,
        household: None,
        reason: new.reason.clone(),
        created_ms: now_ms,
        expires_ms,
    })
}

/// Deletes those that are over.
pub(super) fn forget_over(store: &Connection) -> Result<(), StoreError> {
    store.execute("DELETE FROM ban WHERE expires_ms <= ?1", params![machine::unix_ms() as i64])?;
    Ok(())
}

/// Those that hold, oldest first.
pub(super) fn all(store: &Connection) -> Result<Vec<Ban>, StoreError> {
    let now = machine::unix_ms() as i64;
    let query = format!("SELECT {COLUMNS} FROM ban WHERE expires_ms IS NULL OR expires_ms > ?1 ORDER BY id");
    let mut query = store.prepare_cached(&query)?;
    let rows = query.query_map(params![now], read)?;
    rows.map(|row| row?.ok_or(StoreError::Damaged("a ban"))).collect()
}

pub(super) fn lift(store: &Connection, channel: Option<ChannelId>, id: i64) -> Result<(), StoreError> {
    let query = "DELETE FROM ban WHERE id = ?1 AND channel IS ?2";
    let lifted = store.execute(query, params![id, channel.map(|channel| channel.0)])?;
    at_least_one(lifted, || StoreError::UnknownBan(id))
}

/// Notes where a banned peer was seen.
pub(super) fn seen(store: &Connection, id: i64, household: Household) -> Result<(), StoreError> {
    // It may have been lifted meanwhile.
    let query = "UPDATE ban SET household = ?2 WHERE id = ?1 AND household IS NULL";
    store.execute(query, params![id, household.0])?;
    Ok(())
}

fn read(row: &Row) -> rusqlite::Result<Option<Ban>> {
    let prefix = row.get::<_, Option<String>>(2)?.and_then(|prefix| prefix.parse().ok()).map(Banned::Prefix);
    let peer = row.get::<_, Option<[u8; 8]>>(3)?.map(|peer| Banned::Peer(PeerId(u64::from_be_bytes(peer))));
    let Some(banned) = prefix.or(peer) else { return Ok(None) };
    Ok(Some(Ban {
        id: row.get(0)?,
        channel: row.get::<_, Option<[u8; 32]>>(1)?.map(ChannelId),
        banned,
        household: row.get::<_, Option<[u8; 16]>>(4)?.map(Household),
        reason: row.get(5)?,
        created_ms: row.get::<_, i64>(6)? as u64,
        expires_ms: row.get::<_, Option<i64>>(7)?.map(|ms| ms as u64),
    }))
}

impl NewBan {
    /// For how long it holds.
    fn check(&self) -> Result<Option<u64>, SettingsError> {
        let wrong = |field, wrong: String| Err(SettingsError { field, wrong });
        if self.reason.len() > REASON_MAX || self.reason.chars().any(char::is_control) {
            return wrong("reason", format!("must be one line of at most {REASON_MAX} bytes"));
        }
        match (self.banned, self.for_ms) {
            (Banned::Peer(_), None) => Ok(Some(PEER_BAN_MS)),
            (Banned::Peer(_), Some(for_ms)) if for_ms > PEER_BAN_MS_MAX => wrong(
                "for_s",
                "may be 30 days at most where a peer is banned; ban a prefix for longer".to_owned(),
            ),
            (_, for_ms) => Ok(for_ms),
        }
    }
}
