//! The tracker's list of one broadcast's members, and who feeds whom: a tree for each stripe, rooted at the source.
//!
//! Each viewer is *interior* (passes on) in the stripes that are its homes and a leaf in all others, so that losing
//! one viewer costs its children one stripe in S. Homes are dealt so that every stripe has upload to spare; a first
//! viewer starts at home everywhere and gives stripes away as others come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use wire::limits::STRIPES_MAX;
use wire::session::{FromTracker, Parents, Report};
use wire::{PeerId, StripeSet};

use crate::Timestamp;

/// Links of the past are believed for this long after a tracker's start: peers come back one by one.
const RETURN_GRACE: Duration = Duration::from_secs(10);

/// A pair that could not be linked is not tried again within this time.
const PAIR_REST: Duration = Duration::from_secs(10);

/// Depth beyond which a tree is taken to be broken (a cycle): 3^16 viewers would fit above it.
const DEPTH_MAX: usize = 16;

const TICK: Duration = Duration::from_millis(500);
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// How a swarm is laid out.
#[derive(Debug, Clone)]
pub struct RosterConfig {
    /// Viewers that the source feeds directly, in each stripe, while the swarm is small.
    pub copies_small: usize,
    /// The same in a large swarm: two copies and the relay's make three.
    pub copies_large: usize,
    /// From how many viewers on a swarm is large.
    pub large: usize,
    /// Warm backups for each stripe.
    pub backups: usize,
    /// Up to how many viewers the source may be named as a backup: they could all turn to it at once.
    pub source_backup_viewers: usize,
    /// Links that each viewer should have, for repair and backup.
    pub links: usize,
    /// Upload of a viewer that nothing is known of, in multiples of the bitrate.
    pub assumed_upload_x: f32,
    /// Share of the measured upload that is planned with.
    pub planned_share: f32,
    /// Upload that no viewer is asked to exceed, in multiples of the bitrate.
    pub upload_cap_x: f32,
}

impl Default for RosterConfig {
    fn default() -> Self {
        RosterConfig {
            copies_small: 1,
            copies_large: 2,
            large: 50,
            backups: 2,
            source_backup_viewers: 12,
            links: 12,
            assumed_upload_x: 1.2,
            planned_share: 0.8,
            upload_cap_x: 4.0,
        }
    }
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterRole {
    /// The broadcaster's peer.
    Source,
    /// Watches, and passes on.
    Viewer,
}

/// A message for a member: [`FromTracker::Link`], [`FromTracker::Parents`], [`FromTracker::Gone`] or
/// [`FromTracker::Viewers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterOutput {
    /// For whom.
    pub to: PeerId,
    /// What.
    pub message: FromTracker,
}

/// What a roster can say of its swarm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RosterView {
    /// Viewers, sharing or not.
    pub viewers: usize,
    /// Viewers that share.
    pub sharing: usize,
    /// Deepest viewer of each stripe's tree; 1 is fed by the source.
    pub depths: Vec<usize>,
    /// Payload bytes that viewers got from each other, from the source and from the relay, as they report.
    pub bytes: (u64, u64, u64),
}

/// The tracker's list of one broadcast's members. Same edges as [`Swarm`](crate::Swarm).
#[derive(Debug)]
pub struct Roster {
    config: RosterConfig,
    stripes: u8,
    bitrate_bps: u32,
    started: Option<Timestamp>,
    source: Option<PeerId>,
    members: BTreeMap<PeerId, Member>,
    /// Pairs that could not be linked, smaller id first.
    resting: BTreeMap<(PeerId, PeerId), Timestamp>,
    /// Members whose parents have changed since they were told.
    stale: BTreeSet<PeerId>,
    counted: usize,
    next_count: Timestamp,
    next_tick: Timestamp,
    outputs: VecDeque<RosterOutput>,
}

#[derive(Debug)]
struct Member {
    sharing: bool,
    joined: Timestamp,
    /// Stripe feeds that it can give at once.
    slots: usize,
    homes: StripeSet,
    parents: Vec<Option<PeerId>>,
    links: BTreeSet<PeerId>,
    /// Links that were asked for and not yet reported.
    linking: BTreeMap<PeerId, Timestamp>,
    report: Report,
}

