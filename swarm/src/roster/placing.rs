//! Where members go in the trees: homes, parents, and how places change hands.

use std::collections::BTreeSet;
use std::time::Duration;

use wire::session::{Fault, Report};
use wire::{PeerId, StripeSet};

use super::member::COMPLAINTS_KEPT;
use super::tree::{Seat, Tree};
use super::{
    FEEDS_WITHIN, FEW_REST, LOOK_FOR, LOOK_PAUSE_MAX, PAIR_REST, REPAIR_PAUSE, REPAIRS_AT_ONCE, RESTING_MAX,
    Roster, UNFED_A_TICK,
};
use crate::Timestamp;

/// Children that must have been failed before a parent is demoted, at least: one alone may itself be the one who
/// fails, or lies.
const COMPLAINTS_MIN: usize = 2;

/// Candidates that one search looks at: those in front are the best, and most of them fit.
const LOOK_AT: usize = 48;

/// Steps from the source that a second stripe over the same link is worth avoiding.
const AGAIN_COSTS: u16 = 2;

/// Stripes that the source gives to one viewer, where only few of many can pass them on: a link that carries three of them
/// is late with all, and so is everyone below it.
const ROOTS_MAX: usize = 2;

/// Members at home nowhere, or in few stripes, among whom an heir to a root's place is looked for.
const HEIRS: usize = 64;

/// A strong member takes the place of a weaker one nearer to the source if it can have so many children more.
const STRONGER_BY: u16 = 2;

/// The weakest and the strongest of each depth that are looked at when members change places.
const RANKS_LOOKED_AT: usize = 4;

/// An attempt that failed after so long found no way; one that failed sooner was declined.
const NO_WAY_AFTER: Duration = Duration::from_secs(4);

