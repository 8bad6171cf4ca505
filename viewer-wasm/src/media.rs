//! From the engine's chunks to the video element: in order, never more than fits, and never broken for long.

use js_sys::{Function, Uint8Array};
use swarm::Chunk;
use wasm_bindgen::JsValue;
use web_sys::HtmlVideoElement;
use wire::{Epoch, StreamHeader};

use crate::append_queue::{AppendQueue, Batch, Init};
use crate::event::Mailbox;
use crate::media_source::{self, AppendError, MediaSource};
use crate::screen;

/// Removing less than this many milliseconds of media is not worth the interruption.
const TRIM_MIN_MS: i64 = 5_000;

/// Media kept behind the playhead when the SourceBuffer is full, in milliseconds.
const KEEP_WHEN_FULL_MS: i64 = 1_000;

/// Milliseconds between one rebuilding of the media source and the next.
const REBUILD_EVERY_MS: f64 = 1_000.0;

/// What begins captions in a picture: user data of ATSC, `cc_data` (ANSI/SCTE 128, CEA-608 and 708).
const CAPTIONS: &[u8] = b"\xb5\0\x31GA94\x03";

/// The way into the video element.
pub(crate) struct Media {
    video: HtmlVideoElement,
    mailbox: Mailbox,
    on_captions: Option<Function>,
    captioned: bool,
    source: Option<MediaSource>,
    queue: AppendQueue,
    /// Taken from the queue, and refused by a full SourceBuffer.
    refused: Option<Batch>,
    remove_before_ms: i64,
    epoch: Option<Epoch>,
    /// Of the newest stream header.
    pub generation: u16,
    /// What the browser lacks, in words.
    pub missing: Option<String>,
    broken: bool,
    rebuilt_ms: f64,
}

impl Media {
    /// Begins to open the media source at once, before anything is known about the stream.
    pub(crate) fn new(video: HtmlVideoElement, on_captions: Option<Function>, mailbox: &Mailbox) -> Self {
        let source = MediaSource::attach(&video, mailbox);
        let missing = source.is_none().then(|| "Media Source Extensions".to_string());
        Media {
            video,
            mailbox: mailbox.clone(),
            on_captions,
            captioned: false,
            source,
            queue: AppendQueue::default(),
            refused: None,
            remove_before_ms: 0,
            epoch: None,
            generation: 0,
            missing,
            broken: false,
            rebuilt_ms: f64::NEG_INFINITY,
        }
    }

    /// Chunks from here on need this header. Whether it begins another timeline.
    pub(crate) fn stream(&mut self, header: &StreamHeader) -> bool {
        let another = self.epoch != Some(header.epoch);
        if another {
            self.queue.clear();
            self.refused = None;
            self.remove_before_ms = 0;
            if self.epoch.is_some() {
                self.broken = false;
                self.source = MediaSource::attach(&self.video, &self.mailbox);
            }
        }
        self.epoch = Some(header.epoch);
        self.generation = header.generation;
        self.missing = missing(&header.mime);
        self.queue.push_init(Init { mime: header.mime.clone(), bytes: header.init.clone() });
        another
    }

    pub(crate) fn chunk(&mut self, chunk: Chunk) {
        if self.epoch == Some(chunk.epoch) {
            self.tell_captions(&chunk);
            self.queue.push_chunk(chunk.bytes, chunk.keyframe);
        }
    }

    /// Reading them is the page's part, which loads what it takes when there are any. Chunks without them tell it that what was on
    /// the screen still is.
    fn tell_captions(&mut self, chunk: &Chunk) {
        let Some(tell) = &self.on_captions else { return };
        let has_some = |chunk: &[u8]| {
            chunk.windows(CAPTIONS.len()).any(|bytes| bytes[0] == CAPTIONS[0] && bytes == CAPTIONS)
        };
        self.captioned = self.captioned || has_some(&chunk.bytes);
        if self.captioned {
            let bytes = Uint8Array::from(chunk.bytes.as_ref());
            let _ = tell.call2(&JsValue::NULL, &bytes, &(chunk.epoch.0 as f64).into());
        }
    }

    /// Media before this may go.
    pub(crate) fn allow_removal(&mut self, before_ms: i64) {
        self.remove_before_ms = before_ms;
    }

    /// Does the next thing that the media source is ready for. Whether it had to be made anew.
    pub(crate) fn advance(&mut self, now_ms: f64) -> bool {
        if self.broken || self.video.error().is_some() {
            return self.rebuild(now_ms);
        }
        if let Err(AppendError::Broken) = self.step() {
            self.broken = true;
            return self.rebuild(now_ms);
        }
        false
    }

    /// An append has failed: the media source is of no more use.
    pub(crate) fn broke(&mut self) {
        self.broken = true;
    }

    fn step(&mut self) -> Result<(), AppendError> {
        if self.missing.is_some() {
            return Ok(());
        }
        let Some(source) = self.source.as_mut().filter(|source| source.is_ready()) else { return Ok(()) };
        let oldest = screen::buffered(&self.video).first().map(|range| range.0);
        if oldest.is_some_and(|oldest| oldest + TRIM_MIN_MS <= self.remove_before_ms) {
            return source.remove_before(self.remove_before_ms);
        }
        let Some(mut batch) = self.refused.take().or_else(|| self.queue.next()) else { return Ok(()) };
        if let Some(mime) = batch.mime.take() {
            source.use_type(&mime)?;
        }
        match source.append(&batch.bytes) {
            Err(AppendError::Full) => {
                self.refused = Some(batch);
                self.make_room()
            }
            other => other,
        }
    }

    /// The SourceBuffer is full: removes all that has been shown. The append is tried again when that is done.
    fn make_room(&mut self) -> Result<(), AppendError> {
        let before_ms = screen::position_ms(&self.video) - KEEP_WHEN_FULL_MS;
        let oldest = screen::buffered(&self.video).first().map(|range| range.0);
        match &self.source {
            Some(source) if oldest.is_some_and(|oldest| oldest < before_ms) => {
                source.remove_before(before_ms)
            }
            // Nothing to remove: full of what is still to be shown. It waits until some of it has been.
            _ => Ok(()),
        }
    }

    fn rebuild(&mut self, now_ms: f64) -> bool {
        if now_ms - self.rebuilt_ms < REBUILD_EVERY_MS {
            return false;
        }
        self.rebuilt_ms = now_ms;
        self.broken = false;
        self.refused = None;
        self.queue.restart();
        self.source = MediaSource::attach(&self.video, &self.mailbox);
        true
    }
}

fn missing(mime: &str) -> Option<String> {
    match media_source::can_play(mime) {
        Some(true) => None,
        Some(false) => Some(format!("a decoder for {mime}")),
        None => Some("Media Source Extensions".into()),
    }
}
