//! Writes down what a participant's observer is shown.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use peer::{Observation, Observer};
use wire::session::FromPeer;
use wire::{Frame, PeerId};

use super::record::{Cause, Complaint, LinkRecord, NeighborTraffic, PieceSent, Traffic, Way};
use super::window::unix_us;

/// The record of one participant, as it grows.
#[derive(Clone, Default)]
pub struct Recorder {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    traffic: Traffic,
    places: HashMap<PeerId, usize>,
    arrived: HashSet<u32>,
    refused: HashMap<PeerId, u64>,
}

/// A complaint follows a refusal at once.
const AT_ONCE_US: u64 = 20_000;

/// A push within this time before a complaint: the parent had fed, and fell silent.
const LATELY_US: u64 = 3_000_000;

impl Recorder {
    /// For the participant that is to be recorded.
    pub fn observer(&self) -> Observer {
        let recorder = self.clone();
        Box::new(move |what| recorder.state().note(unix_us(), what))
    }

    /// Bytes of frames other than pieces sent so far.
    pub fn control_sent(&self) -> u64 {
        self.state().traffic.control_sent
    }

    /// All so far; the record starts anew.
    pub fn take(&self) -> Traffic {
        std::mem::take(&mut *self.state()).traffic
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, at_us: u64, what: Observation<'_>) {
        match what {
            Observation::Opening { peer, offers } => {
                let link = LinkRecord { offers, began_us: at_us, ..LinkRecord::default() };
                self.neighbor(peer).links.push(link);
            }
            Observation::Opened { peer } => self.with_link(peer, |link| link.opened_us = Some(at_us)),
            Observation::Closed { peer, .. } => self.with_link(peer, |link| link.closed_us = Some(at_us)),
            Observation::Sent { peer, lane, frame, unsent_bytes, dropped } => match piece_number(frame) {
                None => self.traffic.control_sent += frame.len() as u64,
                Some(_) if dropped => self.neighbor(peer).dropped += 1,
                Some(seq) => {
                    let sent = PieceSent { seq, way: lane.into(), at_us, unsent_bytes };
                    self.neighbor(peer).sent.push(sent);
                }
            },
            Observation::Told { message: FromPeer::Orphaned { stripes, failed, .. } }
                if !stripes.is_empty() =>
            {
                let cause = self.cause(*failed, at_us);
                self.traffic.complaints.push(Complaint { about: failed.to_string(), at_us, cause });
            }
            Observation::Told { .. } => {}
            Observation::Received { peer, lane, frame } => match Frame::decode(frame.clone()) {
                Ok(Frame::Piece(piece)) => self.received(peer, lane.into(), piece.header.seq, at_us),
                Ok(Frame::Refuse { .. }) => drop(self.refused.insert(peer, at_us)),
                _ => {}
            },
        }
    }

    fn received(&mut self, peer: PeerId, way: Way, seq: u32, at_us: u64) {
        if self.arrived.insert(seq) {
            self.traffic.arrivals.push((seq, at_us));
        }
        self.neighbor(peer).received.push((seq, way, at_us));
    }

    fn cause(&mut self, peer: PeerId, at_us: u64) -> Cause {
        let since = |past_us: u64| at_us.saturating_sub(past_us);
        if self.refused.get(&peer).is_some_and(|&refused_us| since(refused_us) < AT_ONCE_US) {
            return Cause::Refused;
        }
        let mut pushed = self.neighbor(peer).received.iter().rev().filter(|(_, way, _)| *way == Way::Eager);
        let lately = pushed.next().is_some_and(|&(_, _, pushed_us)| since(pushed_us) < LATELY_US);
        if lately { Cause::FellSilent } else { Cause::NeverFed }
    }

    fn with_link(&mut self, peer: PeerId, act: impl FnOnce(&mut LinkRecord)) {
        if let Some(link) = self.neighbor(peer).links.last_mut() {
            act(link);
        }
    }

    fn neighbor(&mut self, peer: PeerId) -> &mut NeighborTraffic {
        let neighbors = &mut self.traffic.neighbors;
        let at = *self.places.entry(peer).or_insert_with(|| {
            neighbors.push(NeighborTraffic { peer: peer.to_string(), ..NeighborTraffic::default() });
            neighbors.len() - 1
        });
        &mut neighbors[at]
    }
}

fn piece_number(frame: &Bytes) -> Option<u32> {
    match Frame::decode(frame.clone()) {
        Ok(Frame::Piece(piece)) => Some(piece.header.seq),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use wire::{Epoch, Piece, PieceHeader, Signer, StripeSet};

    use super::*;

    fn piece(seq: u32) -> Bytes {
        let header = PieceHeader {
            epoch: Epoch(1),
            seq,
            chunk: 0,
            index: 0,
            count: 1,
            generation: 0,
            time_ms: 0,
            duration_ms: 100,
            keyframe: true,
        };
        Piece::sign(header, b"payload", &Signer::from_seed(&[1; 32])).frame().clone()
    }

    #[test]
    fn the_first_arrival_counts_and_every_copy_is_kept() {
        let recorder = Recorder::default();
        let mut observer = recorder.observer();
        let frame = piece(7);
        for peer in [PeerId(1), PeerId(2)] {
            observer(Observation::Received { peer, lane: None, frame: &frame });
        }
        let traffic = recorder.take();
        assert_eq!(traffic.arrivals.len(), 1);
        assert_eq!(traffic.neighbors.iter().map(|neighbor| neighbor.received.len()).sum::<usize>(), 2);
    }

    #[test]
    fn what_is_no_piece_is_control() {
        let recorder = Recorder::default();
        let frame = Frame::Unsubscribe { stripes: StripeSet::all(6) }.encode();
        let sent =
            Observation::Sent { peer: PeerId(1), lane: None, frame: &frame, unsent_bytes: 0, dropped: false };
        recorder.observer()(sent);
        assert_eq!(recorder.control_sent(), 3);
    }
}
