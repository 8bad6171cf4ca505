//! What the engine does with the tracker's messages, and how links come and go.

use std::time::Duration;

use wire::session::{Fault, FromPeer, FromTracker, Join, Refusal, SharingRule, Signal, Welcome};
use wire::{Epoch, Frame, JOIN_POINT, PeerId, StripeSet, Verifier};

use crate::engine::{Attempt, Offline, QUIET, Session, Swarm};
use crate::neighbor::Neighbor;
use crate::repair::Repair;
use crate::store::Store;
use crate::{Output, Role, Timestamp, Violation};

/// The budget for making links is counted over this long.
const BUDGET_WINDOW: Duration = Duration::from_secs(3600);

impl Swarm {
    pub(crate) fn session_opened(&mut self, now: Timestamp) {
        self.session = Session::Joining;
        if self.identity.role != Role::Viewer {
            return;
        }
        self.clock.ask(now);
        let report = self.own_report();
        self.tell(FromPeer::Join(Join {
            version: wire::VERSION,
            channel: self.identity.channel.clone(),
            secret: self.identity.secret,
            sharing: self.sharing && !self.locked,
            consent: self.config.consent,
            token: self.config.pass.as_ref().or(self.config.token.as_ref()).cloned(),
            links: report.links,
            feeds: report.feeds,
        }));
        self.neighbors.insert(PeerId::RELAY, Neighbor::new(now, PeerId::RELAY, Role::Relay));
        let fed = self.fed_at.is_some_and(|fed_at| now.since(fed_at) < QUIET);
        if fed {
            self.reconsider_feeds(now);
        } else if !self.locked {
            self.ask_relay_for_all(now);
        }
    }

    /// The relay's answer comes right behind the welcome: one round trip to the first piece.
    fn ask_relay_for_all(&mut self, now: Timestamp) {
        let stripes = StripeSet::all(self.stripes());
        self.feeds.joined(now, PeerId::RELAY, stripes);
        if let Some(relay) = self.neighbors.get_mut(&PeerId::RELAY) {
            relay.feeds = stripes;
        }
        self.send(PeerId::RELAY, &Frame::Subscribe { stripes, from: JOIN_POINT });
    }

    pub(crate) fn session_closed(&mut self, now: Timestamp) {
        self.session = Session::Closed;
        if self.identity.role != Role::Relay {
            self.link_closed(now, PeerId::RELAY);
        }
    }

    pub(crate) fn told(&mut self, now: Timestamp, message: FromTracker) {
        match message {
            FromTracker::Hello { time_ms, .. } => {
                self.clock.guess(now, time_ms);
                if self.identity.role == Role::Source {
                    self.clock.ask(now);
                }
            }
            FromTracker::Welcome(welcome) => self.welcomed(now, welcome),
            FromTracker::Link { peers } => peers.into_iter().for_each(|peer| self.open_link(now, peer)),
            FromTracker::Parents { stripes } => {
                self.feeds.assign(stripes);
                self.reconsider_feeds(now);
            }
            FromTracker::Signal { from, signal } => self.signalled(now, from, signal),
            FromTracker::Time { time_ms } => self.clock.answer(now, time_ms),
            FromTracker::Gone { peer } => self.gone(now, peer),
            FromTracker::Live { epoch, source } => {
                self.offline = None;
                self.source = source.or(self.source);
                self.enter(now, epoch);
            }
            FromTracker::Offline { ended } => {
                self.offline = Some(Offline { ended, seen: self.assembly.delivered > 0, since: now });
            }
            FromTracker::Viewers { count } => self.viewers = count,
            FromTracker::Refused { code: Refusal::UnknownChannel, .. } => {
                self.offline = Some(Offline { ended: true, seen: false, since: now });
            }
            FromTracker::Refused { code: Refusal::TokenRefused, .. } => self.config.pass = None,
            FromTracker::Refused { .. } => {}
        }
    }

