//! Where members go in the trees: homes, parents, and how places change hands.

use wire::limits::STRIPES_MAX;
use wire::{PeerId, StripeSet};

use super::{COMPLAINTS_MIN, DEMOTION, DEPTH_MAX, RETURN_GRACE, Roster, RosterRole};
use crate::Timestamp;

impl Roster {
    /// Finds homes and parents for a viewer, and the links that these need.
    pub(super) fn settle(&mut self, now: Timestamp, viewer: PeerId) {
        if !self.members.get(&viewer).is_some_and(|member| member.sharing) || self.source == Some(viewer) {
            return;
        }
        self.find_home(viewer);
        for stripe in 0..self.stripes {
            if self.parent(viewer, stripe).is_some_and(|parent| self.can_stay(now, parent)) {
                continue;
            }
            let found = self.find_parent(now, viewer, stripe);
            let placed = self.displace(now, viewer, stripe, found).or(found);
            self.set_parent(viewer, stripe, placed);
            if placed.is_some() && placed == self.source {
                let member = self.members.get_mut(&viewer);
                member.into_iter().for_each(|m| m.homes = m.homes.with(StripeSet::only(stripe)));
            }
        }
        self.stale.insert(viewer);
    }

    pub(super) fn parent(&self, child: PeerId, stripe: u8) -> Option<PeerId> {
        self.members.get(&child)?.parents.get(usize::from(stripe)).copied().flatten()
    }

    /// The one place where a parent changes, so that the counts of children stay true.
    pub(super) fn set_parent(&mut self, child: PeerId, stripe: u8, parent: Option<PeerId>) {
        let at = usize::from(stripe);
        let Some(member) = self.members.get_mut(&child) else { return };
        let former = std::mem::replace(&mut member.parents[at], parent);
        if former == parent {
            return;
        }
        if let Some(former) = former.and_then(|former| self.members.get_mut(&former)) {
            former.children[at] -= 1;
        }
        if let Some(parent) = parent.and_then(|parent| self.members.get_mut(&parent)) {
            parent.children[at] += 1;
        }
        self.stale.insert(child);
    }

    /// Who names `peer` as a parent already: those who came back to a restarted tracker before it.
    pub(super) fn count_children(&self, peer: PeerId) -> [usize; STRIPES_MAX as usize] {
        let mut children = [0; STRIPES_MAX as usize];
        for member in self.members.values() {
            for (count, parent) in children.iter_mut().zip(&member.parents) {
                *count += usize::from(*parent == Some(peer));
            }
        }
        children
    }

    pub(super) fn can_stay(&self, now: Timestamp, parent: PeerId) -> bool {
        let returning = self.started.is_some_and(|started| now.since(started) < RETURN_GRACE);
        self.members.get(&parent).map_or(returning, |parent| parent.sharing)
    }

    /// A viewer without a home gets the stripe that has the least upload to spare.
    pub(super) fn find_home(&mut self, viewer: PeerId) {
        if !self.members[&viewer].homes.is_empty() || self.members[&viewer].slots == 0 {
            return;
        }
        let supply = |stripe: u8| -> usize {
            let homes = self.members.values().filter(|member| member.homes.contains(stripe));
            homes.map(|member| member.slots / member.homes.len().max(1)).sum()
        };
        let Some(home) = (0..self.stripes).min_by_key(|&stripe| supply(stripe)) else { return };
        if let Some(member) = self.members.get_mut(&viewer) {
            member.homes = StripeSet::only(home);
        }
    }

    /// The best parent: near the source, with upload to spare, on no path that leads back.
    pub(super) fn find_parent(&self, now: Timestamp, viewer: PeerId, stripe: u8) -> Option<PeerId> {
        let fit = |peer: PeerId| {
            self.can_pair(now, viewer, peer) && self.children(peer, stripe) < self.fan_out(peer, stripe)
        };
        let at_home = self.members[&viewer].homes.contains(stripe);
        let root_free = self.source.filter(|&source| fit(source));
        if let Some(source) = root_free.filter(|_| at_home) {
            return Some(source);
        }
        let interior = self
            .viewers_sharing()
            .filter(|&peer| peer != viewer && self.members[&peer].homes.contains(stripe));
        let fed = interior.filter(|&peer| fit(peer)).filter_map(|peer| {
            let depth = self.depth(peer, stripe)?;
            let loops = self.is_below(peer, viewer, stripe);
            (!loops).then(|| (depth, self.load(peer), self.members[&peer].joined, peer))
        });
        fed.min().map(|(.., peer)| peer).or(root_free)
    }

