//! Members come, come back after the tracker's restart, and go: what changes hands then.

use std::time::Duration;

use wire::PeerId;
use wire::session::{FromTracker, Report};

use super::Roster;
use super::source::SourceUplink;
use super::tree::Seat;
use super::upload::Upload;
use crate::Timestamp;

/// Links of the past are believed for this long after a tracker's start: peers come back one by one.
const RETURN_GRACE: Duration = Duration::from_secs(10);

impl Roster {
    pub(super) fn take_source(&mut self, now: Timestamp, peer: PeerId) {
        self.source = Some(peer);
        if self.source_uplink.peer != Some(peer) {
            self.source_uplink = SourceUplink::unknown(Some(peer));
        }
        self.look_again();
        if let Some(stub) = self.seat(peer) {
            // Who came back to a restarted tracker before it named it as a parent; or it was a viewer just now.
            for stripe in 0..self.stripes {
                for child in self.tree(stripe).children(stub).to_vec() {
                    self.set_parent(now, child, stripe, Some(Seat::ROOT));
                }
            }
            self.vacate(now, stub);
        }
        self.refresh_root();
        // It may be another peer than before: those that it feeds are told its name.
        for stripe in 0..self.stripes {
            let children = self.tree(stripe).children(Seat::ROOT).to_vec();
            self.stale.extend(children);
        }
        for seat in self.unfed_next() {
            self.settle(now, seat);
        }
    }

    pub(super) fn take_viewer(&mut self, now: Timestamp, peer: PeerId, sharing: bool, known: &Report) {
        if self.source.take_if(|source| *source == peer).is_some() {
            self.refresh_root();
        }
        let seat = self.seat_for(now, peer);
        // A new session of the same peer takes the place of the former one.
        let former = self.member(seat).map_or((false, false), |member| (member.present, member.sharing));
        self.viewers += usize::from(!former.0);
        self.sharing += usize::from(sharing);
        self.sharing -= usize::from(former.0 && former.1);
        let assumed_x = match self.are_few() {
            true => self.config.assumed_upload_few_x,
            false if self.without_relay => self.config.assumed_upload_alone_x,
            false => self.config.assumed_upload_x,
        };
        let known_upload = self.member(seat).filter(|_| former.0).map(|member| member.upload.clone());
        let upload = known_upload.unwrap_or_else(|| Upload::assumed(now, assumed_x, self.stripes));
        self.change(now, seat, |member| {
            member.become_present(now, sharing, upload);
            member.note(now, known);
        });
        for stripe in 0..self.stripes {
            let feed = known.feeds.get(usize::from(stripe)).copied().flatten();
            let feed = feed.filter(|&feed| feed != PeerId::RELAY && feed != peer && sharing);
            let parent = feed.and_then(|feed| self.known_parent(now, feed));
            let parent = parent.filter(|&parent| !self.tree(stripe).is_below(parent, seat));
            self.set_parent(now, seat, stripe, parent);
        }
        if sharing {
            self.settle(now, seat);
        } else {
            self.leave_trees(now, seat);
        }
    }

    /// A parent that somebody names who comes back: the source, a member, or one that may still come back itself.
    fn known_parent(&mut self, now: Timestamp, feed: PeerId) -> Option<Seat> {
        if self.source == Some(feed) {
            return Some(Seat::ROOT);
        }
        let known = self.seat(feed);
        known.or_else(|| self.is_returning(now).then(|| self.seat_for(now, feed)))
    }

    /// A member is gone: its children get other parents, and who knew it is told.
    pub(super) fn vacate(&mut self, now: Timestamp, seat: Seat) {
        let Some(member) = self.member(seat) else { return };
        let (peer, present, sharing) = (member.peer, member.present, member.takes_part());
        self.look_again();
        self.viewers -= usize::from(present);
        self.sharing -= usize::from(sharing);
        self.part_from_all(seat, true);
        self.release_stand_in(seat);
        self.change(now, seat, |member| member.present = false);
        self.leave_trees(now, seat);
        self.able[0] -= 1;
        self.seats.remove(&peer);
        self.members[seat.index()] = None;
        self.refresh_root();
        self.stale.remove(&seat);
        self.unfed.remove(&seat);
        self.unrepaired.remove(&seat);
        self.free.push(seat);
    }

    /// All links of a member are over; those who had them are told, if it is `gone` for good.
    pub(super) fn part_from_all(&mut self, seat: Seat, gone: bool) {
        let Some(member) = self.member_mut(seat) else { return };
        let peer = member.peer;
        let met: Vec<_> = member
            .links
            .drain(..)
            .chain(std::mem::take(&mut member.linking).into_iter().map(|(p, _)| p))
            .collect();
        for other in met {
            if gone {
                self.say(other, FromTracker::Gone { peer });
            }
            if let Some(other) = self.seat(other).and_then(|seat| self.member_mut(seat)) {
                other.forget(peer);
            }
        }
    }

    /// Links with the source are over, but for those that it feeds.
    pub(super) fn part_from_source(&mut self, source: PeerId) {
        for seat in self.everyone() {
            if (0..self.stripes).any(|stripe| self.feeder(seat, stripe) == Some(source)) {
                continue;
            }
            let Some(member) = self.member_mut(seat).filter(|member| member.met(source)) else { continue };
            member.forget(source);
            let peer = member.peer;
            self.say(peer, FromTracker::Gone { peer: source });
        }
    }

    /// Feeds that a restarted tracker was told of, by peers that have not come back: dropped once.
    pub(super) fn drop_strangers(&mut self, now: Timestamp) {
        if self.settled || self.is_returning(now) {
            return;
        }
        self.settled = true;
        let strangers = self.everyone();
        let strangers = strangers.into_iter().filter(|&seat| self.member(seat).is_some_and(|m| !m.present));
        for stranger in strangers.collect::<Vec<_>>() {
            self.vacate(now, stranger);
        }
    }

    fn is_returning(&self, now: Timestamp) -> bool {
        self.started.is_none_or(|started| now.since(started) < RETURN_GRACE)
    }
}