    fn welcomed(&mut self, now: Timestamp, welcome: Welcome) {
        let pinned = self.identity.expected.or(self.channel());
        let verifier =
            Verifier::new(welcome.channel).ok().filter(|_| pinned.is_none_or(|id| id == welcome.channel));
        let Some(verifier) = verifier else {
            // The tracker offers another broadcaster's channel, or nobody's.
            return self
                .push_output(Output::Violation { peer: PeerId::RELAY, violation: Violation::WrongChannel });
        };
        self.verifier = Some(verifier);
        self.session = Session::Welcomed;
        self.read_clock_again(now);
        self.clock.answer(now, welcome.time_ms);
        self.viewers = welcome.viewers;
        self.asked = welcome.sharing == Some(SharingRule::Ask);
        // A token is good once, and not for long.
        self.config.pass = welcome.pass.or(self.config.pass.take());
        self.source = welcome.source.or(self.source);
        let away = Offline { ended: true, seen: false, since: now };
        self.offline = welcome.epoch.is_none().then_some(away);
        if let Some(epoch) = welcome.epoch {
            self.enter(now, epoch);
        }
        if self.identity.role == Role::Relay {
            self.attach_source(now);
        }
    }

    /// Relay only: takes all stripes from the source, once it is known and linked.
    fn attach_source(&mut self, now: Timestamp) {
        let Some(source) = self.source.and_then(|source| self.neighbors.get_mut(&source)) else { return };
        source.role = Role::Source;
        let (peer, stripes) = (source.peer, StripeSet(u16::MAX));
        source.feeds = stripes;
        self.feeds.joined(now, peer, stripes);
        let from = self.store.newest().map_or(JOIN_POINT, |newest| newest.saturating_add(1));
        self.send(peer, &Frame::Subscribe { stripes, from });
    }

    /// Another broadcast: its numbers and its timeline start anew. Links and subscriptions stay.
    pub(crate) fn enter(&mut self, now: Timestamp, epoch: Epoch) {
        if self.epoch.is_some_and(|current| current >= epoch) {
            return;
        }
        self.epoch = Some(epoch);
        self.unlock();
        self.headers.clear();
        self.shown_generation = None;
        self.store = Store::default();
        self.assembly.restart();
        self.repair = Repair::default();
        self.playhead = None;
        self.feeds.restart(now);
        self.neighbors.values_mut().for_each(Neighbor::restart);
    }

    fn open_link(&mut self, now: Timestamp, peer: PeerId) {
        let known = self.neighbors.contains_key(&peer) || self.links.opening.contains_key(&peer);
        if known || peer == self.peer {
            return;
        }
        if !self.may_link(now, peer) {
            let stripes = StripeSet::EMPTY;
            return self.tell(FromPeer::Orphaned { stripes, failed: peer, fault: Fault::Unlinked });
        }
        self.links.opening.insert(peer, Attempt { since: now, ours: true });
        self.links.created.push_back(now);
        self.push_output(Output::OpenLink { peer });
    }

    /// Within the budgets, with sharing on, and not with a peer that broke the rules.
    fn may_link(&mut self, now: Timestamp, peer: PeerId) -> bool {
        let created = &mut self.links.created;
        while created.front().is_some_and(|&at| now.since(at) > BUDGET_WINDOW) {
            created.pop_front();
        }
        if self.neighbors.len() + self.links.opening.len() >= self.config.links_max {
            self.part_from_one(now);
        }
        let links = self.neighbors.len() + self.links.opening.len();
        self.sharing
            && !self.locked
            && peer != PeerId::RELAY
            && !self.links.banned.contains_key(&peer)
            && links < self.config.links_max
            && self.links.created.len() < self.config.link_creations_per_hour
    }

    /// Makes room for a link: the neighbor of longest ago that nothing is pushed to or by is parted from, one that stands
    /// by only if there is no other.
    fn part_from_one(&mut self, now: Timestamp) {
        let idle = |neighbor: &&Neighbor| {
            neighbor.role == Role::Viewer && neighbor.pushes.is_empty() && neighbor.feeds.is_empty()
        };
        let idle = self.neighbors.values().filter(idle);
        let idle = idle.min_by_key(|neighbor| (self.feeds.names(neighbor.peer), neighbor.since));
        if let Some(peer) = idle.map(|neighbor| neighbor.peer) {
            self.push_output(Output::CloseLink { peer });
            self.link_closed(now, peer);
        }
    }

    fn signalled(&mut self, now: Timestamp, peer: PeerId, signal: Signal) {
        if let Signal::Offer { .. } = signal {
            if self.neighbors.contains_key(&peer) {
                // The other side has lost the link and starts anew.
                self.push_output(Output::CloseLink { peer });
                self.link_closed(now, peer);
            }
            let ours = self.links.opening.get(&peer).is_some_and(|attempt| attempt.ours);
            if ours && self.peer < peer {
                // Offers have crossed: that of the lower id stands.
                return;
            }
            if ours {
                self.links.opening.insert(peer, Attempt { since: now, ours: false });
            } else if !self.links.opening.contains_key(&peer) {
                if !self.may_link(now, peer) {
                    return self.tell(FromPeer::Signal { to: peer, signal: Signal::Declined });
                }
                self.links.opening.insert(peer, Attempt { since: now, ours: false });
                self.links.created.push_back(now);
            }
        }
        if signal == Signal::Declined {
            self.link_closed(now, peer);
        }
        self.push_output(Output::Signal { peer, signal });
    }

