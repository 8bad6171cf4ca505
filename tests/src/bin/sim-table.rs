//! Runs every scenario with several seeds and holds the medians against the goals. Fails where one is missed.

use std::process::ExitCode;

use clap::Parser;
use tests::sim::Figures;
use tests::sim::batch::run_all;
use tests::sim::goals::{Trial, trials};

/// Holds the swarm against its goals.
#[derive(Debug, Parser)]
struct Options {
    /// Seeds 1 up to this one.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Leave larger swarms out.
    #[arg(long, default_value_t = 10_000)]
    viewers_max: usize,
    /// Simulations at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let trials = trials(options.viewers_max);
    let seeds = 1..=options.seeds.max(1);
    let setups: Vec<_> =
        trials.iter().flat_map(|trial| seeds.clone().map(|seed| trial.setup(seed))).collect();
    let results = run_all(&setups, options.jobs);
    let mut missed = 0;
    for (trial, runs) in trials.iter().zip(results.chunks(options.seeds.max(1) as usize)) {
        missed += print(trial, runs);
    }
    println!("\n{missed} goals are missed.");
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a trial's lines, and returns how many goals it misses.
fn print(trial: &Trial, runs: &[Figures]) -> usize {
    let mut missed = 0;
    println!("\n{} with {} viewers", trial.setup(1).name(), trial.viewers);
    for goal in &trial.goals {
        let (median, reached) = goal.judge(runs);
        missed += usize::from(!reached);
        let median = median.map_or("–".to_owned(), |median| format!("{median:.4}"));
        let verdict = if reached { "" } else { "missed" };
        println!("  {:26} {median:>12}   {:12} {verdict}", goal.figure, goal.bound.to_string());
    }
    missed
}
