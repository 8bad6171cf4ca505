//! `channel`: channels, on the command line. A running server needs no restart.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use tracker::{Database, create_hosted, remove_named};

#[derive(Subcommand)]
pub(crate) enum Channel {
    /// Create a hosted channel and print its stream key, once. A running server needs no restart
    Add {
        /// Its name in links: a-z, 0-9, `-`, `_`
        name: String,
        #[command(flatten)]
        place: Place,
        /// The server's RTMP address, for the printed line
        #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1935")]
        rtmp: String,
    },
    /// List the channels
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Delete a channel and its keys
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
pub(crate) struct Place {
    /// Where channels are kept; the same as the server's
    #[arg(long, value_name = "DIR", default_value = "./data")]
    pub(super) data: PathBuf,
}

pub(super) fn run(channel: &Channel) -> anyhow::Result<()> {
    match channel {
        Channel::Add { name, place, rtmp } => {
            let new = Database::open(&place.data)?.write(|store| create_hosted(store, name))?;
            let rtmp = format!("rtmp://{rtmp}/live");
            let shown = json!({
                "name": new.name, "channel": new.channel, "stream_key": new.stream_key, "rtmp": rtmp,
            });
            println!("{shown}");
        }
        Channel::List { place } => {
            for channel in Database::open(&place.data)?.read(|store| store.channels())? {
                let shown = json!({ "name": channel.name, "channel": channel.id, "hosted": channel.hosted });
                println!("{shown}");
            }
        }
        Channel::Remove { name, place } => {
            Database::open(&place.data)?.write(|store| remove_named(store, name))?;
        }
    }
    Ok(())
}
