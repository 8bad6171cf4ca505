//! The tracker's list of one broadcast's members, and who feeds whom: a tree for each stripe, rooted at the source.
//!
//! Each viewer is *interior* (passes on) in the stripes that are its homes and a leaf in all others, so that losing
//! one viewer costs its children one stripe in S. Homes are dealt so that every stripe has upload to spare; a first
//! viewer starts at home everywhere and gives stripes away as others come.
//!
//! Nothing here walks over all members, but for the viewer count that everybody is told: a swarm of 100,000 costs no
//! more a member than one of a hundred.

mod coming;
mod config;
mod faults;
mod member;
mod moving;
mod outposts;
mod pairing;
mod picture;
mod placing;
mod reach;
mod received;
mod seats;
mod source;
mod telling;
mod tree;
mod unfed;
mod upload;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use wire::limits::STRIPES_MAX;
use wire::session::{Fault, FromTracker, Report};
use wire::{PeerId, StripeSet};

use crate::Timestamp;
use crate::rng::Rng;
pub use config::RosterConfig;
use member::Member;
use outposts::Outpost;
pub use picture::{Picture, Pictured};
pub use received::Received;
use source::SourceUplink;
use tree::{Seat, Tree};
use upload::Measured;

/// A pair that could not be linked is not tried again within this time.
const PAIR_REST: Duration = Duration::from_secs(30);

/// Where there are few, and so nobody else: a pair rests for so long after silence, as a machine that was held up goes on, and
/// after the first attempts that found no way.
const FEW_REST: Duration = Duration::from_secs(5);

/// Feeds that a member may be able to give, as far as they are told apart: four times the bitrate in 16 stripes.
const ABLE_MAX: usize = 65;

const TICK: Duration = Duration::from_millis(500);

/// A parent feeds within this time, from when its link was open or it last did: the former feed goes on until it brings
/// something. One that a child has just left for its silence is tried once more before.
const FEEDS_WITHIN: Duration = Duration::from_millis(6_500);

/// Those who lack a parent are looked for this long after the last change: links open within it, or are given up, and
/// what somebody refused is forgotten.
const LOOK_FOR: Duration = Duration::from_secs(10);

/// The viewer count is told to everyone at most this often, and in large swarms less: 1,000 messages a second.
const COUNT_EVERY: Duration = Duration::from_secs(2);

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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RosterView {
    /// Viewers, sharing or not.
    pub viewers: usize,
    /// Viewers that share.
    pub sharing: usize,
    /// Deepest viewer of each stripe's tree; 1 is fed by the source.
    pub depths: Vec<usize>,
    /// Stripe feeds that all viewers together can give, as far as is known, for each one that is needed. Below 1.1 the
    /// relay will have to help.
    pub supply: f32,
    /// Viewers that lack a parent in some stripe, and have the relay instead.
    pub unfed: usize,
    /// Payload bytes that viewers report to have got, those included who have left.
    pub received: Received,
}

/// The tracker's list of one broadcast's members. Same edges as [`Swarm`](crate::Swarm).
#[derive(Debug)]
pub struct Roster {
    config: RosterConfig,
    rng: Rng,
    stripes: u8,
    bitrate_bps: u32,
    started: Option<Timestamp>,
    /// Everybody who was here before the tracker's start has had time to come back.
    settled: bool,
    source: Option<PeerId>,
    source_uplink: SourceUplink,
    seats: BTreeMap<PeerId, Seat>,
    /// By seat. That of the root stays empty.
    members: Vec<Option<Member>>,
    free: Vec<Seat>,
    trees: Vec<Tree>,
    /// Stripe feeds that those at home in each stripe can give there.
    supply: [usize; STRIPES_MAX as usize],
    /// All that can be given.
    slots: usize,
    /// How many members can give so many feeds, the last entry for all that can give more.
    able: [usize; ABLE_MAX],
    /// Viewers here, and those of them that share.
    viewers: usize,
    sharing: usize,
    /// Pairs that could not be linked, smaller id first.
    resting: BTreeMap<(PeerId, PeerId), Timestamp>,
    /// Those that lack a parent in some stripe.
    unfed: BTreeSet<Seat>,
    /// Those of them whose parent has left, and who have not been given another one: too many left at once.
    unrepaired: BTreeSet<Seat>,
    /// How many may be given another one before then.
    repairs_left: usize,
    next_repairs: Timestamp,
    /// Who was looked at last of the unfed.
    unfed_from: Seat,
    /// Something has changed since they were last looked at.
    has_changed: bool,
    /// How many of them are still to be looked at since then, until when they are looked at at least, and after what pause
    /// again: when nothing changes little is found.
    unfed_left: usize,
    look_until: Timestamp,
    look_pause: Duration,
    /// Those with upload that nobody uses, by how many homes they have.
    spare: BTreeSet<(usize, Seat)>,
    /// Members whose parents have changed since they were told.
    stale: BTreeSet<Seat>,
    /// Relays elsewhere.
    outposts: BTreeMap<PeerId, Outpost>,
    /// The relay cannot take anybody's place any more.
    without_relay: bool,
    /// What viewers report to have got.
    received: Received,
    counted: usize,
    next_count: Timestamp,
    next_tick: Timestamp,
    outputs: VecDeque<RosterOutput>,
}

