//! A viewer of this project's tracker: joins a live channel, and offers to whom it is told to link with.

use wire::session::{FromPeer, FromTracker, Join, Signal};
use wire::{PeerId, PeerSecret};

use super::{Heard, OFFERS_A_ROUND};
use crate::load::sdp::description;
use crate::load::source::CHANNEL;

/// One viewer.
pub struct Viewer {
    number: u64,
    said: u64,
    neighbors: Vec<PeerId>,
}

impl Viewer {
    pub(super) fn new(number: u64) -> Self {
        Viewer { number, said: 0, neighbors: Vec::new() }
    }

    pub(super) fn join(&self) -> String {
        let mut secret = [0xa5; 16];
        secret[..8].copy_from_slice(&self.number.to_be_bytes());
        let join = Join {
            version: wire::VERSION,
            channel: CHANNEL.to_owned(),
            secret: PeerSecret(secret),
            sharing: true,
            consent: false,
            token: None,
            links: Vec::new(),
            feeds: Vec::new(),
        };
        FromPeer::Join(join).to_text()
    }

    pub(super) fn hear(&mut self, text: &str) -> Heard {
        match FromTracker::parse(text) {
            Ok(FromTracker::Welcome(_)) => Heard::Welcome,
            Ok(FromTracker::Link { peers }) => {
                self.meet(peers);
                Heard::Neighbors
            }
            Ok(FromTracker::Signal { from, signal: Signal::Offer { .. } }) => {
                let sdp = self.description();
                let signal = Signal::Answer { sdp };
                Heard::Offer { answer: FromPeer::Signal { to: from, signal }.to_text() }
            }
            Ok(FromTracker::Signal { signal: Signal::Answer { .. }, .. }) => Heard::Answer,
            Ok(FromTracker::Viewers { .. }) => Heard::Count,
            Ok(FromTracker::Refused { .. }) => Heard::Refused,
            _ => Heard::Other,
        }
    }

    /// To the newest acquaintances: those met first may have been told by somebody else to link.
    pub(super) fn offers(&mut self) -> Vec<String> {
        let to: Vec<PeerId> = self.neighbors.iter().rev().take(OFFERS_A_ROUND).copied().collect();
        let offers = to.into_iter().map(|to| {
            let signal = Signal::Offer { sdp: self.description() };
            FromPeer::Signal { to, signal }.to_text()
        });
        offers.collect()
    }

    /// The broadcaster takes part in links, but the one of this program answers nobody.
    fn meet(&mut self, peers: Vec<PeerId>) {
        let source = wire::Signer::from_seed(&[7; 32]).peer_secret().peer();
        self.neighbors.extend(peers.into_iter().filter(|peer| *peer != source));
    }

    fn description(&mut self) -> String {
        self.said += 1;
        description(self.number << 20 | self.said)
    }
}
