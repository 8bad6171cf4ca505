//! Hosted ingest: an encoder publishes by RTMP with a stream key, and its channel is broadcast from inside of this
//! process, by the uploader's own library, which talks to this server like any other broadcaster.
//!
//! Who may publish is what the store says at that moment. Reading RTMP is `uploader::ingest`'s part.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peer::transport::Endpoint;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use uploader::ingest::{self, Admission, Admitting, IngestConfig, Keys, Publication, Refused};
use uploader::{Broadcast, BroadcastConfig, Counters};
use wire::{ChannelId, Signer};

use crate::ingest_health::IngestHealth;
use crate::machine;
use crate::metrics::Metrics;
use crate::refusals::Door;
use crate::shell::Shell;
use crate::store::{HostedChannel, Store, StoreError, StreamKeyId};

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

/// Stream keys, as the store says.
struct StreamKeys {
    store: Store,
    metrics: Arc<Metrics>,
}

impl Keys for StreamKeys {
    fn admit<'a>(&'a self, key: &'a str) -> Admitting<'a> {
        let key = key.to_owned();
        Box::pin(async move {
            let owner = self.store.read(move |records| records.by_stream_key(&key)).await;
            let owner = owner.unwrap_or_else(|error| {
                tracing::error!("no stream key can be checked: {error}");
                None
            })?;
            Some(Admission::new(owner.name).shown(owner.key.0))
        })
    }

    fn refused(&self, why: Refused) {
        self.metrics.refused(Door::Rtmp, why.into());
    }
}

/// Takes encoders in until the server ends.
pub(crate) async fn run(listener: TcpListener, store: Store, place: Place, shell: Arc<Shell>) {
    let (mut ending, metrics) = (shell.ending.clone(), Arc::clone(&shell.metrics));
    let (sender, mut publications) = mpsc::channel(WAITING_MAX);
    let keys = Arc::new(StreamKeys { store: store.clone(), metrics: Arc::clone(&metrics) });
    let ended = async move { drop(ending.wait_for(|ending| *ending).await) };
    let reading = ingest::run(listener, IngestConfig::default(), keys, sender, ended);
    let broadcasting = async {
        let mut broadcasts = Broadcasts { running: HashMap::new(), store, place, metrics };
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                publication = publications.recv() => match publication {
                    Some(publication) => broadcasts.take(publication).await,
                    None => return,
                },
                _ = look.tick() => broadcasts.look(machine::instant()).await,
            }
        }
    };
    tokio::join!(reading, broadcasting);
}

/// The channels that are being broadcast, by name.
struct Broadcasts {
    running: HashMap<String, Running>,
    store: Store,
    place: Place,
    metrics: Arc<Metrics>,
}

/// One channel's broadcasts. Dropping this ends them.
struct Running {
    channel: ChannelId,
    /// What the present encoder has shown.
    key: StreamKeyId,
    publications: mpsc::Sender<Publication>,
    /// What signs; told when its delegation is renewed.
    signers: watch::Sender<Signer>,
    counters: watch::Receiver<Counters>,
    health: IngestHealth,
    /// When an encoder was last seen.
    used: Instant,
}

impl Broadcasts {
    /// Hands an encoder to its channel's broadcast, which is started where there is none.
    async fn take(&mut self, publication: Publication) {
        let name = publication.admission.name().to_owned();
        let key = StreamKeyId(publication.admission.key_number());
        // Removed since its key was admitted: the encoder is let go.
        let Ok(Some(channel)) = self.find(&name).await else { return };
        let alive =
            |running: &Running| !running.publications.is_closed() && running.channel == channel.channel;
        if !self.running.get(&name).is_some_and(alive) {
            self.running.insert(name.clone(), Running::start(channel, key, &self.place, &self.metrics));
        }
        if let Some(running) = self.running.get_mut(&name) {
            (running.used, running.key) = (machine::instant(), key);
            if running.publications.try_send(publication).is_err() {
                tracing::warn!(
                    channel = name,
                    "an encoder was let go: others of its channel are still waiting"
                );
            }
        }
    }

    /// Ends what nobody uses, what was removed, and whose stream key was revoked. Takes over renewed delegations.
    async fn look(&mut self, now: Instant) {
        for (name, channel, key) in self.present() {
            match self.may_go_on(&name, channel, key).await {
                Ok(Some(signer)) => {
                    if let Some(running) = self.running.get(&name) {
                        running.sign_with(signer);
                    }
                }
                Ok(None) => {
                    tracing::info!(
                        channel = name,
                        "removed, its stream key revoked, or its delegation over: its broadcast ends"
                    );
                    self.running.remove(&name);
                }
                // Who cannot be asked about goes on.
                Err(error) => tracing::error!("no stream key can be checked: {error}"),
            }
        }
        self.running.retain(|_, running| {
            let counters = *running.counters.borrow();
            running.health.note(now, counters);
            if counters.encoding {
                running.used = now;
            }
            !running.publications.is_closed() && now.duration_since(running.used) < UNUSED_MAX
        });
    }

    fn present(&self) -> Vec<(String, ChannelId, StreamKeyId)> {
        let running = self.running.iter();
        running.map(|(name, running)| (name.clone(), running.channel, running.key)).collect()
    }

    /// What signs, if the broadcast may go on.
    async fn may_go_on(
        &self,
        name: &str,
        channel: ChannelId,
        key: StreamKeyId,
    ) -> Result<Option<Signer>, StoreError> {
        let name = name.to_owned();
        let looked_up = self.store.read(move |records| {
            let owned = records.hosted(&name)?.filter(|hosted| hosted.channel == channel);
            Ok(if records.is_valid(key)? { owned.map(|hosted| hosted.signer) } else { None })
        });
        looked_up.await
    }

    async fn find(&self, name: &str) -> Result<Option<HostedChannel>, StoreError> {
        let name = name.to_owned();
        self.store.read(move |records| records.hosted(&name)).await
    }
}

impl Running {
    fn start(channel: HostedChannel, key: StreamKeyId, place: &Place, metrics: &Metrics) -> Self {
        let (publications, publications_end) = mpsc::channel(WAITING_MAX);
        let (id, now) = (channel.channel, machine::instant());
        let health = IngestHealth::new(metrics.channels.of(&channel.name), now);
        let broadcast = Broadcast::start(BroadcastConfig {
            session_url: place.session_url.clone(),
            authorities: peer::Authorities::OfTheWeb,
            signer: channel.signer,
            name: channel.name.clone(),
            endpoint: place.endpoint.clone(),
        });
        let (counters, signers) = (broadcast.counters(), broadcast.signers());
        tokio::spawn(async move {
            if let Err(refused) = broadcast.run(publications_end).await {
                tracing::error!(channel = channel.name, "cannot be broadcast: {refused}");
            }
        });
        Running { channel: id, key, publications, signers, counters, health, used: now }
    }

    fn sign_with(&self, signer: Signer) {
        self.signers.send_if_modified(|present| {
            let renewed = present.delegation() != signer.delegation();
            if renewed {
                *present = signer;
            }
            renewed
        });
    }
}
