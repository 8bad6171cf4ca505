//! Who can be linked with whom: the pairs that have failed, and rest, and the links that each has room for.

use std::collections::BTreeSet;
use std::time::Duration;

use wire::PeerId;

use super::tree::Seat;
use super::{FEW_REST, PAIR_REST, Roster};
use crate::Timestamp;

/// An attempt that failed after so long found no way; one that failed sooner was declined.
const NO_WAY_AFTER: Duration = Duration::from_secs(4);

/// Failed links in a row, after which a member is linked only with those that others reach with ease.
const HARD_TO_LINK: u32 = 3;

/// Pairs that rest, at most: some for each of the largest swarm's members. Beyond it none is added.
const RESTING_MAX: usize = 1 << 18;

impl Roster {
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
    pub(super) fn can_feed(&self, now: Timestamp, parent: Seat, child: Seat) -> bool {
        let linked = self.have_met(parent, child) || self.stripes_between(parent, child) > 0;
        self.can_pair(now, parent, child) && (linked || self.has_room_for_kin(parent))
    }

    /// Whether it can have one more parent or child that it has no link with.
    pub(super) fn has_room_for_kin(&self, seat: Seat) -> bool {
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
}
