//! Who is not let in, and whose session ends: by address prefix or by peer, on one channel or on the whole server.
//!
//! A viewer takes another peer id at every visit. So the ban of a peer holds for the household, too, that the peer is seen
//! at: an IPv4 address, or a /64 of IPv6, kept as a keyed hash until the ban is over. The key is a file beside the database
//! and in no backup of it. Addresses themselves are in the memory of sessions only; nothing logs, shows or stores one.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use ring::hmac;
use wire::{ChannelId, PeerId};

use crate::machine;
use crate::rate::household;
use crate::refusals::Reason;
use crate::store::{Ban, Banned, Household, Store};

/// The key of households, in the data folder.
const KEY_FILE: &str = "household.key";

/// How often bans that are over are forgotten. 10 min: the shortest that anyone bans for.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Where a session comes from. Nothing shows it.
#[derive(Clone, Copy)]
pub(crate) struct Address(pub(crate) IpAddr);

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Address")
    }
}

/// The bans in force.
pub(crate) struct Bans {
    key: hmac::Key,
    list: RwLock<Arc<List>>,
}

#[derive(Default, PartialEq, Eq)]
struct List {
    of_server: Vec<Ban>,
    of_channels: HashMap<ChannelId, Vec<Ban>>,
}

impl Bans {
    /// Without any, as yet. Makes the key in the directory `data` where there is none.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        Ok(Bans { key: hmac::Key::new(hmac::HMAC_SHA256, &key(data)?), list: RwLock::default() })
    }

    /// Takes over what is stored. Returns whether that is something else than before.
    pub(crate) fn replace(&self, stored: Vec<Ban>) -> bool {
        let mut list = List::default();
        for ban in stored {
            match ban.channel {
                Some(channel) => list.of_channels.entry(channel).or_default().push(ban),
                None => list.of_server.push(ban),
            }
        }
        let changed = *self.list() != list;
        if changed {
            *self.list.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(list);
        }
        changed
    }

    fn list(&self) -> Arc<List> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What bans this peer from the channel, or with `None` from the server; `None`: nothing.
    pub(crate) fn find(&self, channel: Option<ChannelId>, peer: PeerId, from: Address) -> Option<Ban> {
        let list = self.list();
        let of_channel = channel.and_then(|channel| list.of_channels.get(&channel));
        let mut bans = list.of_server.iter().chain(of_channel.into_iter().flatten()).peekable();
        bans.peek()?;
        let (household, now_ms) = (self.household(from), machine::unix_ms());
        let holds = |ban: &&Ban| {
            ban.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms)
                && match ban.banned {
                    Banned::Prefix(prefix) => prefix.contains(&from.0.to_canonical()),
                    Banned::Peer(banned) => {
                        banned == peer || household.is_some() && ban.household == household
                    }
                }
        };
        bans.find(holds).cloned()
    }

    /// What is kept of an address. `None`: it is this machine's own, which is nobody's household.
    pub(crate) fn household(&self, from: Address) -> Option<Household> {
        let address = household(from.0);
        let bytes = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let mut kept = [0; 16];
        kept.copy_from_slice(&hmac::sign(&self.key, &bytes).as_ref()[..16]);
        (!address.is_loopback()).then_some(Household(kept))
    }
}

impl Ban {
    /// For metrics.
    pub(crate) fn why(&self) -> Reason {
        match self.banned {
            Banned::Prefix(_) => Reason::BannedPrefix,
            Banned::Peer(_) => Reason::BannedPeer,
        }
    }

    /// For the one who is banned.
    pub(crate) fn words(&self) -> String {
        let place = if self.channel.is_some() { "this channel" } else { "this server" };
        let until = self.expires_ms.map(|ms| {
            let end = UNIX_EPOCH + Duration::from_secs(ms / 1000);
            format!(" until {}", humantime::format_rfc3339_seconds(end))
        });
        let reason =
            if self.reason.is_empty() { String::new() } else { format!(" The reason: {}", self.reason) };
        format!("You are banned from {place}{}.{reason}", until.unwrap_or_default())
    }
}

