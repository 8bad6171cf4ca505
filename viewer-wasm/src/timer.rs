//! `setTimeout` and `setInterval`. Background tabs run them once a second or a minute, so they only ever bring
//! forward what the next message would do as well.

use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;

use crate::clock;
use crate::event::{Event, Mailbox};

/// Posts an event after a while, once per arming.
pub(crate) struct Timer {
    callback: Closure<dyn Fn()>,
    handle: Option<i32>,
    /// What it is armed for, by the page's clock.
    at_ms: f64,
}

impl Timer {
    pub(crate) fn new(mailbox: &Mailbox, make: impl Fn() -> Event + 'static) -> Self {
        Timer { callback: posting(mailbox, make), handle: None, at_ms: 0.0 }
    }

    /// Forgets any earlier arming.
    pub(crate) fn arm(&mut self, after_ms: f64) {
        self.disarm();
        let Some(window) = web_sys::window() else { return };
        let callback = self.callback.as_ref().unchecked_ref();
        let after_ms = after_ms.clamp(0.0, f64::from(i32::MAX)).ceil() as i32;
        self.handle = window.set_timeout_with_callback_and_timeout_and_arguments_0(callback, after_ms).ok();
    }

    /// For a moment of the page's clock. Costs nothing when it is armed for that moment already.
    pub(crate) fn arm_at(&mut self, at_ms: f64) {
        let now_ms = clock::now_ms();
        if self.handle.is_none() || self.at_ms != at_ms || at_ms <= now_ms {
            self.at_ms = at_ms;
            self.arm(at_ms - now_ms);
        }
    }

    pub(crate) fn disarm(&mut self) {
        if let (Some(handle), Some(window)) = (self.handle.take(), web_sys::window()) {
            window.clear_timeout_with_handle(handle);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
    }
}

/// Posts an event again and again, as long as it lives.
pub(crate) struct Interval {
    _callback: Closure<dyn Fn()>,
    handle: Option<i32>,
}

impl Interval {
    pub(crate) fn new(mailbox: &Mailbox, every_ms: i32, make: impl Fn() -> Event + 'static) -> Self {
        let callback = posting(mailbox, make);
        let handle = web_sys::window().and_then(|window| {
            let callback = callback.as_ref().unchecked_ref();
            window.set_interval_with_callback_and_timeout_and_arguments_0(callback, every_ms).ok()
        });
        Interval { _callback: callback, handle }
    }
}

impl Drop for Interval {
    fn drop(&mut self) {
        if let (Some(handle), Some(window)) = (self.handle.take(), web_sys::window()) {
            window.clear_interval_with_handle(handle);
        }
    }
}

fn posting(mailbox: &Mailbox, make: impl Fn() -> Event + 'static) -> Closure<dyn Fn()> {
    let mailbox = mailbox.clone();
    Closure::new(move || mailbox.post(make()))
}
