//! What the swarm is to reach, and how a set of runs compares with it: the table of `make sim`.

use std::fmt;

use crate::sim::figures::Figures;
use crate::sim::setup::{Scenario, Setup};

/// One figure that is to be reached.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// As in the JSON object.
    pub figure: &'static str,
    /// What to reach.
    pub bound: Bound,
    read: fn(&Figures) -> Option<f64>,
}

/// On which side of a number a figure is to be.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Nothing is asked; the number is for comparison.
    Shown,
}

/// A scenario with its goals.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Which scenario; the seed is set for each run.
    pub scenario: Scenario,
    /// How many watch.
    pub viewers: usize,
    /// With sessions of a minute.
    pub churn: bool,
    /// What to reach.
    pub goals: Vec<Goal>,
}

impl Bound {
    /// Whether a figure is on the right side.
    pub fn is_reached(self, value: Option<f64>) -> bool {
        match (self, value) {
            (Bound::Shown, _) => true,
            (Bound::AtLeast(least), Some(value)) => value >= least,
            (Bound::AtMost(most), Some(value)) => value <= most,
            (_, None) => false,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtLeast(least) => write!(f, "≥ {least}"),
            Bound::AtMost(most) => write!(f, "≤ {most}"),
            Bound::Shown => Ok(()),
        }
    }
}

impl Goal {
    /// The median over runs, and whether it is what was to be reached.
    pub fn judge(&self, runs: &[Figures]) -> (Option<f64>, bool) {
        let mut values: Vec<f64> = runs.iter().filter_map(self.read).collect();
        values.sort_by(f64::total_cmp);
        // A run that has nothing to say has not reached it.
        let all_there = values.len() == runs.len();
        let median = values.get(values.len() / 2).copied().filter(|_| all_there);
        (median, self.bound.is_reached(median))
    }
}

impl Trial {
    /// One run of it.
    pub fn setup(&self, seed: u64) -> Setup {
        Setup { churn: self.churn, ..Setup::new(self.scenario, self.viewers, seed) }
    }
}

macro_rules! figure {
    ($name:ident $bound:expr) => {
        Goal { figure: stringify!($name), bound: $bound, read: |figures| figure!(@read figures.$name) }
    };
    (@read $value:expr) => {
        IntoFigure::figure($value)
    };
}

/// Figures that are always there, and those that may be missing.
trait IntoFigure {
    fn figure(self) -> Option<f64>;
}

impl IntoFigure for f64 {
    fn figure(self) -> Option<f64> {
        Some(self)
    }
}

impl IntoFigure for Option<f64> {
    fn figure(self) -> Option<f64> {
        self
    }
}

impl IntoFigure for u64 {
    fn figure(self) -> Option<f64> {
        Some(self as f64)
    }
}

use Bound::{AtLeast, AtMost, Shown};

/// All that is asked of swarms of up to `viewers_max`.
pub fn trials(viewers_max: usize) -> Vec<Trial> {
    let all = [steady(), hard(), hostile(), capacity(), flat()].concat();
    all.into_iter().filter(|trial| trial.viewers <= viewers_max).collect()
}

fn trial(scenario: Scenario, viewers: usize, goals: &[Goal]) -> Trial {
    Trial { scenario, viewers, churn: false, goals: goals.to_vec() }
}

fn steady() -> Vec<Trial> {
    let everywhere = |offload| {
        vec![
            figure!(offload AtLeast(offload)),
            figure!(offload_ceiling Shown),
            figure!(source_upload_x AtMost(3.0)),
            figure!(on_time AtLeast(0.999)),
            figure!(lag_p50_s AtMost(1.5)),
            figure!(lag_p95_s AtMost(2.0)),
            figure!(floor_s Shown),
        ]
    };
    let shares = [
        figure!(duplicates AtMost(0.03)),
        figure!(control AtMost(0.01)),
        figure!(signatures AtMost(0.015)),
        figure!(dissemination_last_p95_s AtMost(0.6)),
    ];
    vec![
        trial(Scenario::Steady, 30, &everywhere(0.89)),
        trial(Scenario::Steady, 100, &everywhere(0.95)),
        trial(Scenario::Steady, 1_000, &[everywhere(0.98), shares.to_vec()].concat()),
    ]
}

fn hard() -> Vec<Trial> {
    vec![
        trial(Scenario::NatMix, 1_000, &[figure!(offload AtLeast(0.92)), figure!(offload_ceiling Shown)]),
        trial(
            Scenario::Churn,
            1_000,
            &[figure!(on_time AtLeast(0.995)), figure!(rebuffer_ratio AtMost(0.005))],
        ),
        trial(
            Scenario::FlashCrowd,
            1_000,
            &[figure!(first_frame_p95_s AtMost(2.0)), figure!(stall_veterans_max_ms AtMost(0.0))],
        ),
        trial(Scenario::MassDeparture, 1_000, &[figure!(stall_p99_ms AtMost(300.0))]),
        trial(Scenario::TrackerDown, 1_000, &[figure!(on_time AtLeast(0.999))]),
    ]
}

fn hostile() -> Vec<Trial> {
    vec![
        trial(
            Scenario::Freeriders,
            1_000,
            &[figure!(on_time_givers AtLeast(0.99)), figure!(relay_excess AtMost(0.05))],
        ),
        trial(
            Scenario::Polluters,
            1_000,
            &[
                figure!(unverified_to_decoder AtMost(0.0)),
                figure!(second_hops AtMost(0.0)),
                figure!(on_time AtLeast(0.99)),
                figure!(relay_excess AtMost(0.05)),
            ],
        ),
    ]
}

fn capacity() -> Vec<Trial> {
    let efficiency = |least| [figure!(rate_efficiency AtLeast(least))];
    vec![
        trial(Scenario::Capacity, 300, &efficiency(0.85)),
        Trial { churn: true, ..trial(Scenario::Capacity, 300, &efficiency(0.75)) },
    ]
}

fn flat() -> Vec<Trial> {
    let goals = [figure!(source_upload_x AtMost(3.0)), figure!(links_mean AtMost(20.0))];
    vec![
        trial(Scenario::Steady, 10, &goals),
        trial(
            Scenario::Steady,
            10_000,
            &[&goals[..], &[figure!(dissemination_last_p95_s AtMost(0.8)), figure!(floor_s Shown)]].concat(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_what_counts_and_a_missing_figure_is_a_miss() {
        let runs = [0.9, 0.99, 0.95].map(|offload| Figures { offload: Some(offload), ..Figures::default() });
        assert_eq!(figure!(offload AtLeast(0.95)).judge(&runs), (Some(0.95), true));
        assert_eq!(figure!(offload AtMost(0.94)).judge(&runs), (Some(0.95), false));
        assert_eq!(figure!(floor_s AtMost(1.0)).judge(&runs), (None, false));
    }

    #[test]
    fn small_swarms_can_be_asked_for_alone() {
        assert!(trials(100).iter().all(|trial| trial.viewers <= 100));
        assert!(trials(usize::MAX).len() > 10);
    }
}
