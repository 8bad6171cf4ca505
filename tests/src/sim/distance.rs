//! How far hosts are from each other: the same for a pair whenever it is asked for.

use crate::sim::access::Host;
use crate::sim::agenda::Micros;
use crate::sim::model::*;
use crate::sim::random::{Random, mix};
use crate::sim::world::TRACKER;

/// A host, for measuring distances.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its number among all hosts.
    pub number: u32,
    /// One way through its access line.
    pub access: Micros,
    /// Index into the table of regions.
    pub region: Option<usize>,
    /// It is the tracker's machine.
    pub tracker: bool,
}

impl Place {
    /// Of the host of this number.
    pub fn of(hosts: &[Host], number: u32) -> Place {
        let host = &hosts[number as usize];
        Place { number, access: host.access, region: host.region, tracker: number == TRACKER }
    }
}

/// One way between two hosts, access lines included.
pub fn delay(seed: u64, a: Place, b: Place) -> Micros {
    let pair = u64::from(a.number.min(b.number)) << 32 | u64::from(a.number.max(b.number));
    let mut draw = Random::seeded(seed).fork(mix(pair));
    let mut between = |(least, most)| draw.between(least, most);
    match (a.region, b.region) {
        (Some(from), Some(to)) => {
            a.access + b.access + REGION_ROUND_TRIP_MS[from][to] * MS / 2 + between(REGION_SPREAD)
        }
        // A round trip to the tracker is given as a whole.
        _ if a.tracker || b.tracker => TRACKER_ACCESS + between(TRACKER_DELAY),
        _ => a.access + b.access + between(BACKBONE_DELAY),
    }
}
