//! What the engine does with its neighbors' frames: check, keep, pass on, hand to the player, answer.

use bytes::Bytes;
use wire::session::{Fault, FromPeer};
use wire::{Epoch, Frame, JOIN_POINT, PeerId, Piece, StreamHeader, StripeSet};

use crate::authority::Proof;
use crate::engine::{Session, Swarm};
use crate::neighbor::{Neighbor, Outgoing};
use crate::{Lane, Output, Role, Timestamp, Violation};

/// A neighbor's HAVE is believed this far ahead of what is held: two seconds at 250 pieces a second.
const HAVE_AHEAD_MAX: u32 = 512;

/// A new feed counts as delivering with pieces at most this much older than the newest held.
const RECENT_MS: u32 = 900;

/// Pieces of each stripe that a new subscriber is pushed at once: the newest.
const CATCH_UP_ROUNDS: u32 = 3;

/// Feeds that a source gives twice for a moment, while one viewer takes another's place.
const HANDOVERS: usize = 3;

/// A viewer whose picture stands still waits this long for what is missing before it goes on behind it: a repair
/// takes two round trips.
const STALL_PATIENCE_MS: i64 = 300;

/// Pieces that nobody asked for, beyond which a neighbor floods. A stopped feed has some on their way.
const UNSOLICITED_MAX: u32 = 256;

/// Pieces of generations whose header has not come, beyond which a neighbor makes them up: what overtakes a header that
/// is lost once and sent again.
const UNPROVEN_MAX: u32 = 64;

