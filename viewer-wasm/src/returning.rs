//! What lets this tab in again after a reload, where the channel's owner asks for a token, which is good once: the pass
//! that the token was answered with, and the secret of the peer that it is for.
//!
//! It is in the tab's storage only while no viewer uses it. A tab that is duplicated meanwhile copies nothing, and does
//! not become the same peer.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::{Storage, Window};
use wire::PeerSecret;

use crate::event::Listener;
use crate::random;

/// This viewer's peer, as it will come back.
pub(crate) struct Returning {
    kept: Rc<Kept>,
    _listeners: [Listener; 2],
}

struct Kept {
    /// `None`: the browser keeps nothing for this page.
    storage: Option<Storage>,
    /// Of the channel on its server.
    place: String,
    secret: PeerSecret,
    pass: RefCell<Option<String>>,
}

impl Returning {
    /// Takes what an earlier viewer of this tab has left for the channel, or begins as a new peer.
    pub(crate) fn to(window: &Window, server: &str, channel: &str) -> Result<Self, JsValue> {
        let storage = window.session_storage().ok().flatten();
        let place = format!("swarmcast.pass {server} {channel}");
        let left = storage.as_ref().and_then(|storage| storage.get_item(&place).ok()?);
        let left = left.as_deref().and_then(|left| left.split_once(' '));
        let left = left.and_then(|(secret, pass)| Some((secret.parse().ok()?, pass.to_owned())));
        let (secret, pass) = match left {
            Some((secret, pass)) => (secret, Some(pass)),
            None => (PeerSecret(random::bytes()?), None),
        };
        let kept = Rc::new(Kept { storage, place, secret, pass: RefCell::new(pass) });
        kept.take();
        let (leaving, back) = (Rc::clone(&kept), Rc::clone(&kept));
        let listeners = [
            Listener::new(window, "pagehide", move |_| leaving.leave()),
            Listener::new(window, "pageshow", move |_| back.take()),
        ];
        Ok(Returning { kept, _listeners: listeners })
    }

    pub(crate) fn secret(&self) -> PeerSecret {
        self.kept.secret
    }

    pub(crate) fn pass(&self) -> Option<String> {
        self.kept.pass.borrow().clone()
    }

    /// The tracker has given this one, or has refused the one before.
    pub(crate) fn replace(&self, pass: Option<String>) {
        self.kept.pass.replace(pass);
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        self.kept.leave();
    }
}

impl Kept {
    fn take(&self) {
        let _ = self.storage.as_ref().map(|storage| storage.remove_item(&self.place));
    }

    fn leave(&self) {
        if let (Some(storage), Some(pass)) = (&self.storage, &*self.pass.borrow()) {
            let _ = storage.set_item(&self.place, &format!("{} {pass}", self.secret));
        }
    }
}
