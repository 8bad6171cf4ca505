//! `invite`: who may register channels on a server with `registration = "invite"`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use serde_json::json;
use tracker::{Database, invite};

use super::channel::Place;

/// A day, in which the age of invites is counted.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Subcommand)]
pub(crate) enum Invite {
    /// Make an invite and print it, once. Whoever has it may register channels here
    Add {
        /// Channels that may be registered with it
        #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        uses: u32,
        /// Days for which it is good
        #[arg(long, value_name = "NUMBER", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
        #[command(flatten)]
        place: Place,
    },
}

pub(super) fn run(Invite::Add { uses, days, place }: &Invite) -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let expires_ms = (now + DAY * *days).as_millis() as u64;
    let made = Database::open(&place.data)?.write(|store| invite::create(store, *uses, expires_ms))?;
    println!("{}", json!({ "invite": made, "uses": uses, "expires_ms": expires_ms }));
    Ok(())
}
