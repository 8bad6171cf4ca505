//! `channel`: channels, on the command line. A running server needs no restart.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use tracker::setup_link::{self, SetupLink};
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
        #[command(flatten)]
        site: Site,
    },
    /// Print a link, good for half an hour, to a page that says what to set in an encoder
    Guide {
        /// The channel's name
        name: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        site: Site,
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

#[derive(Args)]
pub(crate) struct Site {
    /// Where the server's pages are, for the printed link
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    site: String,
}

impl Site {
    fn page(&self, link: &SetupLink) -> String {
        format!("{}{}", self.site.trim_end_matches('/'), link.page())
    }
}

pub(super) fn run(channel: &Channel) -> anyhow::Result<()> {
    match channel {
        Channel::Add { name, place, rtmp, site } => {
            let (new, link) = Database::open(&place.data)?
                .write(|store| Ok((create_hosted(store, name)?, setup_link::create_named(store, name)?)))?;
            let rtmp = format!("rtmp://{rtmp}/live");
            let shown = json!({
                "name": new.name, "channel": new.channel, "stream_key": new.stream_key, "rtmp": rtmp,
                "guide": site.page(&link),
            });
            println!("{shown}");
        }
        Channel::Guide { name, place, site } => {
            let link = Database::open(&place.data)?.write(|store| setup_link::create_named(store, name))?;
            println!("{}", site.page(&link));
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
