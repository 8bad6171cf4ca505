//! The floor: how fast the same viewers could be served by an oracle that places everybody in a striped forest, the
//! fastest first, with no loss, no churn and no control traffic. The figure that `dissemination_last` is held against.
//!
//! Delays, rates and piece sizes are those of the simulation. Each stripe is a tree: whoever has upload is interior in
//! one stripe, with as many children as its uplink carries; the next place of a tree goes to the fastest who has none,
//! below that of a few parents whose piece would reach it first. Then pieces are sent through this forest, serialised
//! on every uplink and downlink.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::sim::access::Pipe;
use crate::sim::agenda::{Agenda, Micros};
use crate::sim::distance::{Place, delay};
use crate::sim::measure::{NEARLY_ALL, percentile};
use crate::sim::media::Media;
use crate::sim::model::*;
use crate::sim::random::Random;
use crate::sim::setup::Setup;

/// Chunks that are sent through the forest: two segments, from keyframe to keyframe.
const CHUNKS: u32 = 2 * CHUNKS_PER_SEGMENT;

/// Children of the source in each stripe: with the relay's copy three in all.
const SOURCE_COPIES: usize = 2;

/// Parents that are compared for each place.
const COMPARED: usize = 8;

/// Header and signature of a piece.
const PIECE_HEADER_BYTES: u32 = 98;

/// The source's place; viewer `i` has place `i + 1`.
const SOURCE: usize = 0;

struct Member {
    place: Place,
    up: Pipe,
    down: Pipe,
    /// Children that its uplink carries, of all stripes together.
    slots: usize,
}

/// 95th percentile over pieces of the time until 99 % of the viewers hold a piece, in seconds.
pub fn floor_s(setup: &Setup) -> Option<f64> {
    let pieces = pieces(setup);
    let homes = homes(setup, &members(setup, &pieces));
    // Trees that are best for an ordinary piece, and trees that are best for a keyframe's.
    let largest = pieces.iter().map(|&(_, bytes)| bytes).max()?;
    let floors = [mean_bytes(&pieces), largest].into_iter().filter_map(|bytes| {
        let mut members = members(setup, &pieces);
        let trees: Vec<_> = homes.iter().map(|home| tree(setup, &members, home, bytes)).collect();
        percentile(&mut send(setup, &mut members, &trees, &pieces), 0.95)
    });
    floors.min_by(f64::total_cmp)
}

/// Publication times and wire bytes of pieces, by their number.
fn pieces(setup: &Setup) -> Vec<(Micros, u32)> {
    let mut media = Media::new(setup.bitrate_bps, setup.stripes(), setup.seed);
    let chunks = (0..CHUNKS).flat_map(|chunk| {
        let at = Micros::from(chunk) * CHUNK_MS * MS;
        media.publish(at).into_iter().map(move |piece| (at, wire_bytes(piece.payload().len() as u32)))
    });
    chunks.collect()
}

fn wire_bytes(payload: u32) -> u32 {
    let bytes = payload + PIECE_HEADER_BYTES;
    bytes + bytes.div_ceil(PACKET_DATA_BYTES) * PACKET_OVERHEAD_BYTES
}

fn mean_bytes(pieces: &[(Micros, u32)]) -> u32 {
    (pieces.iter().map(|&(_, bytes)| u64::from(bytes)).sum::<u64>() / pieces.len().max(1) as u64) as u32
}

fn members(setup: &Setup, pieces: &[(Micros, u32)]) -> Vec<Member> {
    let total: u64 = pieces.iter().map(|&(_, bytes)| u64::from(bytes)).sum();
    let wire_bps = total * 8 * 1_000 / (u64::from(CHUNKS) * CHUNK_MS);
    let stripe_bps = wire_bps / u64::from(setup.stripes());
    let cap_bps = (f64::from(swarm::Config::default().upload_cap_x) * wire_bps as f64) as u64;
    let pipe = |rate| Pipe::new(rate, 0.0, Random::seeded(0));
    let source = Member {
        place: Place { number: 1, access: ACCESS_DELAY.0, region: setup.region_of_source(), tracker: false },
        up: pipe(setup.source_uplink_bps()),
        down: pipe(SOURCE_UPLINK_BPS),
        slots: 0,
    };
    let viewers = (0..setup.viewers as u32).map(|number| {
        let traits = setup.viewer(u64::from(number));
        let spare = if traits.gives { traits.up_bps.min(cap_bps) } else { 0 };
        Member {
            place: Place { number: number + 2, access: traits.access, region: traits.region, tracker: false },
            up: pipe(traits.up_bps),
            down: pipe(traits.down_bps),
            slots: (spare / stripe_bps.max(1)) as usize,
        }
    });
    std::iter::once(source).chain(viewers).collect()
}

