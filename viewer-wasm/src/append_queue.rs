//! What waits to be appended to the SourceBuffer: init segments and chunks in order, bounded, and able to start over
//! at a keyframe. Knows no browser.

use std::collections::VecDeque;

use bytes::Bytes;

/// Bytes that may wait: ten seconds at 20 Mb/s. More means that the browser has stopped taking any.
const WAITING_MAX_BYTES: usize = 24 << 20;

/// Bytes handed over in one append: the chunks of a join in one go, yet no append of a second.
const BATCH_MAX_BYTES: usize = 1 << 20;

/// An init segment and the type of what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Init {
    pub mime: String,
    pub bytes: Bytes,
}

/// One append: the type to change to beforehand, if any, and the bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub mime: Option<String>,
    pub bytes: Vec<u8>,
}

enum Item {
    Init(Init),
    Chunk { bytes: Bytes, keyframe: bool },
}

/// A queue in front of a SourceBuffer.
#[derive(Default)]
pub(crate) struct AppendQueue {
    items: VecDeque<Item>,
    bytes: usize,
    /// The init segment appended last.
    current: Option<Init>,
    /// Nothing can be appended before the next keyframe.
    wants_keyframe: bool,
}

impl AppendQueue {
    /// Another timeline: nothing of before is wanted.
    pub(crate) fn clear(&mut self) {
        *self = AppendQueue { wants_keyframe: true, ..AppendQueue::default() };
    }

    pub(crate) fn push_init(&mut self, init: Init) {
        self.bytes += init.bytes.len();
        self.items.push_back(Item::Init(init));
    }

    pub(crate) fn push_chunk(&mut self, bytes: Bytes, keyframe: bool) {
        if self.wants_keyframe && !keyframe {
            return;
        }
        self.wants_keyframe = false;
        self.bytes += bytes.len();
        self.items.push_back(Item::Chunk { bytes, keyframe });
        if self.bytes > WAITING_MAX_BYTES {
            self.skip_to_last_keyframe();
        }
    }

    /// The next append. An init segment of another type starts a batch of its own.
    pub(crate) fn next(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        while let Some(item) = self.items.front() {
            let length = item.bytes().len();
            let another_type =
                matches!(item, Item::Init(init) if self.current.as_ref().is_none_or(|c| c.mime != init.mime));
            if !batch.bytes.is_empty() && (another_type || batch.bytes.len() + length > BATCH_MAX_BYTES) {
                break;
            }
            batch.bytes.extend_from_slice(item.bytes());
            self.bytes -= length;
            if let Some(Item::Init(init)) = self.items.pop_front() {
                if another_type {
                    batch.mime = Some(init.mime.clone());
                }
                self.current = Some(init);
            }
        }
        (!batch.bytes.is_empty()).then_some(batch)
    }

    /// For a fresh SourceBuffer: begins with the init segment, at the first keyframe that waits or comes.
    pub(crate) fn restart(&mut self) {
        while let Some(item) = self.items.front() {
            if matches!(item, Item::Chunk { keyframe: true, .. }) {
                break;
            }
            self.drop_front();
        }
        self.wants_keyframe = self.items.is_empty();
        if let Some(init) = self.current.take() {
            self.bytes += init.bytes.len();
            self.items.push_front(Item::Init(init));
        }
    }

    /// The browser takes nothing: what waits is old, except for its end.
    fn skip_to_last_keyframe(&mut self) {
        let last = self.items.iter().rposition(|item| matches!(item, Item::Chunk { keyframe: true, .. }));
        let appended = self.current.take();
        (0..last.unwrap_or(self.items.len())).for_each(|_| self.drop_front());
        self.wants_keyframe = last.is_none();
        if let Some(skipped) = std::mem::replace(&mut self.current, appended) {
            self.bytes += skipped.bytes.len();
            self.items.push_front(Item::Init(skipped));
        }
    }

    fn drop_front(&mut self) {
        let Some(item) = self.items.pop_front() else { return };
        self.bytes -= item.bytes().len();
        if let Item::Init(init) = item {
            self.current = Some(init);
        }
    }
}

impl Item {
    fn bytes(&self) -> &Bytes {
        match self {
            Item::Init(init) => &init.bytes,
            Item::Chunk { bytes, .. } => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(mime: &str, bytes: &'static [u8]) -> Init {
        Init { mime: mime.into(), bytes: Bytes::from_static(bytes) }
    }

    fn queue() -> AppendQueue {
        let mut queue = AppendQueue::default();
        queue.clear();
        queue.push_init(init("a", b"I"));
        queue
    }

    fn batch(mime: Option<&str>, bytes: &[u8]) -> Option<Batch> {
        Some(Batch { mime: mime.map(String::from), bytes: bytes.to_vec() })
    }

    #[test]
    fn a_join_is_one_append() {
        let mut queue = queue();
        queue.push_chunk(Bytes::from_static(b"x"), false);
        queue.push_chunk(Bytes::from_static(b"1"), true);
        queue.push_chunk(Bytes::from_static(b"2"), false);
        assert_eq!(queue.next(), batch(Some("a"), b"I12"), "what no keyframe precedes is left out");
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn another_type_waits_for_its_turn() {
        let mut queue = queue();
        queue.push_chunk(Bytes::from_static(b"1"), true);
        queue.push_init(init("a", b"J"));
        queue.push_chunk(Bytes::from_static(b"2"), true);
        queue.push_init(init("b", b"K"));
        queue.push_chunk(Bytes::from_static(b"3"), true);
        assert_eq!(queue.next(), batch(Some("a"), b"I1J2"));
        assert_eq!(queue.next(), batch(Some("b"), b"K3"));
    }

    #[test]
    fn a_restart_begins_with_the_init_segment_at_a_keyframe() {
        let mut queue = queue();
        queue.push_chunk(Bytes::from_static(b"1"), true);
        queue.next();
        queue.push_chunk(Bytes::from_static(b"2"), false);
        queue.restart();
        assert_eq!(queue.next(), batch(Some("a"), b"I"));
        queue.push_chunk(Bytes::from_static(b"3"), false);
        assert_eq!(queue.next(), None);
        queue.push_chunk(Bytes::from_static(b"4"), true);
        assert_eq!(queue.next(), batch(None, b"4"));
    }

    #[test]
    fn it_is_bounded() {
        let mut queue = queue();
        let chunk = Bytes::from(vec![7; BATCH_MAX_BYTES]);
        for number in 0..200 {
            queue.push_chunk(chunk.clone(), number % 10 == 0);
            assert!(queue.bytes <= WAITING_MAX_BYTES + chunk.len());
        }
        let first = queue.next().unwrap();
        assert_eq!(
            (first.mime.as_deref(), first.bytes[0]),
            (Some("a"), b'I'),
            "the init segment is not lost"
        );
        while queue.next().is_some() {}
        assert_eq!(queue.bytes, 0);
    }
}
