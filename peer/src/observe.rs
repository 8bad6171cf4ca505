//! What a participant lets an onlooker see of its links: for measurements of how the real transport behaves.

use bytes::Bytes;
use wire::PeerId;
use wire::session::FromPeer;

use crate::transport::{CloseReason, Lane};

/// Is shown everything that a participant does with its links, as it happens. It must not take long: the participant
/// waits for it.
pub type Observer = Box<dyn FnMut(Observation<'_>) + Send>;

/// One thing that happened. A `lane` of `None` is the session: the way to the relay.
#[derive(Debug, Clone, Copy)]
pub enum Observation<'a> {
    /// A link is being made.
    Opening {
        /// With whom.
        peer: PeerId,
        /// This side makes the offer.
        offers: bool,
    },
    /// Both lanes of a link are open.
    Opened {
        /// With whom.
        peer: PeerId,
    },
    /// A link is gone, other than by the engine's own decision.
    Closed {
        /// With whom.
        peer: PeerId,
        /// Why; `None`: it could not be begun, or the other end declined.
        why: Option<CloseReason>,
    },
    /// A frame was handed to the transport.
    Sent {
        /// To whom.
        peer: PeerId,
        /// On which lane.
        lane: Option<Lane>,
        /// The whole frame.
        frame: &'a Bytes,
        /// Bytes that the link holds now and the other end has not acknowledged (on a session: not yet taken by
        /// the system), this frame included.
        unsent_bytes: usize,
        /// There was no room, and the frame is lost.
        dropped: bool,
    },
    /// The tracker was told something, if it can hear.
    Told {
        /// What.
        message: &'a FromPeer,
    },
    /// A frame has come.
    Received {
        /// From whom.
        peer: PeerId,
        /// On which lane.
        lane: Option<Lane>,
        /// The whole frame. Nothing in it is checked yet.
        frame: &'a Bytes,
    },
}
