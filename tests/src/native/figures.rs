//! From the records of a run to the figures that the simulator prints as well, under the same names.

use serde::Serialize;
use serde_json::Value;

use super::arrivals::Arrivals;
use super::cpu::MachineTime;
use super::percentile::{mean, percentile, share};
use super::record::{Cause, Counters, SourceRecord, ViewerRecord};
use super::transport::{Party, TransportFigures};
use super::window::Window;
use crate::swarm_setup::{HostRole, SwarmSetup};

/// Busier than this, the machine is what was measured.
const BUSY_MAX: f64 = 0.85;

/// Ed25519.
const SIGNATURE_BYTES: f64 = 64.0;

/// A piece's frame without its payload.
const PIECE_OVERHEAD_BYTES: f64 = 98.0;

/// All that a run has left behind.
pub struct Run {
    /// What was set up.
    pub setup: SwarmSetup,
    /// When was measured.
    pub window: Window,
    /// Of the source.
    pub source: SourceRecord,
    /// Of the viewers, in the order of the setup's.
    pub viewers: Vec<ViewerRecord>,
    /// The machine as the window began and as it ended.
    pub machine: (MachineTime, MachineTime),
    /// CPU time of the tracker inside of the window, in seconds.
    pub tracker_cpu_s: f64,
}

/// See `tests/README.md` for the formulas.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Whether the machine had time enough; if not, nothing here says much.
    pub valid: bool,
    /// Why not.
    not_valid_because: Option<String>,
    /// From here on as the simulator has them.
    viewers: usize,
    seed: u64,
    seconds: u32,
    bitrate_bps: u32,
    lag_p50_s: Option<f64>,
    lag_p95_s: Option<f64>,
    dissemination_last_p95_s: Option<f64>,
    /// The simulator's oracle knows.
    floor_s: Option<f64>,
    offload: f64,
    offload_ceiling: f64,
    source_upload_x: f64,
    first_frame_p50_s: Option<f64>,
    first_frame_p95_s: Option<f64>,
    on_time: f64,
    rebuffer_ratio: f64,
    stall_p99_ms: f64,
    duplicates: f64,
    control: f64,
    signatures: f64,
    /// Of the scenario `capacity` alone.
    rate_efficiency: Option<f64>,
    links_mean: f64,
    unverified_to_decoder: u32,
    relay_upload_x: f64,
    /// From here on besides.
    repaired: f64,
    rejected: u64,
    watching: usize,
    complaints: Complaints,
    chunks_skipped: u64,
    jumps: u32,
    supply_ratio: f64,
    dissemination_p50_s: Option<f64>,
    machine: Machine,
    transport: TransportFigures,
    /// What the emulated network says of itself.
    network: Value,
}

/// Parents given up, for each viewer and minute of the window.
#[derive(Debug, Clone, Serialize)]
struct Complaints {
    refused_per_minute: f64,
    fell_silent_per_minute: f64,
    never_fed_per_minute: f64,
    /// All those before the window: a parent that several of its children gave up feeds nobody for a minute.
    before: usize,
}

/// How busy it was, inside of the window.
#[derive(Debug, Clone, Serialize)]
struct Machine {
    /// Cores.
    cores: usize,
    /// Part of all cores' time that was busy.
    busy: f64,
    /// Of that, cores used by viewers, source and tracker.
    own_cores: f64,
    /// Mean CPU time of a viewer in each second, in milliseconds.
    viewer_cpu_ms_per_s: f64,
    /// How late the viewers' timers rang, in milliseconds: the 99th percentile of the viewer in the middle, and of
    /// the worst.
    timer_late_p99_ms: (f64, f64),
}

