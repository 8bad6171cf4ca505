//! Pieces that should be here and are not: whom to ask, and when.

use std::time::Duration;

use wire::{Frame, PeerId};

use crate::engine::{Playhead, Swarm, TICK};
use crate::neighbor::Neighbor;
use crate::store::WINDOW_PIECES;
use crate::table::Table;
use crate::{Role, Timestamp};

/// Requests that one neighbor may have open: a round trip's worth of a stripe.
const OUTSTANDING_MAX: usize = 16;

/// A neighbor that was asked in vain twice is not asked a third time: then it is the relay's turn.
const NEIGHBORS_ASKED_MAX: u8 = 2;

/// A playhead further behind the common lag than this is there by the viewer's wish.
const BEHIND_MAX_MS: i64 = 2_000;

/// The relay is asked again after this long: its answer may sit in a full socket.
const RELAY_AGAIN: Duration = Duration::from_millis(600);

/// One missing piece.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    /// When it was first known to exist: its turn on its stripe.
    due: Timestamp,
    asked: Option<(PeerId, Timestamp)>,
    /// Who was asked last, whatever came of it.
    last: Option<PeerId>,
    /// Neighbors asked so far.
    tries: u8,
}

/// How long to wait, as the configuration has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RepairClock {
    pub(crate) again: Duration,
    pub(crate) relay_before_deadline: Duration,
}

/// Whom a missing piece may be asked of.
pub(crate) struct Candidates<'a> {
    /// A neighbor known to hold it, other than the given one, with requests to spare beside those that are open.
    pub(crate) holder: &'a Holder<'a>,
    /// The relay, where it can be reached.
    pub(crate) relay: Option<PeerId>,
    /// How long after the first news of it a piece is given up by its stripe.
    pub(crate) given_up_after: &'a dyn Fn(u32) -> Duration,
    /// Time left until the piece is needed on screen; `None`: unknown, so at once.
    pub(crate) time_left: &'a dyn Fn(u32) -> Option<Duration>,
}

/// Who holds a piece, other than the given peer; with the open requests.
type Holder<'a> = dyn Fn(u32, Option<PeerId>, &Open) -> Option<PeerId> + 'a;

/// How many requests are open to whom.
type Open = Table<PeerId, usize>;

/// All missing pieces of a broadcast.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    missing: Table<u32, Missing>,
    /// Every number below this is either held, missing or unwanted.
    known: Option<u32>,
}

impl Repair {
    /// Piece `seq` exists: all between the last known one and it do, too. Unless `from` says where interest begins.
    pub(crate) fn exists(&mut self, now: Timestamp, seq: u32, from: u32) {
        let Some(next) = seq.checked_add(1) else { return };
        let start = self.known.unwrap_or(from).max(from).max(next.saturating_sub(WINDOW_PIECES));
        for number in start..next {
            self.missing.insert(number, Missing { due: now, asked: None, last: None, tries: 0 });
        }
        self.known = self.known.max(Some(next));
    }

    /// Piece `seq` has come. Returns whom it was asked of, if it was.
    pub(crate) fn arrived(&mut self, seq: u32) -> Option<Option<PeerId>> {
        self.missing.remove(&seq).map(|missing| missing.asked.map(|(peer, _)| peer))
    }

    /// How long the piece has been known to exist.
    pub(crate) fn known_for(&self, now: Timestamp, seq: u32) -> Duration {
        self.missing.get(&seq).map_or(Duration::ZERO, |missing| now.since(missing.due))
    }

    /// The peer cannot send the piece: the next may be asked at once.
    pub(crate) fn refused(&mut self, peer: PeerId, seq: u32) {
        if let Some(missing) = self.missing.get_mut(&seq) {
            missing.asked.take_if(|(asked, _)| *asked == peer);
        }
    }

    /// The peer is gone: what was asked of it must be asked again.
    pub(crate) fn lost(&mut self, peer: PeerId) {
        self.missing.values_mut().for_each(|missing| {
            missing.asked.take_if(|(asked, _)| *asked == peer);
        });
    }

    /// Nothing below `floor` is of use any more.
    pub(crate) fn forget_below(&mut self, floor: u32) {
        self.missing.drop_before(&floor);
    }

