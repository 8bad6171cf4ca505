//! An encoder that was let in, as its consumer sees it: a bounded queue of tags with an end.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use media::TagKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::keys::Admission;
use super::limits::IngestLimits;

/// Numbers the publications of one server, in the order in which they were admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublisherId(pub u64);

/// One encoder, from its accepted key to its end. A later publication with an equal admission replaces this one:
/// drop this one then.
#[derive(Debug)]
pub struct Publication {
    /// Which of the server's publications this is.
    pub id: PublisherId,
    /// What its key stands for.
    pub admission: Admission,
    events: mpsc::Receiver<PublicationEvent>,
    end: Arc<OnceLock<EndReason>>,
}

impl Publication {
    /// The next event; after the last one always [`PublicationEvent::Ended`]. Safe to cancel. While nobody calls
    /// this the queue fills and then the encoder is held back.
    pub async fn next(&mut self) -> PublicationEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => PublicationEvent::Ended(self.end.get().copied().unwrap_or(EndReason::ServerStopped)),
        }
    }
}

/// What an encoder does.
#[derive(Debug)]
pub enum PublicationEvent {
    /// It describes itself: FFmpeg and OBS once before media, GStreamer every few frames.
    Metadata(Metadata),
    /// A piece of media.
    Tag(Tag),
    /// It is gone.
    Ended(EndReason),
}

/// One audio or video message.
#[derive(Debug)]
pub struct Tag {
    /// Its track.
    pub kind: TagKind,
    /// As received: wraps, may start anywhere, means nothing on sequence headers.
    pub timestamp_ms: u32,
    /// An FLV tag body.
    pub body: Bytes,
    /// When its last byte was read.
    pub arrived: Instant,
    /// Its share of the queue's bytes, given back when the tag is dropped.
    _share: OwnedSemaphorePermit,
}

/// What an encoder says about itself. Nothing here is checked against the media.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The program, for example `Lavf59.27.100`.
    pub encoder: Option<String>,
    /// Which tracks it promises, when it says so.
    pub announced: Option<media::Announced>,
    /// Frames a second.
    pub frames_per_second: Option<f32>,
    /// Video bits a second, in thousands.
    pub video_kbps: Option<u32>,
}

/// Why a publication ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// The encoder said goodbye.
    #[error("the encoder stopped")]
    Stopped,
    /// The connection broke or closed.
    #[error("the connection was lost")]
    ConnectionLost,
    /// Nothing came for a while.
    #[error("the encoder fell silent")]
    Silent,
    /// Another encoder came with the same key.
    #[error("another encoder took over")]
    Replaced,
    /// It broke the protocol or a limit.
    #[error("the encoder broke the protocol")]
    Violation,
    /// The consumer dropped the publication.
    #[error("it was closed here")]
    Closed,
    /// The server stopped or its task failed.
    #[error("the server stopped")]
    ServerStopped,
}

/// The server's end of a publication.
#[derive(Debug)]
pub(crate) struct Publisher {
    events: mpsc::Sender<PublicationEvent>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
    end: Arc<OnceLock<EndReason>>,
}

/// The consumer dropped its end.
#[derive(Debug)]
pub(crate) struct ConsumerGone;

pub(crate) fn publication(
    id: PublisherId,
    admission: Admission,
    limits: &IngestLimits,
) -> (Publisher, Publication) {
    let (sender, receiver) = mpsc::channel(limits.queue_max_tags.max(1));
    let bytes_max =
        u32::try_from(limits.queue_max_bytes.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
    let end = Arc::new(OnceLock::new());
    let bytes = Arc::new(Semaphore::new(bytes_max as usize));
    let publisher = Publisher { events: sender, bytes, bytes_max, end: end.clone() };
    (publisher, Publication { id, admission, events: receiver, end })
}

impl Publisher {
    /// Waits while the queue is full.
    pub async fn send_tag(&self, kind: TagKind, timestamp_ms: u32, body: Bytes) -> Result<(), ConsumerGone> {
        let arrived = Instant::now();
        // A tag larger than the whole queue takes all of it.
        let share = u32::try_from(body.len()).unwrap_or(u32::MAX).min(self.bytes_max);
        let share = tokio::select! {
            share = self.bytes.clone().acquire_many_owned(share) => share.map_err(|_| ConsumerGone)?,
            () = self.events.closed() => return Err(ConsumerGone),
        };
        let tag = Tag { kind, timestamp_ms, body, arrived, _share: share };
        self.events.send(PublicationEvent::Tag(tag)).await.map_err(|_| ConsumerGone)
    }

    /// Waits while the queue is full.
    pub async fn send_metadata(&self, metadata: Metadata) -> Result<(), ConsumerGone> {
        self.events.send(PublicationEvent::Metadata(metadata)).await.map_err(|_| ConsumerGone)
    }

    /// Completes when the consumer drops its end.
    pub async fn consumer_gone(&self) {
        self.events.closed().await;
    }

    /// Ends the publication; the first reason counts.
    pub fn end(self, reason: EndReason) {
        let _ = self.end.set(reason);
    }
}
