//! The table of WebRTC links: makes them when the engine says so, carries signals and frames.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use tokio::sync::mpsc;
use wire::PeerId;
use wire::session::Signal;

use crate::transport::{Endpoint, Lane, Link, LinkEvent, LinkEvents, SendRefused};

/// Control frames that wait for a link with a full buffer; more means that it carries nothing.
const CONTROL_WAITING_MAX: usize = 512;

/// Candidates that wait for a link which is being made.
const CANDIDATES_WAITING_MAX: usize = 32;

/// Events of all links that wait to be handled.
const EVENTS_MAX: usize = 1024;

/// What happens to links.
#[derive(Debug)]
pub(crate) enum LinksEvent {
    /// A description for the other end.
    Described {
        peer: PeerId,
        number: u64,
        link: Link,
        signal: Signal,
    },
    /// The link cannot be made.
    Failed {
        peer: PeerId,
        number: u64,
    },
    Happened {
        peer: PeerId,
        number: u64,
        event: LinkEvent,
    },
}

/// In place of what the engine was last told is unsent: something was sent since, and it counts that itself until it
/// is told. Also where all is gone again by the next look.
pub(crate) const UNTOLD_BYTES: usize = usize::MAX;

/// One entry: a link, or the making of one. The number tells it from an earlier one to the same peer.
struct Entry {
    number: u64,
    link: Option<Link>,
    control_waiting: VecDeque<Bytes>,
    candidates_waiting: Vec<String>,
    reported_bytes: usize,
}

impl Entry {
    fn unsent_bytes(&self) -> usize {
        let waiting: usize = self.control_waiting.iter().map(Bytes::len).sum();
        self.link.as_ref().map_or(0, Link::buffered) + waiting
    }
}

/// All links of one participant.
pub(crate) struct Links {
    endpoint: Option<Endpoint>,
    entries: BTreeMap<PeerId, Entry>,
    next_number: u64,
    events: mpsc::Sender<LinksEvent>,
}

impl Links {
    pub(crate) fn new(endpoint: Option<Endpoint>) -> (Self, mpsc::Receiver<LinksEvent>) {
        let (events, events_end) = mpsc::channel(EVENTS_MAX);
        (Links { endpoint, entries: BTreeMap::new(), next_number: 0, events }, events_end)
    }

    /// Offers a link to `peer`.
    pub(crate) fn open(&mut self, peer: PeerId) {
        self.begin(peer, None);
    }

    /// Takes a signal from `peer`.
    pub(crate) fn signal(&mut self, peer: PeerId, signal: Signal) {
        match signal {
            Signal::Offer { sdp } => self.begin(peer, Some(sdp)),
            Signal::Answer { sdp } => {
                if let Some(link) = self.entries.get(&peer).and_then(|entry| entry.link.clone()) {
                    // A bad answer closes the link, which is told as an event.
                    tokio::spawn(async move { link.accept_answer(sdp).await });
                }
            }
            Signal::Candidate { candidate } => match self.entries.get_mut(&peer) {
                Some(Entry { link: Some(link), .. }) => {
                    let link = link.clone();
                    tokio::spawn(async move { link.add_candidate(candidate).await });
                }
                Some(entry) if entry.candidates_waiting.len() < CANDIDATES_WAITING_MAX => {
                    entry.candidates_waiting.push(candidate);
                }
                _ => {}
            },
            Signal::Declined => self.close(peer),
        }
    }

