//! `bench-tracker`: this project's tracker and `aquatic_ws` under the same load, in turns, beside what is asked for. A
//! table on standard error, one JSON object on standard output; exit code 1 where a gate is missed.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;
use tests::load::comparison::{Row, rows, table};
use tests::load::figures::Figures;
use tests::load::modes::{self, Setup};
use tests::load::server::Server;
use tests::load::speech::Dialect;
use tokio::time::timeout;

/// A run that takes longer hangs: the longest takes two minutes on a busy machine.
const RUN_MAX: Duration = Duration::from_secs(300);

/// Files besides the sessions' sockets.
const OTHER_FILES: u64 = 100;

/// Both trackers under the same load.
#[derive(Parser)]
struct Arguments {
    /// Runs of each tracker and mode; they take turns
    #[arg(long, default_value_t = 2)]
    pairs: usize,
    /// Silent sessions
    #[arg(long, default_value_t = 10_000)]
    viewers: usize,
    /// Sessions that signal
    #[arg(long, default_value_t = 2_000)]
    signalling: usize,
    /// Seconds of silence. 50: each viewer is pinged once
    #[arg(long, default_value_t = 50)]
    idle_s: u64,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    rlimit::increase_nofile_limit(arguments.viewers.max(arguments.signalling) as u64 + OTHER_FILES)?;
    let (ours, theirs) = tokio::runtime::Runtime::new()?.block_on(measure(&arguments))?;
    let rows = rows(&ours, &theirs);
    eprint!("{}", table(&rows));
    println!("{}", json!({ "rows": rows, "swarmcast": ours, "aquatic_ws": theirs }));
    Ok(if rows.iter().any(Row::misses_gate) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(arguments: &Arguments) -> Result<(Vec<Figures>, Vec<Figures>)> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.pairs {
        for mode in ["idle", "relay", "join"] {
            ours.push(run(arguments, mode, Dialect::Swarmcast).await?);
            // It matches nobody before it is asked to, so there is no such figure.
            if mode != "join" {
                theirs.push(run(arguments, mode, Dialect::Webtorrent).await?);
            }
        }
    }
    Ok((ours, theirs))
}

/// One run against a fresh server.
async fn run(arguments: &Arguments, mode: &str, dialect: Dialect) -> Result<Figures> {
    let server = match dialect {
        Dialect::Swarmcast => Server::swarmcast(&[]).await?,
        Dialect::Webtorrent => Server::aquatic().await?,
    };
    let viewers = if mode == "relay" { arguments.signalling } else { arguments.viewers };
    let setup = Setup { idle: Duration::from_secs(arguments.idle_s), ..Setup::new(dialect, viewers) };
    let running = async {
        match mode {
            "idle" => modes::idle(&server, setup).await,
            "relay" => modes::relay(&server, setup).await,
            _ => modes::join(&server, setup).await,
        }
    };
    let figures = timeout(RUN_MAX, running).await.with_context(|| format!("{mode}: hangs"))??;
    eprintln!("{}", serde_json::to_string(&figures)?);
    Ok(figures)
}
