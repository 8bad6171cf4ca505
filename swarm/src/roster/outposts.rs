//! Relays elsewhere: peers of the operator's own with much upload, that stand in for the tracker's relay.
//!
//! They are in no tree and no viewers. Whoever lacks a parent in some stripes gets one of them named in its place; the
//! Roster goes on looking for a real parent, which takes over when there is one. So they carry what viewers cannot,
//! and no more.

use std::time::Duration;

use wire::PeerId;
use wire::session::FromTracker;

use super::tree::Seat;
use super::{PAIR_REST, Roster};
use crate::Timestamp;

/// One that refuses a viewer is named to nobody else within this time.
const FULL_FOR: Duration = Duration::from_secs(5);

/// One relay elsewhere.
#[derive(Debug, Default)]
pub(super) struct Outpost {
    /// Bits a second that it may send.
    egress_bps: u64,
    /// Stripe feeds that it is named for.
    load: usize,
    /// It has refused somebody.
    full_until: Option<Timestamp>,
}

impl Roster {
    /// A relay elsewhere is here, and may send so many bits a second.
    pub fn outpost(&mut self, peer: PeerId, egress_bps: u64) {
        let outpost = self.outposts.entry(peer).or_default();
        if std::mem::replace(&mut outpost.egress_bps, egress_bps) != egress_bps {
            self.look_again();
        }
    }

    /// A relay elsewhere is gone. Whom it fed is told at once, and turns to another, or to the tracker's own.
    pub fn outpost_gone(&mut self, now: Timestamp, peer: PeerId) {
        if self.outposts.remove(&peer).is_none() {
            return;
        }
        for seat in self.everyone() {
            let Some(member) = self.member_mut(seat) else { continue };
            let viewer = member.peer;
            if member.stand_in.take_if(|(outpost, _)| *outpost == peer).is_some() {
                self.stale.insert(seat);
            }
            if self.member(seat).is_some_and(|member| member.met(peer)) {
                self.say(viewer, FromTracker::Gone { peer });
                self.member_mut(seat).into_iter().for_each(|member| member.forget(peer));
            }
        }
        self.send_stale(now);
    }

    pub(super) fn is_outpost(&self, peer: PeerId) -> bool {
        self.outposts.contains_key(&peer)
    }

    /// One that a member was told to turn to is of no use to it.
    pub(super) fn outpost_failed(&mut self, now: Timestamp, peer: PeerId, outpost: PeerId, refused: bool) {
        self.rest(now, peer, outpost, PAIR_REST);
        if let Some(outpost) = self.outposts.get_mut(&outpost).filter(|_| refused) {
            outpost.full_until = Some(now + FULL_FOR);
        }
    }

    /// Whether one that was full is to be asked again.
    pub(super) fn outposts_have_room_again(&mut self, now: Timestamp) -> bool {
        let full = self.outposts.values_mut();
        full.filter_map(|outpost| outpost.full_until.take_if(|until| *until <= now)).count() > 0
    }

    /// Who stands in for the relay in the stripes that a member has no parent in: who did so far, else the one with the
    /// most room.
    pub(super) fn stand_in(&mut self, now: Timestamp, seat: Seat) -> Option<PeerId> {
        let lacking = (0..self.stripes).filter(|&stripe| self.feeder(seat, stripe).is_none()).count();
        let former = self.release_stand_in(seat);
        if lacking == 0 || self.outposts.is_empty() {
            return None;
        }
        let member = self.member(seat)?;
        let room = |peer: PeerId| self.outpost_room(peer).filter(|&room| room >= lacking);
        let fit = |peer: PeerId| room(peer).filter(|_| !self.is_resting(now, member.peer, peer));
        let kept = former.filter(|&peer| fit(peer).is_some());
        let roomiest = || self.outposts.keys().copied().filter_map(|peer| Some((fit(peer)?, peer))).max();
        let chosen = kept.or_else(|| roomiest().map(|(_, peer)| peer))?;
        self.outposts.get_mut(&chosen)?.load += lacking;
        self.member_mut(seat)?.stand_in = Some((chosen, lacking));
        Some(chosen)
    }

    /// The one that stood in for a member does so no longer.
    pub(super) fn release_stand_in(&mut self, seat: Seat) -> Option<PeerId> {
        let (peer, feeds) = self.member_mut(seat)?.stand_in.take()?;
        let outpost = self.outposts.get_mut(&peer)?;
        outpost.load = outpost.load.saturating_sub(feeds);
        Some(peer)
    }

    /// Stripe feeds that it can still be named for.
    fn outpost_room(&self, peer: PeerId) -> Option<usize> {
        let outpost = self.outposts.get(&peer).filter(|outpost| outpost.full_until.is_none())?;
        let stripe_bps = u64::from(self.bitrate_bps / u32::from(self.stripes)).max(1);
        let slots = usize::try_from(outpost.egress_bps / stripe_bps).unwrap_or(usize::MAX);
        Some(slots.saturating_sub(outpost.load))
    }
}