    fn begin(&mut self, peer: PeerId, offer: Option<String>) {
        self.next_number += 1;
        let number = self.next_number;
        let entry = Entry {
            number,
            link: None,
            control_waiting: VecDeque::new(),
            candidates_waiting: Vec::new(),
            reported_bytes: 0,
        };
        self.entries.insert(peer, entry);
        let (endpoint, events) = (self.endpoint.clone(), self.events.clone());
        tokio::spawn(async move {
            let begun = match (endpoint, offer) {
                (None, _) => None,
                (Some(endpoint), Some(sdp)) => {
                    endpoint.answer(sdp).await.ok().map(|(l, e, sdp)| (l, e, Signal::Answer { sdp }))
                }
                (Some(endpoint), None) => {
                    endpoint.offer().await.ok().map(|(l, e, sdp)| (l, e, Signal::Offer { sdp }))
                }
            };
            let Some((link, link_events, signal)) = begun else {
                // Nobody listens any more only if the participant has ended.
                let _ = events.send(LinksEvent::Failed { peer, number }).await;
                return;
            };
            if events.send(LinksEvent::Described { peer, number, link, signal }).await.is_ok() {
                forward(peer, number, link_events, events).await;
            }
        });
    }

    /// The description is there: keeps the link, unless it has been given up meanwhile.
    pub(crate) fn described(&mut self, peer: PeerId, number: u64, link: Link) -> bool {
        let Some(entry) = self.entries.get_mut(&peer).filter(|entry| entry.number == number) else {
            link.close();
            return false;
        };
        for candidate in entry.candidates_waiting.drain(..) {
            let link = link.clone();
            tokio::spawn(async move { link.add_candidate(candidate).await });
        }
        entry.link = Some(link);
        true
    }

    /// Whether an event is about the present link to `peer`.
    pub(crate) fn is_current(&self, peer: PeerId, number: u64) -> bool {
        self.entries.get(&peer).is_some_and(|entry| entry.number == number)
    }

    pub(crate) fn close(&mut self, peer: PeerId) {
        if let Some(link) = self.entries.remove(&peer).and_then(|entry| entry.link) {
            link.close();
        }
    }

    /// Sends a frame. A pushed piece that finds no room is dropped, anything else waits. Whether it was not dropped.
    pub(crate) fn send(&mut self, peer: PeerId, lane: Lane, frame: Bytes) -> bool {
        let Some(entry) = self.entries.get_mut(&peer) else { return false };
        let Some(link) = &entry.link else { return false };
        entry.reported_bytes = UNTOLD_BYTES;
        // Control frames keep their order, so behind one that waits all wait.
        let in_line = lane == Lane::Control && !entry.control_waiting.is_empty();
        let refused = in_line || link.try_send(lane, frame.clone()) == Err(SendRefused::Full);
        if refused && lane == Lane::Control {
            entry.control_waiting.push_back(frame);
        }
        if entry.control_waiting.len() > CONTROL_WAITING_MAX {
            link.close();
        }
        !refused || lane == Lane::Control
    }

    /// Bytes that the link to `peer` holds, or that wait for it.
    pub(crate) fn unsent_bytes(&self, peer: PeerId) -> usize {
        self.entries.get(&peer).map_or(0, Entry::unsent_bytes)
    }

    /// Sends what waits for `peer`.
    fn retry(entry: &mut Entry) {
        let Some(link) = &entry.link else { return };
        while let Some(frame) = entry.control_waiting.pop_front() {
            if link.try_send(Lane::Control, frame.clone()) == Err(SendRefused::Full) {
                entry.control_waiting.push_front(frame);
                return;
            }
        }
    }

    /// Links whose unsent bytes have changed since they were last told, and those bytes.
    pub(crate) fn queued(&mut self) -> Vec<(PeerId, usize)> {
        let mut changed = Vec::new();
        for (&peer, entry) in &mut self.entries {
            Self::retry(entry);
            let bytes = entry.unsent_bytes();
            if std::mem::replace(&mut entry.reported_bytes, bytes) != bytes {
                changed.push((peer, bytes));
            }
        }
        changed
    }

    /// Whether any link holds bytes, so that it is worth looking again soon.
    pub(crate) fn is_busy(&self) -> bool {
        self.entries.values().any(|entry| entry.reported_bytes > 0)
    }
}

async fn forward(peer: PeerId, number: u64, mut link: LinkEvents, events: mpsc::Sender<LinksEvent>) {
    while let Some(event) = link.next().await {
        if events.send(LinksEvent::Happened { peer, number, event }).await.is_err() {
            return;
        }
    }
}