/// Failed links in a row, after which a member is linked only with those that others reach with ease.
const HARD_TO_LINK: u32 = 3;

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

    fn place(&mut self, now: Timestamp, seat: Seat, stripe: u8) {
        let found = self.find_parent(now, seat, stripe);
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

    fn note_fed(&mut self, seat: Seat) {
        let takes_part = self.member(seat).is_some_and(|member| member.takes_part());
        if takes_part && self.trees.iter().any(|tree| tree.parent(seat).is_none()) {
            self.unfed.insert(seat);
        } else {
            self.unfed.remove(&seat);
        }
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
                    self.orphaned.insert(orphan);
                }
            }
        }
    }

    /// Whether one more may be given another parent at once; counts it.
    fn may_repair(&mut self, now: Timestamp) -> bool {
        if now >= self.next_repairs {
            (self.repairs_left, self.next_repairs) = (REPAIRS_AT_ONCE, now + REPAIR_PAUSE);
        }
        let may = self.repairs_left > 0;
        self.repairs_left = self.repairs_left.saturating_sub(1);
        may
    }

    /// The next of those who have waited for another parent.
    pub(super) fn repair(&mut self, now: Timestamp) {
        while !self.orphaned.is_empty() && self.may_repair(now) {
            if let Some(orphan) = self.orphaned.pop_first() {
                self.settle(now, orphan);
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
    fn find_parent(&self, now: Timestamp, seat: Seat, stripe: u8) -> Option<Seat> {
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
            (depth + again, !self.have_met(seat, parent))
        });
        let best = best.map(|&(_, parent)| parent);
        best.or(root.map(|_| Seat::ROOT))
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

    /// A linked parent that has not fed its child for [`FEEDS_WITHIN`], as the child's reports show, is replaced. No fault of
    /// its own is known: it may lack the stripe itself. It is not `judged` while no media flows, or the child itself was
    /// silent, or where there are few others: a busy machine takes its time.
    pub(super) fn replace_idle_parents(&mut self, now: Timestamp, seat: Seat, report: &Report, judged: bool) {
        for (stripe, feed) in (0..self.stripes).zip(&report.feeds) {
            let named = self.feeder(seat, stripe);
            let Some((named, member)) = named.zip(self.member_mut(seat)) else { continue };
            let served = &mut member.served[usize::from(stripe)];
            if *feed == Some(named) || !judged || !report.links.contains(&named) {
                *served = now;
            } else if now.since(*served) >= FEEDS_WITHIN {
                let peer = member.peer;
                self.rest(now, peer, named, PAIR_REST);
                self.set_parent(now, seat, stripe, None);
                self.place(now, seat, stripe);
            }
        }
    }

    /// Asks again for links with parents that were parted from: an idle link makes room for others, and may have been idle
    /// when its other side was chosen.
    pub(super) fn link_parents(&mut self, seat: Seat) {
        let parents = self.trees.iter().filter_map(|tree| self.peer(tree.parent(seat)?));
        let unlinked =
            self.member(seat).is_some_and(|member| parents.into_iter().any(|peer| !member.met(peer)));
        if unlinked {
            self.stale.insert(seat);
        }
    }

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

    /// Homes for one that can give `slots` feeds, and shall give no more than its even share of the work.
    fn homes_for(&self, slots: usize) -> usize {
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

    /// Whether silence may come from too much to send. A machine that is held up for a moment is silent as well, and few have
    /// nobody to take its place: there its uplink must be known to be busy.
    pub(super) fn may_be_full(&self, seat: Seat) -> bool {
        !self.are_few() || self.member(seat).is_some_and(|member| member.upload.says_busy())
    }

    /// A parent refuses a child, or is too slow for it: it is asked for no more than what it still gives, for a while.
    pub(super) fn believe_full(&mut self, now: Timestamp, seat: Seat) {
        let load = self.load(seat);
        self.change(now, seat, |member| member.upload.is_full(now, load));
    }

    /// A parent that lied to several of its children, or that none of them hears any more, is a leaf for a while, so
    /// that its place near the source goes to somebody else. One that is just slow has been relieved of a child.
    pub(super) fn complain(&mut self, now: Timestamp, about: Seat, by: Seat, fault: Fault) {
        let load = self.load(about);
        let most = usize::from(self.stripes);
        let Some(member) = self.member_mut(about) else { return };
        member.complaints.retain(|_, at| now.since(*at) < COMPLAINTS_KEPT);
        member.complaints.insert(by, now);
        let failed = member.complaints.len();
        let all = if fault == Fault::Lied { load.min(most) / 2 } else { load };
        if failed < COMPLAINTS_MIN || failed < all {
            return;
        }
        self.change(now, about, |member| member.demote(now));
        self.leave_trees(now, about);
        self.settle(now, about);
    }

    /// Something has changed: whoever lacks a parent may find one now, or somebody to link with.
    pub(super) fn look_again(&mut self) {
        self.has_changed = true;
    }

    /// The next few of those who lack a parent, until all have had their turn since the last change, and for as long as
    /// that may still bring them one: attempts and limits that it began take their time to end.
    pub(super) fn unfed_due(&mut self, now: Timestamp) -> Vec<Seat> {
        if std::mem::take(&mut self.has_changed) {
            (self.unfed_left, self.look_until, self.look_pause) =
                (self.unfed.len(), now + LOOK_FOR, LOOK_FOR);
        }
        if self.unfed_left == 0 {
            let again_at = self.look_until + self.look_pause;
            let pauses = (self.look_until..again_at).contains(&now);
            if pauses || self.unfed.is_empty() || !self.can_anyone_give() {
                return Vec::new();
            }
            if now >= again_at {
                // What time alone may have changed: seen to ever less often.
                self.unfed_left = self.unfed.len();
                (self.look_until, self.look_pause) = (now, (self.look_pause * 2).min(LOOK_PAUSE_MAX));
            }
        }
        let next = self.unfed_next();
        self.unfed_left = self.unfed_left.saturating_sub(next.len().max(1));
        next
    }

    /// Whether there is any upload that nobody uses. Where there is none, time alone brings nobody a parent.
    fn can_anyone_give(&self) -> bool {
        let has_place = |tree: &Tree| tree.open().next().is_some();
        !self.spare.is_empty() || !self.outposts.is_empty() || self.trees.iter().any(has_place)
    }

    /// The next few of those who lack a parent; all of them have their turn.
    pub(super) fn unfed_next(&mut self) -> Vec<Seat> {
        let behind = self.unfed.range(self.unfed_from..).chain(self.unfed.range(..self.unfed_from));
        let next: Vec<_> = behind.copied().take(UNFED_A_TICK).collect();
        self.unfed_from = next.last().map_or(Seat::ROOT, |last| Seat(last.0 + 1));
        next
    }

    // Who can be linked.

    /// Returns for how long the pair rests.
    pub(super) fn note_unlinked(&mut self, now: Timestamp, seat: Seat, failed: PeerId) -> Duration {
        let few = self.are_few();
        let Some(member) = self.member_mut(seat) else { return PAIR_REST };
        let since = member.linking.remove(&failed);
        // Who has enough links declines at once; a way that does not exist is looked for until patience ends.
        let no_way = since.is_some_and(|since| now.since(since) >= NO_WAY_AFTER);
        member.unlinked = member.unlinked.saturating_add(u32::from(no_way));
        let rest = if few && no_way && member.unlinked < HARD_TO_LINK { FEW_REST } else { PAIR_REST };
        let peer = member.peer;
        self.rest(now, peer, failed, rest);
        rest
    }

    /// The pair is not tried again for a while.
    pub(super) fn rest(&mut self, now: Timestamp, one: PeerId, other: PeerId, rest: Duration) {
        if self.resting.len() < RESTING_MAX {
            self.resting.insert((one.min(other), one.max(other)), now + rest);
        }
    }

    /// Pairs that have rested are tried again, and relays elsewhere that were full.
    pub(super) fn end_rests(&mut self, now: Timestamp) {
        let resting = self.resting.len();
        self.resting.retain(|_, until| *until > now);
        if self.resting.len() < resting || self.outposts_have_room_again(now) {
            self.look_again();
        }
    }

    /// Whether a link between the two is worth an attempt.
    pub(super) fn can_pair(&self, now: Timestamp, one: Seat, other: Seat) -> bool {
        let (Some(a), Some(b)) = (self.peer(one), self.peer(other)) else { return false };
        let hard = |seat: Seat| self.member(seat).is_some_and(|member| member.unlinked >= HARD_TO_LINK);
        if hard(one) && hard(other) {
            return false;
        }
        !self.is_resting(now, a, b)
    }

    /// Whether the two have lately failed each other.
    pub(super) fn is_resting(&self, now: Timestamp, one: PeerId, other: PeerId) -> bool {
        let resting = || self.resting.get(&(one.min(other), one.max(other)));
        !self.resting.is_empty() && resting().is_some_and(|&until| until > now)
    }

    /// Whether `parent` has a link for `child`, or room for one.
    fn can_feed(&self, now: Timestamp, parent: Seat, child: Seat) -> bool {
        let linked = self.have_met(parent, child) || self.stripes_between(parent, child) > 0;
        self.can_pair(now, parent, child) && (linked || self.has_room_for_kin(parent))
    }

    /// Whether it can have one more parent or child that it has no link with.
    fn has_room_for_kin(&self, seat: Seat) -> bool {
        let most = self.config.kin_max;
        if seat == Seat::ROOT || self.load(seat) + self.trees.len() < most {
            return true;
        }
        let children = self.trees.iter().flat_map(|tree| tree.children(seat).iter().copied());
        let parents = self.trees.iter().filter_map(|tree| tree.parent(seat));
        children.chain(parents).collect::<BTreeSet<_>>().len() < most
    }

    pub(super) fn have_met(&self, seat: Seat, other: Seat) -> bool {
        self.peer(other).is_some_and(|peer| self.member(seat).is_some_and(|member| member.met(peer)))
    }

    /// Stripes in which one feeds the other.
    fn stripes_between(&self, parent: Seat, child: Seat) -> usize {
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
}