    /// Whether the piece was asked of this peer.
    pub(crate) fn asked_of(&self, seq: u32, peer: PeerId) -> bool {
        self.missing.get(&seq).and_then(|missing| missing.asked).is_some_and(|(asked, _)| asked == peer)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// What to ask now, and of whom.
    pub(crate) fn ask(
        &mut self,
        now: Timestamp,
        clock: RepairClock,
        with: &Candidates<'_>,
    ) -> Vec<(PeerId, u32)> {
        let mut requests = Vec::new();
        let mut open = self.open();
        for (&seq, missing) in self.missing.iter_mut() {
            if now.since(missing.due) < (with.given_up_after)(seq) {
                continue;
            }
            if let Some(peer) = missing.next(now, seq, clock, with, &open) {
                if let Some((former, _)) = missing.asked.replace((peer, now)) {
                    *open.or_insert(former, 1) -= 1;
                }
                *open.or_insert(peer, 0) += 1;
                missing.last = Some(peer);
                requests.push((peer, seq));
            }
        }
        requests
    }

    fn open(&self) -> Open {
        let mut open = Open::new();
        for (peer, _) in self.missing.values().filter_map(|missing| missing.asked) {
            *open.or_insert(peer, 0) += 1;
        }
        open
    }
}

impl Missing {
    fn next(
        &mut self,
        now: Timestamp,
        seq: u32,
        clock: RepairClock,
        with: &Candidates<'_>,
        open: &Open,
    ) -> Option<PeerId> {
        let patience = match self.asked {
            Some((peer, _)) if Some(peer) == with.relay => RELAY_AGAIN,
            _ => clock.again,
        };
        if self.asked.is_some_and(|(_, at)| now.since(at) < patience) {
            return None;
        }
        if self.tries < NEIGHBORS_ASKED_MAX
            && let Some(holder) = (with.holder)(seq, self.last, open)
        {
            self.tries += 1;
            return Some(holder);
        }
        let urgent = (with.time_left)(seq).is_none_or(|left| left <= clock.relay_before_deadline);
        with.relay.filter(|_| urgent || self.tries >= NEIGHBORS_ASKED_MAX)
    }
}

impl Swarm {
    /// Asks for what is later than its stripe usually is.
    pub(crate) fn ask_for_missing(&mut self, now: Timestamp) {
        let relay = self.fallback();
        let relaying = self.identity.role == Role::Relay;
        let clock = RepairClock {
            again: self.config.repair_again_after,
            relay_before_deadline: self.config.relay_before_deadline,
        };
        let Some(epoch) = self.epoch else { return };
        let (neighbors, store) = (&self.neighbors, &self.store);
        let shown_ms = self.playhead.map(|playhead| self.shown_ms(now, playhead));
        let holder = |seq: u32, but: Option<PeerId>, open: &Open| {
            let fit = |n: &&Neighbor| {
                n.role == Role::Viewer
                    && Some(n.peer) != but
                    && n.rests_until <= now
                    && n.holdings.contains(seq)
            };
            let asked = |n: &Neighbor| open.get(&n.peer).copied().unwrap_or(0);
            let fit = neighbors.values().filter(fit).map(|n| (asked(n), n.rtt, n.peer));
            fit.filter(|&(asked, ..)| asked < OUTSTANDING_MAX).min().map(|(.., peer)| peer)
        };
        let time_left =
            |seq: u32| Some(Duration::from_millis(u64::from(store.time_of(seq)).saturating_sub(shown_ms?)));
        let (feeds, stripes, margin_max) = (&self.feeds, self.stripes(), self.config.repair_after);
        let usual_max = Duration::from_millis(self.target_lag_ms() as u64 / 3);
        let given_up_after = |seq: u32| {
            let stripe = (seq % u32::from(stripes.max(1))) as u8;
            let lateness = feeds.stripe(stripe).lateness;
            // What the relay lacks, nobody else has: it asks at once.
            if relaying { TICK } else { lateness.given_up_after(usual_max, margin_max) }
        };
        let with =
            Candidates { holder: &holder, relay, given_up_after: &given_up_after, time_left: &time_left };
        let mut by_peer: Table<PeerId, Vec<u32>> = Table::new();
        for (peer, seq) in self.repair.ask(now, clock, &with) {
            by_peer.or_insert(peer, Vec::new()).push(seq);
        }
        for (peer, pieces) in by_peer.into_iter() {
            // Answers that come late, after others were asked, are no flood.
            if let Some(neighbor) = self.neighbors.get_mut(&peer) {
                neighbor.unsolicited = neighbor.unsolicited.saturating_sub(pieces.len() as u32);
            }
            for pieces in pieces.chunks(wire::limits::REQUEST_MAX) {
                self.send(peer, &Frame::Request { epoch, pieces: pieces.to_vec() });
            }
        }
    }

