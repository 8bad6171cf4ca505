//! What is to be simulated, and what each scenario makes of the network and of the viewers.

use clap::ValueEnum;

use crate::sim::access::{Host, Nat, Pipe};
use crate::sim::agenda::Micros;
use crate::sim::model::*;
use crate::sim::random::{Random, mix};

/// A story. Explained in `docs/simulator.md`; its numbers are in `model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Nothing happens.
    Steady,
    /// Sessions of a minute.
    Churn,
    /// Ten times as many viewers within ten seconds.
    FlashCrowd,
    /// 30 % of the viewers lose their power at once.
    MassDeparture,
    /// A third of the viewers have a downlink of 1.5x the stream.
    SlowPeers,
    /// Machines that have too much to do, and do everything late.
    BusyMachines,
    /// 5 % loss.
    Lossy,
    /// 15 % symmetric NATs, 3 % without UDP.
    NatMix,
    /// Half of the viewers give nothing.
    Freeriders,
    /// Half of the viewers alter every piece that they pass on.
    Polluters,
    /// The tracker is away for a minute, and returns without memory.
    TrackerDown,
    /// The source restarts with another broadcast.
    SourceRestart,
    /// The source's uplink is 1.3x of the bitrate.
    WeakSource,
    /// Five regions.
    World,
    /// The bitrate is raised until pieces are late.
    Capacity,
}

/// What to compare with, in the same network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Baseline {
    /// Everything from the server.
    Server,
    /// Whole segments of 2 s, pulled from peers, six seconds behind.
    Segments,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The story.
    pub scenario: Scenario,
    /// Viewers, as soon as all are there.
    pub viewers: usize,
    /// Seconds that are measured.
    pub seconds: u64,
    /// Everything follows from it.
    pub seed: u64,
    /// Media bits a second.
    pub bitrate_bps: u32,
    /// What lines are multiples of, in bits a second.
    pub reference_bps: u64,
    /// What the tracker's machine can send, bits a second; all of its relay's feeds leave by it.
    pub tracker_line_bps: u64,
    /// Sessions of a minute, whatever the scenario.
    pub churn: bool,
    /// Another way of distribution instead of the swarm.
    pub baseline: Option<Baseline>,
    /// Draw a progress bar.
    pub progress: bool,
}

impl Setup {
    /// The defaults of the command line.
    pub fn new(scenario: Scenario, viewers: usize, seed: u64) -> Setup {
        let seconds = scenario.seconds();
        Setup {
            scenario,
            viewers,
            seconds,
            seed,
            bitrate_bps: REFERENCE_BPS as u32,
            reference_bps: REFERENCE_BPS,
            tracker_line_bps: TRACKER_BPS,
            churn: false,
            baseline: None,
            progress: false,
        }
    }

    /// The scenario, and what is different about it.
    pub fn name(&self) -> String {
        let scenario = self.scenario.to_possible_value();
        let mut name = scenario.map(|value| value.get_name().to_owned()).unwrap_or_default();
        if self.churn {
            name.push_str(" --churn");
        }
        if let Some(baseline) = self.baseline.and_then(|baseline| baseline.to_possible_value()) {
            name.push_str(&format!(" --baseline {}", baseline.get_name()));
        }
        name
    }

    /// The command that repeats this run.
    pub fn command(&self) -> String {
        let Setup { viewers, seconds, seed, bitrate_bps, reference_bps, tracker_line_bps, .. } = self;
        let name = self.name();
        format!(
            "cargo run --release -p tests --bin sim -- {name} --viewers {viewers} --seconds {seconds} \
             --seed {seed} --bitrate {bitrate_bps} --reference {reference_bps} --tracker-line {tracker_line_bps}"
        )
    }

    /// Whether viewers' machines are held up now and then.
    pub fn holds_up(&self) -> bool {
        self.scenario == Scenario::BusyMachines
    }