impl Run {
    /// All figures of the run.
    pub fn figures(&self, network: Value) -> Figures {
        let arrivals = Arrivals::new(&self.source, &self.viewers, self.window);
        let received = self.grown(Counters::received);
        let pieces = self.pieces_received() as f64;
        let payload = (received - pieces * PIECE_OVERHEAD_BYTES).max(0.0);
        let published: f64 = arrivals.published().map(|piece| f64::from(piece.payload_bytes)).sum();
        let from_servers = self.grown(|counters| counters.from_source + counters.from_relay);
        let source_sent = (self.source.at_end.uploaded - self.source.at_start.uploaded) as f64;
        let machine = self.machine();
        let not_valid_because = not_valid_because(&machine);
        let lag_s = |share| percentile(self.lags_s(), share);
        let first_frame_s = |share| percentile(self.first_frames_s(), share);
        Figures {
            valid: not_valid_because.is_none(),
            not_valid_because,
            viewers: self.setup.viewers,
            seed: self.setup.seed,
            seconds: self.setup.seconds,
            bitrate_bps: self.setup.bitrate_bps,
            lag_p50_s: lag_s(0.5),
            lag_p95_s: lag_s(0.95),
            dissemination_last_p95_s: arrivals.dissemination_last_p95_s(),
            floor_s: None,
            offload: 1.0 - share(from_servers, received),
            offload_ceiling: 1.0 - 1.0 / self.setup.viewers.max(1) as f64,
            source_upload_x: share(source_sent, published),
            first_frame_p50_s: first_frame_s(0.5),
            first_frame_p95_s: first_frame_s(0.95),
            on_time: arrivals.on_time(),
            rebuffer_ratio: self.rebuffer_ratio(),
            stall_p99_ms: percentile(self.longest_stalls_ms(), 0.99).unwrap_or(0.0),
            duplicates: share(self.grown(|counters| counters.duplicate_bytes), payload),
            control: share(self.control_sent(), payload),
            signatures: share(SIGNATURE_BYTES * pieces, payload),
            rate_efficiency: None,
            links_mean: mean(self.viewers.iter().map(|v| v.at_end.links as f64)).unwrap_or(0.0),
            unverified_to_decoder: self.viewers.iter().map(|viewer| viewer.altered_chunks).sum(),
            relay_upload_x: share(self.grown(|counters| counters.from_relay), published),
            repaired: share(self.grown(|c| c.repaired), self.grown(|c| c.verified)),
            rejected: self.grown(|counters| counters.rejected) as u64,
            watching: self.viewers.iter().filter(|viewer| viewer.first_frame_us.is_some()).count(),
            complaints: self.complaints(),
            chunks_skipped: self.grown(|counters| counters.chunks_skipped) as u64,
            jumps: self.viewers.iter().map(|viewer| viewer.jumps).sum(),
            supply_ratio: self.setup.supply_ratio(),
            dissemination_p50_s: arrivals.dissemination_p50_s(),
            machine,
            transport: self.transport(),
            network,
        }
    }

    /// By how much a counter has grown inside of the window, over all viewers.
    fn grown(&self, counter: impl Fn(&Counters) -> u64) -> f64 {
        let grown = |viewer: &ViewerRecord| counter(&viewer.at_end).saturating_sub(counter(&viewer.at_start));
        self.viewers.iter().map(grown).sum::<u64>() as f64
    }

    fn pieces_received(&self) -> usize {
        let neighbors = self.viewers.iter().flat_map(|viewer| &viewer.traffic.neighbors);
        let received = neighbors.flat_map(|neighbor| &neighbor.received);
        received.filter(|&&(_, _, at_us)| self.window.contains_us(at_us)).count()
    }

    fn complaints(&self) -> Complaints {
        let viewer_minutes = f64::from(self.setup.seconds) / 60.0 * self.viewers.len() as f64;
        let all = || self.viewers.iter().flat_map(|viewer| &viewer.traffic.complaints);
        let inside = |cause: Cause| {
            let named = all().filter(|c| c.cause == cause && self.window.contains_us(c.at_us));
            share(named.count() as f64, viewer_minutes)
        };
        Complaints {
            refused_per_minute: inside(Cause::Refused),
            fell_silent_per_minute: inside(Cause::FellSilent),
            never_fed_per_minute: inside(Cause::NeverFed),
            before: all().filter(|complaint| complaint.at_us < self.window.from_ms * 1000).count(),
        }
    }

    fn control_sent(&self) -> f64 {
        let source = self.source.at_end.control_sent - self.source.at_start.control_sent;
        self.grown(|counters| counters.control_sent) + source as f64
    }

    /// Viewers count from the epoch; the source's own reading of the tracker's clock is in that, and comes off.
    fn lags_s(&self) -> impl Iterator<Item = f64> {
        let epoch_late_ms = self.source.epoch_ms as f64 - self.source.began_us as f64 / 1000.0;
        let lags = self.viewers.iter().flat_map(|viewer| &viewer.lag_ms);
        lags.map(move |&lag_ms| (lag_ms as f64 + epoch_late_ms) / 1000.0)
    }

    fn first_frames_s(&self) -> impl Iterator<Item = f64> {
        let besides_ms = self.setup.page_start_ms + self.setup.decode_ms;
        self.viewers.iter().filter_map(|v| v.first_frame_ms).map(move |ms| (ms + besides_ms) / 1000.0)
    }

