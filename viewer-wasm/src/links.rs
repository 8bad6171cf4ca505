//! All links of this viewer: who is being linked to, and who is linked.

use bytes::Bytes;
use js_sys::{Array, JSON, Object, Reflect};
use swarm::{Input, Lane};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::RtcIceServer;
use wire::PeerId;
use wire::session::Signal;

use crate::clock;
use crate::event::{LinkEvent, Mailbox};
use crate::link::Link;

/// Connections at once. The engine asks for about half of it; offers of others come on top.
const LINKS_MAX: usize = 32;

/// Connections made in the life of a page: at about 500 Chromium makes no more.
const CREATIONS_MAX: u32 = 450;

/// The links of one viewer.
pub(crate) struct Links {
    mailbox: Mailbox,
    /// One for each peer; so few that looking through them costs nothing.
    links: Vec<Link>,
    ice_servers: Array,
    sharing: bool,
    created: u32,
    /// Addresses of this machine that the browser has found for links.
    pub candidates_gathered: u32,
}

impl Links {
    pub(crate) fn new(sharing: bool, mailbox: &Mailbox) -> Self {
        Links {
            mailbox: mailbox.clone(),
            links: Vec::new(),
            ice_servers: Array::new(),
            sharing,
            created: 0,
            candidates_gathered: 0,
        }
    }

    /// Where to learn one's own address from, and who relays where there is no direct way: the tracker's STUN server,
    /// and what its welcome says of TURN, which is the browser's to read.
    pub(crate) fn use_servers(&mut self, host: Option<&str>, stun_port: Option<u16>, welcome: &str) {
        self.ice_servers = Array::new();
        if let (Some(host), Some(port)) = (host, stun_port) {
            let server = RtcIceServer::new();
            server.set_urls(&format!("stun:{host}:{port}").into());
            self.ice_servers.push(&server);
        }
        let turn = JSON::parse(welcome).and_then(|welcome| Reflect::get(&welcome, &"turn".into()));
        if let Ok(turn) = turn.and_then(JsValue::dyn_into::<Object>) {
            self.ice_servers.push(&turn);
        }
    }

    /// Off: closes all, and makes none from here on.
    #[cfg(not(feature = "studio"))]
    pub(crate) fn set_sharing(&mut self, on: bool) -> Vec<Input> {
        self.sharing = on;
        let closed = if on { Vec::new() } else { std::mem::take(&mut self.links) };
        closed.iter().map(|link| Input::LinkClosed { peer: link.peer }).collect()
    }

    /// Makes a link and offers it. `None`, or the news that it cannot be.
    pub(crate) fn open(&mut self, peer: PeerId) -> Option<Input> {
        if self.link(peer).is_some() {
            return None;
        }
        match self.make(peer) {
            Some(link) => link.offer(),
            None => return Some(Input::LinkClosed { peer }),
        }
        None
    }

    pub(crate) fn close(&mut self, peer: PeerId) {
        self.links.retain(|link| link.peer != peer);
    }

    fn link(&mut self, peer: PeerId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.peer == peer)
    }

    /// Takes what the other side of a link made.
    pub(crate) fn signalled(&mut self, peer: PeerId, signal: Signal) -> Vec<Input> {
        match signal {
            Signal::Offer { sdp } => return self.offered(peer, &sdp),
            Signal::Answer { sdp } => {
                if let Some(link) = self.link(peer) {
                    link.answered(&sdp);
                }
            }
            Signal::Candidate { candidate } => {
                if let Some(link) = self.link(peer) {
                    link.add_candidate(candidate);
                }
            }
            Signal::Declined => return self.lose(peer),
        }
        Vec::new()
    }

    /// Answers. The engine has settled which of two crossed offers stands, so any earlier attempt is void.
    fn offered(&mut self, peer: PeerId, sdp: &str) -> Vec<Input> {
        self.close(peer);
        match self.make(peer) {
            Some(link) => {
                link.answer(sdp);
                Vec::new()
            }
            None => vec![Input::Signal { peer, signal: Signal::Declined }, Input::LinkClosed { peer }],
        }
    }

    fn make(&mut self, peer: PeerId) -> Option<&mut Link> {
        if !self.sharing || self.links.len() >= LINKS_MAX || self.created >= CREATIONS_MAX {
            return None;
        }
        self.created += 1;
        let link = Link::new(peer, self.created, &self.ice_servers, clock::now_ms(), &self.mailbox).ok()?;
        self.links.push(link);
        self.links.last_mut()
    }

    /// Takes note of what happened on a link.
    pub(crate) fn handle(&mut self, peer: PeerId, number: u32, what: LinkEvent) -> Vec<Input> {
        let Some(link) = self.link(peer).filter(|link| link.number == number) else {
            return Vec::new();
        };
        match what {
            LinkEvent::Signal(signal) => {
                self.candidates_gathered += u32::from(matches!(signal, Signal::Candidate { .. }));
                vec![Input::Signal { peer, signal }]
            }
            LinkEvent::ChannelOpened if link.opens() => opened(peer, link),
            LinkEvent::ChannelOpened => Vec::new(),
            LinkEvent::Frame(bytes) => received(peer, link, bytes),
            LinkEvent::Drained => vec![Input::Queued { peer, bytes: link.queued() }],
            LinkEvent::State if !link.is_lost(clock::now_ms()) => Vec::new(),
            LinkEvent::State | LinkEvent::Failed | LinkEvent::ChannelClosed => self.lose(peer),
        }
    }

    /// Gives up links that do not open, or have lost contact.
    pub(crate) fn review(&mut self) -> Vec<Input> {
        let now_ms = clock::now_ms();
        let lost = self.links.iter_mut().filter_map(|link| link.is_lost(now_ms).then_some(link.peer));
        let lost: Vec<PeerId> = lost.collect();
        lost.into_iter().flat_map(|peer| self.lose(peer)).collect()
    }

    fn lose(&mut self, peer: PeerId) -> Vec<Input> {
        let before = self.links.len();
        self.close(peer);
        if self.links.len() < before { vec![Input::LinkClosed { peer }] } else { Vec::new() }
    }

    pub(crate) fn send(&self, peer: PeerId, lane: Lane, frame: &[u8]) {
        if let Some(link) = self.links.iter().find(|link| link.peer == peer) {
            link.send(lane, frame);
        }
    }

    /// Bytes that the link has not yet handed to the network.
    pub(crate) fn queued(&self, peer: PeerId) -> usize {
        self.links.iter().find(|link| link.peer == peer).map_or(0, Link::queued)
    }
}

fn opened(peer: PeerId, link: &mut Link) -> Vec<Input> {
    // Whoever sends through a TURN server sends twice, and others have better parents.
    let leaf = link.is_relayed().then_some(Input::UploadCap(0.0));
    let frames = link.early_frames().into_iter().map(|bytes| Input::Frame { peer, bytes });
    leaf.into_iter().chain([Input::LinkOpened { peer }]).chain(frames).collect()
}

fn received(peer: PeerId, link: &mut Link, bytes: Bytes) -> Vec<Input> {
    if !link.open {
        link.keep_early(bytes);
        return Vec::new();
    }
    vec![Input::Frame { peer, bytes }]
}
