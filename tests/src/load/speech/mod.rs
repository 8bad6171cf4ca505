//! What a peer says to a tracker, and what it makes of the answers: this project's protocol, or WebTorrent's.

mod swarmcast;
mod webtorrent;

use clap::ValueEnum;
use swarmcast::Viewer;
use webtorrent::Leecher;

/// Peers that one peer offers to in a round: as many as a WebTorrent client offers at once.
pub const OFFERS_A_ROUND: usize = 5;

/// The protocol that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// This project's tracker.
    Swarmcast,
    /// A WebTorrent tracker: `aquatic_ws`.
    Webtorrent,
}

/// One peer's side of the conversation.
pub enum Speech {
    /// To this project's tracker.
    Viewer(Viewer),
    /// To a WebTorrent tracker.
    Leecher(Leecher),
}

/// What a text from the tracker means.
pub enum Heard {
    /// The peer was let in.
    Welcome,
    /// Here are peers to link with.
    Neighbors,
    /// Another peer offers a link; this is the answer to say.
    Offer {
        /// For the tracker to pass on.
        answer: String,
    },
    /// Another peer has answered.
    Answer,
    /// How many watch: told to all, at the tracker's leisure.
    Count,
    /// Turned away, with a reason.
    Refused,
    /// Anything else.
    Other,
}

impl Speech {
    /// Of peer `number`.
    pub fn new(dialect: Dialect, number: u64) -> Self {
        match dialect {
            Dialect::Swarmcast => Speech::Viewer(Viewer::new(number)),
            Dialect::Webtorrent => Speech::Leecher(Leecher::new(number)),
        }
    }

    /// The first message.
    pub fn join(&mut self) -> String {
        match self {
            Speech::Viewer(viewer) => viewer.join(),
            Speech::Leecher(leecher) => leecher.announce(0),
        }
    }

    /// Reads a text of the tracker.
    pub fn hear(&mut self, text: &str) -> Heard {
        match self {
            Speech::Viewer(viewer) => viewer.hear(text),
            Speech::Leecher(leecher) => leecher.hear(text),
        }
    }

    /// One round of offers: a message each, or all in one.
    pub fn offers(&mut self) -> Vec<String> {
        match self {
            Speech::Viewer(viewer) => viewer.offers(),
            Speech::Leecher(leecher) => vec![leecher.announce(OFFERS_A_ROUND)],
        }
    }
}
