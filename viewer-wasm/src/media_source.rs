//! Media Source Extensions (W3C), and nothing of them elsewhere. iPhones have only `ManagedMediaSource`, which is not
//! in web-sys: both are bound here by hand.

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{EventTarget, HtmlVideoElement, Url};

use crate::event::{Event, Listener, Mailbox, MediaEvent};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = EventTarget, typescript_type = "MediaSource")]
    type JsMediaSource;
    #[wasm_bindgen(method, getter, js_name = readyState)]
    fn ready_state(this: &JsMediaSource) -> String;
    #[wasm_bindgen(method, setter, catch)]
    fn set_duration(this: &JsMediaSource, seconds: f64) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = addSourceBuffer)]
    fn add_source_buffer(this: &JsMediaSource, mime: &str) -> Result<JsSourceBuffer, JsValue>;

    #[wasm_bindgen(extends = EventTarget, typescript_type = "SourceBuffer")]
    type JsSourceBuffer;
    #[wasm_bindgen(method, getter)]
    fn updating(this: &JsSourceBuffer) -> bool;
    #[wasm_bindgen(method, catch, js_name = appendBuffer)]
    fn append_buffer(this: &JsSourceBuffer, bytes: &[u8]) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn remove(this: &JsSourceBuffer, from_s: f64, to_s: f64) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = changeType)]
    fn change_type(this: &JsSourceBuffer, mime: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(js_namespace = URL, js_name = createObjectURL)]
    fn create_object_url(source: &JsMediaSource) -> String;
}

/// The SourceBuffer did not take the bytes.
pub(crate) enum AppendError {
    /// It is full.
    Full,
    /// It, or its media source, is of no more use.
    Broken,
}

/// A media source that a video element plays.
pub(crate) struct MediaSource {
    source: JsMediaSource,
    url: String,
    buffer: Option<Buffer>,
    mailbox: Mailbox,
    _listener: Listener,
}

struct Buffer {
    buffer: JsSourceBuffer,
    _listeners: [Listener; 2],
}

/// Whether this browser can play `mime`; `None`: it has no Media Source Extensions at all.
pub(crate) fn can_play(mime: &str) -> Option<bool> {
    let class = class()?;
    let ask: Function = Reflect::get(&class, &"isTypeSupported".into()).ok()?.dyn_into().ok()?;
    ask.call1(&class, &mime.into()).ok().map(|answer| answer.is_truthy())
}

impl MediaSource {
    /// A fresh one, which the element begins to play. `None` where the browser has none.
    pub(crate) fn attach(video: &HtmlVideoElement, mailbox: &Mailbox) -> Option<Self> {
        let source: JsMediaSource = Reflect::construct(&class()?, &Array::new()).ok()?.unchecked_into();
        let opened = |_| Some(Event::Media(MediaEvent::SourceOpened));
        let listener = Listener::posting(&source, "sourceopen", mailbox, opened);
        // Without it Safari does not open a managed source, as AirPlay could not take it over.
        let _ = Reflect::set(video, &"disableRemotePlayback".into(), &JsValue::TRUE);
        let url = create_object_url(&source);
        video.set_src(&url);
        Some(MediaSource { source, url, buffer: None, mailbox: mailbox.clone(), _listener: listener })
    }

    /// Whether something can be appended or removed now.
    pub(crate) fn is_ready(&self) -> bool {
        let idle = self.buffer.as_ref().is_none_or(|buffer| !buffer.buffer.updating());
        idle && self.source.ready_state() == "open"
    }

    /// What follows is of this type.
    pub(crate) fn use_type(&mut self, mime: &str) -> Result<(), AppendError> {
        if let Some(buffer) = &self.buffer {
            return buffer.buffer.change_type(mime).map_err(broken);
        }
        self.source.set_duration(f64::INFINITY).map_err(broken)?;
        let buffer = self.source.add_source_buffer(mime).map_err(broken)?;
        let listeners = [
            Listener::posting(&buffer, "updateend", &self.mailbox, |_| {
                Some(Event::Media(MediaEvent::Appended))
            }),
            Listener::posting(&buffer, "error", &self.mailbox, |_| {
                Some(Event::Media(MediaEvent::AppendFailed))
            }),
        ];
        self.buffer = Some(Buffer { buffer, _listeners: listeners });
        Ok(())
    }

    /// Appends. An event follows when it is done.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<(), AppendError> {
        let buffer = self.buffer.as_ref().ok_or(AppendError::Broken)?;
        buffer.buffer.append_buffer(bytes).map_err(|error| {
            let name = Reflect::get(&error, &"name".into()).ok().and_then(|name| name.as_string());
            if name.as_deref() == Some("QuotaExceededError") { AppendError::Full } else { broken(error) }
        })
    }

    /// Removes all media before this. An event follows when it is done.
    pub(crate) fn remove_before(&self, to_ms: i64) -> Result<(), AppendError> {
        match &self.buffer {
            Some(buffer) => buffer.buffer.remove(0.0, to_ms as f64 / 1000.0).map_err(broken),
            None => Ok(()),
        }
    }
}

impl Drop for MediaSource {
    fn drop(&mut self) {
        let _ = Url::revoke_object_url(&self.url);
    }
}

/// `ManagedMediaSource ?? MediaSource`.
fn class() -> Option<Function> {
    let find = |name: &str| Reflect::get(&js_sys::global(), &name.into()).ok()?.dyn_into::<Function>().ok();
    find("ManagedMediaSource").or_else(|| find("MediaSource"))
}

fn broken(error: JsValue) -> AppendError {
    web_sys::console::warn_2(&"swarmcast: the media source refused".into(), &error);
    AppendError::Broken
}
