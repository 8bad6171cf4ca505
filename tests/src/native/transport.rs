//! How the real transport behaves: what a link costs, what is lost and what is late on it, what waits in it. These
//! figures calibrate the simulator's network.

use std::collections::HashMap;

use serde::Serialize;

use super::percentile::{mean, percentile, share};
use super::record::{LinkRecord, NeighborTraffic, PieceSent, Traffic, Way};
use super::window::Window;
use crate::swarm_setup::{HostSetup, SwarmSetup};

/// A piece that is later than the delay of its way by more than this part of a round trip was sent again, or had to
/// wait for room in the congestion window: the usual queues on these lines add less.
const LATE_RTTS: f64 = 0.9;

/// The part of the links, the quickest, that tell what a link costs without loss.
const QUICKEST: f64 = 0.7;

/// A participant, its line, and its record.
pub struct Party<'a> {
    /// Its line.
    pub host: &'a HostSetup,
    /// Its peer id.
    pub peer: &'a str,
    /// What went over its links.
    pub traffic: &'a Traffic,
}

/// All that can be said of the transport in one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TransportFigures {
    links: LinkFigures,
    eager: LaneFigures,
    control: LaneFigures,
    waiting: Vec<WaitingFigures>,
}

/// The making of links, over the whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct LinkFigures {
    offered: usize,
    opened: usize,
    /// Mostly by those who have as many links as they may have.
    declined: usize,
    lost: usize,
    set_up_p50_ms: Option<f64>,
    set_up_p95_ms: Option<f64>,
    /// After offer and answer have travelled through the tracker, the quickest 70 % of the links take so long at any
    /// distance, and so many round trips of the two peers besides (least squares).
    set_up_fixed_ms: Option<f64>,
    set_up_rtts: Option<f64>,
}

/// Pieces on one lane, inside of the window.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct LaneFigures {
    pieces: usize,
    /// Never arrived on this lane.
    lost: f64,
    /// Beyond the delay of the way: waiting, sending, and sending again.
    added_p50_ms: Option<f64>,
    added_p95_ms: Option<f64>,
    added_p99_ms: Option<f64>,
    /// Part of those that arrived that were later by nearly a round trip or more.
    late: f64,
    /// By how much these were late, in round trips.
    late_rtts_p50: Option<f64>,
    late_rtts_p95: Option<f64>,
}

/// What waits in the links of peers with a certain upload, inside of the window.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct WaitingFigures {
    up_bps: u64,
    pieces: usize,
    /// No room in the link.
    dropped: u32,
    /// Bytes held by the link that a piece was given to, that piece included: sent and not acknowledged as well.
    unsent_p50_bytes: Option<f64>,
    unsent_p95_bytes: Option<f64>,
    unsent_max_bytes: Option<f64>,
}

/// One piece over one link.
struct Transit {
    way: Way,
    /// Beyond the delay of the way, in milliseconds; `None`: it did not arrive.
    added_ms: Option<f64>,
    round_trip_ms: f64,
}

impl TransportFigures {
    /// Of one run. The tracker's line is the first of `setup`.
    pub fn new(setup: &SwarmSetup, parties: &[Party<'_>], window: Window) -> Self {
        let ways: Vec<_> = ways(parties).collect();
        let transits: Vec<_> = ways.iter().flat_map(|way| way.transits(setup, window)).collect();
        TransportFigures {
            links: link_figures(setup, &ways),
            eager: lane_figures(transits.iter().filter(|transit| transit.way == Way::Eager)),
            control: lane_figures(transits.iter().filter(|transit| transit.way == Way::Control)),
            waiting: waiting_figures(parties, window),
        }
    }
}

/// From one participant to another one, both with a record.
struct Direction<'a> {
    from: &'a HostSetup,
    to: &'a HostSetup,
    sent: &'a NeighborTraffic,
    received: HashMap<(u32, Way), u64>,
}

