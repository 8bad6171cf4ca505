//! What happens to the whole page: hidden and shown, frozen and resumed, off and on the network.

use web_sys::{Document, Window};

use crate::event::{Event, Listener, Mailbox, PageEvent};

/// Ears for the page's life.
pub(crate) struct Page {
    document: Option<Document>,
    _listeners: Vec<Listener>,
}

impl Page {
    pub(crate) fn new(window: &Window, mailbox: &Mailbox) -> Self {
        let resumed = |_| Some(Event::Page(PageEvent::Resumed));
        let mut listeners = vec![
            // Fires at the first load too, where nothing is to be resumed yet.
            Listener::posting(window, "pageshow", mailbox, move |event| {
                let persisted = js_sys::Reflect::get(&event, &"persisted".into());
                persisted.is_ok_and(|value| value.is_truthy()).then_some(Event::Page(PageEvent::Resumed))
            }),
            Listener::posting(window, "online", mailbox, resumed),
        ];
        let document = window.document();
        if let Some(document) = &document {
            let visibility = |_| Some(Event::Page(PageEvent::Visibility));
            listeners.push(Listener::posting(document, "visibilitychange", mailbox, visibility));
            listeners.push(Listener::posting(document, "resume", mailbox, resumed));
        }
        Page { document, _listeners: listeners }
    }

    pub(crate) fn hidden(&self) -> bool {
        self.document.as_ref().is_some_and(Document::hidden)
    }
}