impl Roster {
    /// An empty swarm. The seed spreads choices that are all alike.
    pub fn new(config: RosterConfig, seed: u64) -> Self {
        let stripes = 6;
        Roster {
            config,
            rng: Rng::seeded(seed),
            stripes,
            bitrate_bps: 3_000_000,
            started: None,
            settled: false,
            source: None,
            source_uplink: SourceUplink::unknown(None),
            seats: BTreeMap::new(),
            members: vec![None],
            free: Vec::new(),
            trees: (0..stripes).map(|_| Tree::new(1)).collect(),
            supply: [0; STRIPES_MAX as usize],
            slots: 0,
            able: [0; ABLE_MAX],
            viewers: 0,
            sharing: 0,
            resting: BTreeMap::new(),
            unfed: BTreeSet::new(),
            unrepaired: BTreeSet::new(),
            repairs_left: 0,
            next_repairs: Timestamp::default(),
            unfed_from: Seat::ROOT,
            has_changed: false,
            unfed_left: 0,
            look_until: Timestamp::default(),
            look_pause: LOOK_FOR,
            spare: BTreeSet::new(),
            stale: BTreeSet::new(),
            outposts: BTreeMap::new(),
            without_relay: false,
            received: Received::default(),
            counted: 0,
            next_count: Timestamp::default(),
            next_tick: Timestamp::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The broadcast's parameters, from its stream header.
    pub fn set_stream(&mut self, now: Timestamp, stripes: u8, bitrate_bps: u32) {
        let stripes = stripes.clamp(1, STRIPES_MAX);
        if std::mem::replace(&mut self.bitrate_bps, bitrate_bps.max(1)) > bitrate_bps {
            self.source_uplink = SourceUplink::unknown(self.source);
            self.settle_roots(now);
        }
        if std::mem::replace(&mut self.stripes, stripes) != stripes {
            let seats = self.members.len();
            for seat in self.everyone() {
                self.change(now, seat, |member| member.homes = StripeSet::EMPTY);
            }
            self.trees = (0..stripes).map(|_| Tree::new(seats)).collect();
            self.refresh_root();
            for seat in self.everyone() {
                self.settle(now, seat);
            }
        }
        self.send_stale(now);
    }

    /// A member comes, or comes back with what it already has.
    pub fn join(&mut self, now: Timestamp, peer: PeerId, role: RosterRole, sharing: bool, known: Report) {
        self.started.get_or_insert(now);
        match role {
            RosterRole::Source => self.take_source(now, peer),
            RosterRole::Viewer => self.take_viewer(now, peer, sharing, &known),
        }
        self.send_stale(now);
    }

    /// A member's session ended.
    pub fn leave(&mut self, now: Timestamp, peer: PeerId) {
        if self.source == Some(peer) {
            // The trees are kept: it comes back, or another one in its place.
            self.source = None;
            self.refresh_root();
            self.part_from_source(peer);
        } else if let Some(seat) = self.seat(peer) {
            self.vacate(now, seat);
        }
        self.send_stale(now);
    }

    /// A member says what it measures.
    pub fn report(&mut self, now: Timestamp, peer: PeerId, report: &Report) {
        if self.source == Some(peer) {
            self.source_reports(now, report);
            return self.send_stale(now);
        }
        let Some(seat) = self.present(peer) else { return };
        let measured = Measured {
            capacity_bps: report.capacity_bps,
            busy: report.uplink_busy,
            own_cap_bps: report.upload_cap_bps,
            stripe_bps: self.bitrate_bps / u32::from(self.stripes),
            stripes: self.stripes,
            load: self.load(seat),
            wanted: self.is_more_wanted(),
            in_need: self.is_in_need(),
            few: self.are_few(),
        };
        self.learn_reach(now, seat, report);
        let (config, bitrate_bps) = (self.config.clone(), self.bitrate_bps);
        let mut more = Received::default();
        let mut unheard = Duration::ZERO;
        if self.member(seat).is_some_and(|member| !member.has_links(&report.links)) {
            self.look_again();
        }
        self.change(now, seat, |member| {
            member.note(now, report);
            unheard = member.reported.age(now);
            member.reach.fade(unheard);
            more = member.reported.replace(now, report, bitrate_bps);
            member.upload.learn(now, &config, measured);
        });
        self.received = self.received.plus(more);
        let flows = more.all() > 0 && unheard < FEEDS_WITHIN;
        self.replace_idle_parents(now, seat, report, flows && !self.are_few());
        self.note_relayed(now, seat, report);
        self.link_parents(seat);
        self.relieve(now, seat);
        self.trim_homes(now, seat);
        self.find_homes(now, seat);
        self.send_stale(now);
    }

    /// `failed` is of no use to a member: as a parent in `stripes`, or for want of a link in any.
    pub fn orphaned(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        stripes: StripeSet,
        failed: PeerId,
        fault: Fault,
    ) {
        let Some(seat) = self.present(peer) else { return };
        let mut rest = if self.are_few() && fault == Fault::Silent { FEW_REST } else { PAIR_REST };
        if fault == Fault::Unlinked {
            rest = self.note_unlinked(now, seat, failed);
        } else if self.is_outpost(failed) {
            self.outpost_failed(now, peer, failed, fault == Fault::Refused);
        }
        let culprit = if self.source == Some(failed) { Some(Seat::ROOT) } else { self.seat(failed) };
        if let Some(culprit) = culprit {
            let lost: Vec<u8> = (0..self.stripes)
                .filter(|&stripe| fault == Fault::Unlinked || stripes.contains(stripe))
                .filter(|&stripe| self.feeder(seat, stripe) == Some(failed))
                .collect();
            lost.iter().for_each(|&stripe| self.set_parent(now, seat, stripe, None));
            if fault == Fault::Lied || !lost.is_empty() {
                self.rest(now, peer, failed, rest);
            }
            match fault {
                Fault::Refused if !lost.is_empty() => self.believe_full(now, culprit),
                Fault::Silent if !lost.is_empty() && self.may_be_full(culprit) => {
                    self.believe_full(now, culprit)
                }
                Fault::Lost if !lost.is_empty() => self.complain(now, culprit, seat, fault),
                Fault::Lied => self.complain(now, culprit, seat, fault),
                _ => {}
            }
        }
        self.settle(now, seat);
        self.send_stale(now);
    }

    /// A member switched sharing on or off.
    pub fn sharing(&mut self, now: Timestamp, peer: PeerId, on: bool) {
        let Some(seat) = self.present(peer) else { return };
        if self.member(seat).is_none_or(|member| member.sharing == on) {
            return;
        }
        self.sharing = if on { self.sharing + 1 } else { self.sharing - 1 };
        self.change(now, seat, |member| member.sharing = on);
        if on {
            self.settle(now, seat);
        } else {
            self.part_from_all(seat, false);
            self.release_stand_in(seat);
            self.leave_trees(now, seat);
        }
        self.send_stale(now);
    }

    /// The relay has no room for another viewer, or has it again. Without it nobody is left to it: newcomers are trusted with
    /// more, and those who cope are asked for more as long as anyone lacks a feed.
    pub fn without_relay(&mut self, without: bool) {
        self.without_relay = without;
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn wake(&mut self, now: Timestamp) {
        self.repair(now);
        if now >= self.next_tick {
            self.tick(now);
        }
        self.send_stale(now);
    }

    fn tick(&mut self, now: Timestamp) {
        self.next_tick = now + TICK;
        self.end_rests(now);
        self.drop_strangers(now);
        let moving = self.share_roots(now);
        if self.has_changed || now < self.look_until {
            self.raise_the_strong(now);
        }
        for seat in self.unfed_due(now) {
            self.settle(now, seat);
            // Moves make room by themselves.
            if !moving {
                self.recruit_for(now, seat);
            }
        }
        self.count(now);
    }

    /// The next message for a member.
    pub fn poll_output(&mut self) -> Option<RosterOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`wake`](Self::wake).
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let repairs = (!self.unrepaired.is_empty()).then_some(self.next_repairs);
        (self.viewers > 0).then(|| repairs.map_or(self.next_tick, |at| at.min(self.next_tick)))
    }

    /// Whether `from` may signal `to`: both are members that share.
    pub fn may_signal(&self, from: PeerId, to: PeerId) -> bool {
        let shares = |peer| {
            self.source == Some(peer)
                || self.is_outpost(peer)
                || self.seat(peer).and_then(|seat| self.member(seat)).is_some_and(Member::takes_part)
        };
        from != to && shares(from) && shares(to)
    }

    /// How many watch.
    pub fn viewers(&self) -> usize {
        self.viewers
    }

    /// How many share.
    pub fn sharing_viewers(&self) -> usize {
        self.sharing
    }

    /// Payload bytes that viewers report to have got, those included who have left. Steps that are not believable are
    /// left out.
    pub fn received(&self) -> Received {
        self.received
    }

    /// Figures for statistics.
    pub fn view(&self) -> RosterView {
        RosterView {
            viewers: self.viewers,
            sharing: self.sharing,
            depths: self.trees.iter().map(|tree| tree.deepest().into()).collect(),
            supply: self.supply(),
            unfed: self.unfed.len(),
            received: self.received,
        }
    }

    /// Whether those who cope are asked for more upload.
    fn is_more_wanted(&self) -> bool {
        self.supply() < self.config.supply_wanted || self.is_in_need()
    }

    /// Whether some lack a feed that the relay has no room for.
    fn is_in_need(&self) -> bool {
        self.without_relay && !self.unfed.is_empty()
    }

    /// Whether so few share that each is needed.
    fn are_few(&self) -> bool {
        self.sharing < self.config.few
    }

    /// Stripe feeds that can be given, for each one that is needed.
    fn supply(&self) -> f32 {
        self.slots as f32 / (self.sharing * usize::from(self.stripes)).max(1) as f32
    }
}

#[cfg(test)]
mod tests;
