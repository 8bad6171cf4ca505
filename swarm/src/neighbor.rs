//! A remote peer that we hold a link to: what it wants, what it holds, and what waits to be sent to it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use wire::{Frame, PeerId, Piece, StripeSet};

use crate::store::{Holdings, Store};
use crate::{Lane, LinkStats, Role, Timestamp, stats};

/// Pieces that may wait for one link: more than a join's burst at 20 Mb/s. The oldest leave first.
const OUTBOX_MAX: usize = 2048;

/// Pieces a second that may come without being asked for: those on their way when a feed is stopped.
const UNSOLICITED_FORGIVEN: u32 = 32;

/// Pieces a second that may come before their stream header.
const UNPROVEN_FORGIVEN: u32 = 4;

/// Time between two pings over the same link.
const PING_EVERY: Duration = Duration::from_secs(1);

/// A new link is pinged more often for a while: what an uplink carries is to be known before more is asked of it.
const PING_EVERY_FIRST: Duration = Duration::from_millis(250);
const FIRST_FOR: Duration = Duration::from_secs(8);

/// Pings after which the quickest way is taken to have become a millisecond longer.
const PINGS_A_CREEP: u32 = 4;

/// Bytes that a message costs besides its content.
const FRAME_OVERHEAD: usize = 16;

/// Acknowledged bytes are compared over at least this long.
const CAPACITY_WINDOW: Duration = Duration::from_secs(1);

/// A piece that waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) seq: u32,
    /// Asked for, so sent reliably.
    pub(crate) repair: bool,
}

/// A link on which pieces wait for longer than this is strained: long against the 100 ms between two pieces of a stripe,
/// short against the lag.
const WAIT_MAX: Duration = Duration::from_millis(400);

/// The same in pieces of each stripe, of which there are ten in a second.
const PIECES_WAITING_MAX: usize = 4;

/// What the other side had got, and what it had been sent, at some time.
#[derive(Debug, Clone, Copy)]
struct Acknowledged {
    received: u64,
    sent: u64,
    at: Timestamp,
}

/// One link's state.
#[derive(Debug)]
pub(crate) struct Neighbor {
    pub(crate) peer: PeerId,
    pub(crate) role: Role,
    /// Stripes that it wants pushed.
    pub(crate) pushes: StripeSet,
    /// Stripes of which nothing has been pushed since it asked for them.
    pub(crate) unconfirmed: StripeSet,
    /// Stripes that we have asked it to push.
    pub(crate) feeds: StripeSet,
    pub(crate) holdings: Holdings,
    /// When the link opened.
    pub(crate) since: Timestamp,
    /// When it last said anything.
    pub(crate) heard_at: Timestamp,
    pub(crate) rtt: Option<Duration>,
    /// When it is pinged next: links take turns, so that together they see all of a second.
    pub(crate) ping_at: Timestamp,
    /// Least difference between our clock and a ping's time, lately: the way without queues.
    way_least: Option<u32>,
    pongs: u32,
    /// It is not asked for pieces before then.
    pub(crate) rests_until: Timestamp,
    /// Pieces that came without being asked for, lately.
    pub(crate) unsolicited: u32,
    /// Pieces that could not be checked, as their stream header had not come, lately.
    pub(crate) unproven: u32,
    outbox: VecDeque<Outgoing>,
    queued_bytes: usize,
    received_bytes: u64,
    received_pieces_bytes: u64,
    sent_bytes: u64,
    ping: Option<(u32, Timestamp)>,
    acknowledged: Option<Acknowledged>,
    /// Acknowledged upload over the last window, in bits a second.
    pub(crate) acknowledged_bps: u64,
}

impl Neighbor {
    pub(crate) fn new(now: Timestamp, peer: PeerId, role: Role) -> Self {
        Neighbor {
            peer,
            role,
            pushes: StripeSet::EMPTY,
            unconfirmed: StripeSet::EMPTY,
            feeds: StripeSet::EMPTY,
            holdings: Holdings::default(),
            since: now,
            heard_at: now,
            rtt: None,
            ping_at: now,
            way_least: None,
            pongs: 0,
            rests_until: Timestamp::default(),
            unsolicited: 0,
            unproven: 0,
            outbox: VecDeque::new(),
            queued_bytes: 0,
            received_bytes: 0,
            received_pieces_bytes: 0,
            sent_bytes: 0,
            ping: None,
            acknowledged: None,
            acknowledged_bps: 0,
        }
    }

    /// Puts a piece in line. Repairs go first: somebody's playhead waits for them.
    pub(crate) fn enqueue(&mut self, outgoing: Outgoing) {
        if self.outbox.len() >= OUTBOX_MAX {
            self.outbox.pop_front();
        }
        if outgoing.repair {
            let behind = self.outbox.iter().take_while(|waiting| waiting.repair).count();
            self.outbox.insert(behind, outgoing);
        } else {
            self.outbox.push_back(outgoing);
        }
    }

    pub(crate) fn repairs_waiting(&self) -> usize {
        self.outbox.iter().take_while(|waiting| waiting.repair).count()
    }

    /// The next piece that may go now: held, not stale, not known to be there, and within the link's queue.
    pub(crate) fn next_piece(
        &mut self,
        store: &Store,
        queue_bytes: usize,
        stale_ms: u32,
    ) -> Option<(Piece, Lane)> {
        loop {
            if self.outbox.is_empty() {
                return None;
            }
            if self.queued_bytes >= queue_bytes {
                return None;
            }
            let outgoing = self.outbox.pop_front()?;
            let Some(piece) = store.piece(outgoing.seq) else { continue };
            let wanted =
                outgoing.repair || !self.holdings.contains(outgoing.seq) && piece.header.time_ms >= stale_ms;
            if wanted {
                let lane = if outgoing.repair { Lane::Control } else { Lane::Eager };
                self.holdings.insert(piece.header.epoch, outgoing.seq);
                self.sent_bytes += piece.frame().len() as u64;
                self.queued_bytes += piece.frame().len() + FRAME_OVERHEAD;
                return Some((piece.clone(), lane));
            }
        }
    }

