//! What the browser tells the shell, and the way it gets there.
//!
//! Every callback only posts an [`Event`]. The mailbox hands events to the shell one after the other, so no callback
//! ever finds the shell busy, however deep in the browser's own code it fires.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{Event as DomEvent, EventTarget};
use wire::PeerId;
use wire::session::Signal;

use crate::Shell;

/// Something happened.
pub(crate) enum Event {
    Session(SessionEvent),
    Link {
        peer: PeerId,
        number: u32,
        what: LinkEvent,
    },
    #[cfg(not(feature = "studio"))]
    Media(MediaEvent),
    #[cfg(not(feature = "studio"))]
    Page(PageEvent),
    /// The engine's time has come.
    Wake,
    /// Time to look at the screen.
    Beat,
    /// The page wants something done.
    Ask(Box<dyn FnOnce(&mut Shell)>),
}

/// On the WebSocket to the tracker.
pub(crate) enum SessionEvent {
    Opened,
    Text(String),
    Frame(Bytes),
    Closed,
    /// Time to try again, or to give up trying.
    Timer,
}

/// On one RTCPeerConnection.
pub(crate) enum LinkEvent {
    /// Made here for the other side.
    Signal(Signal),
    /// Offer, answer or description was refused by the browser.
    Failed,
    /// One of the two data channels is open.
    ChannelOpened,
    ChannelClosed,
    Frame(Bytes),
    /// A data channel holds little unsent now.
    Drained,
    /// The connection's state has changed.
    State,
}

/// On the media source or the video element.
#[cfg(not(feature = "studio"))]
pub(crate) enum MediaEvent {
    SourceOpened,
    Appended,
    AppendFailed,
    /// The video element gave up.
    ElementFailed,
    TimeUpdate,
    /// The first frame is on the screen, at this time of the page's clock.
    FirstFrame(f64),
}

/// To the whole page.
#[cfg(not(feature = "studio"))]
pub(crate) enum PageEvent {
    /// Hidden or shown.
    Visibility,
    /// Back from the page cache, from being frozen, or back on the network.
    Resumed,
}

/// Where events wait for the shell.
pub(crate) struct Inbox {
    events: RefCell<VecDeque<Event>>,
    shell: RefCell<Option<Shell>>,
    /// What people were last told, and whom to call when that changes.
    told: Cell<&'static str>,
    on_change: Option<js_sys::Function>,
}

impl Inbox {
    pub(crate) fn new(on_change: Option<js_sys::Function>) -> Rc<Self> {
        Rc::new(Inbox {
            events: RefCell::default(),
            shell: RefCell::new(None),
            told: Cell::new(""),
            on_change,
        })
    }

    /// Gives the shell its place. Events that came before are handled now.
    pub(crate) fn serve(&self, shell: Shell) {
        *self.shell.borrow_mut() = Some(shell);
        self.run();
    }

    /// Ends everything: the shell, and with it all connections, listeners and timers, is gone.
    pub(crate) fn close(&self) {
        let shell = self.shell.borrow_mut().take();
        drop(shell);
        self.events.borrow_mut().clear();
    }

    /// Asks the shell something, unless it is gone.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&mut Shell) -> T) -> Option<T> {
        self.shell.try_borrow_mut().ok()?.as_mut().map(question)
    }

    fn post(&self, event: Event) {
        self.events.borrow_mut().push_back(event);
        self.run();
    }

    fn next(&self) -> Option<Event> {
        self.events.borrow_mut().pop_front()
    }

    fn run(&self) {
        let Ok(mut place) = self.shell.try_borrow_mut() else { return };
        let Some(shell) = place.as_mut() else { return };
        let state = loop {
            while let Some(event) = self.next() {
                shell.handle(event);
            }
            let state = shell.settle();
            if self.events.borrow().is_empty() {
                break state;
            }
        };
        drop(place);
        if self.told.replace(state) != state
            && let Some(call) = &self.on_change
        {
            let _ = call.call0(&wasm_bindgen::JsValue::NULL);
        }
    }
}

/// Where callbacks post. Outlives the shell without keeping it alive.
#[derive(Clone)]
pub(crate) struct Mailbox(Weak<Inbox>);

impl Mailbox {
    pub(crate) fn of(inbox: &Rc<Inbox>) -> Self {
        Mailbox(Rc::downgrade(inbox))
    }

    pub(crate) fn post(&self, event: Event) {
        if let Some(inbox) = self.0.upgrade() {
            inbox.post(event);
        }
    }
}

/// A DOM event listener that ends with its owner.
pub(crate) struct Listener {
    target: EventTarget,
    kind: &'static str,
    callback: Closure<dyn Fn(DomEvent)>,
}

impl Listener {
    pub(crate) fn new(
        target: &EventTarget,
        kind: &'static str,
        callback: impl Fn(DomEvent) + 'static,
    ) -> Self {
        let callback = Closure::<dyn Fn(DomEvent)>::new(callback);
        // Only an argument of the wrong type could fail here.
        let _ = target.add_event_listener_with_callback(kind, callback.as_ref().unchecked_ref());
        Listener { target: target.clone(), kind, callback }
    }

    /// Posts what `make` makes of the DOM event, if it makes something.
    pub(crate) fn posting(
        target: &EventTarget,
        kind: &'static str,
        mailbox: &Mailbox,
        make: impl Fn(DomEvent) -> Option<Event> + 'static,
    ) -> Self {
        let mailbox = mailbox.clone();
        Listener::new(target, kind, move |event| {
            if let Some(event) = make(event) {
                mailbox.post(event);
            }
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let callback = self.callback.as_ref().unchecked_ref();
        let _ = self.target.remove_event_listener_with_callback(self.kind, callback);
    }
}