    pub(crate) fn link_opened(&mut self, now: Timestamp, peer: PeerId) {
        self.links.opening.remove(&peer);
        if self.locked && peer != PeerId::RELAY {
            return self.push_output(Output::CloseLink { peer });
        }
        let role = match self.source {
            _ if peer == PeerId::RELAY => Role::Relay,
            Some(source) if source == peer => Role::Source,
            _ => Role::Viewer,
        };
        self.neighbors.insert(peer, Neighbor::new(now, peer, role));
        match self.identity.role {
            Role::Relay if role == Role::Source => self.attach_source(now),
            Role::Viewer => {
                self.reconsider_feeds(now);
                self.report_soon(now);
            }
            _ => {}
        }
    }

    pub(crate) fn link_closed(&mut self, now: Timestamp, peer: PeerId) {
        if self.links.opening.remove(&peer).is_some() {
            let stripes = StripeSet::EMPTY;
            self.tell(FromPeer::Orphaned { stripes, failed: peer, fault: Fault::Unlinked });
        }
        let stripes = self.feeds_of(peer);
        if self.neighbors.remove(&peer).is_none() {
            return;
        }
        if !stripes.is_empty() && peer != PeerId::RELAY {
            self.tell(FromPeer::Orphaned { stripes, failed: peer, fault: Fault::Lost });
        }
        self.feeds.lost(peer);
        self.repair.lost(peer);
        if self.identity.role == Role::Viewer {
            self.reconsider_feeds(now);
            self.report_soon(now);
        }
    }

    fn gone(&mut self, now: Timestamp, peer: PeerId) {
        self.links.opening.remove(&peer);
        if self.neighbors.contains_key(&peer) {
            self.push_output(Output::CloseLink { peer });
            self.link_closed(now, peer);
        }
    }

    pub(crate) fn set_sharing(&mut self, now: Timestamp, on: bool) {
        self.config.consent |= on && self.asked;
        if std::mem::replace(&mut self.sharing, on) == on {
            return;
        }
        if self.locked {
            return;
        }
        self.tell(FromPeer::Sharing { on });
        if on {
            return;
        }
        self.feeds.assign(Vec::new());
        self.close_links(now);
    }

    /// All but the way to the relay.
    pub(crate) fn close_links(&mut self, now: Timestamp) {
        let direct: Vec<_> = self.neighbors.keys().chain(self.links.opening.keys()).copied().collect();
        for peer in direct.into_iter().filter(|&peer| peer != PeerId::RELAY) {
            self.push_output(Output::CloseLink { peer });
            self.links.opening.remove(&peer);
            self.link_closed(now, peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::PeerSecret;

    use super::*;
    use crate::{Config, Identity, Input};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    /// What is brought to the next session.
    fn brought(swarm: &mut Swarm) -> Option<String> {
        for input in [Input::SessionClosed, Input::SessionOpened] {
            swarm.handle(NOW, input);
        }
        let said = std::iter::from_fn(|| swarm.poll_output());
        let join = |output| if let Output::Tell(FromPeer::Join(join)) = output { Some(join) } else { None };
        said.filter_map(join).last().unwrap().token
    }

    #[test]
    fn a_pass_goes_before_the_token_until_it_is_refused() {
        let text = |text: &str| Some(text.to_owned());
        let (role, secret) = (Role::Viewer, PeerSecret([1; 16]));
        let identity = Identity { role, secret, channel: "club".into(), expected: None };
        let config = Config { token: text("token"), pass: text("pass"), ..Config::default() };
        let mut swarm = Swarm::new(config, identity, 1);
        assert_eq!(brought(&mut swarm), text("pass"));
        let refused = |code| Input::Told(FromTracker::Refused { code, message: String::new() });
        swarm.handle(NOW, refused(Refusal::Busy));
        assert_eq!(brought(&mut swarm), text("pass"));
        swarm.handle(NOW, refused(Refusal::TokenRefused));
        assert_eq!(brought(&mut swarm), text("token"));
    }
}
