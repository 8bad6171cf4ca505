//! The export of the module's other build, for the page on which a browser goes live.

use std::rc::Rc;

use bytes::Bytes;
use media::{AudioParameters, MediaError, VideoParameters};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wire::Signer;
use wire::request::{self, Request, WORK_BITS_MAX};

use crate::broadcast::{Plan, Shell};
use crate::crash;
use crate::event::{Event, Inbox, Mailbox};

/// The channel that a key owns; `seed` is the key's 32 bytes.
#[wasm_bindgen(js_name = channelOf)]
pub fn channel_of(seed: &[u8]) -> Result<String, JsValue> {
    Ok(signer(seed)?.channel().to_string())
}

/// The `Authorization` header of a request that the key `seed` signs; `path` with its query, as it is sent.
#[wasm_bindgen]
pub fn authorize(seed: &[u8], method: &str, path: &str, nonce: &str, body: &[u8]) -> Result<String, JsValue> {
    Ok(Request { method, path, nonce, body }.authorize(&signer(seed)?))
}

/// What proves in the chat of `channel` that the key `seed` is there; `nonce` is the connection's own.
#[wasm_bindgen(js_name = chatProof)]
pub fn chat_proof(seed: &[u8], channel: &str, nonce: &str) -> Result<String, JsValue> {
    let channel = channel.parse().map_err(|_| JsValue::from("the channel's id is none"))?;
    Ok(wire::chat::proof(&signer(seed)?, channel, nonce))
}

/// The work that a server asks for of the key `seed` before it registers a name: about 2^`bits` hashes.
#[wasm_bindgen]
pub fn solve(seed: &[u8], nonce: &str, bits: u32) -> Result<f64, JsValue> {
    if bits > WORK_BITS_MAX {
        return Err("the server asks for more work than is decent".into());
    }
    Ok(request::solve(nonce, signer(seed)?.channel(), bits) as f64)
}

/// Broadcasts one channel from this page.
#[wasm_bindgen]
pub struct Broadcaster {
    inbox: Rc<Inbox>,
}

#[wasm_bindgen]
impl Broadcaster {
    /// Connects at once to the session address `server`. `seed`: the key's 32 bytes; `secret`: a private channel's media
    /// key, as in its link; `bitrate_bps`: what the encoders are set to make together.
    #[wasm_bindgen(constructor)]
    pub fn new(
        server: String,
        name: String,
        seed: &[u8],
        secret: Option<String>,
        bitrate_bps: u32,
        onchange: Option<js_sys::Function>,
    ) -> Result<Broadcaster, JsValue> {
        crash::report();
        let media_key = secret.map(|key| key.parse().map_err(|_| JsValue::from("the media key is none")));
        let plan = Plan { name, signer: signer(seed)?, media_key: media_key.transpose()?, bitrate_bps };
        let inbox = Inbox::new(onchange);
        inbox.serve(Shell::new(server, plan, &Mailbox::of(&inbox))?);
        Ok(Broadcaster { inbox })
    }

    /// The H.264 encoder's `description` (ISO/IEC 14496-15, 5.3.3.1), before the keyframe that needs it.
    #[wasm_bindgen(js_name = describeH264)]
    pub fn describe_h264(&self, record: &[u8]) {
        self.describe_video(VideoParameters::h264_record(record));
    }

    /// The first keyframe of a VP9 encoder, which is still to be passed as a picture; `level`: ten times the level's name.
    #[wasm_bindgen(js_name = describeVp9)]
    pub fn describe_vp9(&self, keyframe: &[u8], level: u8) {
        self.describe_video(VideoParameters::vp9(keyframe, level));
    }

    /// Sound follows, of an Opus encoder with frames of 20 ms.
    #[wasm_bindgen(js_name = describeOpus)]
    pub fn describe_opus(&self, channels: u8) {
        match AudioParameters::opus(channels) {
            Ok(parameters) => self.ask(move |shell| shell.describe_audio(parameters)),
            Err(error) => self.complain(&error),
        }
    }

    /// One encoded picture, captured at `at_ms` of the page's clock (`performance.now()`).
    pub fn picture(&self, data: Vec<u8>, at_ms: f64) {
        self.ask(move |shell| shell.picture(Bytes::from(data), at_ms));
    }

    /// One encoded frame of sound, likewise.
    pub fn sound(&self, data: Vec<u8>, at_ms: f64) {
        self.ask(move |shell| shell.sound(Bytes::from(data), at_ms));
    }

    /// State and figures as a plain object; `undefined` after [`close`](Self::close).
    pub fn stats(&self) -> JsValue {
        self.inbox.ask(|shell| shell.figures().into_object()).unwrap_or(JsValue::UNDEFINED)
    }

    /// The programme is over: viewers hear of it. Pictures that follow are a new one.
    pub fn end(&self) {
        self.ask(Shell::end);
    }

    /// Leaves the swarm and lets go of everything.
    pub fn close(&self) {
        self.inbox.close();
    }

    fn describe_video(&self, parameters: Result<VideoParameters, MediaError>) {
        match parameters {
            Ok(parameters) => self.ask(move |shell| shell.describe_video(parameters)),
            Err(error) => self.complain(&error),
        }
    }

    fn complain(&self, error: &MediaError) {
        let trouble = error.to_string();
        self.ask(move |shell| shell.complain(trouble));
    }

    fn ask(&self, what: impl FnOnce(&mut Shell) + 'static) {
        Mailbox::of(&self.inbox).post(Event::Ask(Box::new(what)));
    }
}

fn signer(seed: &[u8]) -> Result<Signer, JsValue> {
    let seed = seed.try_into().map_err(|_| "a key has 32 bytes")?;
    Ok(Signer::from_seed(seed))
}
