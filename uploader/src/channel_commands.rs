//! `channel`: the account of a channel on a server, on the command line.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use uploader::account::{Account, DELEGATION_DAYS};
use uploader::key;
use wire::PeerId;

#[derive(Args)]
pub(crate) struct Place {
    /// The server.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        env = "SWARMCAST_TRACKER"
    )]
    tracker: String,
    /// Your own authority's certificates, in PEM, if the server's is from none that browsers believe
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Your channel's key.
    #[arg(long, global = true, value_name = "FILE", default_value = "channel.key")]
    key: PathBuf,
}

#[derive(Args)]
pub(crate) struct Channel {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Register a free name for your key
    Claim {
        /// Lower-case letters, digits, - and _
        name: String,
        /// An invite of the server's owner, where one is needed
        #[arg(long)]
        invite: Option<String>,
    },
    /// Print what the server says of your channel
    Show,
    /// Change title, description and other settings
    Set(Box<Settings>),
    /// Take another name; the old one is free from then on
    Rename {
        /// The new name
        name: String,
    },
    /// Move the channel to a new key, which is made in FILE. The old one is of no use from then on
    Rotate {
        /// File for the new key; it is never overwritten
        #[arg(value_name = "FILE")]
        to: PathBuf,
    },
    /// Delete the channel, its settings and its stream keys
    Delete {
        /// The channel's name, so that none is deleted by mistake
        #[arg(long, value_name = "NAME")]
        yes: String,
    },
    /// Let the server broadcast what an encoder sends to it: it gets a key of its own, and your key stays here
    Host {
        /// Days for which the server may; run this again before they are over
        #[arg(long, value_name = "NUMBER", default_value_t = DELEGATION_DAYS)]
        days: u64,
    },
    /// Make, list and revoke the keys that encoders show to the server
    #[command(subcommand)]
    StreamKey(StreamKey),
    /// Make a new secret for join tokens and print it, once. Tokens of the old one are of no use any more
    JoinSecret,
    /// Keep somebody out of your channel
    #[command(subcommand)]
    Ban(Ban),
    /// Print a link, good for half an hour, to a page that says what to set in your encoder
    Guide,
}

#[derive(Subcommand)]
enum StreamKey {
    /// Make one and print it, once
    Add {
        /// What you call it
        label: String,
    },
    /// List their labels
    List,
    /// Revoke one; an encoder that uses it is let go
    Revoke {
        /// What you called it
        label: String,
    },
}

