//! What the page asks for, read from the object that it passes.

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::WebSocket;
use wire::{ChannelId, MediaKey};

/// Options of a [`Viewer`](crate::Viewer).
pub(crate) struct Options {
    /// `server`: address of the session, `ws://` or `wss://`.
    pub server: String,
    /// `channel`: name or id.
    pub channel: String,
    /// `key`: the channel's id, where the page knows it beforehand.
    pub key: Option<ChannelId>,
    /// `secret`: opens a private channel. One that is none opens nothing.
    pub media_key: Option<MediaKey>,
    /// `token`: lets this viewer in where the channel's owner asks for one.
    pub token: Option<String>,
    /// `sharing`: whether links to other viewers may be made.
    pub sharing: bool,
    /// `consent`: the viewer has agreed to that, on this device.
    pub consent: bool,
    /// `uploadCap`: in multiples of the stream's bitrate.
    pub upload_cap_x: Option<f32>,
    /// `socket`: a session that the page has begun to open, to save the time of loading this module.
    pub socket: Option<WebSocket>,
    /// `received`: messages that came on it so far.
    pub received: Array,
    /// `onchange`: called when the state has changed.
    pub on_change: Option<Function>,
    /// `oncaptions`: called with each chunk, and its epoch, from the first on that has captions in its pictures. It must not
    /// call back.
    pub on_captions: Option<Function>,
}

impl Options {
    pub(crate) fn read(from: &JsValue) -> Result<Self, JsValue> {
        let key = text(from, "key").filter(|key| !key.is_empty());
        let key = key.map(|key| key.parse().map_err(|_| JsValue::from("the channel's key is not valid")));
        Ok(Options {
            server: text(from, "server").ok_or("option `server` is missing")?,
            channel: text(from, "channel").ok_or("option `channel` is missing")?,
            key: key.transpose()?,
            media_key: text(from, "secret").and_then(|key| key.parse().ok()),
            token: text(from, "token"),
            sharing: field(from, "sharing").as_bool().unwrap_or(true),
            consent: field(from, "consent").as_bool().unwrap_or(false),
            upload_cap_x: field(from, "uploadCap").as_f64().map(|cap| cap.max(0.0) as f32),
            socket: field(from, "socket").dyn_into().ok(),
            received: field(from, "received").dyn_into().unwrap_or_default(),
            on_change: field(from, "onchange").dyn_into().ok(),
            on_captions: field(from, "oncaptions").dyn_into().ok(),
        })
    }

    /// Host of the tracker, without the port: where its STUN server is.
    pub(crate) fn host(&self) -> Option<String> {
        web_sys::Url::new(&self.server).ok().map(|url| url.hostname())
    }
}

fn field(from: &JsValue, name: &str) -> JsValue {
    Reflect::get(from, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

fn text(from: &JsValue, name: &str) -> Option<String> {
    field(from, name).as_string()
}
