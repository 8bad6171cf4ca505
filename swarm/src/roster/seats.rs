//! Who sits where, and what is counted of it: the one place where a member changes, so that sums and orders stay true.

use wire::{PeerId, StripeSet};

use super::member::Member;
use super::tree::{Seat, Tree};
use super::upload::Upload;
use super::{ABLE_MAX, Roster};
use crate::Timestamp;

impl Roster {
    pub(super) fn seat(&self, peer: PeerId) -> Option<Seat> {
        self.seats.get(&peer).copied()
    }

    pub(super) fn present(&self, peer: PeerId) -> Option<Seat> {
        self.seat(peer).filter(|&seat| self.member(seat).is_some_and(|member| member.present))
    }

    /// The peer's seat, a new one if it has none.
    pub(super) fn seat_for(&mut self, now: Timestamp, peer: PeerId) -> Seat {
        if let Some(seat) = self.seat(peer) {
            return seat;
        }
        let seat = self.free.pop().unwrap_or_else(|| {
            self.members.push(None);
            Seat(self.members.len() as u32 - 1)
        });
        let seats = self.members.len();
        self.trees.iter_mut().for_each(|tree| tree.grow(seats));
        self.refresh_root();
        self.members[seat.index()] = Some(Member::new(now, peer, Upload::none()));
        self.seats.insert(peer, seat);
        seat
    }

    pub(super) fn member(&self, seat: Seat) -> Option<&Member> {
        self.members.get(seat.index())?.as_ref()
    }

    pub(super) fn member_mut(&mut self, seat: Seat) -> Option<&mut Member> {
        self.members.get_mut(seat.index())?.as_mut()
    }

    pub(super) fn everyone(&self) -> Vec<Seat> {
        self.seats.values().copied().collect()
    }

    pub(super) fn tree(&self, stripe: u8) -> &Tree {
        &self.trees[usize::from(stripe)]
    }

    /// Stripes in which one feeds the other.
    pub(super) fn stripes_between(&self, parent: Seat, child: Seat) -> usize {
        self.trees.iter().filter(|tree| tree.parent(child) == Some(parent)).count()
    }

    /// Who feeds a member in a stripe; `None`: the relay, as nobody else does, or as the source has no upload for it.
    pub(super) fn feeder(&self, seat: Seat, stripe: u8) -> Option<PeerId> {
        let parent = self.tree(stripe).parent(seat)?;
        if parent == Seat::ROOT && self.is_relayed(stripe) { None } else { self.peer(parent) }
    }

    /// The peer in a seat; `None` for a broadcaster that is away.
    pub(super) fn peer(&self, seat: Seat) -> Option<PeerId> {
        if seat == Seat::ROOT { self.source } else { self.member(seat).map(|member| member.peer) }
    }

    pub(super) fn homes(&self, seat: Seat) -> StripeSet {
        self.member(seat).map_or(StripeSet::EMPTY, |member| member.homes)
    }

    /// Stripe feeds that it gives, as planned.
    pub(super) fn load(&self, seat: Seat) -> usize {
        self.trees.iter().map(|tree| tree.children(seat).len()).sum()
    }

    pub(super) fn free(&self, now: Timestamp, seat: Seat) -> usize {
        let open = self.member(seat).filter(|member| !member.upload.is_busy());
        open.map_or(0, |member| member.slots(now)).saturating_sub(self.load(seat))
    }

    // What depends on a member, and is kept true.

    /// Changes a member, and with it all that is counted of it.
    pub(super) fn change(&mut self, now: Timestamp, seat: Seat, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.member_mut(seat) {
            change(member);
        }
        self.count_supply(now, seat);
        self.refresh(now, seat);
    }

    pub(super) fn count_supply(&mut self, now: Timestamp, seat: Seat) {
        let Some(member) = self.members[seat.index()].as_mut() else { return };
        let counts = (member.slots(now), member.homes);
        let (slots, homes) = std::mem::replace(&mut member.counted, counts);
        let changed = (slots, homes) != counts;
        homes.iter().for_each(|stripe| self.supply[usize::from(stripe)] -= slots / homes.len().max(1));
        self.slots -= slots;
        if std::mem::replace(&mut member.is_counted, true) {
            self.able[slots.min(ABLE_MAX - 1)] -= 1;
        }
        let (slots, homes) = counts;
        homes.iter().for_each(|stripe| self.supply[usize::from(stripe)] += slots / homes.len().max(1));
        self.slots += slots;
        self.able[slots.min(ABLE_MAX - 1)] += 1;
        if changed {
            self.look_again();
        }
    }

    /// Brings the orders in which places are looked for up to date.
    pub(super) fn refresh(&mut self, now: Timestamp, seat: Seat) {
        if seat == Seat::ROOT {
            return self.refresh_root();
        }
        let load = self.load(seat);
        let Some(member) = self.members[seat.index()].as_mut() else { return };
        let (slots, homes, fed) = (member.slots(now), member.homes, member.fed);
        let free = load < slots && !member.upload.is_busy();
        let key = free.then_some(homes.len());
        let former = std::mem::replace(&mut member.spare_as, key);
        let most = self.config.children_max;
        let strength = (slots / homes.len().max(1)).min(most) as u16;
        for (stripe, tree) in (0u8..).zip(&mut self.trees) {
            let at_home = homes.contains(stripe);
            tree.set_strength(seat, if at_home { strength } else { 0 });
            let is_fed = fed.contains(stripe);
            tree.set_open(seat, at_home && is_fed && free && tree.children(seat).len() < most);
        }
        if former != key {
            former.map(|homes| self.spare.remove(&(homes, seat)));
            key.map(|homes| self.spare.insert((homes, seat)));
            self.look_again();
        }
    }

    pub(super) fn refresh_root(&mut self) {
        for stripe in 0..self.stripes {
            let most = if self.source.is_some() { self.roots(stripe) } else { 0 };
            let tree = &mut self.trees[usize::from(stripe)];
            tree.set_open(Seat::ROOT, tree.children(Seat::ROOT).len() < most);
        }
    }
}