fn ways<'a>(parties: &'a [Party<'a>]) -> impl Iterator<Item = Direction<'a>> {
    let by_peer: HashMap<&str, &Party<'_>> = parties.iter().map(|party| (party.peer, party)).collect();
    parties.iter().flat_map(move |from| {
        let by_peer = by_peer.clone();
        from.traffic.neighbors.iter().filter_map(move |sent| {
            let to = by_peer.get(sent.peer.as_str())?;
            let back = to.traffic.neighbors.iter().find(|neighbor| neighbor.peer == from.peer);
            let received = back.into_iter().flat_map(|neighbor| &neighbor.received);
            let received = received.map(|&(seq, way, at_us)| ((seq, way), at_us)).collect();
            Some(Direction { from: from.host, to: to.host, sent, received })
        })
    })
}

impl Direction<'_> {
    fn transits(&self, setup: &SwarmSetup, window: Window) -> impl Iterator<Item = Transit> {
        let round_trip_ms = setup.round_trip_ms(self.from, self.to);
        let sent = self.sent.sent.iter().filter(move |sent| window.contains_us(sent.at_us));
        sent.filter(|sent| self.outlives(sent)).map(move |sent| {
            let arrived = self.received.get(&(sent.seq, sent.way));
            let added_ms = |&at_us: &u64| (at_us as f64 - sent.at_us as f64) / 1000.0 - round_trip_ms / 2.0;
            Transit { way: sent.way, added_ms: arrived.map(added_ms), round_trip_ms }
        })
    }

    /// A piece that a link took along into its end says nothing about loss.
    fn outlives(&self, sent: &PieceSent) -> bool {
        let last = self.sent.links.last().and_then(|link| link.closed_us);
        last.is_none_or(|closed_us| sent.at_us + 2_000_000 < closed_us)
    }
}

fn link_figures(setup: &SwarmSetup, ways: &[Direction<'_>]) -> LinkFigures {
    let hosts = setup.hosts();
    let signalling_ms = |way: &Direction<'_>| {
        let tracker = hosts.first();
        tracker.map_or(0.0, |tracker| {
            setup.round_trip_ms(way.from, tracker) + setup.round_trip_ms(way.to, tracker)
        })
    };
    let offered: Vec<(&Direction<'_>, &LinkRecord)> = ways
        .iter()
        .flat_map(|way| way.sent.links.iter().filter(|link| link.offers).map(move |link| (way, link)))
        .collect();
    let mut set_up_ms = Vec::new();
    let mut beyond_signalling = Vec::new();
    for (way, link) in &offered {
        let Some(opened_us) = link.opened_us else { continue };
        let ms = opened_us.saturating_sub(link.began_us) as f64 / 1000.0;
        set_up_ms.push(ms);
        beyond_signalling.push((setup.round_trip_ms(way.from, way.to), ms - signalling_ms(way)));
    }
    let line = quickest(beyond_signalling);
    let closed = |opened: bool| {
        offered.iter().filter(|(_, l)| l.closed_us.is_some() && l.opened_us.is_some() == opened).count()
    };
    LinkFigures {
        offered: offered.len(),
        opened: set_up_ms.len(),
        declined: closed(false),
        lost: closed(true),
        set_up_p50_ms: percentile(set_up_ms.iter().copied(), 0.5),
        set_up_p95_ms: percentile(set_up_ms, 0.95),
        set_up_fixed_ms: line.map(|(fixed, _)| fixed),
        set_up_rtts: line.map(|(_, slope)| slope),
    }
}

/// The line through the points that are left when those furthest above the line through all are not counted.
fn quickest(mut points: Vec<(f64, f64)>) -> Option<(f64, f64)> {
    let (fixed, slope) = line(&points)?;
    let above = |&(x, y): &(f64, f64)| y - fixed - slope * x;
    points.sort_by(|a, b| above(a).total_cmp(&above(b)));
    points.truncate((points.len() as f64 * QUICKEST).ceil() as usize);
    line(&points)
}

/// Least squares: where the line through `points` meets the axis, and its slope. `None` of points that have no such
/// line.
fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let (mean_x, mean_y) =
        (mean(points.iter().map(|point| point.0))?, mean(points.iter().map(|point| point.1))?);
    let along: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let slope = (spread > 0.0).then(|| along / spread)?;
    Some((mean_y - slope * mean_x, slope))
}

fn lane_figures<'a>(transits: impl Iterator<Item = &'a Transit>) -> LaneFigures {
    let transits: Vec<_> = transits.collect();
    let arrived: Vec<_> =
        transits.iter().filter_map(|transit| Some((transit.added_ms?, transit.round_trip_ms))).collect();
    let added = |share| percentile(arrived.iter().map(|&(added_ms, _)| added_ms), share);
    let rtts = arrived.iter().map(|(added_ms, round_trip_ms)| added_ms / round_trip_ms);
    let late: Vec<_> = rtts.filter(|&rtts| rtts > LATE_RTTS).collect();
    LaneFigures {
        pieces: transits.len(),
        lost: share((transits.len() - arrived.len()) as f64, transits.len() as f64),
        added_p50_ms: added(0.5),
        added_p95_ms: added(0.95),
        added_p99_ms: added(0.99),
        late: share(late.len() as f64, arrived.len() as f64),
        late_rtts_p50: percentile(late.iter().copied(), 0.5),
        late_rtts_p95: percentile(late.iter().copied(), 0.95),
    }
}

