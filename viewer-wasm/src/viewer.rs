//! The module's only export.

use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::HtmlVideoElement;

use crate::event::{Event, Inbox, Mailbox};
use crate::options::Options;
use crate::shell::Shell;

/// Fired on the window when this module has crashed, which must not happen: `detail` is the message.
const CRASHED: &str = "swarmcast-crashed";

/// One viewer of one channel, who watches in one `<video>`.
#[wasm_bindgen]
pub struct Viewer {
    inbox: Rc<Inbox>,
}

#[wasm_bindgen]
impl Viewer {
    /// Joins at once. Options: `server`, `channel`, `key`, `secret`, `sharing`, `uploadCap`, `socket`, `received`, `onchange`.
    /// The page starts the playing of `video`, also when the element says `emptied`.
    #[wasm_bindgen(constructor)]
    pub fn new(video: HtmlVideoElement, options: &JsValue) -> Result<Viewer, JsValue> {
        std::panic::set_hook(Box::new(|info| crashed(&info.to_string())));
        let options = Options::read(options)?;
        let inbox = Inbox::new(options.on_change.clone());
        inbox.serve(Shell::new(video, options, &Mailbox::of(&inbox))?);
        Ok(Viewer { inbox })
    }

    /// State and figures as a plain object; `undefined` after [`close`](Self::close).
    pub fn stats(&self) -> JsValue {
        self.inbox.ask(|shell| shell.figures().into_object()).unwrap_or(JsValue::UNDEFINED)
    }

    /// Whether links to other viewers may be made. Off: all are closed, and no address of this machine is looked up.
    #[wasm_bindgen(js_name = setSharing)]
    pub fn set_sharing(&self, on: bool) {
        Mailbox::of(&self.inbox).post(Event::Sharing(on));
    }

    /// Passes on at most this many times the stream's bitrate.
    #[wasm_bindgen(js_name = setUploadCap)]
    pub fn set_upload_cap(&self, times: f32) {
        Mailbox::of(&self.inbox).post(Event::UploadCap(times));
    }

    /// Back to the live edge, and to staying there. Elsewhere the viewer gets by the element's own `currentTime` and pause.
    #[wasm_bindgen(js_name = seekToLive)]
    pub fn seek_to_live(&self) {
        Mailbox::of(&self.inbox).post(Event::Follow);
    }

    /// Leaves the swarm and lets go of everything.
    pub fn close(&self) {
        self.inbox.close();
    }
}

fn crashed(message: &str) {
    web_sys::console::error_1(&format!("swarmcast crashed: {message}").into());
    let init = web_sys::CustomEventInit::new();
    init.set_detail(&message.into());
    let (Ok(event), Some(window)) =
        (web_sys::CustomEvent::new_with_event_init_dict(CRASHED, &init), web_sys::window())
    else {
        return;
    };
    let _ = window.dispatch_event(event.unchecked_ref());
}