#[derive(Subcommand)]
enum Ban {
    /// Ban a peer by its id, and the household where it is, or an address or prefix
    Add {
        /// As in be45cb2605bf36be, 203.0.113.7 or 2001:db8::/32
        whom: String,
        /// Seconds; left out: for good, a peer for a day. A peer for 30 days at most
        #[arg(long, value_name = "NUMBER")]
        seconds: Option<u64>,
        /// What the one who is banned reads
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// List the bans
    List,
    /// Take one back
    Lift {
        /// Its number
        id: i64,
    },
}

#[derive(Args)]
struct Settings {
    /// One line; empty: the name is shown
    #[arg(long)]
    title: Option<String>,
    /// Plain text
    #[arg(long)]
    description: Option<String>,
    /// A word or two
    #[arg(long)]
    category: Option<String>,
    /// Language of the programme, as in de or pt-BR
    #[arg(long)]
    language: Option<String>,
    /// Who finds it
    #[arg(long, value_parser = ["public", "unlisted", "private"])]
    visibility: Option<String>,
    /// Site that may embed it, as in https://example.org; may be repeated. `any`: all
    #[arg(long, value_name = "ORIGIN")]
    embed_origin: Vec<String>,
    /// Who may watch: everyone, or who brings a token that your site has made
    #[arg(long, value_parser = ["open", "token"])]
    join: Option<String>,
    /// Whether viewers pass it on
    #[arg(long, value_parser = ["on", "ask", "off"])]
    sharing: Option<String>,
    /// Viewers from which on it is passed on; 0: from the second on
    #[arg(long, value_name = "NUMBER")]
    sharing_viewers_min: Option<u32>,
    /// Viewers at once; 0: as many as the server takes
    #[arg(long, value_name = "NUMBER")]
    viewers_max: Option<u32>,
    /// Whether viewers can write to each other
    #[arg(long, value_parser = ["on", "off"])]
    chat: Option<String>,
    /// Whether guests may write links there
    #[arg(long, value_parser = ["on", "off"])]
    chat_links: Option<String>,
    /// Seconds from one line of a guest to the next; 0: no slow mode
    #[arg(long, value_name = "SECONDS")]
    chat_slow: Option<u32>,
    /// Public key of somebody who may delete lines and ban, as the chat shows it to them; may be repeated. `none`: nobody
    #[arg(long, value_name = "KEY")]
    chat_moderator: Vec<String>,
    /// Picture to show while it is not live: JPEG, PNG, WebP or AVIF, at most 256 KiB
    #[arg(long, value_name = "FILE")]
    poster: Option<PathBuf>,
}

pub(crate) fn run(channel: Channel) -> Result<()> {
    let Channel { place, command } = channel;
    let signer = key::load(&place.key)?;
    let id = signer.channel();
    let account = Account::new(&place.tracker, signer, place.ca.as_deref())?;
    match command {
        Command::Claim { name, invite } => print(&account.claim(&name, invite.as_deref())?),
        Command::Show => print(&account.show(&id.to_string())?),
        Command::Set(settings) => set(&account, *settings)?,
        Command::Rename { name } => print(&account.change(&json!({ "name": name }))?),
        Command::Rotate { to } => {
            // Made first: a channel must never hang on a key that nobody has.
            let new = key::generate(&to)?;
            print(&account.rotate(&new).with_context(|| {
                format!("the channel stays with its old key; {} may be deleted", to.display())
            })?);
        }
        Command::Delete { yes } => {
            if account.show(&id.to_string())?["name"] != yes.as_str() {
                bail!("this key's channel is not called {yes}; `channel show` prints its name");
            }
            account.delete()?;
        }
        Command::Host { days } => {
            let delegation = account.host(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(), days)?;
            print(&json!({ "delegate": delegation.delegate(), "expires_s": delegation.expires_s() }));
        }
        Command::StreamKey(StreamKey::Add { label }) => print(&account.add_stream_key(&label)?),
        Command::StreamKey(StreamKey::List) => print(&account.stream_keys()?),
        Command::StreamKey(StreamKey::Revoke { label }) => account.revoke_stream_key(&label)?,
        Command::JoinSecret => print(&account.renew_join_secret()?),
        Command::Ban(Ban::Add { whom, seconds, reason }) => {
            let kind = if whom.parse::<PeerId>().is_ok() { "peer" } else { "prefix" };
            print(&account.ban(&json!({ kind: whom, "for_s": seconds, "reason": reason }))?);
        }
        Command::Ban(Ban::List) => print(&account.bans()?),
        Command::Ban(Ban::Lift { id }) => account.lift_ban(id)?,
        Command::Guide => {
            println!("{}{}", account.server(), account.guide()?["page"].as_str().unwrap_or_default());
        }
    }
    Ok(())
}

fn set(account: &Account, settings: Settings) -> Result<()> {
    if let Some(path) = &settings.poster {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        account.set_poster(bytes)?;
    }
    print(&account.change(&settings.change())?);
    Ok(())
}

impl Settings {
    /// What is given, as the server reads it.
    fn change(self) -> Value {
        let limit = |number: u32| (number > 0).then_some(number);
        let origins = (!self.embed_origin.is_empty())
            .then(|| self.embed_origin.into_iter().filter(|origin| origin != "any").collect::<Vec<_>>());
        let moderators = (!self.chat_moderator.is_empty())
            .then(|| self.chat_moderator.into_iter().filter(|key| key != "none").collect::<Vec<_>>());
        let given = [
            ("title", self.title.map(Value::from)),
            ("description", self.description.map(Value::from)),
            ("category", self.category.map(Value::from)),
            ("language", self.language.map(Value::from)),
            ("visibility", self.visibility.map(Value::from)),
            ("embed_origins", origins.map(Value::from)),
            ("join", self.join.map(Value::from)),
            ("sharing", self.sharing.map(Value::from)),
            ("sharing_viewers_min", self.sharing_viewers_min.map(|number| json!(limit(number)))),
            ("viewers_max", self.viewers_max.map(|number| json!(limit(number)))),
            ("chat", self.chat.map(Value::from)),
            ("chat_links", self.chat_links.map(Value::from)),
            ("chat_slow_s", self.chat_slow.map(|seconds| json!(limit(seconds)))),
            ("chat_moderators", moderators.map(Value::from)),
        ];
        let given = given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Value::Object(given.collect::<Map<_, _>>())
    }
}

fn print(value: &Value) {
    println!("{value:#}");
}