/// Forgets bans that are over, and with them what was kept of an address. Does not return.
pub(crate) async fn sweep(store: Store) {
    let mut sweeping = tokio::time::interval(SWEEP_EVERY);
    loop {
        sweeping.tick().await;
        if let Err(error) = store.write(|records| records.forget_bans()).await {
            tracing::warn!("cannot forget bans that are over: {error}");
        }
    }
}

fn key(data: &Path) -> io::Result<Vec<u8>> {
    match machine::secret_file(data, KEY_FILE) {
        Ok(mut file) => {
            let key = machine::random::<32>();
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key.to_vec())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read(data.join(KEY_FILE)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bans(data: &Path, stored: Vec<Ban>) -> Bans {
        let bans = Bans::open(data).unwrap();
        bans.replace(stored);
        bans
    }

    fn ban(channel: Option<u8>, banned: Banned) -> Ban {
        let channel = channel.map(|id| ChannelId([id; 32]));
        let reason = "spam".to_owned();
        Ban { id: 1, channel, banned, household: None, reason, created_ms: 0, expires_ms: None }
    }

    fn address(text: &str) -> Address {
        Address(text.parse().unwrap())
    }

    #[test]
    fn a_prefix_is_banned_in_both_families_where_it_is_banned() {
        let data = tempfile::tempdir().unwrap();
        let prefix = |text: &str| Banned::Prefix(text.parse().unwrap());
        let stored = vec![ban(Some(1), prefix("203.0.113.0/24")), ban(None, prefix("2001:db8::/32"))];
        let bans = bans(data.path(), stored.clone());
        let banned = |channel: Option<u8>, from: &str| {
            bans.find(channel.map(|id| ChannelId([id; 32])), PeerId(7), address(from)).is_some()
        };
        assert!(banned(Some(1), "203.0.113.9") && banned(Some(1), "::ffff:203.0.113.9"));
        assert!(
            !banned(Some(2), "203.0.113.9")
                && !banned(None, "203.0.113.9")
                && !banned(Some(1), "203.0.112.9")
        );
        assert!(
            banned(Some(1), "2001:db8:1::1") && banned(None, "2001:db8::1") && !banned(None, "2001:db9::1")
        );
        assert!(!bans.replace(stored.clone()) && bans.replace(Vec::new()));
        assert!(bans.find(None, PeerId(7), address("2001:db8::1")).is_none());
        let over = Ban { expires_ms: Some(1), ..stored[0].clone() };
        bans.replace(vec![over]);
        assert!(bans.find(Some(ChannelId([1; 32])), PeerId(7), address("203.0.113.9")).is_none());
    }

    #[test]
    fn a_peer_that_was_seen_is_banned_with_its_household_also_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let unseen = ban(None, Banned::Peer(PeerId(7)));
        let first = bans(data.path(), vec![unseen.clone()]);
        let find = |bans: &Bans, peer, from: &str| bans.find(None, PeerId(peer), address(from)).is_some();
        assert!(find(&first, 7, "203.0.113.9") && !find(&first, 8, "203.0.113.9"));
        let seen = Ban { household: first.household(address("2001:db8::1")), ..unseen };
        assert_eq!(first.household(address("127.0.0.1")), None);
        let again = bans(data.path(), vec![seen.clone()]);
        assert!(find(&again, 8, "2001:db8::2") && find(&again, 7, "203.0.113.9"));
        assert!(!find(&again, 8, "2001:db8:0:1::1"));
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(!find(&bans(elsewhere.path(), vec![seen]), 8, "2001:db8::2"), "another key");
    }

    #[test]
    fn who_is_banned_reads_for_how_long_and_why() {
        let forever = ban(None, Banned::Peer(PeerId(7)));
        assert_eq!(forever.words(), "You are banned from this server. The reason: spam");
        let hour = Ban { expires_ms: Some(3_600_000), reason: String::new(), ..ban(Some(1), forever.banned) };
        assert_eq!(hour.words(), "You are banned from this channel until 1970-01-01T01:00:00Z.");
        assert!(!format!("{:?}", address("203.0.113.9")).contains("203"));
    }
}
