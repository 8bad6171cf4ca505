//! Where members go in the trees: homes, and the best parent for who has none.

use wire::StripeSet;

use super::Roster;
use super::tree::Seat;
use crate::Timestamp;

/// Steps from the source that a second stripe over the same link is worth avoiding.
const AGAIN_COSTS: u16 = 2;

/// Candidates that one search looks at: those in front are the best, and most of them fit.
const LOOK_AT: usize = 48;

impl Roster {
    /// Finds homes and parents for a viewer.
    pub(super) fn settle(&mut self, now: Timestamp, seat: Seat) {
        if !self.member(seat).is_some_and(|member| member.takes_part()) {
            return;
        }
        self.find_homes(now, seat);
        for stripe in 0..self.stripes {
            if self.tree(stripe).parent(seat).is_none() {
                self.place(now, seat, stripe);
            }
        }
        self.note_fed(seat);
        self.stale.insert(seat);
    }

    pub(super) fn place(&mut self, now: Timestamp, seat: Seat, stripe: u8) {
        let mut found = self.find_parent(now, seat, stripe);
        if found.is_none() && self.is_hard_to_reach(seat) {
            found = self.make_room(now, seat, stripe);
        }
        let placed = self.displace(now, seat, stripe, found).or(found);
        self.set_parent(now, seat, stripe, placed);
        if placed == Some(Seat::ROOT) {
            self.change(now, seat, |member| member.homes = member.homes.with(StripeSet::only(stripe)));
        }
    }

    /// The one place where a parent changes, so that all that depends on it stays true.
    pub(super) fn set_parent(&mut self, now: Timestamp, child: Seat, stripe: u8, parent: Option<Seat>) {
        let tree = &mut self.trees[usize::from(stripe)];
        let former = tree.parent(child);
        if former != parent {
            tree.attach(child, parent);
            if let Some(child) = self.member_mut(child) {
                child.served[usize::from(stripe)] = now;
            }
            former.into_iter().chain(parent).for_each(|seat| self.refresh(now, seat));
            self.stale.insert(child);
            self.look_again();
        }
        self.note_fed(child);
    }

    /// Out of all trees: its children get other parents, the one at home first, so that it can be parent to the rest.
    pub(super) fn leave_trees(&mut self, now: Timestamp, seat: Seat) {
        self.change(now, seat, |member| member.homes = StripeSet::EMPTY);
        for stripe in 0..self.stripes {
            self.set_parent(now, seat, stripe, None);
            let tree = &self.trees[usize::from(stripe)];
            let mut orphans = tree.children(seat).to_vec();
            orphans.sort_by_key(|&orphan| (std::cmp::Reverse(tree.strength(orphan)), orphan));
            orphans.iter().for_each(|&orphan| self.set_parent(now, orphan, stripe, None));
            for orphan in orphans {
                if self.may_repair(now) {
                    self.settle(now, orphan);
                } else {
                    self.stale.remove(&orphan);
                    self.unrepaired.insert(orphan);
                }
            }
        }
    }

    /// As many homes as its upload needs, each in the stripe that has the least to spare.
    pub(super) fn find_homes(&mut self, now: Timestamp, seat: Seat) {
        let Some(member) = self.member(seat) else { return };
        let wanted = self.homes_for(member.slots(now));
        for _ in member.homes.len()..wanted {
            let homes = self.member(seat).map_or(StripeSet::EMPTY, |member| member.homes);
            let others = (0..self.stripes).filter(|&stripe| !homes.contains(stripe));
            let Some(home) = others.min_by_key(|&stripe| self.supply[usize::from(stripe)]) else { return };
            self.change(now, seat, |member| member.homes = homes.with(StripeSet::only(home)));
        }
    }

    /// The best parent: near the source, with upload to spare, on no path that leads back; one that is linked already
    /// where there is a choice.
    pub(super) fn find_parent(&self, now: Timestamp, seat: Seat, stripe: u8) -> Option<Seat> {
        let tree = self.tree(stripe);
        let at_home = tree.strength(seat) > 0;
        let childless = tree.children(seat).is_empty();
        let fit = |&(_, parent): &(u16, Seat)| {
            parent != seat && self.can_feed(now, parent, seat) && (childless || !tree.is_below(parent, seat))
        };
        let fits: Vec<_> = tree.open().take(LOOK_AT).filter(fit).collect();
        let root = fits.iter().find(|&&(_, parent)| parent == Seat::ROOT);
        if at_home && root.is_some() && self.stripes_between(Seat::ROOT, seat) == 0 {
            return Some(Seat::ROOT);
        }
        let others = fits.iter().filter(|&&(_, parent)| parent != Seat::ROOT);
        let best = others.min_by_key(|&&(depth, parent)| {
            // A link carries one stripe well, and its loss should cost no more.
            let again = self.stripes_between(parent, seat) as u16 * AGAIN_COSTS;
            (depth + again + self.doubt(seat, parent), !self.have_met(seat, parent))
        });
        let best = best.map(|&(_, parent)| parent);
        best.or(root.map(|_| Seat::ROOT))
    }

