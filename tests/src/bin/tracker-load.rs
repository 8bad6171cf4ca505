//! `tracker-load`: puts sessions on a tracker and says what they cost it, as one JSON object or as a few lines.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use tests::load::figures::Figures;
use tests::load::modes::{self, Setup};
use tests::load::server::Server;
use tests::load::speech::Dialect;

/// Files besides the sessions' sockets.
const OTHER_FILES: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Memory of viewers that have joined and are silent, and again after signalling; processor time of silence
    Idle,
    /// Offers and answers passed on for each second of processor time
    Relay,
    /// Viewers let in for each second of processor time, and how soon they are matched
    Join,
    /// Twice the joins that the server can take: how many are let in, refused or lost, and whether all are let in afterwards
    Overload,
}

/// Load for a tracker. Starts `swarmcast-tracker` from the same build, unless told of a running server.
///
/// Processor time and memory are read from `/proc` of the server's process, so a busy machine changes them little.
#[derive(Parser)]
struct Arguments {
    /// What is measured
    mode: Mode,
    /// Sessions
    #[arg(long, value_name = "N")]
    viewers: Option<usize>,
    /// Joins a second, for `join`
    #[arg(long, value_name = "N", default_value_t = 1_000.0)]
    rate: f64,
    /// Seconds of silence, for `idle`. 50: each viewer is pinged once
    #[arg(long, value_name = "S", default_value_t = 50)]
    idle_s: u64,
    /// Rounds of five offers from every viewer, for `relay`
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: u64,
    /// Milliseconds between the rounds of one viewer, for `relay`; viewers take turns. 0: everyone at once
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    period_ms: u64,
    /// A running server's address; with --pid
    #[arg(long, value_name = "ADDR:PORT", requires = "pid")]
    address: Option<SocketAddr>,
    /// The running server's process
    #[arg(long, value_name = "PID", requires = "address")]
    pid: Option<u32>,
    /// What the server speaks; `webtorrent` starts `aquatic_ws`
    #[arg(long, value_enum, default_value_t = Dialect::Swarmcast)]
    dialect: Dialect,
    /// Another argument for the started `swarmcast-tracker`; may be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    server_arg: Vec<String>,
    /// One JSON object instead of lines
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let setup = setup(&arguments);
    let files = rlimit::increase_nofile_limit(setup.viewers as u64 + OTHER_FILES)?;
    ensure!(files > setup.viewers as u64, "the system allows {files} open files: too few for the sessions");
    let figures = tokio::runtime::Runtime::new()?.block_on(measure(&arguments, setup))?;
    print(&figures, arguments.json)
}

fn setup(arguments: &Arguments) -> Setup {
    let usual = if arguments.mode == Mode::Relay { 2_000 } else { 10_000 };
    Setup {
        rate: arguments.rate,
        idle: Duration::from_secs(arguments.idle_s),
        rounds: arguments.rounds,
        period: Duration::from_millis(arguments.period_ms),
        ..Setup::new(arguments.dialect, arguments.viewers.unwrap_or(usual))
    }
}

async fn measure(arguments: &Arguments, setup: Setup) -> Result<Figures> {
    let server = match (arguments.address, arguments.pid, arguments.dialect) {
        (Some(address), Some(process), _) => Server::running(address, process),
        (.., Dialect::Swarmcast) => Server::swarmcast(&arguments.server_arg).await?,
        (.., Dialect::Webtorrent) => Server::aquatic().await?,
    };
    match arguments.mode {
        Mode::Idle => modes::idle(&server, setup).await,
        Mode::Relay => modes::relay(&server, setup).await,
        Mode::Join => modes::join(&server, setup).await,
        Mode::Overload => modes::overload(&server, setup).await,
    }
}

fn print(figures: &Figures, json: bool) -> Result<()> {
    let value = serde_json::to_value(figures)?;
    if json {
        println!("{value}");
    } else if let Some(fields) = value.as_object() {
        fields.iter().for_each(|(name, value)| println!("{name:34} {value}"));
    }
    Ok(())
}