    /// Media time by which deadlines are counted: what is shown. For a viewer who has gone back it is what the others are
    /// shown: they may lack the same, and the stores let go of it long before this viewer comes to see it. One whose
    /// picture stands still waits for what comes next, however late it is by now.
    fn shown_ms(&self, now: Timestamp, playhead: Playhead) -> u64 {
        let shown_ms = u64::from(playhead.media_ms) + now.since(playhead.at).as_millis() as u64;
        let edge_ms = self.live_ms(now).map_or(0, |live_ms| live_ms - self.target_lag_ms());
        let behind_ms = edge_ms - shown_ms as i64;
        let gone_back = !playhead.stalled && behind_ms > BEHIND_MAX_MS;
        if gone_back { edge_ms as u64 } else { shown_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: PeerId = PeerId::RELAY;
    const A: PeerId = PeerId(1);
    const B: PeerId = PeerId(2);
    const CLOCK: RepairClock =
        RepairClock { again: Duration::from_millis(250), relay_before_deadline: Duration::from_millis(400) };

    struct World {
        repair: Repair,
        holders: Vec<PeerId>,
        time_left_ms: u64,
    }

    impl World {
        fn missing(seqs: std::ops::Range<u32>) -> World {
            let mut repair = Repair::default();
            repair.exists(at(0), seqs.end - 1, seqs.start);
            World { repair, holders: vec![A, B], time_left_ms: 5_000 }
        }

        fn ask(&mut self, ms: u64) -> Vec<(PeerId, u32)> {
            let holders = self.holders.clone();
            let time_left = Duration::from_millis(self.time_left_ms);
            let with = Candidates {
                holder: &|_, but, open| {
                    let fit = holders.iter().filter(|&&holder| Some(holder) != but);
                    fit.copied().min_by_key(|holder| open.get(holder).copied())
                },
                relay: Some(RELAY),
                given_up_after: &|_| Duration::from_millis(250),
                time_left: &|_| Some(time_left),
            };
            self.repair.ask(at(ms), CLOCK, &with)
        }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn one_neighbor_then_another_then_the_relay() {
        let mut world = World::missing(7..8);
        assert_eq!(world.ask(249), []);
        assert_eq!(world.ask(250), [(A, 7)]);
        assert_eq!(world.ask(499), []);
        assert_eq!(world.ask(500), [(B, 7)]);
        assert_eq!(world.ask(750), [(RELAY, 7)]);
        assert_eq!(world.ask(1_300), []);
        assert_eq!(world.ask(1_350), [(RELAY, 7)]);
    }

    #[test]
    fn without_a_holder_the_relay_waits_for_the_deadline() {
        let mut world = World::missing(7..8);
        world.holders.clear();
        assert_eq!(world.ask(300), []);
        world.time_left_ms = 400;
        assert_eq!(world.ask(350), [(RELAY, 7)]);
    }

    #[test]
    fn what_has_come_is_not_asked_for() {
        let mut world = World::missing(5..9);
        assert_eq!(world.repair.arrived(6), Some(None));
        assert_eq!(world.ask(250), [(A, 5), (B, 7), (A, 8)], "neighbors share the work");
        assert_eq!(world.repair.arrived(7), Some(Some(B)));
        assert_eq!(world.repair.arrived(7), None);
    }

    #[test]
    fn who_was_asked_in_vain_owes_nothing() {
        let mut world = World::missing(7..8);
        world.ask(250);
        assert_eq!(world.repair.open().get(&A), Some(&1));
        world.ask(500);
        assert_eq!((world.repair.open().get(&A), world.repair.open().get(&B)), (None, Some(&1)));
        world.repair.forget_below(8);
        assert!(world.repair.open().is_empty());
    }

    #[test]
    fn a_refusal_or_a_loss_frees_the_piece_at_once() {
        let mut world = World::missing(7..8);
        world.ask(250);
        world.repair.refused(A, 7);
        assert_eq!(world.ask(251), [(B, 7)]);
        world.repair.lost(B);
        assert_eq!(world.ask(252), [(RELAY, 7)], "two neighbors were tried");
    }

    #[test]
    fn a_lying_number_cannot_fill_the_table() {
        let mut repair = Repair::default();
        repair.exists(at(0), u32::MAX - 1, 0);
        assert_eq!(repair.missing.len() as u32, WINDOW_PIECES);
    }
}
