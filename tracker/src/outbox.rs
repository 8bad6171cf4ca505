//! What waits to be sent on one session: bounded in bytes, filled by its channel, emptied by its writer.
//!
//! Text never waits behind frames. Who reads too slowly for its text is told so and let go.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use wire::session::{FromTracker, Refusal};

use crate::config::Limits;

/// Unsent frames below this many bytes are as good as none: no need to tell the engine of each single one.
const WORTH_TELLING_BYTES: usize = 16 << 10;

/// One message for the writer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outgoing {
    /// A message of the tracker protocol.
    Text(String),
    /// A frame of the peer protocol.
    Frame(Bytes),
}

/// Both ends' view of the queue.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Woken when there is something to write.
    reader: AtomicWaker,
    text_bytes_max: usize,
    frame_bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    texts: VecDeque<String>,
    text_bytes: usize,
    frames: VecDeque<Bytes>,
    /// The frame that is being written counts until it is gone.
    frame_bytes: usize,
    /// Frame bytes that the engine was last told of.
    told_bytes: usize,
    closed: bool,
    /// Closed because its peer does not take what is in it.
    overflowed: bool,
}

/// The channel's end. Dropping it ends the session.
#[derive(Debug)]
pub(crate) struct Outbox {
    shared: Arc<Shared>,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct OutboxReader {
    shared: Arc<Shared>,
}

/// A queue for one session.
pub(crate) fn outbox(limits: &Limits) -> (Outbox, OutboxReader) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        reader: AtomicWaker::new(),
        text_bytes_max: limits.queued_text_bytes_max,
        frame_bytes_max: limits.queued_frame_bytes_max,
    });
    (Outbox { shared: Arc::clone(&shared) }, OutboxReader { shared })
}

impl Outbox {
    /// Queues a message. A queue over its limit is closed instead.
    pub(crate) fn say(&self, message: &FromTracker) {
        let text = message.to_text();
        let mut state = self.shared.lock();
        if state.closed {
            return;
        }
        if state.text_bytes + text.len() > self.shared.text_bytes_max {
            state.overflow();
        } else {
            state.text_bytes += text.len();
            state.texts.push_back(text);
        }
        self.shared.reader.wake();
    }

    /// Queues a message of another peer's, for which half of the room is kept: strangers cannot fill the queue that
    /// the tracker's own messages need. What does not fit is dropped, and the other peer tries again.
    pub(crate) fn pass_on(&self, message: &FromTracker) {
        if self.shared.lock().text_bytes <= self.shared.text_bytes_max / 2 {
            self.say(message);
        }
    }

    /// Queues a frame. A queue over its limit is closed instead.
    pub(crate) fn send(&self, frame: Bytes) {
        let mut state = self.shared.lock();
        if state.closed {
            return;
        }
        if state.frame_bytes + frame.len() > self.shared.frame_bytes_max {
            state.overflow();
        } else {
            state.frame_bytes += frame.len();
            state.frames.push_back(frame);
        }
        self.shared.reader.wake();
    }

    /// What to tell the engine: unsent bytes of frames.
    pub(crate) fn unsent_bytes(&self) -> usize {
        let mut state = self.shared.lock();
        let bytes = if state.frame_bytes < WORTH_TELLING_BYTES { 0 } else { state.frame_bytes };
        state.told_bytes = bytes;
        bytes
    }

    /// Says why, then ends the session. Frames that wait are dropped.
    pub(crate) fn refuse(self, code: Refusal, message: impl Into<String>) {
        self.shared.close(Some(FromTracker::Refused { code, message: message.into() }));
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.shared.close(None);
    }
}

impl OutboxReader {
    /// Ready when there is something to write, or nothing will come any more.
    pub(crate) fn poll_queued(&self, context: &mut Context<'_>) -> Poll<()> {
        // Registered before the look, so that nothing is missed between.
        self.shared.reader.register(context.waker());
        let state = self.shared.lock();
        let nothing = state.texts.is_empty() && state.frames.is_empty() && !state.closed;
        if nothing { Poll::Pending } else { Poll::Ready(()) }
    }

