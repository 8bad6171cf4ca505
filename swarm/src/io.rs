//! The engine's edges: what goes in, what comes out, who it is and how it is set.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use wire::session::{FromPeer, FromTracker, Signal};
use wire::{ChannelId, MediaKey, PeerId, PeerSecret, Piece, StreamHeader};

use crate::Chunk;

/// What a participant is in its swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The broadcaster: pieces start here.
    Source,
    /// Takes one copy from the source and serves whoever has no better neighbor.
    Relay,
    /// Watches, and passes on.
    Viewer,
}

/// Who a participant is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// What it does.
    pub role: Role,
    /// Proves its peer id to the tracker.
    pub secret: PeerSecret,
    /// The channel, as a viewer asks for it: a name, or an id.
    pub channel: String,
    /// The channel's id where it is known beforehand (a link that carries it, the broadcaster's own): a tracker
    /// that names another one is not believed.
    pub expected: Option<ChannelId>,
}

/// How a participant behaves. Defaults carry their reasons.
#[derive(Debug, Clone)]
pub struct Config {
    /// Pieces kept, in media time: the window in which neighbors repair one another, and what can be re-joined.
    pub store_ms: u32,
    /// Pieces kept, in bytes, whatever their time says: 12 s at 20 Mb/s.
    pub store_bytes: usize,
    /// Bytes that a link's transport may hold unsent before pieces wait in the engine, where stale ones are dropped:
    /// 400 ms of a stripe at 3 Mb/s. What is in there holds up all that follows.
    pub link_queue_bytes: usize,
    /// The same of a session to the relay, which carries all stripes and a joining peer's first seconds; and of the
    /// source's links, whose transport counts what is on its way as well.
    pub session_queue_bytes: usize,
    /// A missing piece is asked of a neighbor at most this long after it was due on its stripe; sooner where the stripe
    /// is punctual.
    pub repair_after: Duration,
    /// And of another neighbor when the first has not sent it in this time.
    pub repair_again_after: Duration,
    /// And of the relay when its deadline is this near.
    pub relay_before_deadline: Duration,
    /// A stripe whose feed is silent for this long, while newer pieces are known to exist, gets another parent.
    pub feed_silence: Duration,
    /// Links at once; beyond them, idle ones make room. The Roster asks for 12 to 18, and for one to each child.
    pub links_max: usize,
    /// Links made in an hour: a tab dies of about 500 in its life.
    pub link_creations_per_hour: usize,
    /// Upload cap, in multiples of the stream's bitrate.
    pub upload_cap_x: f32,
    /// Media that a joining peer is given at once, at least, where the memory reaches that far: less means a
    /// stall at the first hiccup, more means a later first frame.
    pub join_buffer_ms: u32,
    /// Bits a second that all links together may send; `None`: no budget. For a relay.
    pub egress_max_bps: Option<u64>,
    /// Direct children that a source feeds in each stripe, the relay not counted. Three copies of the bitrate in all.
    pub source_copies_max: usize,
    /// Opens what a private channel sends, for a viewer that has its key.
    pub media_key: Option<MediaKey>,
    /// The viewer has agreed to share, which counts where the channel's owner has viewers asked.
    pub consent: bool,
    /// Lets a viewer in where the channel's owner asks for a token.
    pub token: Option<String>,
    /// What the tracker gave this peer for a token: goes before it, until the tracker refuses it.
    pub pass: Option<String>,
    /// For a simulator, in which thousands of engines are handed the very same bytes: whether a signed frame at this
    /// place in memory is known to be the broadcaster's. `None`: every signature is checked.
    pub proven: Option<fn(&Bytes) -> bool>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            store_ms: 12_000,
            store_bytes: 32 << 20,
            link_queue_bytes: 16 << 10,
            session_queue_bytes: 64 << 10,
            repair_after: Duration::from_millis(250),
            repair_again_after: Duration::from_millis(250),
            relay_before_deadline: Duration::from_millis(600),
            feed_silence: Duration::from_millis(600),
            links_max: 28,
            link_creations_per_hour: 200,
            upload_cap_x: 4.0,
            join_buffer_ms: 700,
            egress_max_bps: None,
            source_copies_max: 2,
            media_key: None,
            consent: false,
            token: None,
            pass: None,
            proven: None,
        }
    }
}

/// Which of a link's two data channels. A relay's WebSocket has one lane and ignores this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Unordered, not retransmitted for long: pieces pushed along stripes.
    Eager,
    /// Ordered and reliable: everything else, repairs included.
    Control,
}

