//! What a simulation says in the end: one object, whose formulas are in `docs/simulator.md`.

use serde::Serialize;
use swarm::RosterConfig;

use crate::sim::access::Nat;
use crate::sim::floor::floor_s;
use crate::sim::machine::Cost;
use crate::sim::measure::percentile;
use crate::sim::model::*;
use crate::sim::setup::Setup;
use crate::sim::timeline::Moment;
use crate::sim::world::{SOURCE, World};

/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: u64 = 64;

/// The figures of one run. Shares are fractions; `None`: nothing to say.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// The story.
    pub scenario: String,
    /// Viewers, as soon as all are there.
    pub viewers: usize,
    /// Everything follows from it.
    pub seed: u64,
    /// Seconds measured.
    pub seconds: u64,
    /// Media bits a second.
    pub bitrate_bps: u32,
    /// Capture to screen, over viewers and time.
    pub lag_p50_s: Option<f64>,
    /// The same.
    pub lag_p95_s: Option<f64>,
    /// From publication until 99 % of those who watch hold a piece, 95th percentile over pieces.
    pub dissemination_last_p95_s: Option<f64>,
    /// The same, median over pieces.
    pub dissemination_last_p50_s: Option<f64>,
    /// The same as the p95 for an oracle's forest of the same viewers.
    pub floor_s: Option<f64>,
    /// 1 − bytes from source and relay / all bytes that viewers got.
    pub offload: Option<f64>,
    /// What offload can be at most: 1 − (copies/N + repair + unreachable).
    pub offload_ceiling: Option<f64>,
    /// Piece bytes that the source sent, to the relay as well, in multiples of the stream.
    pub source_upload_x: f64,
    /// The same as packets, headers and retransmissions included.
    pub source_wire_x: f64,
    /// From navigation to the first picture.
    pub first_frame_p50_s: Option<f64>,
    /// The same.
    pub first_frame_p95_s: Option<f64>,
    /// Pieces held when the playhead reaches their chunk, of all pieces due; at honest viewers.
    pub on_time: Option<f64>,
    /// The same at those who pass media on.
    pub on_time_givers: Option<f64>,
    /// Pieces that came after they had been due, of all due.
    pub missed_late: f64,
    /// Pieces that had been due and never came, of all due.
    pub missed_never: f64,
    /// Time standing still / time watched, after the first picture.
    pub rebuffer_ratio: f64,
    /// Longest stall of each viewer, 99th percentile over viewers.
    pub stall_p99_ms: f64,
    /// The same of those who watched when measuring began.
    pub stall_veterans_p99_ms: f64,
    /// Longest stall of any of those.
    pub stall_veterans_max_ms: f64,
    /// Piece bytes that were held already / new ones.
    pub duplicates: f64,
    /// Bytes of all other frames / new piece bytes.
    pub control: f64,
    /// Bytes of signatures / new piece bytes.
    pub signatures: f64,
    /// Pieces that came by request / all new ones.
    pub repaired: f64,
    /// Only of `capacity`.
    pub rate_efficiency: Option<f64>,
    /// Direct links of a viewer, on average, when it left or at the end.
    pub links_mean: f64,
    /// Links that opened, of all that were tried.
    pub links_opened: f64,
    /// Chunks handed to a decoder that differ from what was published.
    pub unverified_to_decoder: u64,
    /// Altered pieces passed on by somebody who does not alter.
    pub second_hops: u64,
    /// Piece bytes that the relay sent, in multiples of the stream.
    pub relay_upload_x: f64,
    /// Bytes that viewers had from the relay, of all, less the shortfall of supply.
    pub relay_excess: f64,
    /// Upload of those who give, capped, / what all viewers need.
    pub supply_ratio: f64,
    /// Chunks left out by viewers, of all due.
    pub chunks_skipped: u64,
    /// Violations that engines saw.
    pub violations: u64,
    /// Data packets lost at viewers' uplinks because the queue was full, of all lost there.
    pub overflown: f64,
    /// Seconds that the simulation took.
    pub wall_s: f64,
    /// Microseconds of CPU for each viewer and simulated second, warm-up included.
    pub cpu_us_per_peer_second: f64,
    /// Resident memory for each viewer.
    pub bytes_per_peer: f64,
    /// Events on the agenda.
    pub events: u64,
    /// What happened when. Not part of the object.
    #[serde(skip)]
    pub timeline: Vec<Moment>,
}

impl Figures {
    /// Nothing but what was to be simulated.
    pub fn of(setup: &Setup) -> Figures {
        Figures {
            scenario: setup.name(),
            viewers: setup.viewers,
            seed: setup.seed,
            seconds: setup.seconds,
            bitrate_bps: setup.bitrate_bps,
            ..Figures::default()
        }
    }
}

impl World {
    /// The figures of a run that has ended.
    pub fn figures(&mut self, cost: Cost) -> Figures {
        let mut figures = Figures {
            supply_ratio: self.supply_ratio(),
            links_opened: ratio(self.measure.links_opened, self.measure.links_tried),
            unverified_to_decoder: self.measure.unverified_chunks,
            second_hops: self.measure.second_hops,
            violations: self.totals.violations,
            chunks_skipped: self.totals.chunks_skipped,
            events: self.events(),
            timeline: std::mem::take(&mut self.timeline.moments),
            ..Figures::of(&self.setup)
        };
        self.timing(&mut figures);
        self.bytes(&mut figures);
        self.cost(&mut figures, &cost);
        figures.offload_ceiling = Some(self.offload_ceiling());
        figures.floor_s = floor_s(&self.setup);
        figures
    }