    /// A parent that failed several of its children, by lying or by falling silent, is a leaf for a while, so that its
    /// place near the source goes to somebody else.
    pub(super) fn complain(&mut self, now: Timestamp, about: PeerId, by: PeerId) {
        let load = self.load(about);
        let Some(member) = self.members.get_mut(&about).filter(|_| self.source != Some(about)) else {
            return;
        };
        member.complaints.retain(|_, at| now.since(*at) < DEMOTION);
        member.complaints.insert(by, now);
        let failed = member.complaints.len();
        if failed < COMPLAINTS_MIN || failed * 2 < load.min(usize::from(self.stripes)) {
            return;
        }
        member.complaints.clear();
        member.demoted_until = now + DEMOTION;
        member.slots = 0;
        member.homes = StripeSet::EMPTY;
        (0..self.stripes).for_each(|stripe| self.set_parent(about, stripe, None));
        self.adopt_orphans(now, about);
    }

    /// Feeds whom those at home in a stripe have no upload for, by somebody who has some to spare and becomes at
    /// home there as well.
    pub(super) fn recruit_for(&mut self, now: Timestamp, viewer: PeerId) {
        for stripe in 0..self.stripes {
            if self.parent(viewer, stripe).is_none() {
                let recruit = self.recruit(now, viewer, stripe);
                self.set_parent(viewer, stripe, recruit);
            }
        }
    }

    fn recruit(&mut self, now: Timestamp, viewer: PeerId, stripe: u8) -> Option<PeerId> {
        let able = |peer: &PeerId| {
            *peer != viewer
                && self.load(*peer) < self.members[peer].slots
                && self.can_pair(now, viewer, *peer)
                && !self.is_below(*peer, viewer, stripe)
        };
        let able = self.viewers_sharing().filter(able).filter_map(|peer| {
            let depth = self.depth(peer, stripe)?;
            Some((self.members[&peer].homes.len(), depth, self.load(peer), peer))
        });
        let (.., recruit) = able.min()?;
        if let Some(member) = self.members.get_mut(&recruit) {
            member.homes = member.homes.with(StripeSet::only(stripe));
        }
        Some(recruit)
    }

    /// For one that is at home in the stripe: takes the place of a leaf nearer to the source than `found` would put
    /// it, and then feeds that leaf. Otherwise upload would hang below those who have none, or could not be used.
    pub(super) fn displace(
        &mut self,
        now: Timestamp,
        viewer: PeerId,
        stripe: u8,
        found: Option<PeerId>,
    ) -> Option<PeerId> {
        let newcomer = &self.members[&viewer];
        if !newcomer.homes.contains(stripe) || self.load(viewer) >= newcomer.slots {
            return None;
        }
        let leaf = |peer: &PeerId| {
            *peer != viewer
                && !self.members[peer].homes.contains(stripe)
                && self.children(*peer, stripe) == 0
                && self.can_pair(now, viewer, *peer)
        };
        let places = self.viewers_sharing().filter(leaf).filter_map(|leaf| {
            let parent = self.parent(leaf, stripe)?;
            let fit = self.can_pair(now, viewer, parent) && !self.is_below(parent, viewer, stripe);
            Some((self.depth(leaf, stripe).filter(|_| fit)?, leaf, parent))
        });
        let found_depth = found.and_then(|found| self.depth(found, stripe)).map(|depth| depth + 1);
        let (_, leaf, parent) =
            places.min().filter(|(depth, ..)| found_depth.is_none_or(|found| *depth < found))?;
        self.set_parent(leaf, stripe, Some(viewer));
        Some(parent)
    }

