//! How places change hands among those who have them: under the source, between the strong and the weak, and away from those
//! who feed more than they can.

use wire::StripeSet;

use super::Roster;
use super::tree::Seat;
use crate::Timestamp;

/// Stripes that the source gives to one viewer, where only few of many can pass them on: a link that carries three of them
/// is late with all, and so is everyone below it.
const ROOTS_MAX: usize = 2;

/// Members at home nowhere, or in few stripes, among whom an heir to a root's place is looked for.
const HEIRS: usize = 64;

/// A strong member takes the place of a weaker one nearer to the source if it can have so many children more.
const STRONGER_BY: u16 = 2;

/// The weakest and the strongest of each depth that are looked at when members change places.
const RANKS_LOOKED_AT: usize = 4;

impl Roster {
    /// Those who feed more than their upload gives, as it is now known, let some go; leaves first.
    pub(super) fn relieve(&mut self, now: Timestamp, seat: Seat) {
        let slots = self.member(seat).map_or(0, |member| member.slots(now));
        let excess = self.load(seat).saturating_sub(slots);
        if excess == 0 {
            return;
        }
        let mut fed: Vec<(usize, u8, Seat)> = Vec::new();
        for stripe in 0..self.stripes {
            let tree = self.tree(stripe);
            fed.extend(tree.children(seat).iter().map(|&child| (tree.children(child).len(), stripe, child)));
        }
        fed.sort_unstable();
        fed.truncate(excess);
        fed.iter().for_each(|&(_, stripe, child)| self.set_parent(now, child, stripe, None));
        fed.into_iter().for_each(|(.., child)| self.settle(now, child));
    }

    /// A viewer that is at home in more stripes than others are, or that the source feeds more of them, gives one away:
    /// one that has fewer takes its place under the source and becomes its parent. So does anyone who can give from one that
    /// has nothing to give. One move a tick, so that a swarm is never rebuilt at once. Between two viewers nothing is won.
    /// Returns whether there was one to move.
    pub(super) fn share_roots(&mut self, now: Timestamp) -> bool {
        if self.sharing < 3 || self.source.is_none() {
            return false;
        }
        for stripe in 0..self.stripes {
            for root in self.tree(stripe).children(Seat::ROOT).to_vec() {
                let barren = self.is_barren(now, root);
                let fair_homes = self.homes(root).len() <= self.fair_homes(now, root);
                if !barren && fair_homes && self.stripes_between(Seat::ROOT, root) <= self.fair_roots() {
                    continue;
                }
                if let Some(heir) = self.find_heir(now, root, stripe, barren) {
                    self.hand_over(now, root, heir, stripe);
                    return true;
                }
            }
        }
        false
    }

    /// Whether it can feed nobody: what the source gives it ends there.
    fn is_barren(&self, now: Timestamp, seat: Seat) -> bool {
        self.member(seat).is_some_and(|member| member.slots(now) == 0)
    }

    fn find_heir(&self, now: Timestamp, root: Seat, stripe: u8, barren: bool) -> Option<Seat> {
        let homes = self.homes(root).len();
        let fit = |&heir: &Seat| {
            let own = self.homes(heir);
            let fewer = own.len() < homes && own.len() < self.fair_homes(now, heir);
            let takes = barren || own.contains(stripe) || fewer || self.load(heir) == 0;
            heir != root
                && takes
                && self.stripes_between(Seat::ROOT, heir) < self.fair_roots()
                && self.can_pair(now, heir, Seat::ROOT)
                && self.can_pair(now, heir, root)
        };
        self.spare.iter().take(HEIRS).map(|&(_, heir)| heir).find(fit)
    }

    /// Stripes that the source gives to one viewer, where others can take the rest: all of them dealt out to those who can
    /// pass them on, within reason.
    fn fair_roots(&self) -> usize {
        let give = self.able[1..].iter().sum::<usize>().min(self.sharing);
        let dealt = |among: usize| usize::from(self.stripes).div_ceil(among.max(1));
        dealt(give).min(ROOTS_MAX).max(dealt(self.sharing))
    }

    /// Homes that a viewer should have: as many as its upload needs, and all of them dealt out.
    fn fair_homes(&self, now: Timestamp, seat: Seat) -> usize {
        let needed = self.homes_for(self.member(seat).map_or(0, |member| member.slots(now)));
        usize::from(self.stripes).div_ceil(self.sharing.max(1)).max(needed)
    }