    /// Whether viewers come and go.
    pub fn churns(&self) -> bool {
        self.churn || self.scenario == Scenario::Churn
    }

    /// Share of packets that a path loses.
    pub fn loss_share(&self) -> f64 {
        if self.scenario == Scenario::Lossy { LOSS_SHARE_LOSSY } else { LOSS_SHARE }
    }

    /// The source's uplink.
    pub fn source_uplink_bps(&self) -> u64 {
        match self.scenario {
            Scenario::WeakSource => (f64::from(self.bitrate_bps) * WEAK_SOURCE_X) as u64,
            _ => SOURCE_UPLINK_BPS,
        }
    }

    /// What the tracker's machine can send. A server that serves everybody has a line for it.
    pub fn tracker_bps(&self) -> u64 {
        let everybody = self.viewers as u64 * u64::from(self.bitrate_bps) * SERVER_LINE_X;
        if self.baseline.is_some() { self.tracker_line_bps.max(everybody) } else { self.tracker_line_bps }
    }

    /// Region of source and tracker, where there are regions.
    pub fn region_of_source(&self) -> Option<usize> {
        (self.scenario == Scenario::World).then_some(0)
    }

    /// Stripes of the broadcast.
    pub fn stripes(&self) -> u8 {
        if self.bitrate_bps > STRIPES_FAST_ABOVE_BPS { STRIPES_FAST } else { STRIPES }
    }

    /// Viewers that are there before measuring starts.
    pub fn viewers_first(&self) -> usize {
        match self.scenario {
            Scenario::FlashCrowd => (self.viewers / CROWD_X).max(1),
            _ => self.viewers,
        }
    }

    /// From the first arrival to the start of measuring.
    pub fn warm_up(&self) -> Micros {
        self.arrival_every() * self.viewers_first() as u64 + SETTLING
    }

    /// Between two arrivals.
    pub fn arrival_every(&self) -> Micros {
        SECOND / (self.viewers_first() as u64 / ARRIVAL_SECONDS).max(ARRIVALS_MIN)
    }

    /// Everything that is drawn for the viewer of this number.
    pub fn viewer(&self, number: u64) -> Traits {
        Traits::draw(self, number)
    }
}

impl Scenario {
    /// Seconds measured where nothing is said: what the story needs.
    pub fn seconds(self) -> u64 {
        match self {
            Scenario::TrackerDown => 90,
            Scenario::FlashCrowd | Scenario::MassDeparture | Scenario::SourceRestart => 30,
            _ => 60,
        }
    }
}

/// One viewer's circumstances.
#[derive(Debug, Clone)]
pub struct Traits {
    /// Uplink.
    pub up_bps: u64,
    /// Downlink.
    pub down_bps: u64,
    /// Passes media on: its line has something to spare, and its owner wants to.
    pub gives: bool,
    /// Behind which kind of NAT.
    pub nat: Nat,
    /// One way through its access line.
    pub access: Micros,
    /// Index into the table of regions.
    pub region: Option<usize>,
    /// Its tab is hidden.
    pub hidden: bool,
    /// Alters what it passes on.
    pub lies: bool,
}

/// Purposes of draws: one more for one of them changes nothing for the others.
#[derive(Clone, Copy)]
enum Purpose {
    Uplink = 1,
    Hidden,
    Role,
    Nat,
    Place,
    Slow,
}

impl Traits {
    /// The tracker's machine.
    pub fn tracker(setup: &Setup) -> Traits {
        Traits {
            up_bps: setup.tracker_bps(),
            down_bps: setup.tracker_bps(),
            gives: true,
            nat: Nat::Open,
            access: ACCESS_DELAY.0,
            region: setup.region_of_source(),
            hidden: false,
            lies: false,
        }
    }

