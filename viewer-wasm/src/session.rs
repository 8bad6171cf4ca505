//! The WebSocket to the tracker: JSON both ways, and frames to and from the relay. Comes back by itself.

use bytes::Bytes;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{BinaryType, MessageEvent, WebSocket};

use crate::event::{Event, Listener, Mailbox, SessionEvent};
use crate::random;
use crate::timer::Timer;

/// Milliseconds before the first try after a loss.
const RETRY_FIRST_MS: f64 = 200.0;

/// Milliseconds between tries, at most: who waits for a tracker to return is to be in within 5 s of it.
const RETRY_MAX_MS: f64 = 2_000.0;

/// The same after a refusal, which a quick repetition does not change.
const RETRY_REFUSED_MS: f64 = 4_000.0;

/// The same where the channel is not for this viewer or this site, until its owner has it otherwise.
const RETRY_SHUT_OUT_MS: f64 = 30_000.0;

/// Milliseconds that opening may take before it counts as failed.
const OPEN_MAX_MS: f64 = 5_000.0;

/// The session, open or on its way.
pub(crate) struct Session {
    server: String,
    mailbox: Mailbox,
    socket: Option<Socket>,
    timer: Timer,
    /// Tries since the tracker last answered.
    tries: i32,
    /// What the wait is at most after a refusal.
    refused_ms: Option<f64>,
}

struct Socket {
    socket: WebSocket,
    _listeners: [Listener; 3],
}

impl Session {
    /// Takes over a socket that the page has begun to open, if there is one that may still do.
    pub(crate) fn open(
        server: String,
        begun: Option<WebSocket>,
        received: &Array,
        mailbox: &Mailbox,
    ) -> Self {
        let timer = Timer::new(mailbox, || Event::Session(SessionEvent::Timer));
        let mut session =
            Session { server, mailbox: mailbox.clone(), socket: None, timer, tries: 0, refused_ms: None };
        match begun.filter(|socket| socket.ready_state() <= WebSocket::OPEN) {
            Some(socket) => session.adopt(socket, received),
            None => session.connect(),
        }
        session
    }

    fn connect(&mut self) {
        self.socket = None;
        self.tries += 1;
        match WebSocket::new(&self.server) {
            Ok(socket) => self.adopt(socket, &Array::new()),
            Err(_) => self.retry(),
        }
    }

    fn adopt(&mut self, socket: WebSocket, received: &Array) {
        socket.set_binary_type(BinaryType::Arraybuffer);
        let listeners = [
            Listener::posting(&socket, "open", &self.mailbox, |_| Some(Event::Session(SessionEvent::Opened))),
            Listener::posting(&socket, "close", &self.mailbox, |_| {
                Some(Event::Session(SessionEvent::Closed))
            }),
            Listener::posting(&socket, "message", &self.mailbox, |event| {
                message(event.dyn_ref::<MessageEvent>()?.data()).map(Event::Session)
            }),
        ];
        if socket.ready_state() == WebSocket::OPEN {
            self.mailbox.post(Event::Session(SessionEvent::Opened));
        } else {
            self.timer.arm(OPEN_MAX_MS);
        }
        for event in received.iter().filter_map(message) {
            self.mailbox.post(Event::Session(event));
        }
        self.socket = Some(Socket { socket, _listeners: listeners });
    }

    /// The socket says that it is open.
    pub(crate) fn opened(&mut self) {
        self.timer.disarm();
    }

    /// The tracker has taken this viewer in.
    pub(crate) fn welcomed(&mut self) {
        (self.tries, self.refused_ms) = (0, None);
    }

    /// The tracker will not have this viewer, for now, or as it is.
    pub(crate) fn refused(&mut self, shut_out: bool) {
        self.refused_ms = Some(if shut_out { RETRY_SHUT_OUT_MS } else { RETRY_REFUSED_MS });
    }

    /// Lets go of a socket that is closed, or that must be taken for dead, and tries again soon.
    pub(crate) fn lost(&mut self) {
        self.socket = None;
        self.retry();
    }

    /// Tries again now.
    pub(crate) fn again(&mut self) {
        self.tries = 0;
        self.connect();
    }

    /// The time for opening, or for waiting, is over.
    pub(crate) fn timer(&mut self) {
        match &self.socket {
            Some(socket) if socket.socket.ready_state() == WebSocket::OPEN => {}
            Some(_) => self.lost(),
            None => self.connect(),
        }
    }

    fn retry(&mut self) {
        let grown = RETRY_FIRST_MS * 2f64.powi(self.tries.min(10));
        let capped = self.refused_ms.unwrap_or_else(|| grown.min(RETRY_MAX_MS));
        self.timer.arm(random::between(capped / 2.0, capped));
    }

    /// Tries since the tracker last answered.
    pub(crate) fn tries(&self) -> i32 {
        self.tries
    }

    pub(crate) fn is_open(&self) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.socket.ready_state() == WebSocket::OPEN)
    }

    pub(crate) fn send_text(&self, text: &str) {
        if let Some(socket) = self.socket.as_ref().filter(|_| self.is_open()) {
            let _ = socket.socket.send_with_str(text);
        }
    }

    pub(crate) fn send_frame(&self, frame: &[u8]) {
        if let Some(socket) = self.socket.as_ref().filter(|_| self.is_open()) {
            let _ = socket.socket.send_with_u8_array(frame);
        }
    }

    /// Bytes not yet handed to the network.
    pub(crate) fn queued(&self) -> usize {
        self.socket.as_ref().map_or(0, |socket| socket.socket.buffered_amount() as usize)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = self.socket.close();
    }
}

fn message(data: JsValue) -> Option<SessionEvent> {
    if let Some(text) = data.as_string() {
        return Some(SessionEvent::Text(text));
    }
    let buffer = data.dyn_into::<ArrayBuffer>().ok()?;
    Some(SessionEvent::Frame(Bytes::from(Uint8Array::new(&buffer).to_vec())))
}
