//! A table of garbage. Whatever a stranger sends, at whichever door: it is refused under a name that `/metrics` shows, the
//! server lives, and who is inside is served. In a process of its own, whose memory is looked at.

// In a test a panic is the message.
#![allow(clippy::unwrap_used)]

mod ports;
mod sending;
mod session;
mod socket;
#[path = "../suite/support.rs"]
#[allow(dead_code)] // Shared with the suite, which uses all of it.
mod support;
mod table;

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use tracker::channel_settings::{ChannelSettings, JoinPolicy};
use tracker::{Banned, NewBan, address_prefix, renew_join_secret};
use wire::session::{FromPeer, Join};

use session::spent;
use support::{Tracker, a_moment, join, peer, within};
use table::{Case, cases, dawdlers};

/// Memory that all of the table may leave behind, of this whole process: some threads' buffers and the allocator's slack.
const LEFT_BEHIND_BYTES: u64 = 48 << 20;

/// For who dawdles before it is inside. 3 s: nobody else takes as long for a word, on a busy machine either.
const SOON: Duration = Duration::from_secs(3);

/// For who is inside.
const LATER: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_refused_by_name_and_residents_are_served() {
    let tracker = Tracker::start_with(|config| {
        config.rtmp = Some("127.0.0.1:0".parse().unwrap());
        config.limits.farewell = Duration::from_millis(200);
    })
    .await;
    let secret = guard(&tracker).await;
    let (_source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut resident, _) = tracker.viewer("demo", 2).await;
    let cases = cases(&secret);
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let before_bytes = own_bytes();
    for (Case(name, garbage, door, reason), secret) in cases.into_iter().zip((10..200).cycle()) {
        println!("{name}");
        let before = tracker.refused(door, reason).await;
        let _held = tracker.receive_garbage(garbage, secret).await;
        let counted = async { while tracker.refused(door, reason).await <= before {} };
        within(counted).await;
        resident.settle().await;
    }
    let grown = own_bytes().saturating_sub(before_bytes);
    assert!(grown < LEFT_BEHIND_BYTES, "{grown} bytes are left behind");
    let (mut newcomer, _) = tracker.viewer("demo", 3).await;
    newcomer.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dawdles_is_let_go_by_name_and_residents_are_served() {
    let tracker = Tracker::start_with(|config| {
        config.rtmp = Some("127.0.0.1:0".parse().unwrap());
        (config.limits.header_timeout, config.limits.first_message_timeout) = (SOON, SOON);
        (config.limits.ping_every, config.limits.dead_after) = (LATER / 4, LATER);
    })
    .await;
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    let (mut resident, _) = tracker.viewer("demo", 2).await;
    let cases = dawdlers();
    let mut wanted = BTreeMap::new();
    cases.iter().for_each(|Case(_, _, door, reason)| *wanted.entry((*door, *reason)).or_insert(0) += 1);
    let dawdling = cases.into_iter().zip((10..).step_by(2));
    let dawdling = dawdling.map(|(Case(_, garbage, ..), secret)| tracker.receive_garbage(garbage, secret));
    let mut dawdling = pin!(join_all(dawdling));
    let _held = loop {
        tokio::select! {
            held = &mut dawdling => break held,
            () = a_moment() => {
                source.settle().await;
                resident.settle().await;
            }
        }
    };
    for ((door, reason), times) in wanted {
        let counted = async {
            while tracker.refused(door, reason).await < times {
                source.settle().await;
                resident.settle().await;
                a_moment().await;
            }
        };
        within(counted).await;
    }
    let (mut newcomer, _) = tracker.viewer("demo", 3).await;
    newcomer.settle().await;
}

/// Makes the channels that not everyone may watch. The secret of the one that asks for tokens, of which one is used.
async fn guard(tracker: &Tracker) -> String {
    let [guarded, barred] = ["guarded", "barred"].map(|name| tracker.add_hosted(name).channel);
    let settings = ChannelSettings { join: JoinPolicy::Token, ..ChannelSettings::default() };
    let bans =
        [(guarded, Banned::Peer(peer(8))), (barred, Banned::Prefix(address_prefix("127.0.0.0/8").unwrap()))];
    let made = tracker.database().write(|store| {
        store.set(guarded, &settings)?;
        for (channel, banned) in bans {
            store.ban(&NewBan { channel: Some(channel), banned, reason: String::new(), for_ms: None })?;
        }
        renew_join_secret(store, "guarded")
    });
    let secret = serde_json::to_value(made.unwrap()).unwrap().as_str().unwrap().to_owned();
    // The server notices within a second.
    while tracker.refused("opening", "banned_prefix").await == 0 {
        let mut stranger = tracker.session().await;
        stranger.say(&join("barred", 9)).await;
        stranger.told().await;
        a_moment().await;
    }
    let mut member = tracker.session().await;
    let FromPeer::Join(join) = join("guarded", 7) else { unreachable!() };
    member.say(&FromPeer::Join(Join { token: Some(spent(&secret)), ..join })).await;
    member.welcome().await;
    secret
}

/// Memory of this process that is its own.
fn own_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