impl Swarm {
    pub(crate) fn frame(&mut self, now: Timestamp, peer: PeerId, bytes: Bytes) {
        if !self.neighbors.contains_key(&peer) {
            return;
        }
        let frame = match Frame::decode(bytes.clone()) {
            Ok(frame) => frame,
            Err(_) => return self.violated(now, peer, Violation::Malformed),
        };
        let is_piece = matches!(frame, Frame::Piece(_));
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            neighbor.note_received(now, &bytes, is_piece);
        }
        if !is_piece {
            self.control_bytes += bytes.len() as u64;
        }
        match frame {
            Frame::Piece(piece) => self.piece(now, peer, piece),
            Frame::Stream(header, frame) => self.take_header(now, header, frame, Some(peer)),
            Frame::Have { epoch, base, bitmap } => self.have(now, peer, epoch, base, &bitmap),
            Frame::Subscribe { stripes, from } => self.subscribed(now, peer, stripes, from),
            Frame::Unsubscribe { stripes } => self.unsubscribed(peer, stripes),
            Frame::Refuse { stripes } => self.refused(now, peer, stripes),
            Frame::Request { epoch, pieces } => self.requested(now, peer, epoch, &pieces),
            Frame::Cancel { pieces } => self.with_neighbor(peer, |neighbor| neighbor.cancel(&pieces)),
            Frame::Missing { pieces } => self.missing(now, peer, &pieces),
            Frame::Ping { nonce, received, sent_ms } => {
                let own = self.own_delay;
                let pong = self.neighbors.get_mut(&peer).map(|n| n.pong(now, own, nonce, received, sent_ms));
                pong.into_iter().for_each(|pong| self.send(peer, &pong));
            }
            Frame::Pong { nonce, received, late_ms } => {
                let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
                neighbor.ponged(now, nonce, received);
                if peer != PeerId::RELAY || self.identity.role == Role::Source {
                    self.uplink.note(late_ms);
                }
            }
        }
        self.pump(peer);
    }

    fn with_neighbor(&mut self, peer: PeerId, act: impl FnOnce(&mut Neighbor)) {
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            act(neighbor);
        }
    }

    // Stream headers.

    /// Checks, keeps and passes on a stream header. Without `from` it is the source's own.
    pub(crate) fn take_header(
        &mut self,
        now: Timestamp,
        header: StreamHeader,
        frame: Bytes,
        from: Option<PeerId>,
    ) {
        let current = self.epoch == Some(header.epoch);
        let held = current && self.headers.contains_key(&header.generation);
        let past = self.epoch.is_some_and(|epoch| header.epoch < epoch);
        let ignored = held || past || self.locked && current;
        let Some(channel) = self.verifier.as_ref().filter(|_| !ignored) else { return };
        let generation = match self.prove_header(now, channel, header, frame) {
            Ok(generation) => generation,
            Err(Proof::Forged) => {
                self.pieces.rejected += 1;
                return from.into_iter().for_each(|peer| self.violated(now, peer, Violation::BadSignature));
            }
            Err(_) => {
                self.lapsed = true;
                return;
            }
        };
        self.lapsed = false;
        let (header, frame) = (generation.header.clone(), generation.frame.clone());
        self.enter(now, header.epoch);
        // A tracker that is there knows better than neighbors, who hold what is over for a while.
        if self.session != Session::Welcomed {
            self.offline = None;
        }
        if generation.is_closed_to(self.identity.role) {
            return self.lock(now);
        }
        if self.identity.role == Role::Relay {
            self.push_output(Output::Stream(header.clone()));
        }
        self.headers.insert(header.generation, generation);
        self.keep_headers();
        // Now the cap can be said in bits a second; the Roster plans with it.
        self.report_soon(now);
        let subscribers = self.neighbors.values().filter(|n| !n.pushes.is_empty() && Some(n.peer) != from);
        let subscribers: Vec<_> = subscribers.map(|neighbor| neighbor.peer).collect();
        for peer in subscribers {
            self.push_output(Output::Send { peer, lane: Lane::Control, frame: frame.clone() });
        }
        self.deliver(now);
    }

    // Pieces.

    fn piece(&mut self, now: Timestamp, peer: PeerId, piece: Piece) {
        self.pieces.received += 1;
        let (header, length) = (piece.header, piece.frame().len() as u64);
        let current = self.epoch == Some(header.epoch);
        let duplicate = current && (self.store.contains(header.seq) || header.seq < self.store.floor());
        if duplicate && self.store.piece(header.seq).is_some_and(|held| held.frame() != piece.frame()) {
            // The broadcaster signs a piece once: what differs from the proven one is a lie.
            self.pieces.rejected += 1;
            return self.violated(now, peer, Violation::BadSignature);
        }
        let stripe = header.stripe(self.stripes());
        let asked = self.repair.asked_of(header.seq, peer);
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        match neighbor.role {
            Role::Viewer => self.bytes.viewers += length,
            Role::Source => self.bytes.source += length,
            Role::Relay => self.bytes.relay += length,
        }
        // The relay's late answers are of use as well, and nobody else could take its place.
        if !asked && !neighbor.feeds.contains(stripe) && neighbor.role != Role::Relay {
            neighbor.unsolicited += 1;
            if neighbor.unsolicited > UNSOLICITED_MAX {
                return self.violated(now, peer, Violation::Flood);
            }
        }
        if !current || self.locked {
            return;
        }
        neighbor.holdings.insert(header.epoch, header.seq);
        if duplicate {
            self.bytes.duplicates += length;
            self.pieces.duplicates += 1;
        } else {
            let Some(channel) = &self.verifier else { return };
            match self.prove(now, channel, &piece) {
                Proof::Proven => {}
                Proof::Lapsed => {
                    self.lapsed = true;
                    return;
                }
                Proof::Unknown => return self.unproven(now, peer),
                Proof::Forged => {
                    self.pieces.rejected += 1;
                    return self.violated(now, peer, Violation::BadSignature);
                }
            }
            self.lapsed = false;
            self.pieces.verified += 1;
        }
        if !duplicate && !asked {
            self.feeds.note_lateness(stripe, peer, self.repair.known_for(now, header.seq));
        }
        let proven = !duplicate || self.store.contains(header.seq);
        if proven && !asked && header.time_ms.saturating_add(RECENT_MS) >= self.store.newest_ms() {
            let change = self.feeds.delivered(now, stripe, peer, header.seq);
            self.apply(change.into_iter().collect());
        }
        if !duplicate {
            self.store_piece(now, piece, Some(peer));
            self.resolve_doubt(now, peer, header.seq);
        }
    }

    /// A piece of a generation whose header has not come: it is asked for again when it has. The header travels ahead of
    /// its pieces, so there are few of them, unless a header was refused for its time.
    fn unproven(&mut self, now: Timestamp, peer: PeerId) {
        let Some(neighbor) = self.neighbors.get_mut(&peer).filter(|_| !self.lapsed) else { return };
        neighbor.unproven += 1;
        if neighbor.unproven > UNPROVEN_MAX {
            self.pieces.rejected += 1;
            self.violated(now, peer, Violation::BadSignature);
        }
    }

    /// Keeps a proven piece, passes it along its stripe and plays what it completes.
    pub(crate) fn store_piece(&mut self, now: Timestamp, piece: Piece, from: Option<PeerId>) {
        let header = piece.header;
        if self.epoch != Some(header.epoch)
            || !self.store.insert(piece, self.config.store_ms, self.config.store_bytes)
        {
            return;
        }
        self.fed_at = Some(now);
        self.settle(header.seq, from);
        if self.identity.role == Role::Viewer {
            self.assembly.note(&header);
            self.assembly.trim(self.store.floor());
        }
        if self.identity.role != Role::Source {
            let from = self.assembly.wanted_from().unwrap_or(header.seq);
            self.repair.exists(now, header.seq, from);
            self.repair.arrived(header.seq);
        }
        self.pass_on(header.seq, header.stripe(self.stripes()), header.epoch, from);
        if self.identity.role == Role::Viewer {
            self.deliver(now);
        } else {
            self.repair.forget_below(self.store.floor());
        }
    }

    /// A piece that was asked for has come: from whom it was asked, or from elsewhere.
    fn settle(&mut self, seq: u32, from: Option<PeerId>) {
        let Some(Some(asked)) = self.repair.arrived(seq) else { return };
        if Some(asked) == from {
            self.pieces.repaired += 1;
        } else if self.neighbors.contains_key(&asked) {
            self.send(asked, &Frame::Cancel { pieces: vec![seq] });
        }
    }

    fn pass_on(&mut self, seq: u32, stripe: u8, epoch: Epoch, from: Option<PeerId>) {
        let mut takers = Vec::new();
        for neighbor in self.neighbors.values_mut() {
            let lacks = Some(neighbor.peer) != from && !neighbor.holdings.contains_in(epoch, seq);
            // A new subscriber that has each piece from elsewhere before could not tell this feed from a dead one.
            let confirms = Some(neighbor.peer) != from && neighbor.unconfirmed.contains(stripe);
            if neighbor.pushes.contains(stripe) && (lacks || confirms) {
                neighbor.unconfirmed = neighbor.unconfirmed.without(StripeSet::only(stripe));
                neighbor.enqueue(Outgoing { seq, repair: !lacks });
                takers.push(neighbor.peer);
            }
        }
        takers.into_iter().for_each(|peer| self.pump(peer));
    }

    /// Sends what waits for a neighbor, as far as its link takes it.
    pub(crate) fn pump(&mut self, peer: PeerId) {
        let stale_ms = self.stale_ms();
        let session = peer == PeerId::RELAY || self.identity.role != Role::Viewer;
        let queue_bytes =
            if session { self.config.session_queue_bytes } else { self.config.link_queue_bytes };
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let mut sends = Vec::new();
        while let Some(send) = neighbor.next_piece(&self.store, queue_bytes, stale_ms) {
            sends.push(send);
        }
        for (piece, lane) in sends {
            let frame = piece.frame().clone();
            self.egress.count(frame.len());
            self.uploaded_bytes += frame.len() as u64;
            if peer == PeerId::RELAY {
                self.uploaded_to_relay_bytes += frame.len() as u64;
            }
            self.push_output(Output::Send { peer, lane, frame });
        }
    }

    pub(crate) fn queued(&mut self, peer: PeerId, bytes: usize) {
        self.with_neighbor(peer, |neighbor| neighbor.queued(bytes));
        self.pump(peer);
    }

    pub(crate) fn target_lag_ms(&self) -> i64 {
        self.stream().map_or(1500, |stream| stream.target_lag_ms.into())
    }

    /// Hands whole chunks to the player, in order; leaves out what came too late.
    pub(crate) fn deliver(&mut self, now: Timestamp) {
        if self.identity.role != Role::Viewer {
            return;
        }
        let due_ms = match self.playhead {
            // A playhead that waits before a gap does not come nearer to its end: time does.
            Some(playhead) if playhead.stalled => {
                let late_ms =
                    self.live_ms(now).map_or(0, |live_ms| live_ms - self.target_lag_ms() - STALL_PATIENCE_MS);
                playhead.media_ms.saturating_add(100).max(u32::try_from(late_ms).unwrap_or(0))
            }
            Some(playhead) => {
                playhead.media_ms.saturating_add(now.since(playhead.at).as_millis() as u32 + 100)
            }
            None => self.store.newest_ms().saturating_sub(self.target_lag_ms() as u32),
        };
        self.assembly.skip(due_ms);
        while let Some(generation) = self.assembly.peek() {
            // The header travels reliably, and is on its way when it is not here.
            let Some(held) = self.headers.get(&generation) else { break };
            if self.shown_generation != Some(generation) {
                let header = held.header.clone();
                self.shown_generation = Some(generation);
                self.push_output(Output::Stream(header));
            }
            let Some(chunk) = self.assembly.take(&self.store) else { break };
            let opened = self.headers.get(&generation).and_then(|held| held.open(chunk));
            opened.into_iter().for_each(|chunk| self.push_output(Output::Chunk(chunk)));
        }
        if let Some(wanted) = self.assembly.wanted_from() {
            self.repair.forget_below(wanted.max(self.store.floor()));
        }
    }

    // Requests and subscriptions.

    fn have(&mut self, now: Timestamp, peer: PeerId, epoch: Epoch, base: u32, bitmap: &[u8]) {
        if self.epoch != Some(epoch) {
            return;
        }
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let newest = neighbor.holdings.merge(epoch, base, bitmap);
        let (Some(newest), Some(wanted), Some(held)) =
            (newest, self.assembly.wanted_from(), self.store.newest())
        else {
            return;
        };
        if newest > held && newest - held <= HAVE_AHEAD_MAX {
            self.repair.exists(now, newest, wanted);
        }
    }

    fn subscribed(&mut self, now: Timestamp, peer: PeerId, stripes: StripeSet, from: u32) {
        let all = StripeSet::all(self.stripes());
        let stripes = stripes.intersection(all);
        let already = self.neighbors.get(&peer).map_or(StripeSet::EMPTY, |neighbor| neighbor.pushes);
        let joins = from == JOIN_POINT;
        if !self.can_push(now, peer, stripes.without(already).len(), joins) {
            return self.send(peer, &Frame::Refuse { stripes: stripes.without(already) });
        }
        let headers: Vec<_> = self.headers.values().map(|held| held.frame.clone()).collect();
        for frame in headers {
            self.push_output(Output::Send { peer, lane: Lane::Control, frame });
        }
        let start =
            if joins { self.store.join_point(self.config.join_buffer_ms).unwrap_or(u32::MAX) } else { from };
        // Who does not join anew goes on from where it is. What is older than the last few pieces it asks for, of
        // several: a burst from one would hold up what comes next.
        let newest = self.store.newest().unwrap_or(0);
        let recent = newest.saturating_sub(CATCH_UP_ROUNDS * u32::from(self.stripes()));
        let start = if joins { start } else { start.max(recent) };
        let count = self.stripes();
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.unconfirmed = neighbor.unconfirmed.with(stripes.without(neighbor.pushes));
        neighbor.pushes = neighbor.pushes.with(stripes);
        for piece in self.store.from(start) {
            let seq = piece.header.seq;
            if stripes.contains(piece.header.stripe(count)) && !neighbor.holdings.contains(seq) {
                neighbor.enqueue(Outgoing { seq, repair: joins });
            }
        }
        if self.identity.role == Role::Viewer {
            self.report_soon(now);
        }
    }

    /// Whether `more` stripes can be pushed: by the budget of a relay, by the upload of all others.
    fn can_push(&self, now: Timestamp, peer: PeerId, more: usize, joins: bool) -> bool {
        let pushed = |but: PeerId| -> usize {
            self.neighbors.values().filter(|n| n.peer != but).map(|n| n.pushes.len()).sum()
        };
        let stripes = usize::from(self.stripes());
        match self.identity.role {
            Role::Relay => self.has_egress_for(peer, more, joins),
            Role::Source => {
                peer == PeerId::RELAY
                    || pushed(PeerId::RELAY) + more <= self.config.source_copies_max * stripes + HANDOVERS
            }
            Role::Viewer => {
                let slots = self.upload_slots().min(self.uplink.slots(now));
                // A copy more for a moment, while some of those who are fed change over to others: `keep_within_cap`.
                self.sharing && slots > 0 && pushed(PeerId::RELAY) + more <= slots.saturating_add(stripes)
            }
        }
    }

    /// Stripe feeds that the viewer's upload cap allows at once.
    pub(crate) fn upload_slots(&self) -> usize {
        (self.config.upload_cap_x * f32::from(self.stripes())) as usize
    }

    /// Who is fed beyond a new, lower cap is told to look elsewhere. A broadcaster gives what it has to, whatever the way.
    pub(crate) fn set_upload_cap(&mut self, now: Timestamp, times: f32) {
        if self.identity.role == Role::Source {
            return;
        }
        self.config.upload_cap_x = if times.is_finite() { times.max(0.0) } else { 0.0 };
        self.keep_within_cap();
        self.report_soon(now);
    }

    /// Lets go those who are fed beyond the cap.
    pub(crate) fn keep_within_cap(&mut self) {
        let mut left = self.upload_slots();
        let mut let_go = Vec::new();
        for neighbor in self.neighbors.values_mut() {
            let fed = neighbor.pushes.intersection(StripeSet::all(wire::limits::STRIPES_MAX));
            let kept: StripeSet = fed.iter().take(left).collect();
            left -= kept.len();
            if kept != fed {
                neighbor.pushes = kept;
                let_go.push((neighbor.peer, fed.without(kept)));
            }
        }
        for (peer, stripes) in let_go {
            self.send(peer, &Frame::Refuse { stripes });
        }
    }

    pub(crate) fn unsubscribed(&mut self, peer: PeerId, stripes: StripeSet) {
        let count = self.stripes();
        self.with_neighbor(peer, |neighbor| {
            neighbor.pushes = neighbor.pushes.without(stripes);
            neighbor.drop_waiting(stripes, count);
        });
    }

    fn refused(&mut self, now: Timestamp, peer: PeerId, stripes: StripeSet) {
        self.with_neighbor(peer, |neighbor| neighbor.feeds = neighbor.feeds.without(stripes));
        self.feeds.shun(now, peer, stripes);
        if peer != PeerId::RELAY {
            self.tell(FromPeer::Orphaned { stripes, failed: peer, fault: Fault::Refused });
        }
        if self.identity.role == Role::Viewer {
            self.reconsider_feeds(now);
        }
    }
}
