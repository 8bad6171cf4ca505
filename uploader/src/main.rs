//! `swarmcast-uploader`: runs beside the broadcaster's encoder and holds the channel's key.

mod channel_commands;

use std::io::{IsTerminal, Write, stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{CommandFactory, Parser, Subcommand};
use peer::Authorities;
use peer::transport::{Endpoint, EndpointConfig};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use uploader::account::Account;
use uploader::ingest::{self, Admission, IngestConfig, OneKey};
use uploader::{Broadcast, BroadcastConfig, Counters, key};
use wire::session::is_name;

/// Broadcast live video from your own connection: viewers pass it on to each other.
///
/// Point your encoder (OBS, ffmpeg) at the address that `live` prints. The key that owns your channel stays on
/// this machine.
#[derive(Parser)]
#[command(version, name = "swarmcast-uploader")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the key that owns a channel. Keep the file: whoever has it is the broadcaster.
    Keygen {
        /// File for the new key; it is never overwritten.
        #[arg(long, value_name = "FILE", default_value = "channel.key")]
        key: PathBuf,
    },
    /// Wait for an encoder and broadcast what it sends.
    Live(Box<Live>),
    /// Your channel on a server: its name, settings, stream keys, setup guide.
    Channel(Box<channel_commands::Channel>),
    /// Print completions for a shell.
    Completions {
        /// The shell that they are for.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for man(1).
    Man {
        /// Write it, and a page of each command, to files in this folder.
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
struct Live {
    /// The server that your viewers open.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "SWARMCAST_TRACKER")]
    tracker: String,
    /// Your own authority's certificates, in PEM, if the server's is from none that browsers believe.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Your channel's name in its addresses: lower-case letters, digits, - and _.
    #[arg(long)]
    name: String,
    /// Your channel's key.
    #[arg(long, value_name = "FILE", default_value = "channel.key")]
    key: PathBuf,
    /// Encrypt what you broadcast: only those who have the whole link that is printed can watch, and not even the server
    /// can. The link's key is kept beside your channel's key.
    #[arg(long)]
    private: bool,
    /// Where your encoder connects. Port 0: any free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1935")]
    rtmp: SocketAddr,
    /// The key that your encoder must show; made anew at each start if you give none.
    #[arg(long, value_name = "KEY")]
    stream_key: Option<String>,
    /// The one UDP port for all links to viewers. Forward it in your router if viewers cannot connect. Port 0:
    /// any free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:3479")]
    udp: SocketAddr,
    /// Your public address, if this machine does not have it itself (behind a router with the port forwarded).
    #[arg(long, value_name = "IP")]
    announce: Vec<std::net::IpAddr>,
    /// An invite of the server's owner, where one is needed to register the name.
    #[arg(long)]
    invite: Option<String>,
    /// Write counters to this file, one JSON object a second.
    #[arg(long, value_name = "FILE")]
    stats: Option<PathBuf>,
}

/// Time between attempts to reach a server that is away. 2 s, as sessions are tried again.
const CLAIM_AGAIN: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for those who look at them.
    if stderr().is_terminal() {
        log.init()
    } else {
        log.with_ansi(false).init()
    }
    match Arguments::parse().command {
        Command::Keygen { key } => keygen(&key),
        Command::Live(live) => broadcast(*live).await,
        Command::Channel(channel) => tokio::task::spawn_blocking(|| channel_commands::run(*channel)).await?,
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "swarmcast-uploader",
                &mut std::io::stdout(),
            );
            Ok(())
        }
        Command::Man { into: Some(folder) } => Ok(clap_mangen::generate_to(Arguments::command(), folder)?),
        Command::Man { into: None } => {
            Ok(clap_mangen::Man::new(Arguments::command()).render(&mut std::io::stdout().lock())?)
        }
    }
}

fn keygen(path: &Path) -> Result<()> {
    let signer = key::generate(path)?;
    println!("key: {}", path.display());
    println!("channel: {}", signer.channel());
    Ok(())
}