    fn rebuffer_ratio(&self) -> f64 {
        // A sum of nothing is -0.
        let stalled_ms = self.viewers.iter().flat_map(|v| self.stalls_ms(v)).fold(0.0, |sum, ms| sum + ms);
        let watched = self.viewers.iter().filter_map(|viewer| {
            let from_us = viewer.first_frame_us?.max(self.window.from_ms * 1000);
            Some((self.window.until_ms * 1000).saturating_sub(from_us) as f64 / 1000.0)
        });
        share(stalled_ms, watched.sum())
    }

    /// Stalls, as far as they are inside of the window.
    fn stalls_ms(&self, viewer: &ViewerRecord) -> impl Iterator<Item = f64> {
        let (from, until) = (self.window.from_ms as f64, self.window.until_ms as f64);
        let inside = move |&(since_us, length_ms): &(u64, f64)| {
            let since = since_us as f64 / 1000.0;
            ((since + length_ms).min(until) - since.max(from)).max(0.0)
        };
        viewer.stalls.clone().into_iter().map(move |stall| inside(&stall))
    }

    fn longest_stalls_ms(&self) -> impl Iterator<Item = f64> {
        self.viewers.iter().map(|viewer| self.stalls_ms(viewer).fold(0.0, f64::max))
    }

    fn transport(&self) -> TransportFigures {
        let hosts = self.setup.hosts();
        let source = hosts.iter().filter(|host| host.role == HostRole::Source);
        let viewers = hosts.iter().filter(|host| host.role == HostRole::Viewer);
        let source =
            source.map(|host| Party { host, peer: &self.source.peer, traffic: &self.source.traffic });
        let viewers = viewers.zip(&self.viewers);
        let viewers =
            viewers.map(|(host, viewer)| Party { host, peer: &viewer.peer, traffic: &viewer.traffic });
        TransportFigures::new(&self.setup, &source.chain(viewers).collect::<Vec<_>>(), self.window)
    }

    fn machine(&self) -> Machine {
        let seconds = f64::from(self.setup.seconds);
        let used = |start: &Counters, end: &Counters| end.cpu_s - start.cpu_s;
        let viewers: f64 = self.viewers.iter().map(|viewer| used(&viewer.at_start, &viewer.at_end)).sum();
        let own = viewers + used(&self.source.at_start, &self.source.at_end) + self.tracker_cpu_s;
        let late = |share| percentile(self.viewers.iter().map(|v| v.timer_late_p99_ms), share).unwrap_or(0.0);
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            busy: self.machine.1.busy_since(self.machine.0),
            own_cores: own / seconds,
            viewer_cpu_ms_per_s: viewers * 1000.0 / seconds / self.setup.viewers.max(1) as f64,
            timer_late_p99_ms: (late(0.5), late(1.0)),
        }
    }
}

fn not_valid_because(machine: &Machine) -> Option<String> {
    (machine.busy > BUSY_MAX).then(|| {
        format!(
            "not valid: the {} cores were {:.0} % busy, above {:.0} %",
            machine.cores,
            machine.busy * 100.0,
            BUSY_MAX * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(viewers: Vec<ViewerRecord>, busy_s: f64) -> Run {
        Run {
            setup: SwarmSetup { viewers: viewers.len(), seconds: 9, ..SwarmSetup::default() },
            window: Window { from_ms: 1_000, until_ms: 10_000 },
            source: SourceRecord::default(),
            viewers,
            machine: (MachineTime::default(), MachineTime { busy_s, all_s: 18.0 }),
            tracker_cpu_s: 0.0,
        }
    }

    #[test]
    fn what_viewers_brought_is_offload() {
        let at_end = Counters { from_viewers: 900, from_source: 60, from_relay: 40, ..Counters::default() };
        let figures =
            run(vec![ViewerRecord { at_end, ..ViewerRecord::default() }; 2], 1.0).figures(Value::Null);
        assert!((figures.offload - 0.9).abs() < 1e-9);
        assert!(figures.valid);
    }

    #[test]
    fn stalls_count_as_far_as_they_are_inside() {
        let watched = ViewerRecord {
            first_frame_us: Some(500_000),
            stalls: vec![(500_000, 600.0), (5_000_000, 350.0), (20_000_000, 900.0)],
            ..ViewerRecord::default()
        };
        let figures = run(vec![watched], 1.0).figures(Value::Null);
        assert!((figures.rebuffer_ratio - 450.0 / 9_000.0).abs() < 1e-9);
        assert_eq!(figures.stall_p99_ms, 350.0);
    }

    #[test]
    fn a_busy_machine_is_not_believed() {
        let figures = run(vec![ViewerRecord::default()], 17.0).figures(Value::Null);
        assert!(!figures.valid && figures.not_valid_because.unwrap().contains("94 %"));
    }
}
