//! Simulates a swarm and says how it went. See `tests::sim`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;
use tests::sim::{self, Baseline, Figures, Scenario, Setup};

/// Simulates a swarm: the real engines in a made-up network.
#[derive(Debug, Parser)]
struct Options {
    /// The story.
    scenario: Scenario,
    /// Viewers.
    #[arg(long, default_value_t = 100)]
    viewers: usize,
    /// Seconds that are measured; as long as the story needs, if nothing is said.
    #[arg(long)]
    seconds: Option<u64>,
    /// Everything follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Media bits a second.
    #[arg(long, default_value_t = 3_000_000)]
    bitrate: u32,
    /// Bits a second that viewers' lines are multiples of.
    #[arg(long, default_value_t = 3_000_000)]
    reference: u64,
    /// Bits a second that the tracker's machine can send.
    #[arg(long, default_value_t = 1_000_000_000)]
    tracker_line: u64,
    /// Sessions of a minute, whatever the story.
    #[arg(long)]
    churn: bool,
    /// Another way of distribution, to compare with.
    #[arg(long)]
    baseline: Option<Baseline>,
    /// Write what one viewer's engine is told to this file, so that it can be replayed.
    #[arg(long, requires = "trace_peer")]
    trace: Option<PathBuf>,
    /// Which viewer, counted from 0 in the order of their coming.
    #[arg(long, requires = "trace")]
    trace_peer: Option<u64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let setup = Setup {
        seconds: options.seconds.unwrap_or(options.scenario.seconds()),
        bitrate_bps: options.bitrate,
        reference_bps: options.reference,
        tracker_line_bps: options.tracker_line,
        churn: options.churn,
        baseline: options.baseline,
        progress: true,
        ..Setup::new(options.scenario, options.viewers, options.seed)
    };
    let figures = match options.trace.zip(options.trace_peer) {
        Some((file, viewer)) => record(&setup, &file, viewer)?,
        None => sim::run(&setup),
    };
    let figures = serde_json::to_value(figures)?;
    if options.json {
        println!("{figures}");
    } else {
        for (name, value) in figures.as_object().into_iter().flatten() {
            println!("{name:28} {value}");
        }
    }
    Ok(())
}

fn record(setup: &Setup, file: &Path, viewer: u64) -> anyhow::Result<Figures> {
    let (figures, trace) = sim::record(setup, viewer);
    let trace = trace.with_context(|| format!("viewer {viewer} never came"))?;
    std::fs::write(file, trace).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(figures)
}