    /// For one that only some reach, where these have no room: a leaf that others reach as well moves to them. Returns who has
    /// room now.
    pub(super) fn make_room(&mut self, now: Timestamp, seat: Seat, stripe: u8) -> Option<Seat> {
        let tree = self.tree(stripe);
        let childless = tree.children(seat).is_empty();
        let links = self.member(seat)?.links.iter().filter_map(|&peer| self.present(peer));
        let strongest = |depth| tree.at_depth(depth).rev().take(LOOK_AT).map(|(_, peer)| peer);
        let shallow = (1..=tree.deepest()).flat_map(strongest);
        let parents = links.chain(shallow.filter(|&peer| !tree.children(peer).is_empty()).take(LOOK_AT));
        let parents = parents.filter(|&parent| {
            parent != seat
                && !tree.children(parent).is_empty()
                && self.doubt(parent, seat) == 0
                && self.can_feed(now, parent, seat)
                && (childless || !tree.is_below(parent, seat))
        });
        for parent in parents.collect::<Vec<_>>() {
            let tree = self.tree(stripe);
            let leaf = |&&leaf: &&Seat| tree.children(leaf).is_empty() && !self.is_hard_to_reach(leaf);
            for leaf in tree.children(parent).iter().filter(leaf).copied().collect::<Vec<_>>() {
                let other = self.find_parent(now, leaf, stripe).filter(|&other| other != parent);
                if other.is_some() {
                    self.set_parent(now, leaf, stripe, other);
                    return Some(parent);
                }
            }
        }
        None
    }

    /// For one that is at home in the stripe: takes the place of a leaf nearer to the source than `found` would put
    /// it, and then feeds that leaf. Otherwise upload would hang below those who have none, or could not be used.
    fn displace(&mut self, now: Timestamp, seat: Seat, stripe: u8, found: Option<Seat>) -> Option<Seat> {
        let tree = self.tree(stripe);
        if tree.strength(seat) == 0 {
            return None;
        }
        let room = self.free(now, seat) > 0
            && tree.children(seat).len() < self.config.children_max
            && self.has_room_for_kin(seat);
        let below = found.and_then(|found| tree.depth(found)).map_or(tree.deepest() + 1, |depth| depth + 1);
        let leaf = |&(strength, leaf): &(u16, Seat)| {
            let parent = tree.parent(leaf);
            strength == 0
                && leaf != seat
                && tree.children(leaf).is_empty()
                && self.can_pair(now, seat, leaf)
                && parent.is_some_and(|parent| {
                    self.can_pair(now, seat, parent)
                        && self.stripes_between(parent, seat) == 0
                        && !tree.is_below(parent, seat)
                })
        };
        let places = (1..below).flat_map(|depth| tree.at_depth(depth).take(LOOK_AT));
        let (_, leaf) = places.filter(|&(strength, _)| strength == 0).take(LOOK_AT).find(leaf)?;
        let parent = tree.parent(leaf);
        self.set_parent(now, leaf, stripe, room.then_some(seat));
        parent
    }

    /// Feeds whom those at home in a stripe have no upload for, by somebody who has some to spare and becomes at
    /// home there as well.
    pub(super) fn recruit_for(&mut self, now: Timestamp, seat: Seat) {
        for stripe in 0..self.stripes {
            if self.tree(stripe).parent(seat).is_some() {
                continue;
            }
            if let Some(recruit) = self.recruit(now, seat, stripe) {
                let home = StripeSet::only(stripe);
                self.change(now, recruit, |member| member.homes = member.homes.with(home));
                self.set_parent(now, seat, stripe, Some(recruit));
            }
        }
    }

    fn recruit(&self, now: Timestamp, seat: Seat, stripe: u8) -> Option<Seat> {
        let tree = self.tree(stripe);
        let able = |&&(_, peer): &&(usize, Seat)| {
            peer != seat
                && self.member(peer).is_some_and(|member| member.fed.contains(stripe))
                && tree.children(peer).len() < self.config.children_max
                && self.can_feed(now, peer, seat)
                && !tree.is_below(peer, seat)
        };
        let able = self
            .spare
            .iter()
            .take(LOOK_AT)
            .filter(able)
            .filter_map(|&(homes, peer)| Some((homes, tree.depth(peer)?, self.load(peer), peer)));
        able.min().map(|(.., peer)| peer)
    }

    /// Homes for one that can give `slots` feeds, and shall give no more than its even share of the work.
    pub(super) fn homes_for(&self, slots: usize) -> usize {
        slots.min(self.even_share()).div_ceil(self.config.children_max.max(1)).min(self.stripes.into())
    }

    /// Feeds that each has to give, if all give the same and those who cannot give all that they can.
    fn even_share(&self) -> usize {
        let needed = self.sharing.saturating_sub(self.copies()) * usize::from(self.stripes) * 11 / 10;
        let most = self.able.len();
        let given = |share: usize| -> usize {
            self.able.iter().enumerate().map(|(slots, members)| slots.min(share) * members).sum()
        };
        (usize::from(self.stripes)..most).find(|&share| given(share) >= needed).unwrap_or(most)
    }
}
