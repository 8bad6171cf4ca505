//! Simulates a swarm and says how it went. See `tests::sim`.

use clap::Parser;
use tests::sim::{self, Baseline, Scenario, Setup};

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
    /// Sessions of a minute, whatever the story.
    #[arg(long)]
    churn: bool,
    /// Another way of distribution, to compare with.
    #[arg(long)]
    baseline: Option<Baseline>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let setup = Setup {
        seconds: options.seconds.unwrap_or(options.scenario.seconds()),
        bitrate_bps: options.bitrate,
        churn: options.churn,
        baseline: options.baseline,
        progress: true,
        ..Setup::new(options.scenario, options.viewers, options.seed)
    };
    let figures = serde_json::to_value(sim::run(&setup))?;
    if options.json {
        println!("{figures}");
    } else {
        for (name, value) in figures.as_object().into_iter().flatten() {
            println!("{name:28} {value}");
        }
    }
    Ok(())
}