    /// The peer has these from elsewhere.
    pub(crate) fn cancel(&mut self, pieces: &[u32]) {
        self.outbox.retain(|waiting| !pieces.contains(&waiting.seq));
    }

    /// Pieces of a stripe that is no longer wanted, or of a broadcast that is over.
    pub(crate) fn drop_waiting(&mut self, stripes: StripeSet, of: u8) {
        let unwanted = |seq: u32| stripes.contains((seq % u32::from(of.max(1))) as u8);
        self.outbox.retain(|waiting| waiting.repair || !unwanted(waiting.seq));
    }

    /// Another broadcast begins: numbers start anew.
    pub(crate) fn restart(&mut self) {
        self.outbox.clear();
        self.holdings = Holdings::default();
    }

    /// A second has passed: some of what came unasked, or unproven, is forgiven.
    pub(crate) fn forgive(&mut self) {
        self.unsolicited = self.unsolicited.saturating_sub(UNSOLICITED_FORGIVEN);
        self.unproven = self.unproven.saturating_sub(UNPROVEN_FORGIVEN);
    }

    pub(crate) fn queued(&mut self, bytes: usize) {
        self.queued_bytes = bytes;
    }

    pub(crate) fn note_received(&mut self, now: Timestamp, frame: &Bytes, is_piece: bool) {
        self.heard_at = now;
        self.received_bytes += frame.len() as u64;
        if is_piece {
            self.received_pieces_bytes += frame.len() as u64;
        }
    }

    pub(crate) fn ping(&mut self, now: Timestamp, nonce: u32) -> Frame {
        self.ping = Some((nonce, now));
        let is_new = now.since(self.since) < FIRST_FOR;
        self.ping_at = now + if is_new { PING_EVERY_FIRST } else { PING_EVERY };
        Frame::Ping { nonce, received: self.received_bytes, sent_ms: now.as_millis() as u32 }
    }

    /// Answers a ping that was noticed up to `own_delay` late, and says how long it waited in queues.
    pub(crate) fn pong(
        &mut self,
        now: Timestamp,
        own_delay: Duration,
        nonce: u32,
        received: u64,
        sent_ms: u32,
    ) -> Frame {
        self.acknowledge(now, received);
        // The clocks have nothing to do with each other: only changes of the difference mean something.
        let way = (now.as_millis() as u32).wrapping_sub(sent_ms);
        let least = *self.way_least.get_or_insert(way);
        let late = way.wrapping_sub(least) as i32;
        // It creeps up, so that a way that has become longer is not taken for a queue for ever.
        self.pongs += 1;
        let creeps = u32::from(self.pongs.is_multiple_of(PINGS_A_CREEP));
        self.way_least = Some(if late < 0 { way } else { least.wrapping_add(creeps) });
        let late = i64::from(late) - own_delay.as_millis() as i64;
        Frame::Pong { nonce, received: self.received_bytes, late_ms: late.clamp(0, u16::MAX.into()) as u16 }
    }

    pub(crate) fn ponged(&mut self, now: Timestamp, nonce: u32, received: u64) {
        if let Some((_, sent)) = self.ping.take_if(|(expected, _)| *expected == nonce) {
            let sample = now.since(sent);
            self.rtt = Some(self.rtt.map_or(sample, |rtt| (rtt * 7 + sample) / 8));
        }
        self.acknowledge(now, received);
    }

    /// Pieces that wait before the link.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// What is pushed over the link waits before it, at `stripe_bps` for each stripe of a broadcast of `all`.
    pub(crate) fn is_strained(&self, stripe_bps: u64, all: StripeSet) -> bool {
        let waiting = self.outbox.iter().filter(|waiting| !waiting.repair).count();
        let pushed = self.pushes.intersection(all).len();
        let pushed_bps = stripe_bps * pushed as u64;
        let queued = Duration::from_micros(self.queued_bytes as u64 * 8_000_000 / pushed_bps.max(1));
        waiting > PIECES_WAITING_MAX * pushed || queued > WAIT_MAX
    }

    /// The other side says what it got; more than it was sent is not believed.
    fn acknowledge(&mut self, now: Timestamp, received: u64) {
        let present = Acknowledged { received, sent: self.sent_bytes, at: now };
        let before = *self.acknowledged.get_or_insert(present);
        let elapsed = now.since(before.at);
        if elapsed < CAPACITY_WINDOW {
            return;
        }
        let bytes = received.saturating_sub(before.received).min(self.sent_bytes - before.sent);
        self.acknowledged_bps = bytes.saturating_mul(8_000_000) / elapsed.as_micros().max(1) as u64;
        self.acknowledged = Some(present);
    }

    /// The link, in a broadcast of `all` stripes.
    pub(crate) fn stats(&self, all: StripeSet) -> LinkStats {
        LinkStats {
            peer: self.peer,
            kind: self.role,
            stripes_in: stats::list(self.feeds.intersection(all)),
            stripes_out: stats::list(self.pushes.intersection(all)),
            rtt_ms: self.rtt.map(|rtt| rtt.as_millis() as u32),
            received_bytes: self.received_pieces_bytes,
            sent_bytes: self.sent_bytes,
        }
    }
}
