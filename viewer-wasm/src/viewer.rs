//! The viewer's export, the module's only one.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::HtmlVideoElement;

use crate::Shell;
use crate::crash;
use crate::event::{Event, Inbox, Mailbox};
use crate::options::Options;

/// One viewer of one channel, who watches in one `<video>`.
#[wasm_bindgen]
pub struct Viewer {
    inbox: Rc<Inbox>,
}

#[wasm_bindgen]
impl Viewer {
    /// Joins at once. Options: `server`, `channel`, `key`, `secret`, `token`, `sharing`, `consent`, `uploadCap`, `socket`, `received`,
    /// `onchange`, `oncaptions`.
    /// The page starts the playing of `video`, also when the element says `emptied`.
    #[wasm_bindgen(constructor)]
    pub fn new(video: HtmlVideoElement, options: &JsValue) -> Result<Viewer, JsValue> {
        crash::report();
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
        self.ask(move |shell| shell.share(on));
    }

    /// Passes on at most this many times the stream's bitrate.
    #[wasm_bindgen(js_name = setUploadCap)]
    pub fn set_upload_cap(&self, times: f32) {
        self.ask(move |shell| shell.cap_upload(times));
    }

    /// Back to the live edge, and to staying there. Elsewhere the viewer gets by the element's own `currentTime` and pause.
    #[wasm_bindgen(js_name = seekToLive)]
    pub fn seek_to_live(&self) {
        self.ask(Shell::follow);
    }

    /// Leaves the swarm and lets go of everything.
    pub fn close(&self) {
        self.inbox.close();
    }

    fn ask(&self, what: impl FnOnce(&mut Shell) + 'static) {
        Mailbox::of(&self.inbox).post(Event::Ask(Box::new(what)));
    }
}
