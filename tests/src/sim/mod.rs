//! A swarm in simulated time: the real engines of source, relay and viewers, the real Roster and the real playout;
//! only network, clocks, media and screens are made up. One thread, and everything follows from the seed.
//!
//! What is simulated and what is measured is explained in `docs/simulator.md`; every assumption is a constant in
//! [`model`].

pub mod access;
pub mod agenda;
pub mod batch;
pub mod capacity;
pub mod distance;
pub mod event;
pub mod figures;
pub mod floor;
pub mod flow;
pub mod goals;
pub mod held;
mod incidents;
mod links;
pub mod machine;
pub mod measure;
pub mod media;
pub mod model;
pub mod network;
pub mod payload;
mod progress;
pub mod random;
pub mod screen;
pub mod segments;
pub mod setup;
mod shell;
pub mod slab;
pub mod timeline;
mod totals;
pub mod trace;
mod tracker;
pub mod viewer;
pub mod world;

pub use figures::Figures;
pub use setup::{Baseline, Scenario, Setup};

/// Runs a scenario. On a panic it says how to repeat it.
pub fn run(setup: &Setup) -> Figures {
    match setup.scenario {
        _ if setup.baseline == Some(Baseline::Segments) => segments::run(setup),
        Scenario::Capacity => capacity::search(setup, simulate),
        _ => simulate(setup),
    }
}

/// Runs one simulation to its end.
fn simulate(setup: &Setup) -> Figures {
    let cost = machine::Cost::start();
    let repeat = Repeat(setup.command());
    let mut world = world::World::new(setup);
    world.run();
    let figures = world.figures(cost);
    drop(repeat);
    figures
}

/// Runs one simulation, and records what the viewer of this number was told; `None` if it never came.
pub fn record(setup: &Setup, viewer: u64) -> (Figures, Option<String>) {
    let cost = machine::Cost::start();
    let mut world = world::World::new(setup);
    world.record(viewer);
    world.run();
    (world.figures(cost), world.trace())
}

/// Says how to repeat a run that panics.
struct Repeat(String);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation failed; repeat it with: {}", self.0);
        }
    }
}