    pub(super) fn can_pair(&self, now: Timestamp, one: PeerId, other: PeerId) -> bool {
        let pair = (one.min(other), one.max(other));
        self.resting.get(&pair).is_none_or(|&until| until <= now)
    }

    /// How many children a peer takes in a stripe: the source a copy or two, a viewer what its upload gives.
    pub(super) fn fan_out(&self, peer: PeerId, stripe: u8) -> usize {
        if self.source == Some(peer) {
            let large = self.viewers() >= self.config.large;
            return if large { self.config.copies_large } else { self.config.copies_small };
        }
        let Some(member) = self.members.get(&peer) else { return 0 };
        let elsewhere = self.load(peer) - self.children(peer, stripe);
        member.slots.saturating_sub(elsewhere)
    }

    pub(super) fn children(&self, peer: PeerId, stripe: u8) -> usize {
        self.members.get(&peer).map_or(0, |member| member.children[usize::from(stripe)])
    }

    pub(super) fn load(&self, peer: PeerId) -> usize {
        self.members.get(&peer).map_or(0, |member| member.children.iter().sum())
    }

    /// Steps from the source; `None` if the way does not lead there.
    pub(super) fn depth(&self, peer: PeerId, stripe: u8) -> Option<usize> {
        let mut at = peer;
        for depth in 0..DEPTH_MAX {
            if self.source == Some(at) {
                return Some(depth);
            }
            at = self.parent(at, stripe)?;
        }
        None
    }

    pub(super) fn is_below(&self, peer: PeerId, ancestor: PeerId, stripe: u8) -> bool {
        let mut at = Some(peer);
        for _ in 0..DEPTH_MAX {
            match at {
                Some(here) if here == ancestor => return true,
                Some(here) => at = self.parent(here, stripe),
                None => return false,
            }
        }
        true
    }

    pub(super) fn is_unfed(&self, viewer: PeerId) -> bool {
        self.members[&viewer].parents.iter().any(Option::is_none)
    }

    /// Has upload and passes nothing on by plan: one that was demoted, or had switched its upload off.
    pub(super) fn is_idle(&self, viewer: PeerId) -> bool {
        let member = &self.members[&viewer];
        member.homes.is_empty() && member.slots > 0
    }

    /// Stripe feeds that a member can give: by its measured upload, within its own cap and everyone's.
    pub(super) fn slots_for(
        &self,
        role: RosterRole,
        capacity_bps: Option<u32>,
        own_cap_bps: Option<u32>,
    ) -> usize {
        let stripe_bps = (self.bitrate_bps / u32::from(self.stripes)).max(1);
        let assumed = self.config.assumed_upload_x * self.bitrate_bps as f32;
        let planned = capacity_bps.map_or(assumed, |bps| bps as f32 * self.config.planned_share);
        let cap = self.config.upload_cap_x * f32::from(self.stripes);
        match role {
            RosterRole::Source => self.config.copies_large * usize::from(self.stripes),
            RosterRole::Viewer => {
                let own_cap = own_cap_bps.map_or(cap, |bps| bps as f32 / stripe_bps as f32);
                (planned / stripe_bps as f32).min(cap).min(own_cap) as usize
            }
        }
    }

    /// Those whose parent has left, or stopped sharing, get another; the one that is at home first, so that it can
    /// be parent to the rest.
    pub(super) fn adopt_orphans(&mut self, now: Timestamp, former: PeerId) {
        for stripe in 0..self.stripes {
            let of_former =
                |member: &&PeerId| self.members[*member].parents[usize::from(stripe)] == Some(former);
            let mut orphans: Vec<_> = self.members.keys().filter(of_former).copied().collect();
            orphans.sort_by_key(|orphan| {
                let member = &self.members[orphan];
                (!member.homes.contains(stripe), std::cmp::Reverse(member.slots), member.joined)
            });
            orphans.iter().for_each(|&orphan| self.set_parent(orphan, stripe, None));
            orphans.into_iter().for_each(|orphan| self.settle(now, orphan));
        }
    }

