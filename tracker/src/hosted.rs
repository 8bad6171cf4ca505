//! Hosted ingest: an encoder publishes by RTMP with a stream key, and its channel is broadcast from inside of this
//! process, by the uploader's own library, which talks to this server like any other broadcaster.
//!
//! Who may publish is what the channel files say at that moment. Reading RTMP is `uploader::ingest`'s part.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peer::transport::Endpoint;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use uploader::ingest::{self, Admission, IngestConfig, Keys, Publication};
use uploader::{Broadcast, BroadcastConfig, Counters};
use wire::ChannelId;

use crate::channels::{HostedChannel, HostedChannels};
use crate::machine;

/// Publications that wait to be taken over: one encoder, and those that replace it in a hurry.
const WAITING_MAX: usize = 4;

/// How often removed and unused channels are looked for. 2 s: who revokes a key wants to see it end.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A channel without an encoder keeps its place for this long. 120 s: twice as long as its broadcast waits for one.
const UNUSED_MAX: Duration = Duration::from_secs(120);

/// Where hosted broadcasts find their viewers.
#[derive(Clone)]
pub(crate) struct Place {
    /// This server's own session address.
    pub(crate) session_url: String,
    /// The server's UDP port, for links; `None`: viewers are fed by the relay and each other.
    pub(crate) endpoint: Option<Endpoint>,
}

/// Stream keys, as the channel files say.
struct StreamKeys(HostedChannels);

impl Keys for StreamKeys {
    fn admit(&self, key: &str) -> Option<Admission> {
        self.0.by_stream_key(key).map(|channel| Admission::new(channel.name))
    }
}

/// Takes encoders in until the server ends.
pub(crate) async fn run(
    listener: TcpListener,
    channels: HostedChannels,
    place: Place,
    mut ending: watch::Receiver<bool>,
) {
    let (sender, mut publications) = mpsc::channel(WAITING_MAX);
    let keys = Arc::new(StreamKeys(channels.clone()));
    let ended = async move { drop(ending.wait_for(|ending| *ending).await) };
    let reading = ingest::run(listener, IngestConfig::default(), keys, sender, ended);
    let broadcasting = async {
        let mut broadcasts = Broadcasts { running: HashMap::new(), channels, place };
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                publication = publications.recv() => match publication {
                    Some(publication) => broadcasts.take(publication),
                    None => return,
                },
                _ = look.tick() => broadcasts.look(machine::instant()),
            }
        }
    };
    tokio::join!(reading, broadcasting);
}

/// The channels that are being broadcast, by name.
struct Broadcasts {
    running: HashMap<String, Running>,
    channels: HostedChannels,
    place: Place,
}

/// One channel's broadcasts. Dropping this ends them.
struct Running {
    channel: ChannelId,
    publications: mpsc::Sender<Publication>,
    counters: watch::Receiver<Counters>,
    /// When an encoder was last seen.
    used: Instant,
}

impl Broadcasts {
    /// Hands an encoder to its channel's broadcast, which is started where there is none.
    fn take(&mut self, publication: Publication) {
        let name = publication.admission.name().to_owned();
        // Removed since its key was admitted: the encoder is let go.
        let Some(channel) = self.channels.find(&name) else { return };
        let alive = |running: &Running| {
            !running.publications.is_closed() && running.channel == channel.signer.channel()
        };
        if !self.running.get(&name).is_some_and(alive) {
            self.running.insert(name.clone(), Running::start(channel, &self.place));
        }
        if let Some(running) = self.running.get_mut(&name) {
            running.used = machine::instant();
            if running.publications.try_send(publication).is_err() {
                tracing::warn!(
                    channel = name,
                    "an encoder was let go: others of its channel are still waiting"
                );
            }
        }
    }

    /// Ends what nobody uses, and what was removed.
    fn look(&mut self, now: Instant) {
        let channels = &self.channels;
        self.running.retain(|name, running| {
            if running.counters.borrow().encoding {
                running.used = now;
            }
            let owned =
                channels.find(name).is_some_and(|channel| channel.signer.channel() == running.channel);
            if !owned {
                tracing::info!(channel = name, "removed: its broadcast ends");
            }
            owned && !running.publications.is_closed() && now.duration_since(running.used) < UNUSED_MAX
        });
    }
}

impl Running {
    fn start(channel: HostedChannel, place: &Place) -> Self {
        let (publications, publications_end) = mpsc::channel(WAITING_MAX);
        let id = channel.signer.channel();
        let broadcast = Broadcast::start(BroadcastConfig {
            session_url: place.session_url.clone(),
            signer: channel.signer,
            name: channel.name.clone(),
            endpoint: place.endpoint.clone(),
        });
        let counters = broadcast.counters();
        tokio::spawn(async move {
            if let Err(refused) = broadcast.run(publications_end).await {
                tracing::error!(channel = channel.name, "cannot be broadcast: {refused}");
            }
        });
        Running { channel: id, publications, counters, used: machine::instant() }
    }
}
