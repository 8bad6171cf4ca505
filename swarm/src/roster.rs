//! The tracker's list of one broadcast's members, and who feeds whom: a tree for each stripe, rooted at the source.
//!
//! Each viewer is *interior* (passes on) in the stripes that are its homes and a leaf in all others, so that losing
//! one viewer costs its children one stripe in S. Homes are dealt so that every stripe has upload to spare; a first
//! viewer starts at home everywhere and gives stripes away as others come.

mod placing;

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

/// Two children and half of all, failed within this time, and a parent feeds nobody for as long.
const DEMOTION: Duration = Duration::from_secs(60);

/// Children that must have been failed, at least: one alone may itself be the one who fails, or lies.
const COMPLAINTS_MIN: usize = 2;

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
    /// Everybody who was here before the tracker's start has had time to come back.
    settled: bool,
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
    /// Children that it failed lately, and when.
    complaints: BTreeMap<PeerId, Timestamp>,
    /// Feeds nobody before then.
    demoted_until: Timestamp,
    /// Upload as last measured, in bits a second.
    capacity_bps: Option<u32>,
    homes: StripeSet,
    parents: Vec<Option<PeerId>>,
    /// How many it feeds in each stripe.
    children: [usize; STRIPES_MAX as usize],
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
            settled: false,
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
                member.children = Default::default();
            });
            let viewers: Vec<_> = self.viewers_sharing().collect();
            viewers.into_iter().for_each(|viewer| self.settle(now, viewer));
        }
        self.send_stale(now);
    }

    /// A member comes, or comes back with what it already has.
    pub fn join(&mut self, now: Timestamp, peer: PeerId, role: RosterRole, sharing: bool, known: Report) {
        self.started.get_or_insert(now);
        if role == RosterRole::Source
            && let Some(former) = self.source.replace(peer).filter(|&former| former != peer)
        {
            self.leave(now, former);
        }
        // A new session of the same peer takes the place of the former one.
        (0..self.stripes).for_each(|stripe| self.set_parent(peer, stripe, None));
        let feeds = if role == RosterRole::Source { Vec::new() } else { known.feeds.clone() };
        let member = Member {
            sharing,
            joined: now,
            slots: self.slots_for(role, None, None),
            capacity_bps: None,
            complaints: BTreeMap::new(),
            demoted_until: Timestamp::default(),
            homes: StripeSet::EMPTY,
            parents: vec![None; self.stripes.into()],
            children: self.count_children(peer),
            links: known.links.iter().copied().collect(),
            linking: BTreeMap::new(),
            report: known,
        };
        self.members.insert(peer, member);
        for (stripe, feed) in (0..self.stripes).zip(feeds) {
            self.set_parent(peer, stripe, feed.filter(|&feed| feed != PeerId::RELAY && feed != peer));
        }
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
        (0..self.stripes).for_each(|stripe| self.set_parent(peer, stripe, None));
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
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.capacity_bps = report.capacity_bps.or(member.capacity_bps);
        let capacity_bps = member.capacity_bps;
        let slots = self.slots_for(role, capacity_bps, report.upload_cap_bps);
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.slots = if member.demoted_until > now { 0 } else { slots };
        member.links = report.links.iter().copied().collect();
        let links = &member.links;
        member.linking.retain(|other, since| !links.contains(other) && now.since(*since) < RETURN_GRACE);
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
        if was_parent && !stripes.is_empty() {
            self.complain(now, failed, peer);
        }
        for stripe in 0..self.stripes {
            let named = stripes.is_empty() || stripes.contains(stripe);
            if named && self.parent(peer, stripe) == Some(failed) {
                self.set_parent(peer, stripe, None);
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
            (0..self.stripes).for_each(|stripe| self.set_parent(peer, stripe, None));
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
        let moving = self.share_roots(now);
        self.relieve();
        let unfed: Vec<_> = self.viewers_sharing().filter(|&v| self.is_unfed(v) || self.is_idle(v)).collect();
        for viewer in unfed {
            self.settle(now, viewer);
            // Moves make room by themselves.
            if !moving {
                self.recruit_for(now, viewer);
            }
        }
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
        let parent = self.parent(viewer, stripe);
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

#[cfg(test)]
mod tests;
