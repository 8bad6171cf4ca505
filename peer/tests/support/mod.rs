//! What the transport's tests share: endpoints on loopback, linked pairs, readers that do not wait for ever.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]
#![allow(dead_code, missing_docs, reason = "each test binary uses a part of it")]

use std::future::Future;
use std::time::Duration;

use peer::transport::{Endpoint, EndpointConfig, Lane, Link, LinkEvent, LinkEvents, SendRefused};

/// Longest wait for anything: far more than a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Fails the test when `future` takes longer than [`PATIENCE`].
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

/// An endpoint on a loopback port of the system's choice.
pub async fn endpoint() -> Endpoint {
    Endpoint::bind(EndpointConfig::new(([127, 0, 0, 1], 0).into())).await.unwrap()
}

/// One side of a link.
pub struct Side {
    pub link: Link,
    pub events: LinkEvents,
}

/// Links two endpoints and waits until both sides are open.
pub async fn linked(offerer: &Endpoint, answerer: &Endpoint) -> (Side, Side) {
    let (link, events, offer) = offerer.offer().await.unwrap();
    let mut near = Side { link, events };
    let (link, events, answer) = answerer.answer(offer).await.unwrap();
    let mut far = Side { link, events };
    near.link.accept_answer(answer).await.unwrap();
    soon("open", async {
        assert_eq!(near.events.next().await, Some(LinkEvent::Open));
        assert_eq!(far.events.next().await, Some(LinkEvent::Open));
    })
    .await;
    (near, far)
}

impl Side {
    /// The next event, soon.
    pub async fn event(&mut self) -> LinkEvent {
        soon("an event", self.events.next()).await.unwrap()
    }

    /// The next frame; anything else fails the test.
    pub async fn frame(&mut self) -> (Lane, bytes::Bytes) {
        match self.event().await {
            LinkEvent::Frame { lane, bytes } => (lane, bytes),
            other => panic!("a frame was expected, not {other:?}"),
        }
    }

    /// Sends as soon as there is room.
    pub async fn send(&mut self, lane: Lane, frame: bytes::Bytes) {
        loop {
            match self.link.try_send(lane, frame.clone()) {
                Ok(()) => return,
                Err(SendRefused::Full) => assert_eq!(self.event().await, LinkEvent::Writable),
                Err(other) => panic!("{other}"),
            }
        }
    }
}