    /// The next message to write, texts first.
    pub(crate) fn take(&self) -> Option<Outgoing> {
        let mut state = self.shared.lock();
        if let Some(text) = state.texts.pop_front() {
            state.text_bytes -= text.len();
            state.free_what_is_empty();
            return Some(Outgoing::Text(text));
        }
        let frame = state.frames.pop_front();
        state.free_what_is_empty();
        frame.map(Outgoing::Frame)
    }

    /// Closed, and all is taken.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.shared.lock();
        state.closed && state.texts.is_empty() && state.frames.is_empty()
    }

    /// So many bytes of frames are gone. Whether the engine should hear of it now.
    pub(crate) fn sent(&self, bytes: usize) -> bool {
        let mut state = self.shared.lock();
        state.frame_bytes = state.frame_bytes.saturating_sub(bytes);
        let fallen = state.told_bytes > 0 && state.frame_bytes <= state.told_bytes / 2;
        if fallen {
            // Told once: the engine's answer counts anew.
            state.told_bytes = 0;
        }
        fallen
    }

    /// Whether the session ends because its peer is too slow.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.shared.lock().overflowed
    }

    /// As [`Outbox::refuse`], from the session's side.
    pub(crate) fn refuse(&self, code: Refusal, message: impl Into<String>) {
        self.shared.close(Some(FromTracker::Refused { code, message: message.into() }));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, last_words: Option<FromTracker>) {
        self.lock().close(last_words);
        self.reader.wake();
    }
}

impl State {
    fn overflow(&mut self) {
        self.overflowed = true;
        self.close(Some(too_slow()));
    }

    /// Most queues are empty most of the time, and there are thousands.
    fn free_what_is_empty(&mut self) {
        if self.texts.is_empty() {
            self.texts = VecDeque::new();
        }
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }

    fn close(&mut self, last_words: Option<FromTracker>) {
        if !std::mem::replace(&mut self.closed, true) {
            self.frames.clear();
            self.texts.extend(last_words.map(|message| message.to_text()));
        }
    }
}

fn too_slow() -> FromTracker {
    let message = "This connection is too slow for the messages it is due.".to_owned();
    FromTracker::Refused { code: Refusal::Busy, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> (Outbox, OutboxReader) {
        outbox(&Limits { queued_text_bytes_max: 200, queued_frame_bytes_max: 40 << 10, ..Limits::default() })
    }

    fn viewers(count: u32) -> FromTracker {
        FromTracker::Viewers { count }
    }

    #[tokio::test]
    async fn text_goes_before_frames() {
        let (outbox, reader) = small();
        outbox.send(Bytes::from_static(b"frame"));
        outbox.say(&viewers(1));
        assert_eq!(reader.take(), Some(Outgoing::Text(viewers(1).to_text())));
        assert_eq!(reader.take(), Some(Outgoing::Frame(Bytes::from_static(b"frame"))));
        drop(outbox);
        assert_eq!(reader.take(), None);
    }

    #[tokio::test]
    async fn who_does_not_read_is_told_and_let_go() {
        let (outbox, reader) = small();
        (0..100).for_each(|count| outbox.say(&viewers(count)));
        let mut last = String::new();
        while let Some(Outgoing::Text(text)) = reader.take() {
            last = text;
        }
        assert_eq!(last, too_slow().to_text());
    }

    #[tokio::test]
    async fn strangers_cannot_fill_the_queue() {
        let (outbox, reader) = small();
        (0..100).for_each(|count| outbox.pass_on(&viewers(count)));
        outbox.say(&viewers(100));
        drop(outbox);
        let mut last = String::new();
        while let Some(Outgoing::Text(text)) = reader.take() {
            last = text;
        }
        assert_eq!(last, viewers(100).to_text());
    }

    #[test]
    fn the_engine_hears_of_a_queue_that_falls() {
        let (outbox, reader) = small();
        outbox.send(vec![0; 8 << 10].into());
        assert_eq!(outbox.unsent_bytes(), 0);
        outbox.send(vec![0; 16 << 10].into());
        assert_eq!(outbox.unsent_bytes(), 24 << 10);
        assert!(!reader.sent(8 << 10));
        assert!(reader.sent(16 << 10));
        assert_eq!(outbox.unsent_bytes(), 0);
    }
}
