//! A running server and its consumer.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use media::TagKind;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uploader::ingest::{
    self, Admission, Admitting, EndReason, IngestConfig, IngestLimits, Keys, Publication, PublicationEvent,
    Tag, same_key,
};

/// The right key.
pub const KEY: &str = "0123-right-key";

/// Nothing here takes longer, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Opens one channel, and panics when told to.
struct TestKeys;

impl Keys for TestKeys {
    fn admit<'a>(&'a self, key: &'a str) -> Admitting<'a> {
        assert!(key != "panic", "a key that makes the task panic");
        Box::pin(std::future::ready(same_key(key, KEY).then(|| Admission::new("channel"))))
    }
}

/// A server on a port of its own.
pub struct World {
    pub address: SocketAddr,
    pub publications: mpsc::Receiver<Publication>,
    server: JoinHandle<()>,
}

impl World {
    pub async fn new() -> Self {
        Self::limited(IngestLimits::default()).await
    }

    pub async fn limited(limits: IngestLimits) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, publications) = mpsc::channel(4);
        let config = IngestConfig { limits, ..IngestConfig::default() };
        let server =
            tokio::spawn(ingest::run(listener, config, Arc::new(TestKeys), sender, std::future::pending()));
        Self { address, publications, server }
    }

    /// The address to publish to, up to the key.
    pub fn url(&self) -> String {
        format!("rtmp://{}/live", self.address)
    }

    /// The next encoder that was let in.
    pub async fn publication(&mut self) -> Publication {
        timeout(PATIENCE, self.publications.recv())
            .await
            .expect("an encoder in time")
            .expect("the server runs")
    }

    pub fn assert_nobody_was_let_in(&mut self) {
        assert!(self.publications.try_recv().is_err());
    }

    pub fn assert_alive(&self) {
        assert!(!self.server.is_finished());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Everything until the end.
pub async fn to_the_end(publication: &mut Publication) -> (Vec<Tag>, EndReason) {
    let mut tags = Vec::new();
    loop {
        match next(publication).await {
            PublicationEvent::Tag(tag) => tags.push(tag),
            PublicationEvent::Metadata(_) => {}
            PublicationEvent::Ended(reason) => return (tags, reason),
        }
    }
}

/// The next picture.
pub async fn next_video(publication: &mut Publication) -> Tag {
    loop {
        match next(publication).await {
            PublicationEvent::Tag(tag) if tag.kind == TagKind::Video => return tag,
            PublicationEvent::Ended(reason) => panic!("ended: {reason}"),
            _ => {}
        }
    }
}

pub async fn next(publication: &mut Publication) -> PublicationEvent {
    timeout(PATIENCE, publication.next()).await.expect("an event in time")
}