impl Roster {
    /// An empty swarm. (The seed is for choices that shall not always fall alike; none does so far.)
    pub fn new(config: RosterConfig, _seed: u64) -> Self {
        Roster {
            config,
            stripes: 6,
            bitrate_bps: 3_000_000,
            started: None,
            source: None,
            members: BTreeMap::new(),
            resting: BTreeMap::new(),
            stale: BTreeSet::new(),
            counted: 0,
            next_count: Timestamp::default(),
            next_tick: Timestamp::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The broadcast's parameters, from its stream header.
    pub fn set_stream(&mut self, now: Timestamp, stripes: u8, bitrate_bps: u32) {
        let stripes = stripes.clamp(1, STRIPES_MAX);
        self.bitrate_bps = bitrate_bps.max(1);
        if std::mem::replace(&mut self.stripes, stripes) != stripes {
            self.members.values_mut().for_each(|member| {
                member.homes = StripeSet::EMPTY;
                member.parents = vec![None; stripes.into()];
            });
            let viewers: Vec<_> = self.viewers_sharing().collect();
            viewers.into_iter().for_each(|viewer| self.settle(now, viewer));
        }
        self.send_stale(now);
    }

    /// A member comes, or comes back with what it already has.
    pub fn join(&mut self, now: Timestamp, peer: PeerId, role: RosterRole, sharing: bool, known: Report) {
        self.started.get_or_insert(now);
        if role == RosterRole::Source {
            if let Some(former) = self.source.replace(peer).filter(|&former| former != peer) {
                self.leave(now, former);
            }
        }
        let stripes = usize::from(self.stripes);
        let mut parents: Vec<_> =
            known.feeds.iter().map(|feed| feed.filter(|&p| p != PeerId::RELAY)).collect();
        parents.resize(stripes, None);
        let member = Member {
            sharing,
            joined: now,
            slots: self.slots_for(role, None),
            homes: StripeSet::EMPTY,
            parents: if role == RosterRole::Source { vec![None; stripes] } else { parents },
            links: known.links.iter().copied().collect(),
            linking: BTreeMap::new(),
            report: known,
        };
        self.members.insert(peer, member);
        if role == RosterRole::Source {
            let viewers: Vec<_> = self.viewers_sharing().collect();
            viewers.into_iter().for_each(|viewer| self.settle(now, viewer));
        } else if sharing {
            self.settle(now, peer);
        }
        self.send_stale(now);
    }

    /// A member's session ended.
    pub fn leave(&mut self, now: Timestamp, peer: PeerId) {
        if self.members.remove(&peer).is_none() {
            return;
        }
        self.source.take_if(|source| *source == peer);
        self.stale.remove(&peer);
        let met: Vec<_> = self.members.iter().filter(|(_, m)| m.met(peer)).map(|(&id, _)| id).collect();
        for id in met {
            self.say(id, FromTracker::Gone { peer });
        }
        self.members.values_mut().for_each(|member| member.forget(peer));
        self.adopt_orphans(now, peer);
        self.send_stale(now);
    }

    /// A member says what it measures.
    pub fn report(&mut self, now: Timestamp, peer: PeerId, report: Report) {
        let role = if self.source == Some(peer) { RosterRole::Source } else { RosterRole::Viewer };
        let slots = self.slots_for(role, report.capacity_bps);
        let measured = report.capacity_bps.is_some();
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.links = report.links.iter().copied().collect();
        let links = &member.links;
        member.linking.retain(|other, since| !links.contains(other) && now.since(*since) < RETURN_GRACE);
        if measured {
            member.slots = slots;
        }
        member.report = report;
        self.send_stale(now);
    }

    /// A member's parent failed, or a link to `failed` could not be made.
    pub fn orphaned(&mut self, now: Timestamp, peer: PeerId, stripes: StripeSet, failed: PeerId) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        let pair = (peer.min(failed), peer.max(failed));
        let was_parent = member.parents.contains(&Some(failed));
        member.linking.remove(&failed);
        if self.members.contains_key(&failed) && (stripes.is_empty() || was_parent) {
            self.resting.insert(pair, now + PAIR_REST);
        }
        let Some(member) = self.members.get_mut(&peer) else { return };
        for (stripe, parent) in (0..).zip(&mut member.parents) {
            if *parent == Some(failed) && (stripes.is_empty() || stripes.contains(stripe)) {
                *parent = None;
            }
        }
        self.settle(now, peer);
        self.send_stale(now);
    }

    /// A member switched sharing on or off.
    pub fn sharing(&mut self, now: Timestamp, peer: PeerId, on: bool) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        if std::mem::replace(&mut member.sharing, on) == on {
            return;
        }
        if on {
            self.settle(now, peer);
        } else {
            member.homes = StripeSet::EMPTY;
            member.links.clear();
            member.linking.clear();
            member.parents.fill(None);
            self.members.values_mut().for_each(|member| member.forget(peer));
            self.adopt_orphans(now, peer);
        }
        self.send_stale(now);
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn wake(&mut self, now: Timestamp) {
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        self.resting.retain(|_, until| *until > now);
        self.drop_strangers(now);
        self.share_roots(now);
        let unfed: Vec<_> = self.viewers_sharing().filter(|viewer| self.is_unfed(*viewer)).collect();
        unfed.into_iter().for_each(|viewer| self.settle(now, viewer));
        self.count(now);
        self.send_stale(now);
    }

    /// The next message for a member.
    pub fn poll_output(&mut self) -> Option<RosterOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`wake`](Self::wake).
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        (!self.members.is_empty()).then_some(self.next_tick)
    }

    /// Whether `from` may signal `to`: both are members that share.
    pub fn may_signal(&self, from: PeerId, to: PeerId) -> bool {
        let shares = |peer: PeerId| self.members.get(&peer).is_some_and(|member| member.sharing);
        from != to && shares(from) && shares(to)
    }

    /// How many watch.
    pub fn viewers(&self) -> usize {
        self.members.len() - usize::from(self.source.is_some())
    }

    /// Figures for statistics.
    pub fn view(&self) -> RosterView {
        let depths = (0..self.stripes).map(|stripe| {
            self.viewers_sharing().filter_map(|viewer| self.depth(viewer, stripe)).max().unwrap_or(0)
        });
        let reports = || self.members.values().map(|member| &member.report);
        RosterView {
            viewers: self.viewers(),
            sharing: self.viewers_sharing().count(),
            depths: depths.collect(),
            bytes: (
                reports().map(|report| report.from_viewers).sum(),
                reports().map(|report| report.from_source).sum(),
                reports().map(|report| report.from_relay).sum(),
            ),
        }
    }

    // Placing.

    /// Finds homes and parents for a viewer, and the links that these need.
    fn settle(&mut self, now: Timestamp, viewer: PeerId) {
        if !self.members.get(&viewer).is_some_and(|member| member.sharing) || self.source == Some(viewer) {
            return;
        }
        self.find_home(viewer);
        for stripe in 0..self.stripes {
            let parent = self.members[&viewer].parents[usize::from(stripe)];
            if parent.is_some_and(|parent| self.can_stay(now, parent)) {
                continue;
            }
            let parent = self.find_parent(now, viewer, stripe);
            let fed_by_source = parent.is_some() && parent == self.source;
            let Some(member) = self.members.get_mut(&viewer) else { return };
            member.parents[usize::from(stripe)] = parent;
            if fed_by_source {
                member.homes = member.homes.with(StripeSet::only(stripe));
            }
            self.stale.insert(viewer);
        }
        self.stale.insert(viewer);
    }

    fn can_stay(&self, now: Timestamp, parent: PeerId) -> bool {
        let returning = self.started.is_some_and(|started| now.since(started) < RETURN_GRACE);
        self.members.get(&parent).map_or(returning, |parent| parent.sharing)
    }

    /// A viewer without a home gets the stripe that has the least upload to spare.
    fn find_home(&mut self, viewer: PeerId) {
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
    fn find_parent(&self, now: Timestamp, viewer: PeerId, stripe: u8) -> Option<PeerId> {
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

    fn can_pair(&self, now: Timestamp, one: PeerId, other: PeerId) -> bool {
        let pair = (one.min(other), one.max(other));
        self.resting.get(&pair).is_none_or(|&until| until <= now)
    }

    /// How many children a peer takes in a stripe: the source a copy or two, a viewer what its upload gives.
    fn fan_out(&self, peer: PeerId, stripe: u8) -> usize {
        if self.source == Some(peer) {
            let large = self.viewers() >= self.config.large;
            return if large { self.config.copies_large } else { self.config.copies_small };
        }
        let Some(member) = self.members.get(&peer) else { return 0 };
        let elsewhere = self.load(peer) - self.children(peer, stripe);
        member.slots.saturating_sub(elsewhere)
    }

    fn children(&self, peer: PeerId, stripe: u8) -> usize {
        self.members.values().filter(|member| member.parents[usize::from(stripe)] == Some(peer)).count()
    }

    fn load(&self, peer: PeerId) -> usize {
        (0..self.stripes).map(|stripe| self.children(peer, stripe)).sum()
    }

    /// Steps from the source; `None` if the way does not lead there.
    fn depth(&self, peer: PeerId, stripe: u8) -> Option<usize> {
        let mut at = peer;
        for depth in 0..DEPTH_MAX {
            if self.source == Some(at) {
                return Some(depth);
            }
            at = self.members.get(&at)?.parents[usize::from(stripe)]?;
        }
        None
    }

    fn is_below(&self, peer: PeerId, ancestor: PeerId, stripe: u8) -> bool {
        let mut at = Some(peer);
        for _ in 0..DEPTH_MAX {
            match at {
                Some(here) if here == ancestor => return true,
                Some(here) => at = self.members.get(&here).and_then(|m| m.parents[usize::from(stripe)]),
                None => return false,
            }
        }
        true
    }

    fn is_unfed(&self, viewer: PeerId) -> bool {
        self.members[&viewer].parents.iter().any(Option::is_none)
    }

    fn slots_for(&self, role: RosterRole, capacity_bps: Option<u32>) -> usize {
        let stripe_bps = (self.bitrate_bps / u32::from(self.stripes)).max(1);
        let assumed = self.config.assumed_upload_x * self.bitrate_bps as f32;
        let planned = capacity_bps.map_or(assumed, |bps| bps as f32 * self.config.planned_share);
        let cap = self.config.upload_cap_x * f32::from(self.stripes);
        match role {
            RosterRole::Source => self.config.copies_large * usize::from(self.stripes),
            RosterRole::Viewer => (planned / stripe_bps as f32).min(cap) as usize,
        }
    }

    /// Those whose parent has left, or stopped sharing, get another; the one that is at home first, so that it can
    /// be parent to the rest.
    fn adopt_orphans(&mut self, now: Timestamp, former: PeerId) {
        for stripe in 0..self.stripes {
            let of_former =
                |member: &&PeerId| self.members[*member].parents[usize::from(stripe)] == Some(former);
            let mut orphans: Vec<_> = self.members.keys().filter(of_former).copied().collect();
            orphans.sort_by_key(|orphan| {
                let member = &self.members[orphan];
                (!member.homes.contains(stripe), std::cmp::Reverse(member.slots), member.joined)
            });
            for orphan in &orphans {
                if let Some(member) = self.members.get_mut(orphan) {
                    member.parents[usize::from(stripe)] = None;
                }
            }
            orphans.into_iter().for_each(|orphan| self.settle(now, orphan));
        }
    }

    /// Feeds that a restarted tracker was told of, by peers that have not come back.
    fn drop_strangers(&mut self, now: Timestamp) {
        if self.started.is_none_or(|started| now.since(started) < RETURN_GRACE) {
            return;
        }
        let members: BTreeSet<_> = self.members.keys().copied().collect();
        for member in self.members.values_mut() {
            for parent in &mut member.parents {
                parent.take_if(|parent| !members.contains(parent));
            }
        }
    }

    /// A viewer that is at home in more stripes than others are gives one away: the newcomer at home there becomes
    /// its parent. One move a tick, so that a swarm is never rebuilt at once. Between two viewers nothing is won.
    fn share_roots(&mut self, now: Timestamp) {
        let Some(source) = self.source.filter(|_| self.viewers_sharing().nth(2).is_some()) else { return };
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
                return;
            }
        }
    }

    /// Homes that each viewer has when all are dealt out evenly, rounded up.
    fn fair_homes(&self) -> usize {
        let viewers = self.viewers_sharing().filter(|viewer| self.members[viewer].slots > 0).count();
        usize::from(self.stripes).div_ceil(viewers.max(1))
    }

    fn hand_over(&mut self, root: PeerId, heir: PeerId, source: PeerId, stripe: u8) {
        let at = usize::from(stripe);
        for (&id, member) in &mut self.members {
            let moved = match member.parents[at] {
                _ if id == heir => member.parents[at].replace(source) != Some(source),
                _ if id == root => member.parents[at].replace(heir) != Some(heir),
                Some(parent) if parent == root => member.parents[at].replace(heir) != Some(heir),
                _ => false,
            };
            if moved {
                self.stale.insert(id);
            }
        }
        if let Some(member) = self.members.get_mut(&root) {
            member.homes = member.homes.without(StripeSet::only(stripe));
        }
        if let Some(member) = self.members.get_mut(&heir) {
            member.homes = member.homes.with(StripeSet::only(stripe));
        }
    }

    fn viewers_sharing(&self) -> impl Iterator<Item = PeerId> {
        let viewers = self.members.iter().filter(|&(&id, member)| self.source != Some(id) && member.sharing);
        viewers.map(|(&id, _)| id)
    }

    // Telling.

    /// Tells each member whose place has changed its parents, and asks for the links that are lacking.
    fn send_stale(&mut self, now: Timestamp) {
        for viewer in std::mem::take(&mut self.stale) {
            let Some(member) = self.members.get(&viewer) else { continue };
            let stripes: Vec<_> = (0..self.stripes).map(|stripe| self.parents(now, viewer, stripe)).collect();
            let named = stripes.iter().flat_map(|stripe| stripe.parent.iter().chain(&stripe.backups));
            let mut wanted: BTreeSet<PeerId> = named.copied().collect();
            let room = self.config.links.saturating_sub(wanted.len().max(member.links.len()));
            wanted.extend(self.acquaintances(now, viewer, room));
            let lacking = |peer: &PeerId| {
                self.members.contains_key(peer)
                    && !member.met(*peer)
                    && self.members.get(peer).is_none_or(|other| !other.met(viewer))
            };
            let peers: Vec<_> =
                wanted.into_iter().filter(lacking).take(wire::limits::NEIGHBORS_MAX).collect();
            self.say(viewer, FromTracker::Parents { stripes });
            if !peers.is_empty() {
                if let Some(member) = self.members.get_mut(&viewer) {
                    member.linking.extend(peers.iter().map(|&peer| (peer, now)));
                }
                self.say(viewer, FromTracker::Link { peers });
            }
        }
    }

    fn parents(&self, now: Timestamp, viewer: PeerId, stripe: u8) -> Parents {
        let parent = self.members[&viewer].parents[usize::from(stripe)];
        let backup = |peer: &PeerId| {
            Some(*peer) != parent
                && *peer != viewer
                && self.can_pair(now, viewer, *peer)
                && self.depth(*peer, stripe).is_some()
                && !self.is_below(*peer, viewer, stripe)
        };
        // Those that are linked already are warm; among them, those near the source.
        let mut backups: Vec<_> = self.viewers_sharing().filter(backup).collect();
        let links = &self.members[&viewer].links;
        let same_branch = |peer: PeerId| parent.is_some_and(|parent| self.is_below(peer, parent, stripe));
        backups.sort_by_key(|&peer| {
            let spare = self.members[&peer].slots > self.load(peer);
            (
                same_branch(peer),
                !spare,
                !links.contains(&peer),
                self.depth(peer, stripe),
                self.load(peer),
                peer,
            )
        });
        // Below a root there is no other branch: while the swarm is small, the source itself stands by.
        let source =
            self.source.filter(|source| parent != Some(*source) && self.can_pair(now, viewer, *source));
        let few = self.viewers() <= self.config.source_backup_viewers;
        if let Some(source) = source.filter(|_| few && backups.first().is_none_or(|&best| same_branch(best)))
        {
            backups.insert(0, source);
        }
        backups.truncate(self.config.backups);
        Parents { parent, backups }
    }

    /// Others to know for repair: those with the fewest links.
    fn acquaintances(&self, now: Timestamp, viewer: PeerId, room: usize) -> Vec<PeerId> {
        let open = |peer: &PeerId| {
            *peer != viewer
                && self.can_pair(now, viewer, *peer)
                && self.members[peer].links.len() < self.config.links
        };
        let mut others: Vec<_> = self.viewers_sharing().filter(open).collect();
        others.sort_by_key(|peer| (self.members[peer].links.len() + self.members[peer].linking.len(), *peer));
        others.truncate(room);
        others
    }

    fn count(&mut self, now: Timestamp) {
        let viewers = self.viewers();
        if viewers == self.counted || now < self.next_count {
            return;
        }
        self.counted = viewers;
        self.next_count = now + COUNT_EVERY;
        let everyone: Vec<_> = self.members.keys().copied().collect();
        let count = u32::try_from(viewers).unwrap_or(u32::MAX);
        everyone.into_iter().for_each(|peer| self.say(peer, FromTracker::Viewers { count }));
    }

    fn say(&mut self, to: PeerId, message: FromTracker) {
        self.outputs.push_back(RosterOutput { to, message });
    }
}

impl Member {
    /// Linked, or about to be.
    fn met(&self, peer: PeerId) -> bool {
        self.links.contains(&peer) || self.linking.contains_key(&peer)
    }

    fn forget(&mut self, peer: PeerId) {
        self.links.remove(&peer);
        self.linking.remove(&peer);
    }
}
