//! A swarm as somebody may look at it: who is there, and who feeds whom. Bounded, and without addresses.

use serde::Serialize;
use wire::PeerId;

use super::Roster;
use super::tree::Seat;

/// A swarm at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// The broadcaster's peer, while it is connected.
    pub source: Option<PeerId>,
    /// Stripes of the broadcast.
    pub stripes: u8,
    /// Viewers, those included who did not fit.
    pub viewers: usize,
    /// Viewers, in the order of their seats.
    pub peers: Vec<Pictured>,
}

/// One viewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pictured {
    /// Who.
    pub peer: PeerId,
    /// Whether it passes anything on.
    pub sharing: bool,
    /// Links that it reports.
    pub links: usize,
    /// Hops from the source, or from the relay in its place, the fewest of all stripes; `None`: it is in no tree.
    pub depth: Option<u16>,
    /// Who feeds it, in the order of stripes; `None`: the relay. The source has its own id.
    pub parents: Vec<Option<PeerId>>,
}

impl Roster {
    /// The swarm, with at most so many viewers.
    pub fn picture(&self, peers_max: usize) -> Picture {
        let seats = (0..self.members.len()).map(|index| Seat(index as u32));
        let present =
            seats.filter_map(|seat| Some((seat, self.member(seat).filter(|member| member.present)?)));
        let peers = present.take(peers_max).map(|(seat, member)| Pictured {
            peer: member.peer,
            sharing: member.sharing,
            links: member.links.len(),
            depth: (0..self.stripes).filter_map(|stripe| self.tree(stripe).depth(seat)).min(),
            parents: (0..self.stripes).map(|stripe| self.feeder(seat, stripe)).collect(),
        });
        Picture { source: self.source, stripes: self.stripes, viewers: self.viewers, peers: peers.collect() }
    }
}