/// What happened, told to the engine.
#[derive(Debug, Clone)]
pub enum Input {
    /// The session to the tracker is open. A viewer's engine joins; a broadcaster's shell announces by itself.
    SessionOpened,
    /// The session to the tracker is lost, and with it the way to the relay.
    SessionClosed,
    /// The tracker said something. A relay's shell tells its engine [`FromTracker::Welcome`] when the source comes.
    Told(FromTracker),
    /// Both data channels of a link are open (at a relay: a session exists).
    LinkOpened {
        /// With whom.
        peer: PeerId,
    },
    /// A link is lost, or was never made.
    LinkClosed {
        /// With whom.
        peer: PeerId,
    },
    /// A message came over a link; from [`PeerId::RELAY`]: a binary message on the session.
    Frame {
        /// From whom.
        peer: PeerId,
        /// The whole message.
        bytes: Bytes,
    },
    /// How much a link's transport still holds unsent. Told after sends, and when it falls.
    Queued {
        /// With whom.
        peer: PeerId,
        /// Bytes.
        bytes: usize,
    },
    /// The transport made this for the peer at the other end of a link to be.
    Signal {
        /// For whom.
        peer: PeerId,
        /// What.
        signal: Signal,
    },
    /// Source only: one more piece, signed.
    Publish(Piece),
    /// Source only: a stream header, and its signed frame. Comes before the first piece that needs it.
    PublishStream(StreamHeader, Bytes),
    /// Source only: the programme has ended.
    PublishEnd,
    /// The viewer switched sharing on or off.
    Sharing(bool),
    /// The viewer chose how much to pass on at most, in multiples of the stream's bitrate; 0: nothing.
    UploadCap(f32),
    /// What the viewer's screen shows.
    Playhead {
        /// Media time shown, in milliseconds since the epoch.
        media_ms: u32,
        /// The picture stands still for want of media.
        stalled: bool,
    },
    /// Unix time in milliseconds by the machine's own clock, where it has one: told at the start, and after a sleep. A
    /// delegation's end is held against it, and against the tracker's time only without it.
    UnixTime(u64),
    /// The time that [`poll_timeout`](crate::Swarm::poll_timeout) named has come. Early or late does no harm.
    Wake,
}

/// What to do, decided by the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a message over a link; to [`PeerId::RELAY`]: as a binary message on the session.
    Send {
        /// To whom.
        peer: PeerId,
        /// On which data channel.
        lane: Lane,
        /// The message.
        frame: Bytes,
    },
    /// Say this to the tracker.
    Tell(FromPeer),
    /// Make an offer to this peer.
    OpenLink {
        /// To whom.
        peer: PeerId,
    },
    /// Hand this to the transport: it is from the peer at the other end of a link to be. An offer from a peer
    /// without a link is to be answered.
    Signal {
        /// From whom.
        peer: PeerId,
        /// What.
        signal: Signal,
    },
    /// Close the link. [`Input::LinkClosed`] need not follow.
    CloseLink {
        /// With whom.
        peer: PeerId,
    },
    /// Chunks from here on need this header's init segment. Another epoch is another timeline.
    Stream(StreamHeader),
    /// The next chunk to play, in order. A gap before it always ends at a keyframe.
    Chunk(Chunk),
    /// A peer broke the rules. It is dropped already.
    Violation {
        /// Who.
        peer: PeerId,
        /// What it did.
        violation: Violation,
    },
}

/// How a peer broke the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// A message that is none.
    Malformed,
    /// A piece or stream header that the broadcaster did not sign.
    BadSignature,
    /// Far more than it was asked for.
    Flood,
    /// The tracker (named as the relay) offers another channel than the one that was asked for by its key.
    WrongChannel,
}

/// Where a viewer stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No answer from the tracker yet.
    Connecting,
    /// The channel is live; no picture yet.
    FindingPeers,
    /// Playing.
    Live,
    /// The picture stands still for want of media.
    Buffering,
    /// It was live; the tracker or the broadcaster is out of reach, and is being looked for.
    Reconnecting,
    /// What comes is signed by a delegate of the broadcaster's whose time is over (or has not begun, or this machine's
    /// clock is wrong): it is not played.
    Lapsed,
    /// The channel is private, and the key that would open it is missing, or another: nothing is asked for.
    Locked,
    /// What was watched here has come to its end.
    Ended,
    /// The channel is not live.
    Offline,
}