    fn timing(&mut self, figures: &mut Figures) {
        figures.lag_p50_s = self.measure.lag_s(0.5);
        figures.lag_p95_s = self.measure.lag_s(0.95);
        figures.dissemination_last_p50_s = percentile(&mut self.measure.disseminations, 0.5);
        figures.dissemination_last_p95_s = percentile(&mut self.measure.disseminations, 0.95);
        let totals = &mut self.totals;
        let after = usize::from(!totals.first_frames[1].is_empty());
        figures.first_frame_p50_s = percentile(&mut totals.first_frames[after], 0.5);
        figures.first_frame_p95_s = percentile(&mut totals.first_frames[after], 0.95);
        figures.on_time = totals.due.fraction();
        figures.on_time_givers = totals.due_givers.fraction();
        let missed = totals.due.all - totals.due.part;
        figures.missed_late = ratio(totals.late.min(missed), totals.due.all);
        figures.missed_never = ratio(missed.saturating_sub(totals.late), totals.due.all);
        figures.rebuffer_ratio = ratio(totals.stalled, totals.watched);
        let ms = |seconds: Option<f64>| seconds.unwrap_or(0.0) * 1e3;
        figures.stall_p99_ms = ms(percentile(&mut totals.longest, 0.99));
        figures.stall_veterans_p99_ms = ms(percentile(&mut totals.longest_veterans, 0.99));
        figures.stall_veterans_max_ms = ms(percentile(&mut totals.longest_veterans, 1.0));
    }

    fn bytes(&self, figures: &mut Figures) {
        let totals = &self.totals;
        let all = totals.from_viewers + totals.from_source + totals.from_relay;
        let new = all.saturating_sub(totals.duplicates);
        figures.offload = (all > 0).then(|| ratio(totals.from_viewers, all));
        let shortfall = (1.0 - self.supply_ratio()).max(0.0);
        figures.relay_excess = (ratio(totals.from_relay, all) - shortfall).max(0.0);
        figures.duplicates = ratio(totals.duplicates, new);
        figures.control = ratio(self.measure.control_bytes, new);
        figures.signatures = ratio(totals.pieces_new * SIGNATURE_BYTES, new);
        figures.repaired = ratio(totals.pieces_repaired, totals.pieces_new);
        let published = self.measure.published_bytes;
        figures.source_upload_x = ratio(totals.source_sent, published);
        let wire = self.network.hosts[SOURCE as usize].up.bytes - totals.source_wire_before;
        figures.source_wire_x = ratio(wire, published);
        figures.relay_upload_x = ratio(totals.relay_sent, published);
        figures.links_mean = ratio(totals.links, totals.linked);
        let uplinks = || self.network.hosts.iter().skip(SOURCE as usize + 1).map(|host| &host.up);
        let overflown = uplinks().map(|up| up.overflown_packets).sum();
        figures.overflown = ratio(overflown, uplinks().map(|up| up.lost_packets).sum());
    }

    fn cost(&self, figures: &mut Figures, cost: &Cost) {
        let warm_up = self.setup.warm_up() as f64 / SECOND as f64 / 2.0;
        let peer_seconds = self.totals.viewer_seconds + warm_up * self.setup.viewers_first() as f64;
        figures.wall_s = cost.wall_s();
        figures.cpu_us_per_peer_second = cost.cpu_us() as f64 / peer_seconds.max(1.0);
        figures.bytes_per_peer = cost.memory_bytes() as f64 / self.setup.viewers.max(1) as f64;
    }

    /// What the source sends to viewers is not offloaded, nor can be what those need who cannot be linked, or what is
    /// lacking of upload. Repairs can all come from neighbors: their part is 0.
    fn offload_ceiling(&self) -> f64 {
        let viewers = self.setup.viewers as f64;
        let config = RosterConfig::default();
        let small = self.setup.viewers < config.large;
        let copies = if small { config.copies_small } else { config.copies_large } as f64;
        let unlinkable = |number| self.setup.viewer(number).nat == Nat::NoUdp;
        let unreachable = (0..self.setup.viewers as u64).filter(|&number| unlinkable(number)).count();
        let shortfall = (1.0 - copies / viewers - self.supply_ratio()).max(0.0);
        1.0 - (copies / viewers + (unreachable as f64 / viewers).max(shortfall)).min(1.0)
    }

    /// Upload of those who give, as far as their cap lets them, of what all viewers together need.
    fn supply_ratio(&self) -> f64 {
        let traits = (0..self.setup.viewers as u64).map(|number| self.setup.viewer(number));
        let cap_bps = f64::from(swarm::Config::default().upload_cap_x) * f64::from(self.setup.bitrate_bps);
        let given = traits
            .filter(|viewer| viewer.gives && !viewer.lies)
            .map(|viewer| (viewer.up_bps as f64).min(cap_bps));
        given.sum::<f64>() / (self.setup.viewers as f64 * f64::from(self.setup.bitrate_bps))
    }
}

/// `part` of `all`; 0 of nothing.
fn ratio(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}
