//! The making and losing of links, as browsers do: offer and answer through the tracker, then the handshake.

use swarm::Input;
use wire::PeerId;
use wire::session::Signal;

use crate::sim::event::Event;
use crate::sim::flow::Kind;
use crate::sim::model::*;
use crate::sim::network::FlowId;
use crate::sim::world::{TRACKER, World};

/// One peer's side of a link, open or to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkEnd {
    pub(super) peer: PeerId,
    pub(super) place: u32,
    /// The attempt, by which both sides know it.
    pub(super) number: u32,
    offered: bool,
    /// Towards the other side, once it is open.
    flow: Option<FlowId>,
}

impl World {
    pub(super) fn link_flow(&self, who: u32, to: PeerId) -> Option<FlowId> {
        self.peers[who as usize].links.iter().find(|link| link.peer == to)?.flow
    }

    /// A connection object and its offer.
    pub(super) fn open_link(&mut self, who: u32, to: PeerId) {
        if self.peers[who as usize].links.iter().any(|link| link.peer == to) {
            return;
        }
        self.attempts += 1;
        let number = self.attempts;
        self.measure.links_tried += 1;
        let input = if self.make(who, to, number, true) {
            Input::Signal { peer: to, signal: Signal::Offer { sdp: number.to_string() } }
        } else {
            Input::LinkClosed { peer: to }
        };
        self.note(who, input);
    }

    fn make(&mut self, who: u32, to: PeerId, number: u32, offered: bool) -> bool {
        let Some(&place) = self.places.get(&to) else { return false };
        let peer = &mut self.peers[who as usize];
        if peer.links.len() >= LINKS_AT_ONCE_MAX || peer.links_made >= LINKS_MADE_MAX {
            return false;
        }
        peer.links_made += 1;
        peer.links.push(LinkEnd { peer: to, place, number, offered, flow: None });
        self.agenda.after(LINK_OPEN_MAX, Event::LinkGone { who, number, unopened: true });
        true
    }

    /// Tells an engine that is being asked for its decisions already.
    fn note(&mut self, who: u32, input: Input) {
        self.feed(who, input);
    }

    /// Takes what the other side of a link made.
    pub(super) fn signalled(&mut self, who: u32, from: PeerId, signal: Signal) {
        match signal {
            Signal::Offer { sdp } => self.offered(who, from, &sdp),
            Signal::Answer { sdp } => self.answered(who, from, &sdp),
            Signal::Declined => {
                if self.forget(who, from).is_some() {
                    self.note(who, Input::LinkClosed { peer: from });
                }
            }
            Signal::Candidate { .. } => {}
        }
    }

    fn offered(&mut self, who: u32, from: PeerId, sdp: &str) {
        self.close_link(who, from);
        let Ok(number) = sdp.parse() else { return };
        if self.make(who, from, number, false) {
            self.note(who, Input::Signal { peer: from, signal: Signal::Answer { sdp: sdp.to_owned() } });
        } else {
            self.note(who, Input::Signal { peer: from, signal: Signal::Declined });
            self.note(who, Input::LinkClosed { peer: from });
        }
    }

    /// The handshake begins, if packets can pass at all.
    fn answered(&mut self, who: u32, from: PeerId, sdp: &str) {
        let links = &self.peers[who as usize].links;
        let mine = links.iter().find(|link| link.peer == from && link.offered && link.flow.is_none());
        let Some((place, number)) = mine.map(|link| (link.place, link.number)) else { return };
        let hosts = &self.network.hosts;
        let reachable = hosts[who as usize].nat.reaches(hosts[place as usize].nat);
        if sdp.parse() != Ok(number) || !reachable {
            return;
        }
        let mut handshake = LINK_ROUND_TRIPS * 2 * self.delay(who, place);
        for _ in 0..HANDSHAKE_PACKETS {
            if self.random.chance(self.setup.loss_share()) {
                handshake += HANDSHAKE_RETRY;
            }
        }
        self.agenda.after(handshake, Event::LinkUp { from: who, to: place, number });
    }

    pub(super) fn link_up(&mut self, from: u32, to: u32, number: u32) {
        let holds = |who: u32| self.peers[who as usize].links.iter().position(|link| link.number == number);
        let (Some(ours), Some(theirs)) = (holds(from), holds(to)) else { return };
        let (there, back) = self.network.open(Kind::Link, from, to, self.delay(from, to));
        self.peers[from as usize].links[ours].flow = Some(there);
        self.peers[to as usize].links[theirs].flow = Some(back);
        self.measure.links_opened += 1;
        let (from_id, to_id) = (self.peers[from as usize].id, self.peers[to as usize].id);
        self.tell(from, Input::LinkOpened { peer: to_id });
        self.tell(to, Input::LinkOpened { peer: from_id });
    }

    /// This side closes a link. The other side hears of it, if it was open.
    pub(super) fn close_link(&mut self, who: u32, peer: PeerId) {
        if peer == PeerId::RELAY {
            return;
        }
        let Some(link) = self.forget(who, peer) else { return };
        if link.flow.is_some() {
            let gone = Event::LinkGone { who: link.place, number: link.number, unopened: false };
            self.agenda.after(self.delay(who, link.place), gone);
        }
    }

    fn forget(&mut self, who: u32, peer: PeerId) -> Option<LinkEnd> {
        let links = &mut self.peers[who as usize].links;
        let at = links.iter().position(|link| link.peer == peer)?;
        let link = links.swap_remove(at);
        if let Some(flow) = link.flow {
            self.network.close(flow);
        }
        Some(link)
    }

    /// A link is lost, or has not opened in time.
    pub(super) fn link_gone(&mut self, who: u32, number: u32, unopened: bool) {
        debug_assert_ne!(who, TRACKER);
        let link = self.peers[who as usize].links.iter().find(|link| link.number == number).copied();
        let Some(link) = link.filter(|link| !unopened || link.flow.is_none()) else { return };
        self.forget(who, link.peer);
        self.tell(who, Input::LinkClosed { peer: link.peer });
    }
}
