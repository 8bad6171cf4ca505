//! `ban`: who is kept out. A running server needs no restart.

use anyhow::bail;
use clap::{Args, Subcommand};
use humantime::parse_duration;
use serde_json::json;
use tracker::{Banned, Database, NewBan, Records, StoreError, address_prefix};
use wire::{ChannelId, PeerId};

use super::channel::Place;

#[derive(Subcommand)]
pub(crate) enum Ban {
    /// Ban a peer or a prefix, and print the ban. Running sessions end within a second
    Add {
        #[command(flatten)]
        whom: Whom,
        /// For so long, as in 2h or 30days. Left out: for good, a peer for a day; a peer for 30 days at most
        #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
        time: Option<std::time::Duration>,
        /// What the one who is banned reads
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        place: Place,
    },
    /// List the bans
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Take a ban back
    Lift {
        /// Its number
        id: i64,
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Whom {
    /// An address, or a prefix such as 203.0.113.0/24 or 2001:db8::/32
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// A peer by its id, as in the log, and the household where it is
    #[arg(long, value_name = "ID")]
    peer: Option<PeerId>,
}

#[derive(Args)]
pub(crate) struct Scope {
    /// The channel; left out: the whole server
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
}

impl Scope {
    fn find(&self, store: &dyn Records) -> Result<Option<ChannelId>, StoreError> {
        let Some(name) = &self.channel else { return Ok(None) };
        let channel = store.find(name)?.ok_or_else(|| StoreError::Unknown(name.clone()))?;
        Ok(Some(channel.id))
    }
}

impl Whom {
    fn banned(&self) -> anyhow::Result<Banned> {
        match (self.peer, &self.prefix) {
            (Some(peer), _) => Ok(Banned::Peer(peer)),
            (None, Some(text)) => address_prefix(text).map(Banned::Prefix).map_err(anyhow::Error::msg),
            (None, None) => bail!("name a --peer or a --prefix"),
        }
    }
}

pub(super) fn run(ban: &Ban) -> anyhow::Result<()> {
    match ban {
        Ban::Add { whom, time, reason, scope, place } => {
            let (banned, for_ms) = (whom.banned()?, time.map(|time| time.as_millis() as u64));
            let added = Database::open(&place.data)?.write(|store| {
                let channel = scope.find(store)?;
                store.ban(&NewBan { channel, banned, reason: reason.clone(), for_ms })
            })?;
            println!("{}", serde_json::to_string(&added)?);
        }
        Ban::List { place } => {
            let database = Database::open(&place.data)?;
            for ban in database.read(|store| store.bans())? {
                let channel =
                    ban.channel.map(|id| database.read(|store| store.channel(id))).transpose()?.flatten();
                let mut shown = serde_json::to_value(&ban)?;
                shown["channel"] = json!(channel.map(|channel| channel.name));
                println!("{shown}");
            }
        }
        Ban::Lift { id, scope, place } => {
            Database::open(&place.data)?.write(|store| store.lift_ban(scope.find(store)?, *id))?;
        }
    }
    Ok(())
}