/// For each stripe who is interior in it, fastest first: the next one always goes where there is least upload.
fn homes(setup: &Setup, members: &[Member]) -> Vec<Vec<usize>> {
    let mut fastest: Vec<usize> = (1..members.len()).filter(|&who| members[who].slots > 0).collect();
    fastest.sort_by_key(|&who| (Reverse(members[who].slots), who));
    let mut homes = vec![(0usize, Vec::new()); setup.stripes().into()];
    for who in fastest {
        if let Some((slots, home)) = homes.iter_mut().min_by_key(|(slots, _)| *slots) {
            *slots += members[who].slots;
            home.push(who);
        }
    }
    homes.into_iter().map(|(_, home)| home).collect()
}

/// Children of everybody in one stripe.
fn tree(setup: &Setup, members: &[Member], home: &[usize], piece_bytes: u32) -> Vec<Vec<u32>> {
    let mut children = vec![Vec::new(); members.len()];
    let mut interior = vec![false; members.len()];
    home.iter().for_each(|&who| interior[who] = true);
    let leaves = (1..members.len()).filter(|&who| !interior[who]);
    let mut places = BinaryHeap::from([Reverse(Opening { served: 0, parent: SOURCE, left: SOURCE_COPIES })]);
    for child in home.iter().copied().chain(leaves) {
        let Some((opening, arrived)) = take_best(setup, members, &mut places, child, piece_bytes) else {
            // More viewers than upload: the relay would serve them, at the source's side.
            children[SOURCE].push(child as u32);
            continue;
        };
        let Opening { served, parent, left } = opening;
        children[parent].push(child as u32);
        if left > 1 {
            let served = served + members[parent].up.serialisation(piece_bytes);
            places.push(Reverse(Opening { served, parent, left: left - 1 }));
        }
        if interior[child] {
            places.push(Reverse(Opening { served: arrived, parent: child, left: members[child].slots }));
        }
    }
    children
}

/// The next place below a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Opening {
    /// When it is served.
    served: Micros,
    parent: usize,
    /// Places of this parent, this one included.
    left: usize,
}

/// Takes, of the places that are served next, the one from which a piece reaches `child` first; and when that is.
fn take_best(
    setup: &Setup,
    members: &[Member],
    places: &mut BinaryHeap<Reverse<Opening>>,
    child: usize,
    bytes: u32,
) -> Option<(Opening, Micros)> {
    let mut compared: Vec<Opening> =
        (0..COMPARED).map_while(|_| places.pop()).map(|Reverse(opening)| opening).collect();
    let arrival = |opening: &Opening| {
        let parent = &members[opening.parent];
        let on_the_way =
            parent.up.serialisation(bytes) + delay(setup.seed, parent.place, members[child].place);
        opening.served + on_the_way + members[child].down.serialisation(PACKET_DATA_BYTES)
    };
    let at = (0..compared.len()).min_by_key(|&at| arrival(&compared[at]))?;
    let best = compared.swap_remove(at);
    places.extend(compared.into_iter().map(Reverse));
    let arrived = arrival(&best);
    Some((best, arrived))
}

/// Sends all pieces through the forest; how long each took to nearly all viewers.
fn send(
    setup: &Setup,
    members: &mut [Member],
    trees: &[Vec<Vec<u32>>],
    pieces: &[(Micros, u32)],
) -> Vec<Micros> {
    let enough = (NEARLY_ALL * (members.len() - 1) as f64).ceil() as usize;
    let mut held = vec![0; pieces.len()];
    let mut times = Vec::with_capacity(pieces.len());
    let mut agenda = Agenda::new();
    for (piece, &(at, _)) in pieces.iter().enumerate() {
        agenda.at(at, (SOURCE, piece, true));
    }
    while let Some((who, piece, through)) = agenda.take() {
        let (now, (published, bytes)) = (agenda.now(), pieces[piece]);
        if !through {
            let last = members[who].down.serialisation(PACKET_DATA_BYTES);
            let whole = members[who].down.serialisation(bytes);
            // The packets came one after another; only the last one's time on the line is still to come.
            let done = members[who].down.acknowledge((now + last).saturating_sub(whole), bytes);
            agenda.at(done.max(now + last), (who, piece, true));
            continue;
        }
        if who != SOURCE {
            held[piece] += 1;
            if held[piece] == enough {
                times.push(now - published);
            }
        }
        for &child in &trees[piece % trees.len()][who] {
            let sent = members[who].up.acknowledge(now, bytes);
            let distance = delay(setup.seed, members[who].place, members[child as usize].place);
            agenda.at(sent + distance, (child as usize, piece, false));
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::setup::Scenario;

    #[test]
    fn the_floor_hardly_grows_with_the_swarm() {
        let floor = |viewers| floor_s(&Setup::new(Scenario::Steady, viewers, 1)).unwrap_or(f64::NAN);
        let (small, large) = (floor(30), floor(1_000));
        println!("{small} s for 30, {large} s for 1,000");
        assert!((0.1..0.6).contains(&small) && (0.1..0.6).contains(&large), "{small}, {large}");
        assert!(large < small * 1.8, "{small}, {large}");
    }
}