async fn broadcast(live: Live) -> Result<()> {
    let signer = key::load(&live.key)?;
    let media_key = live.private.then(|| key::media_key(&live.key)).transpose()?;
    if !is_name(&live.name) {
        bail!("\"{}\" cannot be a channel's name: use 1 to 48 of a-z, 0-9, - and _", live.name);
    }
    let session_url = session_url(&live.tracker)?;
    let authorities = match &live.ca {
        Some(path) => Authorities::in_file(path).context("choose another file with --ca")?,
        None => Authorities::OfTheWeb,
    };
    let endpoint =
        Endpoint::bind(EndpointConfig { announce: live.announce, ..EndpointConfig::new(live.udp) });
    let endpoint = endpoint.await.context("choose another port with --udp")?;
    let listener = TcpListener::bind(live.rtmp).await;
    let listener = listener.with_context(|| {
        format!("cannot listen for the encoder on {}; choose another address with --rtmp", live.rtmp)
    })?;
    let stream_key = match live.stream_key {
        Some(key) => key,
        None => random_key()?,
    };
    println!("encoder address: rtmp://{}/live, stream key: {stream_key}", listener.local_addr()?);
    println!(
        "watch page: {}/watch/{}#key={}{}",
        live.tracker.trim_end_matches('/'),
        live.name,
        signer.channel(),
        media_key.as_ref().map(|key| format!("&secret={key}")).unwrap_or_default()
    );
    if media_key.is_some() {
        println!("private: who has this whole link can watch, and nobody else; do not post it");
    }

    let keys = Arc::new(OneKey::new(stream_key, Admission::new(live.name.clone())));
    let (publications, publications_end) = mpsc::channel(4);
    let stopped = async {
        stop_signal().await;
        tracing::info!("stopping");
    };
    let account = Arc::new(Account::new(&live.tracker, signer.clone(), live.ca.as_deref())?);
    let broadcast = async {
        claim(account, live.name.clone(), live.invite, || publications_end.is_closed()).await;
        let broadcast = Broadcast::start(BroadcastConfig {
            session_url,
            authorities,
            signer,
            name: live.name,
            endpoint: Some(endpoint),
        });
        let broadcast = match media_key {
            Some(key) => broadcast.private(key),
            None => broadcast,
        };
        if let Some(path) = live.stats {
            tokio::spawn(write_stats(path, broadcast.counters()));
        }
        broadcast.run(publications_end).await
    };
    let ingest = ingest::run(listener, IngestConfig::default(), keys, publications, stopped);
    let (refused, ()) = tokio::join!(broadcast, ingest);
    refused.map_err(Into::into)
}

/// Registers the name if it is free. Waits for a server that cannot be reached now, until `ending`.
async fn claim(account: Arc<Account>, name: String, invite: Option<String>, ending: impl Fn() -> bool) {
    while !ending() {
        let (account, name, invite) = (Arc::clone(&account), name.clone(), invite.clone());
        let claimed = tokio::task::spawn_blocking(move || account.claim_if_free(&name, invite.as_deref()));
        match claimed.await {
            Ok(Err(error)) if error.may_pass() => tracing::warn!("{error}; trying again"),
            Ok(Err(error)) => return tracing::warn!("the name is not registered: {error}"),
            Ok(Ok(())) | Err(_) => return,
        }
        tokio::time::sleep(CLAIM_AGAIN).await;
    }
}

/// `https://host` and `wss://host` both name the tracker, with or without the `s`; its sessions are at `/session`.
fn session_url(tracker: &str) -> Result<String> {
    let tracker = tracker.trim_end_matches('/');
    let schemes = [("https", "wss"), ("wss", "wss"), ("http", "ws"), ("ws", "ws")];
    let named = schemes
        .iter()
        .find_map(|(named, spoken)| Some((spoken, tracker.strip_prefix(named)?.strip_prefix("://")?)));
    match named {
        Some((scheme, host)) if !host.is_empty() => Ok(format!("{scheme}://{host}/session")),
        _ => bail!("--tracker {tracker}: give an address such as https://example.org"),
    }
}

/// 128 random bits, as text that survives being typed.
fn random_key() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok().context("this system gives no random bytes")?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

async fn stop_signal() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate => {}
    }
}

async fn write_stats(path: PathBuf, counters: watch::Receiver<Counters>) {
    let mut file = match std::fs::File::create(&path) {
        Ok(file) => file,
        Err(error) => return tracing::error!("cannot write {}: {error}", path.display()),
    };
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        let now = *counters.borrow();
        let line = serde_json::json!({
            "source_upload_bytes": now.source_upload_bytes,
            "relay_upload_bytes": now.relay_upload_bytes,
            "payload_bytes": now.payload_bytes,
            "viewers": now.viewers,
            "links": now.links,
            "encoding": now.encoding,
            "connected": now.connected,
        });
        if let Err(error) = writeln!(file, "{line}") {
            return tracing::error!("cannot write {}: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tracker_is_named_as_a_page_or_as_a_socket() {
        for (named, session) in [
            ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/session"),
            ("ws://example.org/", "ws://example.org/session"),
            ("https://example.org/", "wss://example.org/session"),
            ("wss://example.org:8443", "wss://example.org:8443/session"),
        ] {
            assert_eq!(session_url(named).unwrap(), session);
        }
        for wrong in ["example.org", "https://", "ftp://example.org"] {
            assert!(session_url(wrong).is_err(), "{wrong}");
        }
    }
}
