//! Runs every scenario with several seeds and holds the medians against the goals. Fails where one is missed.

use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser;
use tests::sim::goals::{Trial, trials};
use tests::sim::{self, Figures};

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
    let results = run(&trials, &options);
    let mut missed = 0;
    for (trial, runs) in trials.iter().zip(&results) {
        missed += print(trial, runs);
    }
    println!("\n{missed} goals are missed.");
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All runs of all trials, by trial and seed.
fn run(trials: &[Trial], options: &Options) -> Vec<Vec<Figures>> {
    let runs = (0..trials.len()).flat_map(|trial| (1..=options.seeds).map(move |seed| (trial, seed)));
    let waiting = Mutex::new(runs.collect::<std::collections::VecDeque<_>>());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while let Some((trial, seed)) = lock(&waiting).pop_front() {
                    let setup = trials[trial].setup(seed);
                    eprintln!("{}", setup.command());
                    let figures = sim::run(&setup);
                    lock(&done).push((trial, seed, figures));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|&(trial, seed, _)| (trial, seed));
    let mut results = vec![Vec::new(); trials.len()];
    done.into_iter().for_each(|(trial, _, figures)| results[trial].push(figures));
    results
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
