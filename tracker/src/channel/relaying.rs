//! The relay's budget, as one channel keeps to it: tells the engine its share, and tells viewers who get nothing why.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use swarm::Timestamp;
use wire::session::{Refusal, Report};
use wire::{ChannelId, PeerId};

use super::{ChannelTask, refuse};
use crate::egress::{COUNT_EVERY, Egress};
use crate::refusals::Reason;

/// A viewer that nobody feeds, neither other viewers nor the relay, is told why after this long. 12 s: a link is given
/// up after 10 s, and then another one is tried.
const HUNGRY_MAX: Duration = Duration::from_secs(12);

/// What is remembered of the relay's budget.
#[derive(Debug, Default)]
pub(super) struct Relaying {
    /// When the share is to be looked at again.
    pub(super) review_at: Timestamp,
    /// Viewers that get nothing while the relay takes on nobody, and since when.
    hungry: HashMap<PeerId, Timestamp>,
    /// Relays elsewhere that are members.
    outposts: BTreeSet<PeerId>,
}

impl Relaying {
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.hungry.remove(&peer);
        self.outposts.remove(&peer);
    }

    pub(super) fn is_outpost(&self, peer: PeerId) -> bool {
        self.outposts.contains(&peer)
    }

    /// Whether a viewer has got nothing for too long.
    fn is_starving(&mut self, now: Timestamp, peer: PeerId, hungry: bool) -> bool {
        if !hungry {
            self.hungry.remove(&peer);
            return false;
        }
        now.since(*self.hungry.entry(peer).or_insert(now)) >= HUNGRY_MAX
    }
}

impl ChannelTask {
    /// A member is a relay elsewhere: it is no viewer, and is fed before viewers are. What it can give it reports.
    pub(super) fn take_relay(&mut self, now: Timestamp, peer: PeerId) {
        self.roster.leave(now, peer);
        self.roster.outpost(peer, 0);
        self.relaying.outposts.insert(peer);
        self.relay.relay_linked(now, peer);
    }

    /// Asks for what the channel could use, and gives the engine what it gets. Never sooner than due, however many
    /// come: each time some who are fed beyond the share are let go.
    pub(super) fn review_share_if_due(&mut self, now: Timestamp) {
        if now < self.relaying.review_at {
            return;
        }
        self.relaying.review_at = now + COUNT_EVERY;
        let share = self.shell.egress.share(self.channel, self.relay.wanted_egress_bps());
        self.relay.limit_egress(share.max_bps, share.takes_on);
        self.roster.without_relay(!self.relay.has_room_for_viewer());
    }

    /// Why a viewer that only the relay can feed is not let in; `None`: it is.
    pub(super) fn cannot_feed(&mut self, now: Timestamp, sharing: bool) -> Option<&'static str> {
        self.review_share_if_due(now);
        let alone = !sharing && self.live.is_some();
        (alone && !self.relay.has_room_for_viewer()).then(|| self.shell.egress.why_not())
    }

    /// A viewer has reported. One that gets nothing, and for whom the relay has no room, is told so.
    pub(super) fn note_hunger(&mut self, now: Timestamp, peer: PeerId, report: &Report) {
        let has_feed = report.feeds.iter().flatten().any(|&feed| feed != PeerId::RELAY);
        let hungry = self.live.is_some()
            && self.source != Some(peer)
            && !has_feed
            && self.relay.pushed_to(peer).is_empty()
            && !self.relay.has_room_for_viewer();
        if self.relaying.is_starving(now, peer, hungry) {
            self.ledger.refused(Reason::RelaySpent);
            let member = self.remove(now, peer);
            refuse(member, Refusal::Busy, self.shell.egress.why_not());
        }
    }
}

/// A channel's place in the budget, given back however its task ends.
pub(super) struct Place<'a> {
    pub(super) egress: &'a Egress,
    pub(super) channel: ChannelId,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.egress.leave(self.channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_nothing_is_told_after_a_while_and_who_is_fed_again_is_not() {
        let (mut relaying, viewer) = (Relaying::default(), PeerId(7));
        let mut at = |seconds: u64, hungry| {
            relaying.is_starving(Timestamp::from_millis(seconds * 1000), viewer, hungry)
        };
        assert!(!at(1, true) && !at(12, true) && at(13, true));
        assert!(!at(14, false) && !at(15, true) && at(27, true));
    }
}
