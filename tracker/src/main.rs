//! The command line of the server. The only file that reads arguments, prints, and ends the process.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use tracker::{Config, HostedChannels, Server};

/// Open files: as many connections as the server takes, and some.
const FILES_WANTED: u64 = 20_000;

/// The swarmcast server: viewers watch live channels and pass the picture on to each other.
///
/// Without a command it serves: open the address that it prints in a browser. An encoder (OBS, ffmpeg) publishes to
/// it by RTMP with a stream key from `channel add`; a broadcaster who keeps the key runs `swarmcast-uploader`.
#[derive(Parser)]
#[command(name = "swarmcast-tracker", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Serve pages, viewers and broadcasters (the default)
    Serve(Serve),
    /// Create, list and remove hosted channels: those that an encoder publishes to with a stream key
    #[command(subcommand)]
    Channel(Channel),
}

#[derive(Args)]
struct Serve {
    /// Where pages and sessions are served; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where encoders publish, or `off`
    #[arg(long, value_name = "ADDR:PORT|off", default_value = "127.0.0.1:1935")]
    rtmp: Port,
    /// Where browsers learn their public address (STUN), or `off`
    #[arg(long, value_name = "ADDR:PORT|off", default_value = "0.0.0.0:3478")]
    udp: Port,
    /// Where viewers link to hosted channels, by UDP; two ports above --udp unless given
    #[arg(long, value_name = "ADDR:PORT")]
    links: Option<SocketAddr>,
    /// Where channels are kept
    #[arg(long, value_name = "DIR", default_value = "./data")]
    data: PathBuf,
    /// Addresses that viewers reach this machine at; may be repeated. Needed behind NAT
    #[arg(long, value_name = "IP")]
    announce: Vec<IpAddr>,
    /// May every broadcaster take a free channel name? Default: only while --listen is a loopback address
    #[arg(long, value_name = "true|false")]
    open_registration: Option<bool>,
    /// Megabits a second that the relay of each channel may send; no limit by default
    #[arg(long, value_name = "N")]
    relay_egress_mbps: Option<u32>,
}

#[derive(Subcommand)]
enum Channel {
    /// Create a channel and print its stream key, once. A running server needs no restart
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
struct Place {
    /// Where channels are kept; the same as the server's
    #[arg(long, value_name = "DIR", default_value = "./data")]
    data: PathBuf,
}

/// An address, or `off`.
#[derive(Clone, Copy)]
struct Port(Option<SocketAddr>);

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Port(None)),
            address => address
                .parse()
                .map(|at| Port(Some(at)))
                .map_err(|_| "write ADDRESS:PORT, or `off`".to_owned()),
        }
    }
}

fn main() -> ExitCode {
    let CommandLine { command, serve } = CommandLine::parse();
    let done = match command {
        None => run(serve),
        Some(Command::Serve(serve)) => run(serve),
        Some(Command::Channel(channel)) => edit(channel),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("swarmcast-tracker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(serve: Serve) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // A session is a file to the system, whose usual 1,024 are for programs that do not ask for more.
    if let Err(error) = rlimit::increase_nofile_limit(FILES_WANTED) {
        tracing::warn!("the limit on open files stays as it is: {error}");
    }
    std::fs::create_dir_all(&serve.data).with_context(|| {
        format!("cannot use {}; choose another directory with --data", serve.data.display())
    })?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let shutdown = shutdown().context("cannot listen for signals")?;
        let server = Server::bind(config(serve)).await?;
        announce(&server);
        server.run(shutdown).await;
        anyhow::Ok(())
    })?;
    runtime.shutdown_background();
    Ok(())
}

/// Says where. Whoever started the program may have stopped listening: that is no reason to end.
fn announce(server: &Server) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "listening on http://{}/", server.address());
    if let Some(address) = server.rtmp_address() {
        let _ = writeln!(out, "encoders publish to rtmp://{address}/live");
    }
}

fn config(serve: Serve) -> Config {
    Config {
        rtmp: serve.rtmp.0,
        udp: serve.udp.0,
        links: serve.links,
        announce: serve.announce,
        open_registration: serve.open_registration,
        relay_egress_bps: serve.relay_egress_mbps.map(|mbps| u64::from(mbps) * 1_000_000),
        ..Config::new(serve.listen, serve.data)
    }
}

/// Resolves at SIGINT or SIGTERM.
fn shutdown() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn edit(channel: Channel) -> anyhow::Result<()> {
    match channel {
        Channel::Add { name, place, rtmp } => {
            let new = HostedChannels::new(&place.data).add(&name)?;
            let rtmp = format!("rtmp://{rtmp}/live");
            let shown = json!({
                "name": new.name, "channel": new.channel, "stream_key": new.stream_key, "rtmp": rtmp,
            });
            println!("{shown}");
        }
        Channel::List { place } => {
            for channel in HostedChannels::new(&place.data).all().iter() {
                println!("{}", json!({ "name": channel.name, "channel": channel.signer.channel() }));
            }
        }
        Channel::Remove { name, place } => HostedChannels::new(&place.data).remove(&name)?,
    }
    Ok(())
}