    /// Feeds that a restarted tracker was told of, by peers that have not come back: dropped once.
    pub(super) fn drop_strangers(&mut self, now: Timestamp) {
        if self.settled || self.started.is_none_or(|started| now.since(started) < RETURN_GRACE) {
            return;
        }
        self.settled = true;
        for viewer in self.viewers_sharing().collect::<Vec<_>>() {
            for stripe in 0..self.stripes {
                if self.parent(viewer, stripe).is_some_and(|parent| !self.members.contains_key(&parent)) {
                    self.set_parent(viewer, stripe, None);
                }
            }
        }
    }

    /// Those who feed more than their upload gives, as it is now known, let some go; leaves first.
    pub(super) fn relieve(&mut self) {
        let overloaded: Vec<_> =
            self.viewers_sharing().filter(|&peer| self.load(peer) > self.members[&peer].slots).collect();
        for peer in overloaded {
            let fed =
                (0..self.stripes).flat_map(|stripe| self.members.keys().map(move |&child| (child, stripe)));
            let mut fed: Vec<_> =
                fed.filter(|&(child, stripe)| self.parent(child, stripe) == Some(peer)).collect();
            fed.sort_by_key(|&(child, stripe)| (self.children(child, stripe), child));
            fed.truncate(self.load(peer) - self.members[&peer].slots);
            fed.into_iter().for_each(|(child, stripe)| self.set_parent(child, stripe, None));
        }
    }

    /// A viewer that is at home in more stripes than others are gives one away: the newcomer at home there becomes
    /// its parent. One move a tick, so that a swarm is never rebuilt at once. Between two viewers nothing is won. Returns
    /// whether there was one to move.
    pub(super) fn share_roots(&mut self, now: Timestamp) -> bool {
        let Some(source) = self.source.filter(|_| self.viewers_sharing().nth(2).is_some()) else {
            return false;
        };
        for stripe in 0..self.stripes {
            let root = self.viewers_sharing().find(|&viewer| {
                let member = &self.members[&viewer];
                member.parents[usize::from(stripe)] == Some(source) && member.homes.len() > self.fair_homes()
            });
            let Some(root) = root else { continue };
            let heir = self.viewers_sharing().find(|&viewer| {
                let member = &self.members[&viewer];
                let lighter = member.homes.len() < self.members[&root].homes.len();
                viewer != root
                    && member.slots > 0
                    && (member.homes.contains(stripe) || lighter && member.homes.len() < self.fair_homes())
                    && self.can_pair(now, viewer, source)
                    && self.can_pair(now, viewer, root)
            });
            if let Some(heir) = heir {
                self.hand_over(root, heir, source, stripe);
                return true;
            }
        }
        false
    }

    /// Homes that each viewer has when all are dealt out evenly, rounded up.
    pub(super) fn fair_homes(&self) -> usize {
        let viewers = self.viewers_sharing().filter(|viewer| self.members[viewer].slots > 0).count();
        usize::from(self.stripes).div_ceil(viewers.max(1))
    }

    /// The heir takes the root's place under the source; the root and its children become the heir's.
    pub(super) fn hand_over(&mut self, root: PeerId, heir: PeerId, source: PeerId, stripe: u8) {
        self.set_parent(heir, stripe, Some(source));
        let moved = |id: &PeerId| *id == root || *id != heir && self.parent(*id, stripe) == Some(root);
        let moved: Vec<_> = self.members.keys().copied().filter(moved).collect();
        moved.into_iter().for_each(|id| self.set_parent(id, stripe, Some(heir)));
        if let Some(member) = self.members.get_mut(&root) {
            member.homes = member.homes.without(StripeSet::only(stripe));
        }
        if let Some(member) = self.members.get_mut(&heir) {
            member.homes = member.homes.with(StripeSet::only(stripe));
        }
    }

    pub(super) fn viewers_sharing(&self) -> impl Iterator<Item = PeerId> {
        let viewers = self.members.iter().filter(|&(&id, member)| self.source != Some(id) && member.sharing);
        viewers.map(|(&id, _)| id)
    }
}