    /// The heir takes the root's place under the source; the root becomes the heir's child, and so do as many of the
    /// root's children as the heir has room for.
    fn hand_over(&mut self, now: Timestamp, root: Seat, heir: Seat, stripe: u8) {
        let home = StripeSet::only(stripe);
        self.change(now, heir, |member| member.homes = member.homes.with(home));
        self.set_parent(now, heir, stripe, None);
        self.set_parent(now, root, stripe, None);
        self.set_parent(now, heir, stripe, Some(Seat::ROOT));
        self.set_parent(now, root, stripe, Some(heir));
        self.give_up_home(now, root, stripe);
    }

    /// Homes beyond a viewer's share are given up, one at a time, but for those right below the source.
    pub(super) fn trim_homes(&mut self, now: Timestamp, seat: Seat) {
        if self.homes(seat).len() <= self.fair_homes(now, seat) {
            return;
        }
        let below = |&stripe: &u8| self.tree(stripe).parent(seat) != Some(Seat::ROOT);
        let spare = self.homes(seat).iter().filter(below);
        if let Some(stripe) = spare.min_by_key(|&stripe| self.tree(stripe).children(seat).len()) {
            self.give_up_home(now, seat, stripe);
        }
    }

    /// A viewer's children in a stripe move to others, and it is no longer at home there, unless nobody has room.
    fn give_up_home(&mut self, now: Timestamp, seat: Seat, stripe: u8) {
        let home = StripeSet::only(stripe);
        self.change(now, seat, |member| member.homes = member.homes.without(home));
        for child in self.tree(stripe).children(seat).to_vec() {
            if let Some(other) = self.find_parent(now, child, stripe) {
                self.set_parent(now, child, stripe, Some(other));
            }
        }
        if !self.tree(stripe).children(seat).is_empty() {
            self.change(now, seat, |member| member.homes = member.homes.with(home));
        }
    }

    /// Strong members change places with weaker ones nearer to the source: a few in each stripe and tick.
    pub(super) fn raise_the_strong(&mut self, now: Timestamp) {
        let moves = 1 + self.viewers / 200;
        for stripe in 0..self.stripes {
            for _ in 0..moves {
                let Some((strong, weak)) = self.misplaced(now, stripe) else { break };
                self.trade_places(now, stripe, strong, weak);
            }
        }
    }

    /// The strongest member that is deeper than one weaker than it.
    fn misplaced(&self, now: Timestamp, stripe: u8) -> Option<(Seat, Seat)> {
        let tree = self.tree(stripe);
        let deepest = tree.deepest();
        for depth in 1..deepest {
            for (weakness, weak) in tree.at_depth(depth).take(RANKS_LOOKED_AT) {
                let parent = tree.parent(weak)?;
                // A link carries one stripe well.
                let unfed = |&(_, strong): &(u16, Seat)| self.stripes_between(parent, strong) == 0;
                let strongest = |below| tree.at_depth(below).rev().take(RANKS_LOOKED_AT).find(unfed);
                let strong = (depth + 1..=deepest).filter_map(strongest).max();
                let Some((strength, strong)) = strong else { continue };
                // It may have to feed the weak one, in place of a child where it has no room.
                let has_place = self.free(now, strong) > 0 || !tree.children(strong).is_empty();
                if strength >= weakness + STRONGER_BY
                    && has_place
                    && self.can_pair(now, strong, parent)
                    && self.can_pair(now, strong, weak)
                {
                    return Some((strong, weak));
                }
            }
        }
        None
    }

    fn trade_places(&mut self, now: Timestamp, stripe: u8, strong: Seat, weak: Seat) {
        let tree = self.tree(stripe);
        let (above, former) = (tree.parent(weak), tree.parent(strong));
        let nested = tree.is_below(strong, weak);
        self.set_parent(now, strong, stripe, None);
        self.set_parent(now, weak, stripe, None);
        self.set_parent(now, strong, stripe, above);
        if !nested {
            return self.set_parent(now, weak, stripe, former);
        }
        // The strong one was below the weak one: now it is the other way round. It needs room for one more, and its
        // former parent has got some.
        if self.free(now, strong) == 0
            && let Some(&child) = self
                .tree(stripe)
                .children(strong)
                .iter()
                .min_by_key(|&&child| self.tree(stripe).strength(child))
        {
            self.set_parent(now, child, stripe, None);
            self.set_parent(now, weak, stripe, Some(strong));
            return self.set_parent(now, child, stripe, former);
        }
        self.set_parent(now, weak, stripe, Some(strong));
    }
}
