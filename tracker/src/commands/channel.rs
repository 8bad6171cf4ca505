//! `channel`: channels, on the command line. A running server needs no restart.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use tracker::channel_settings::ChannelSettings;
use tracker::setup_link::{self, SetupLink};
use tracker::{Database, Records, StoreError, create_hosted, remove_named, renew_join_secret};

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
    /// Change what holds for a channel and its viewers; without SETTING, print it. A running server needs no restart
    Set {
        /// Its name
        name: String,
        /// As viewers_max=100, sharing=off, join=token, visibility=unlisted, embed_origins=https://a.example,https://b.example; an
        /// empty value takes one back
        #[arg(value_name = "SETTING=VALUE", value_parser = assignment)]
        changes: Vec<(String, String)>,
        #[command(flatten)]
        place: Place,
    },
    /// Make a new secret for join tokens and print it, once; see docs/embed.md. Tokens of the old one are of no use any more
    JoinSecret {
        /// The channel's name
        name: String,
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
        Channel::Set { name, changes, place } => {
            let settings = Database::open(&place.data)?.write(|store| set(store, name, changes))??;
            println!("{}", serde_json::to_string(&settings)?);
        }
        Channel::JoinSecret { name, place } => {
            let secret = Database::open(&place.data)?.write(|store| renew_join_secret(store, name))?;
            println!("{}", json!({ "name": name, "join_secret": secret }));
        }
        Channel::Remove { name, place } => {
            Database::open(&place.data)?.write(|store| remove_named(store, name))?;
        }
    }
    Ok(())
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write SETTING=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Applies the changes, all or none, and returns what holds.
fn set(
    store: &dyn Records,
    name: &str,
    changes: &[(String, String)],
) -> Result<anyhow::Result<ChannelSettings>, StoreError> {
    let channel = store.find(name)?.ok_or_else(|| StoreError::Unknown(name.to_owned()))?;
    let changed = changed(&channel.settings, changes);
    if let Ok(settings) = &changed {
        store.set(channel.id, settings)?;
    }
    Ok(changed)
}

/// The settings with the changes in them, each a text as it stands on a command line.
fn changed(settings: &ChannelSettings, changes: &[(String, String)]) -> anyhow::Result<ChannelSettings> {
    let (mut fields, defaults) = (fields(settings)?, fields(&ChannelSettings::default())?);
    for (key, text) in changes {
        let default = defaults.get(key).with_context(|| {
            let known: Vec<_> = defaults.keys().map(String::as_str).collect();
            format!("there is no setting `{key}`; there are {}", known.join(", "))
        })?;
        let value = match default {
            _ if text.is_empty() => default.clone(),
            Value::Array(_) => text.split(',').map(|part| Value::from(part.trim())).collect(),
            Value::Null => Value::from(
                text.parse::<u32>().with_context(|| format!("`{key}` is a number, not `{text}`"))?,
            ),
            _ => Value::from(text.as_str()),
        };
        fields.insert(key.clone(), value);
    }
    let settings: ChannelSettings = serde_json::from_value(Value::Object(fields))?;
    settings.check()?;
    Ok(settings)
}

fn fields(settings: &ChannelSettings) -> anyhow::Result<Map<String, Value>> {
    match serde_json::to_value(settings)? {
        Value::Object(fields) => Ok(fields),
        other => bail!("settings are an object, not {other}"),
    }
}