    /// A host of this number in such circumstances, of whose packets each way loses so many.
    pub fn host(&self, seed: u64, number: u32, loss_share: f64) -> Host {
        let random = Random::seeded(seed);
        let number = u64::from(number);
        Host {
            up: Pipe::new(self.up_bps, loss_share, random.fork(number << 8 | 0xa0)),
            down: Pipe::new(self.down_bps, loss_share, random.fork(number << 8 | 0xa1)),
            access: self.access,
            region: self.region,
            nat: self.nat,
            gone: false,
        }
    }

    fn draw(setup: &Setup, number: u64) -> Traits {
        let deal = |purpose, cards| dealt(setup.seed, purpose, number, cards);
        let uplink_x = if setup.holds_up() { UPLINK_OF_BUSY_X } else { uplink_x(deal(Purpose::Uplink, 10)) };
        let up_bps = ((uplink_x * setup.reference_bps as f64) as u64).max(UPLINK_OF_NONE_BPS);
        let slow =
            setup.scenario == Scenario::SlowPeers && (deal(Purpose::Slow, 100) as f64) < SLOW_SHARE * 100.0;
        let down_x = if slow { DOWNLINK_SLOW_X } else { DOWNLINK_X.max(uplink_x) };
        // Three of ten have nothing to give; two more will not, and half do not in all.
        let refuses = setup.scenario == Scenario::Freeriders && (3..5).contains(&deal(Purpose::Uplink, 10));
        let mut place = Random::seeded(setup.seed).fork(number << 3 | Purpose::Place as u64);
        Traits {
            up_bps,
            down_bps: (down_x * setup.reference_bps as f64) as u64,
            gives: uplink_x > 0.0 && !refuses,
            nat: if setup.scenario == Scenario::NatMix { nat(deal(Purpose::Nat, 100)) } else { Nat::Cone },
            access: place.between(ACCESS_DELAY.0, ACCESS_DELAY.1),
            region: (setup.scenario == Scenario::World).then(|| region(place.unit())),
            hidden: (deal(Purpose::Hidden, 20) as f64) < HIDDEN_SHARE * 20.0,
            lies: setup.scenario == Scenario::Polluters && deal(Purpose::Role, 2) == 0,
        }
    }
}

/// A card of a shuffled deck of `cards` for each viewer, a new deck for each `cards` viewers: shares are as exact in a
/// small swarm as in a large one.
fn dealt(seed: u64, purpose: Purpose, number: u64, cards: u64) -> u64 {
    let deck = mix(number / cards + 1) ^ purpose as u64;
    let mut order: Vec<u64> = (0..cards).collect();
    Random::seeded(seed).fork(deck).shuffle(&mut order);
    order[(number % cards) as usize]
}

fn uplink_x(card: u64) -> f64 {
    let mut dealt = 0.0;
    for (share, times) in UPLINK_MIX {
        dealt += share * 10.0;
        if (card as f64) < dealt - 1e-9 {
            return times;
        }
    }
    UPLINK_MIX[UPLINK_MIX.len() - 1].1
}

/// 15 % symmetric, 3 % without UDP; of the rest half filter by port.
fn nat(card: u64) -> Nat {
    match card {
        0..15 => Nat::Symmetric,
        15..18 => Nat::NoUdp,
        18..59 => Nat::PortRestricted,
        _ => Nat::Cone,
    }
}

fn region(mut place: f64) -> usize {
    for (region, share) in REGION_SHARE.into_iter().enumerate() {
        if place < share {
            return region;
        }
        place -= share;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ten_viewers_have_the_mix() {
        let setup = Setup::new(Scenario::Freeriders, 30, 4);
        for ten in 0..3 {
            let traits: Vec<_> = (ten * 10..ten * 10 + 10).map(|number| setup.viewer(number)).collect();
            let of = |bps| traits.iter().filter(|viewer| viewer.up_bps == bps).count();
            assert_eq!([of(1_000_000), of(3_000_000), of(9_000_000), of(30_000_000)], [3, 4, 2, 1]);
            assert_eq!(traits.iter().filter(|viewer| viewer.gives).count(), 5);
        }
    }
}
