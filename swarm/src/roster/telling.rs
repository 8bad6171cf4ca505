//! What members are told: their parents, who stands by, whom to link with, and how many watch.

use std::collections::BTreeSet;

use wire::PeerId;
use wire::session::{FromTracker, Parents};

use super::pairing::Attempt;
use super::tree::Seat;
use super::{COUNT_EVERY, Roster, RosterOutput};
use crate::Timestamp;

/// Others that are drawn when acquaintances are looked for, for each one that is wanted.
const DRAWS: usize = 3;

/// Strangers that are looked at where too few acquaintances can stand by, for each backup.
const OTHERS: usize = 2;

/// Viewer counts told to everyone in a second, at most.
const COUNTS_PER_SECOND: usize = 1_000;

impl Roster {
    /// Tells each member whose place has changed its parents, and asks for the links that are lacking.
    pub(super) fn send_stale(&mut self, now: Timestamp) {
        for seat in std::mem::take(&mut self.stale) {
            let Some(member) = self.member(seat).filter(|member| member.takes_part()) else { continue };
            let (viewer, known) = (member.peer, member.link_count());
            let warm = self.warm(now, seat);
            let mut stripes: Vec<_> =
                (0..self.stripes).map(|stripe| self.parents(now, seat, stripe, &warm)).collect();
            if let Some(outpost) = self.stand_in(now, seat) {
                stripes.iter_mut().for_each(|stripe| stripe.parent = stripe.parent.or(Some(outpost)));
            }
            let named = stripes.iter().flat_map(|stripe| stripe.parent.iter().chain(&stripe.backups));
            let mut wanted: BTreeSet<PeerId> = named.copied().collect();
            wanted.retain(|&peer| self.lack_link(seat, peer));
            // It asks for half of its links: as many others will ask for one with it.
            let room = (self.config.links / 2).saturating_sub(known + wanted.len());
            self.acquaintances(now, seat, room, &mut wanted);
            self.say(viewer, FromTracker::Parents { stripes });
            let peers: Vec<_> = wanted.into_iter().take(wire::limits::NEIGHBORS_MAX).collect();
            if peers.is_empty() {
                continue;
            }
            for &peer in &peers {
                let other = self.seat(peer).unwrap_or(Seat::ROOT);
                for (one, another) in [(seat, peer), (other, viewer)] {
                    if let Some(member) = self.member_mut(one) {
                        member.linking.insert(another, Attempt::begin(now));
                    }
                }
            }
            self.say(viewer, FromTracker::Link { peers });
        }
    }

    fn lack_link(&self, seat: Seat, peer: PeerId) -> bool {
        let met = self.member(seat).is_some_and(|member| member.met(peer));
        let here = self.source == Some(peer) || self.is_outpost(peer) || self.present(peer).is_some();
        here && !met
    }

    /// Those who could stand by and are linked with it, or will be.
    fn warm(&self, now: Timestamp, seat: Seat) -> Vec<Seat> {
        let member = self.member(seat).into_iter();
        let linked = member.flat_map(|member| member.links.iter().chain(member.linking.keys()));
        let linked = linked.filter_map(|&peer| self.present(peer));
        linked.filter(|&peer| self.could_stand_by(now, seat, peer)).collect()
    }

    /// Whether `peer` has upload to spare, and can be linked with `seat`.
    fn could_stand_by(&self, now: Timestamp, seat: Seat, peer: Seat) -> bool {
        peer != seat && peer != Seat::ROOT && self.free(now, peer) > 0 && self.can_pair(now, seat, peer)
    }

    fn parents(&self, now: Timestamp, seat: Seat, stripe: u8, warm: &[Seat]) -> Parents {
        let tree = self.tree(stripe);
        let parent = tree.parent(seat);
        let same_branch = |peer: Seat| parent.is_some_and(|parent| tree.is_below(peer, parent));
        // The warm ones first; among them, those on another branch and near the source.
        let fit = |&peer: &Seat| Some(peer) != parent && !tree.is_below(peer, seat);
        let mut candidates: BTreeSet<Seat> = warm.iter().copied().filter(fit).collect();
        let has_room = self.member(seat).is_some_and(|member| member.link_count() < self.config.links);
        if candidates.len() < self.config.backups && has_room {
            let others = tree.open().take(OTHERS * self.config.backups).map(|(_, peer)| peer);
            candidates.extend(others.filter(fit).filter(|&peer| self.could_stand_by(now, seat, peer)));
        }
        let mut backups: Vec<_> = candidates
            .into_iter()
            .filter_map(|peer| {
                let depth = tree.depth(peer)?;
                let unknown = !self.have_met(seat, peer);
                Some((same_branch(peer), unknown, depth, peer))
            })
            .collect();
        backups.sort_unstable();
        let mut named: Vec<_> = backups.iter().filter_map(|&(.., peer)| self.peer(peer)).collect();
        // Below a root there is no other branch: while the swarm is small, the source itself stands by.
        let few = self.viewers <= self.config.source_backup_viewers && !self.is_relayed(stripe);
        let no_other_branch = backups.first().is_none_or(|&(same_branch, ..)| same_branch);
        if few && no_other_branch && parent != Some(Seat::ROOT) && self.can_pair(now, seat, Seat::ROOT) {
            named.splice(0..0, self.source);
        }
        named.truncate(self.config.backups);
        Parents { parent: self.feeder(seat, stripe), backups: named }
    }

    /// Others to know for repair: of some that are drawn, those with the fewest links.
    fn acquaintances(&mut self, now: Timestamp, seat: Seat, room: usize, wanted: &mut BTreeSet<PeerId>) {
        if room == 0 {
            return;
        }
        let seats = self.members.len() as u64;
        let draws = room * DRAWS;
        let drawn: BTreeSet<Seat> = if seats as usize <= draws {
            (1..seats).map(|other| Seat(other as u32)).collect()
        } else {
            (0..draws).map(|_| Seat((1 + self.rng.next() % (seats - 1)) as u32)).collect()
        };
        let mut fit: Vec<(u16, usize, PeerId)> = Vec::new();
        for other in drawn.into_iter().filter(|&other| other != seat) {
            let Some(member) = self.member(other).filter(|member| member.takes_part()) else { continue };
            let peer = member.peer;
            let known = wanted.contains(&peer) || !self.lack_link(seat, peer);
            if !known && member.link_count() < self.config.links_max && self.can_pair(now, seat, other) {
                fit.push((self.doubt(seat, other), member.link_count(), peer));
            }
        }
        fit.sort_unstable();
        wanted.extend(fit.into_iter().take(room).map(|(.., peer)| peer));
    }

    pub(super) fn count(&mut self, now: Timestamp) {
        if self.viewers == self.counted || now < self.next_count {
            return;
        }
        self.counted = self.viewers;
        let told = COUNT_EVERY * (1 + self.viewers / (2 * COUNTS_PER_SECOND)) as u32;
        self.next_count = now + told;
        let count = u32::try_from(self.viewers).unwrap_or(u32::MAX);
        for seat in self.everyone() {
            let present = self.member(seat).filter(|member| member.present).map(|member| member.peer);
            present.into_iter().for_each(|peer| self.say(peer, FromTracker::Viewers { count }));
        }
        // The broadcaster has no seat, and wants to know more than anyone.
        self.source.into_iter().for_each(|source| self.say(source, FromTracker::Viewers { count }));
    }

    pub(super) fn say(&mut self, to: PeerId, message: FromTracker) {
        self.outputs.push_back(RosterOutput { to, message });
    }
}
