//! One stripe's tree: who feeds whom, how deep everyone is, and the two orders in which places are looked for. No
//! policy: what may be attached where is for the Roster to say.

use std::collections::BTreeSet;

/// A member's place in all of the Roster's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat(pub(super) u32);

impl Seat {
    /// The broadcaster's, whether it is here or not: the root of every tree.
    pub(super) const ROOT: Seat = Seat(0);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Depth of those that no path leads to from the root.
pub(super) const ADRIFT: u16 = u16::MAX;

#[derive(Debug)]
struct Place {
    parent: Option<Seat>,
    children: Vec<Seat>,
    depth: u16,
    /// Children that it could have here; 0: a leaf.
    strength: u16,
    /// Takes one more child.
    open: bool,
}

impl Default for Place {
    fn default() -> Self {
        Place { parent: None, children: Vec::new(), depth: ADRIFT, strength: 0, open: false }
    }
}

/// One stripe's tree over all seats.
#[derive(Debug)]
pub(super) struct Tree {
    places: Vec<Place>,
    /// Who takes one more child: nearest to the root first, then those with the fewest children.
    open: BTreeSet<(u16, usize, Seat)>,
    /// Everyone on a path to the root, by depth and strength. The root is not among them.
    ranks: BTreeSet<(u16, u16, Seat)>,
}

impl Tree {
    pub(super) fn new(seats: usize) -> Self {
        let mut tree = Tree { places: Vec::new(), open: BTreeSet::new(), ranks: BTreeSet::new() };
        tree.grow(seats.max(1));
        tree.places[0].depth = 0;
        tree
    }

    /// Makes room for so many seats.
    pub(super) fn grow(&mut self, seats: usize) {
        self.places.resize_with(seats.max(self.places.len()), Place::default);
    }

    pub(super) fn parent(&self, seat: Seat) -> Option<Seat> {
        self.places[seat.index()].parent
    }

    pub(super) fn children(&self, seat: Seat) -> &[Seat] {
        &self.places[seat.index()].children
    }

    /// Steps from the root; `None`: adrift.
    pub(super) fn depth(&self, seat: Seat) -> Option<u16> {
        Some(self.places[seat.index()].depth).filter(|&depth| depth != ADRIFT)
    }

    pub(super) fn strength(&self, seat: Seat) -> u16 {
        self.places[seat.index()].strength
    }

    /// Whether `seat` is `ancestor` or below it.
    pub(super) fn is_below(&self, seat: Seat, ancestor: Seat) -> bool {
        let path = std::iter::successors(Some(seat), |&at| self.parent(at));
        path.take(self.places.len()).any(|at| at == ancestor)
    }

    pub(super) fn set_strength(&mut self, seat: Seat, strength: u16) {
        self.reindex(seat, |place| place.strength = strength);
    }

    pub(super) fn set_open(&mut self, seat: Seat, open: bool) {
        if self.places[seat.index()].open != open {
            self.reindex(seat, |place| place.open = open);
        }
    }

    /// Hangs `child`, with all below it, under `parent`, which must not be below `child`.
    pub(super) fn attach(&mut self, child: Seat, parent: Option<Seat>) {
        debug_assert!(parent.is_none_or(|parent| !self.is_below(parent, child)), "a cycle");
        let former = std::mem::replace(&mut self.places[child.index()].parent, parent);
        if former == parent {
            return;
        }
        if let Some(former) = former {
            self.reindex(former, |place| place.children.retain(|&other| other != child));
        }
        let mut depth = ADRIFT;
        if let Some(parent) = parent {
            self.reindex(parent, |place| place.children.push(child));
            depth = self.places[parent.index()].depth.saturating_add(1);
        }
        self.sink(child, depth);
    }

    /// Who takes one more child, nearest to the root first.
    pub(super) fn open(&self) -> impl Iterator<Item = (u16, Seat)> {
        self.open.iter().map(|&(depth, _, seat)| (depth, seat))
    }

    /// Those at `depth`, the weakest first.
    pub(super) fn at_depth(&self, depth: u16) -> impl DoubleEndedIterator<Item = (u16, Seat)> {
        let range = (depth, 0, Seat(0))..=(depth, u16::MAX, Seat(u32::MAX));
        self.ranks.range(range).map(|&(_, strength, seat)| (strength, seat))
    }

    /// Depth of the deepest; 0: nobody is fed.
    pub(super) fn deepest(&self) -> u16 {
        self.ranks.last().map_or(0, |&(depth, ..)| depth)
    }

    /// Gives a seat and all below it their depths.
    fn sink(&mut self, seat: Seat, depth: u16) {
        let mut below = vec![(seat, depth)];
        while let Some((seat, depth)) = below.pop() {
            // Then it is so for all below it as well.
            if self.places[seat.index()].depth == depth {
                continue;
            }
            self.reindex(seat, |place| place.depth = depth);
            let next = if depth == ADRIFT { ADRIFT } else { depth.saturating_add(1) };
            below.extend(self.children(seat).iter().map(|&child| (child, next)));
        }
    }

    /// Changes a place and keeps both orders true.
    fn reindex(&mut self, seat: Seat, change: impl FnOnce(&mut Place)) {
        let place = &mut self.places[seat.index()];
        self.open.remove(&(place.depth, place.children.len(), seat));
        self.ranks.remove(&(place.depth, place.strength, seat));
        change(place);
        if place.depth == ADRIFT {
            return;
        }
        if place.open {
            self.open.insert((place.depth, place.children.len(), seat));
        }
        if seat != Seat::ROOT {
            self.ranks.insert((place.depth, place.strength, seat));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Depth by walking, as a check of the depths that are kept.
    fn walked(tree: &Tree, seat: Seat) -> Option<u16> {
        let mut depth = 0;
        let mut at = seat;
        while at != Seat::ROOT {
            at = tree.parent(at)?;
            depth += 1;
        }
        Some(depth)
    }

    proptest! {
        #[test]
        fn depths_children_and_orders_stay_true(moves in prop::collection::vec((1u32..12, 0u32..13, any::<bool>()), 0..80)) {
            let mut tree = Tree::new(12);
            for (child, parent, open) in moves {
                let (child, parent) = (Seat(child), Some(Seat(parent)).filter(|seat| seat.0 < 12));
                tree.set_open(child, open);
                tree.set_strength(child, child.0 as u16 / 3);
                if parent.is_none_or(|parent| !tree.is_below(parent, child)) {
                    tree.attach(child, parent);
                }
            }
            for seat in (0..12).map(Seat) {
                prop_assert_eq!(tree.depth(seat), walked(&tree, seat));
                for &child in tree.children(seat) {
                    prop_assert_eq!(tree.parent(child), Some(seat));
                }
                let listed = tree.open().any(|(_, open)| open == seat);
                prop_assert_eq!(listed, tree.places[seat.index()].open && tree.depth(seat).is_some());
                let ranked = tree.depth(seat).filter(|&d| tree.at_depth(d).any(|(_, other)| other == seat));
                prop_assert_eq!(ranked.is_some(), tree.depth(seat).is_some() && seat != Seat::ROOT);
            }
        }
    }
}
