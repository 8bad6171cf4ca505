//! Webhooks: other programs are told what happens to channels. Each receiver has a bounded queue and a task of its own, so
//! that one which is slow or away delays nobody else.
//!
//! How one message travels is `delivery`'s part, and which addresses are private `public`'s.

mod delivery;
mod public;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde::Serialize;
use tokio::sync::mpsc;
use wire::{ChannelId, Epoch};

use crate::config::HookConfig;
use crate::machine;
use crate::metrics::Metrics;
use delivery::Receiver;

/// Messages that wait for one receiver. 256: a busy server's hour; a receiver that is away for longer looks for itself.
const WAITING_MAX: usize = 256;

/// Waits after failed attempts; then a message is given up. A quarter of an hour in all: a restart, or a short outage.
const RETRY_AFTER: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(12 * 60),
];

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A key has taken a name.
    Registered,
    /// A broadcast is live.
    Started { epoch: Epoch },
    /// It is over: its broadcaster said so, or did not come back.
    Ended { epoch: Epoch },
    /// This server's permission to sign for the channel ends soon (Unix time in seconds), unless its owner renews it.
    DelegationEnds { expires_s: u64 },
}

/// The body of a request.
#[derive(Serialize)]
struct Message<'a> {
    /// The same in every attempt.
    id: String,
    #[serde(flatten)]
    event: Event,
    time_ms: u64,
    channel: ChannelId,
    name: &'a str,
}

/// Webhooks are set in a way that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum HooksError {
    /// Receivers could not tell who speaks.
    #[error("--webhook-url needs --webhook-secret, by which receivers know that it is this server")]
    NoSecret,
    /// The TLS library does not start.
    #[error("cannot prepare TLS for webhooks: {0}")]
    Tls(#[from] rustls::Error),
}

/// The way to all receivers.
#[derive(Debug, Clone)]
pub(crate) struct Hooks {
    queues: Arc<[mpsc::Sender<Bytes>]>,
    metrics: Arc<Metrics>,
}

impl Hooks {
    /// Starts a task for each receiver. Needs a tokio runtime.
    pub(crate) fn start(config: &HookConfig, metrics: Arc<Metrics>) -> Result<Self, HooksError> {
        let mut queues = Vec::new();
        for url in &config.webhook_urls {
            let secret = config.webhook_secret.as_deref().ok_or(HooksError::NoSecret)?;
            let receiver = Receiver::new(url, secret, config.webhook_private)?;
            let (queue, waiting) = mpsc::channel(WAITING_MAX);
            tokio::spawn(serve(receiver, waiting, Arc::clone(&metrics)));
            queues.push(queue);
        }
        Ok(Hooks { queues: queues.into(), metrics })
    }

    /// Has all receivers told. Returns at once; a receiver whose queue is full is not told.
    pub(crate) fn tell(&self, channel: ChannelId, name: &str, event: Event) {
        if self.queues.is_empty() {
            return;
        }
        let id = HEXLOWER.encode(&machine::random::<16>());
        let message = Message { id, event, time_ms: machine::unix_ms(), channel, name };
        let Ok(body) = serde_json::to_vec(&message).map(Bytes::from) else { return };
        for queue in self.queues.iter() {
            if queue.try_send(body.clone()).is_err() {
                self.metrics.hooks_dropped.add_one();
                tracing::warn!(channel = name, "a webhook is not sent: {WAITING_MAX} others wait");
            }
        }
    }
}

async fn serve(receiver: Receiver, mut waiting: mpsc::Receiver<Bytes>, metrics: Arc<Metrics>) {
    while let Some(body) = waiting.recv().await {
        deliver(&receiver, &body, &metrics).await;
    }
}

/// Tries until it is taken, or often enough.
async fn deliver(receiver: &Receiver, body: &Bytes, metrics: &Metrics) {
    let mut waits = RETRY_AFTER.iter();
    loop {
        let Err(error) = receiver.attempt(body, machine::unix_ms() / 1000).await else {
            return metrics.hooks_delivered.add_one();
        };
        metrics.hooks_failed.add_one();
        let Some(wait) = waits.next() else {
            metrics.hooks_dropped.add_one();
            return tracing::warn!("a webhook is given up: {} {error}", receiver.host());
        };
        tracing::warn!("a webhook fails: {} {error}; again in {wait:?}", receiver.host());
        tokio::time::sleep(*wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_as_it_is_documented() {
        let event = Event::Started { epoch: Epoch(5) };
        let message =
            Message { id: "1f".into(), event, time_ms: 7, channel: ChannelId([0; 32]), name: "club" };
        let channel = "A".repeat(43);
        assert_eq!(
            serde_json::to_value(&message).unwrap(),
            serde_json::json!({ "id": "1f", "event": "started", "epoch": 5, "time_ms": 7, "channel": channel, "name": "club" })
        );
    }
}