fn waiting_figures(parties: &[Party<'_>], window: Window) -> Vec<WaitingFigures> {
    let mut rates: Vec<u64> = parties.iter().map(|party| party.host.up_bps).collect();
    rates.sort_unstable();
    rates.dedup();
    rates.into_iter().map(|up_bps| waiting_at(up_bps, parties, window)).collect()
}

fn waiting_at(up_bps: u64, parties: &[Party<'_>], window: Window) -> WaitingFigures {
    let of_rate = || parties.iter().filter(|party| party.host.up_bps == up_bps);
    let neighbors = || of_rate().flat_map(|party| &party.traffic.neighbors);
    let sent = neighbors().flat_map(|neighbor| &neighbor.sent);
    let sent = sent.filter(|sent| sent.way != Way::Session && window.contains_us(sent.at_us));
    let unsent: Vec<f64> = sent.map(|sent| sent.unsent_bytes as f64).collect();
    let at = |share| percentile(unsent.iter().copied(), share);
    WaitingFigures {
        up_bps,
        pieces: unsent.len(),
        dropped: neighbors().map(|neighbor| neighbor.dropped).sum(),
        unsent_p50_bytes: at(0.5),
        unsent_p95_bytes: at(0.95),
        unsent_max_bytes: at(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { from_ms: 1_000, until_ms: 10_000 };

    fn sent(seq: u32) -> PieceSent {
        PieceSent { seq, way: Way::Eager, at_us: 2_000_000, unsent_bytes: 5_000 * seq as usize }
    }

    /// `a` sends four pieces to `b`: two come, one comes a round trip late, one does not.
    fn run() -> TransportFigures {
        let setup = SwarmSetup { viewers: 2, ..SwarmSetup::default() };
        let hosts = setup.hosts();
        let (a, b) = (&hosts[2], &hosts[3]);
        let round_trip_us = (setup.round_trip_ms(a, b) * 1000.0) as u64;
        let link = LinkRecord { offers: true, began_us: 0, opened_us: Some(500_000), closed_us: None };
        let of = |peer: &str, neighbor: NeighborTraffic| Traffic {
            neighbors: vec![NeighborTraffic { peer: peer.to_owned(), ..neighbor }],
            ..Traffic::default()
        };
        let from_a =
            NeighborTraffic { links: vec![link], sent: (1..5).map(sent).collect(), ..Default::default() };
        let at_us = 2_001_000 + round_trip_us / 2;
        let received =
            vec![(1, Way::Eager, at_us), (2, Way::Eager, at_us), (3, Way::Eager, at_us + round_trip_us)];
        let from_b = NeighborTraffic { received, ..Default::default() };
        let (at_a, at_b) = (of("b", from_a), of("a", from_b));
        let parties =
            [Party { host: a, peer: "a", traffic: &at_a }, Party { host: b, peer: "b", traffic: &at_b }];
        TransportFigures::new(&setup, &parties, WINDOW)
    }

    #[test]
    fn losses_and_delays_are_told_apart() {
        let eager = run().eager;
        assert_eq!((eager.pieces, eager.lost), (4, 0.25));
        assert!((eager.added_p50_ms.unwrap() - 1.0).abs() < 0.01, "{eager:?}");
        assert!((eager.late - 1.0 / 3.0).abs() < 1e-9);
        assert!(eager.late_rtts_p50.unwrap() > 1.0);
    }

    #[test]
    fn a_link_is_counted_where_it_was_offered() {
        let links = run().links;
        assert_eq!((links.offered, links.opened, links.lost), (1, 1, 0));
        assert_eq!(links.set_up_p50_ms, Some(500.0));
    }

    #[test]
    fn what_a_link_costs_is_read_off_the_quick_ones() {
        let at = |x: f64| (x, 150.0 + 6.0 * x);
        let mut points: Vec<_> = (2..12).map(|tens| at(f64::from(tens) * 10.0)).collect();
        points.push((40.0, 1_400.0));
        let (fixed, slope) = quickest(points).unwrap();
        assert!((fixed - 150.0).abs() < 1e-6 && (slope - 6.0).abs() < 1e-6, "{fixed} {slope}");
        assert_eq!(quickest(vec![(40.0, 100.0)]), None);
    }
}
