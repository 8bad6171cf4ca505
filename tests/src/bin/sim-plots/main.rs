//! Draws the plots of `docs/swarm.md`: simulates swarms of several sizes, the baselines beside them, and a mass
//! departure; writes SVG, and prints what is drawn.

mod chart;

use std::path::PathBuf;

use anyhow::Context as _;
use chart::{Axis, Chart, Curve};
use clap::Parser;
use tests::sim::batch::run_all;
use tests::sim::measure::Share;
use tests::sim::model::{INCIDENT_AFTER, SECOND};
use tests::sim::timeline::{MOMENT, Moment};
use tests::sim::{Baseline, Figures, Scenario, Setup};

/// How many watch.
const SIZES: [usize; 6] = [3, 10, 30, 100, 300, 1_000];
/// Seeds 1 up to this one: medians are drawn.
const SEEDS: u64 = 3;
/// From so many viewers on seed 1 alone: each run takes a minute or more.
const ONE_SEED_FROM: usize = 1_000;
/// Seconds that are measured.
const SECONDS: u64 = 30;
/// Viewers, before 30 % of them leave.
const DEPARTURE_VIEWERS: usize = 300;
/// Seconds that are measured then: five before, twenty after.
const DEPARTURE_SECONDS: u64 = 25;

/// Draws the plots of docs/swarm.md, and prints what is drawn. Takes less than ten minutes on two cores.
#[derive(Debug, Parser)]
struct Options {
    /// Where the plots go.
    #[arg(long, default_value = "docs/swarm")]
    into: PathBuf,
    /// Simulations at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

/// The runs of one way to distribute the stream, by size.
type Way = Vec<(usize, Vec<Figures>)>;

type Figure = fn(&Figures) -> Option<f64>;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let into = &options.into;
    std::fs::create_dir_all(into).with_context(|| format!("cannot make {}", into.display()))?;
    show(&departure(options.jobs), into.join("departure.svg"))?;
    let [swarm, server, segments] = [None, Some(Baseline::Server), Some(Baseline::Segments)]
        .map(|baseline| steady(baseline, options.jobs));
    show(&lag(&swarm, &server, &segments), into.join("lag.svg"))?;
    show(&offload(&swarm, &segments), into.join("offload.svg"))
}

/// Draws a chart, and prints its points.
fn show(chart: &Chart, file: PathBuf) -> anyhow::Result<()> {
    println!("\n{} ({})", chart.title, file.display());
    for curve in &chart.curves {
        let points: Vec<_> = curve.points.iter().map(|(x, y)| format!("{x}: {y:.3}")).collect();
        println!("  {:28} {}", curve.name, points.join("  "));
    }
    chart.draw(&file)
}

fn steady(baseline: Option<Baseline>, jobs: usize) -> Way {
    let setup = |viewers, seed| {
        let setup = Setup::new(Scenario::Steady, viewers, seed);
        Setup { seconds: SECONDS, baseline, ..setup }
    };
    let seeds = |viewers| if viewers < ONE_SEED_FROM { 1..=SEEDS } else { 1..=1 };
    let setups: Vec<_> =
        SIZES.into_iter().flat_map(|viewers| seeds(viewers).map(move |seed| setup(viewers, seed))).collect();
    let figures = run_all(&setups, jobs);
    let of = |viewers| figures.iter().filter(|run| run.viewers == viewers).cloned().collect();
    SIZES.into_iter().map(|viewers| (viewers, of(viewers))).collect()
}

/// Medians over seeds, by size.
fn medians(way: &Way, figure: Figure) -> Vec<(f64, f64)> {
    let median = |runs: &[Figures]| {
        let mut values: Vec<f64> = runs.iter().filter_map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    way.iter().filter_map(|(viewers, runs)| Some((*viewers as f64, median(runs)?))).collect()
}

fn curve(name: &'static str, way: &Way, figure: Figure) -> Curve {
    Curve { name, is_bound: false, points: medians(way, figure) }
}

fn bound(name: &'static str, way: &Way, figure: Figure) -> Curve {
    Curve { is_bound: true, ..curve(name, way, figure) }
}

fn viewers() -> Axis {
    Axis {
        name: "viewers",
        is_logarithmic: true,
        range: SIZES[0] as f64..SIZES[SIZES.len() - 1] as f64,
        labels: SIZES.map(|viewers| viewers as f64).to_vec(),
    }
}

fn lag(swarm: &Way, server: &Way, segments: &Way) -> Chart {
    Chart {
        title: "Capture to screen, and source to 99 % of the viewers (p95)",
        x: viewers(),
        y: Axis {
            name: "seconds",
            is_logarithmic: true,
            range: 0.1..10.0,
            labels: vec![0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0],
        },
        curves: vec![
            curve("lag, segments", segments, |run| run.lag_p95_s),
            curve("lag, swarm", swarm, |run| run.lag_p95_s),
            curve("lag, server", server, |run| run.lag_p95_s),
            curve("last viewer, swarm", swarm, |run| run.dissemination_last_p95_s),
            bound("last viewer, floor", swarm, |run| run.floor_s),
        ],
    }
}

fn offload(swarm: &Way, segments: &Way) -> Chart {
    Chart {
        title: "Share of the bytes that viewers get from viewers",
        x: viewers(),
        y: Axis {
            name: "share",
            is_logarithmic: false,
            range: 0.0..1.0,
            labels: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        },
        curves: vec![
            curve("segments", segments, |run| run.offload),
            curve("swarm", swarm, |run| run.offload),
            bound("ceiling", swarm, |run| run.offload_ceiling),
        ],
    }
}

fn departure(jobs: usize) -> Chart {
    let setup = |seed| {
        let setup = Setup::new(Scenario::MassDeparture, DEPARTURE_VIEWERS, seed);
        Setup { seconds: DEPARTURE_SECONDS, ..setup }
    };
    let runs = run_all(&(1..=SEEDS).map(setup).collect::<Vec<_>>(), jobs);
    let before = INCIDENT_AFTER as f64 / SECOND as f64;
    let after = DEPARTURE_SECONDS as f64 - before;
    let curve = |name, share: fn(&Moment) -> Share| Curve {
        name,
        is_bound: false,
        points: (0..(DEPARTURE_SECONDS * SECOND / MOMENT) as usize)
            .filter_map(|at| {
                let mut sum = Share::default();
                runs.iter().filter_map(|run| run.timeline.get(at)).for_each(|moment| sum.add(share(moment)));
                Some(((at as u64 * MOMENT) as f64 / SECOND as f64 - before, 100.0 * sum.fraction()?))
            })
            .collect(),
    };
    Chart {
        title: "Of 300 viewers, 30 % lose their power at second 0",
        x: Axis {
            name: "seconds",
            is_logarithmic: false,
            range: -before..after,
            labels: vec![-5.0, 0.0, 5.0, 10.0, 15.0, 20.0],
        },
        y: Axis {
            name: "% in each half second",
            is_logarithmic: false,
            range: 0.0..40.0,
            labels: vec![0.0, 10.0, 20.0, 30.0, 40.0],
        },
        curves: vec![
            curve("pictures standing still", |moment| moment.standing),
            curve("pieces not there in time", |moment| missed(moment.on_time)),
            curve("pieces from the relay", |moment| moment.from_relay),
        ],
    }
}

/// The others.
fn missed(share: Share) -> Share {
    Share { part: share.all - share.part, all: share.all }
}
