//! A peer of a WebTorrent tracker: announces itself, makes several offers in one announcement, and answers those of
//! others. <https://github.com/webtorrent/bittorrent-tracker> is the protocol's definition.

use serde_json::{Value, json};

use super::Heard;
use crate::load::sdp::description;

/// All peers are in one swarm. Twenty characters.
const INFO_HASH: &str = "swarmcast-load-bench";

/// One peer.
pub struct Leecher {
    number: u64,
    said: u64,
    is_known: bool,
}

impl Leecher {
    pub(super) fn new(number: u64) -> Self {
        Leecher { number, said: 0, is_known: false }
    }

    /// The announcement with so many offers.
    pub(super) fn announce(&mut self, offers: usize) -> String {
        let event = if self.is_known { "update" } else { "started" };
        let numbers: Vec<u64> = (0..offers).map(|_| self.next_number()).collect();
        let offer = |number: &u64| {
            json!({
                "offer": { "type": "offer", "sdp": description(*number) },
                "offer_id": format!("{number:020}"),
            })
        };
        let announce = json!({
            "action": "announce", "info_hash": INFO_HASH, "peer_id": self.peer_id(), "left": 1_000_000,
            "event": event, "numwant": offers, "offers": numbers.iter().map(offer).collect::<Vec<_>>(),
        });
        announce.to_string()
    }

    pub(super) fn hear(&mut self, text: &str) -> Heard {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return Heard::Other };
        if message.get("offer").is_some() {
            let sdp = description(self.next_number());
            let answer = json!({
                "action": "announce", "info_hash": INFO_HASH, "peer_id": self.peer_id(), "left": 1_000_000,
                "to_peer_id": message["peer_id"], "offer_id": message["offer_id"],
                "answer": { "type": "answer", "sdp": sdp },
            });
            return Heard::Offer { answer: answer.to_string() };
        }
        if message.get("answer").is_some() {
            return Heard::Answer;
        }
        if message.get("failure reason").is_some() {
            return Heard::Refused;
        }
        match std::mem::replace(&mut self.is_known, true) {
            false => Heard::Welcome,
            true => Heard::Other,
        }
    }

    /// A number that no other signal has.
    fn next_number(&mut self) -> u64 {
        self.said += 1;
        self.number << 20 | self.said
    }

    fn peer_id(&self) -> String {
        format!("{:020}", self.number)
    }
}
