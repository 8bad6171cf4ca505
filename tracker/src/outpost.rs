//! A relay in another place: joins every watched channel of another server as a native peer with much upload, takes
//! each stripe once, and feeds those viewers that the other server sends to it, over links like any other peer's.
//!
//! Who is sent here is the other server's to decide, what is pushed the engine's. Like all peers it checks every
//! signature before it passes a piece on.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use peer::transport::{Endpoint, EndpointConfig, EndpointError};
use peer::{Authorities, Event, Participant, ParticipantConfig};
use swarm::{Config as SwarmConfig, Identity, Role};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};
use wire::{ChannelId, PeerSecret};

use crate::budget::{Allowance, Budget, Month};
use crate::machine;
use crate::relays::{FromOrigin, Introduction, LIST_BYTES_MAX, Sent, proof};

/// A channel that nobody watches is left after this. 30 s: viewers reload.
const LEAVE_AFTER: Duration = Duration::from_secs(30);

/// How often shares are looked at, and channels that nobody watches any more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Silence of the other server after which its session counts as dead. 75 s: it lists channels when they change, and
/// answers pings.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// Between pings, with which goes what was sent. 15 s: routers forget a silent connection after 30 s.
const PING_EVERY: Duration = Duration::from_secs(15);

/// Between attempts to reach the other server. 2 s: as viewers do.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Channels relayed at once. 200: the other server takes 256 sessions of one address.
const CHANNELS_MAX: usize = 200;

/// Viewers linked at once, in one channel. 2,000: 6 Gb/s of 3 Mb/s each.
const LINKS_MAX: usize = 2_000;

/// Percent of a share that is used: the rest is for bursts and repairs.
const USED_PERCENT: u64 = 90;

/// Settings of a relay elsewhere.
#[derive(Debug, Clone)]
pub struct OutpostConfig {
    /// The server that it helps: `https://HOST`, or `http:`.
    pub of: String,
    /// Who vouches for that server, if it is an `https:` address.
    pub authorities: Authorities,
    /// Its name, for that server's operator.
    pub name: String,
    /// The secret that both share.
    pub secret: String,
    /// Its one UDP port for links.
    pub links: SocketAddr,
    /// Addresses that viewers reach it at; empty: those of the machine.
    pub announce: Vec<IpAddr>,
    /// Bits a second, all channels together; `None`: no limit.
    pub egress_bps: Option<u64>,
}

/// Why a relay elsewhere does not run.
#[derive(Debug, thiserror::Error)]
pub enum OutpostError {
    /// The address is none.
    #[error("--of {0}: give the server's address, as in https://example.org")]
    Address(String),
    /// The UDP port for links cannot be had.
    #[error("{0}. Choose another address with --links")]
    Links(#[from] EndpointError),
    /// The other server does not take it.
    #[error("the server refuses this relay: {0}")]
    Refused(String),
}

/// A relay elsewhere with its port bound.
pub struct Outpost {
    config: OutpostConfig,
    /// `ws://HOST:PORT`, or `wss:`.
    socket: String,
    secret: PeerSecret,
    endpoint: Endpoint,
    sent_bytes: Arc<AtomicU64>,
    budget: Arc<Mutex<Budget>>,
    /// What the other server listed last.
    listed: Vec<ChannelId>,
    channels: HashMap<ChannelId, Relayed>,
}

/// One channel that is relayed. Dropping this leaves it.
struct Relayed {
    task: JoinHandle<()>,
    listed: Instant,
}

impl Drop for Relayed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

impl Outpost {
    /// Binds its port for links.
    pub async fn bind(config: OutpostConfig) -> Result<Self, OutpostError> {
        let socket = socket_address(&config.of).ok_or_else(|| OutpostError::Address(config.of.clone()))?;
        let announce = config.announce.clone();
        let endpoint =
            Endpoint::bind(EndpointConfig { announce, ..EndpointConfig::new(config.links) }).await?;
        // A month is counted where the contract is: here only the line is bounded.
        let allowance = Allowance { max_bps: config.egress_bps, month_bytes: None };
        let budget = Budget::new(allowance, Month::of_unix_ms(machine::unix_ms()), 0);
        Ok(Outpost {
            config,
            socket,
            secret: PeerSecret(machine::random()),
            endpoint,
            sent_bytes: Arc::default(),
            budget: Arc::new(Mutex::new(budget)),
            listed: Vec::new(),
            channels: HashMap::new(),
        })
    }

    /// Bytes of pieces sent to viewers so far.
    pub fn sent_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent_bytes)
    }

    /// Relays until `shutdown` resolves, or the other server refuses. While that is away, viewers go on being fed.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), OutpostError> {
        let relaying = async {
            loop {
                if let Err(why) = self.attend().await? {
                    tracing::warn!(of = self.config.of, "the session of this relay has ended: {why}");
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        };
        tokio::select! {
            ended = relaying => ended,
            () = shutdown => Ok(()),
        }
    }

    /// One session with the other server. The inner error says why it ended.
    async fn attend(&mut self) -> Result<Result<(), String>, OutpostError> {
        let limits = WebSocketConfig::default()
            .max_message_size(Some(LIST_BYTES_MAX))
            .max_frame_size(Some(LIST_BYTES_MAX));
        let url = format!("{}/relay", self.socket);
        let connector = match self.config.authorities.connector(&url) {
            Ok(connector) => connector,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let connecting = connect_async_tls_with_config(url, Some(limits), true, Some(connector));
        let (mut socket, _) = match connecting.await {
            Ok(connected) => connected,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut look = tokio::time::interval(LOOK_EVERY);
        // Its first word is the introduction, which waits for the other server's.
        let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
        let mut heard = Instant::now();
        loop {
            let ended = tokio::select! {
                message = socket.next() => {
                    heard = machine::instant();
                    match message {
                        Some(Ok(Message::Text(text))) => self.told(&text, &mut socket).await?,
                        Some(Ok(Message::Close(_))) | None => Err("it was closed".to_owned()),
                        Some(Ok(_)) => Ok(()),
                        Some(Err(error)) => Err(error.to_string()),
                    }
                }
                _ = look.tick() => {
                    self.look(machine::instant());
                    Ok(())
                }
                _ = ping.tick() => {
                    let sent = Sent { sent_bytes: self.sent_bytes.load(Ordering::Relaxed) };
                    match machine::instant().duration_since(heard) > SILENCE_MAX {
                        true => Err("it fell silent".to_owned()),
                        false => ping_and_say(&mut socket, &sent).await,
                    }
                }
            };
            if ended.is_err() {
                return Ok(ended);
            }
        }
    }

    async fn told(&mut self, text: &str, socket: &mut Socket) -> Result<Result<(), String>, OutpostError> {
        match serde_json::from_str(text) {
            Ok(FromOrigin::Hello { nonce }) => {
                let peer = self.secret.peer();
                let proof = proof(&self.config.secret, &nonce, peer);
                Ok(say(socket, &Introduction { name: self.config.name.clone(), peer, proof }).await)
            }
            Ok(FromOrigin::List { channels }) => {
                self.listed = channels;
                self.look(machine::instant());
                Ok(Ok(()))
            }
            Ok(FromOrigin::Refused { refused }) => Err(OutpostError::Refused(refused)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

impl Outpost {
    /// Joins what is watched, leaves what has not been for long.
    fn look(&mut self, now: Instant) {
        for channel in self.listed.clone() {
            let has_room = self.channels.len() < CHANNELS_MAX;
            match self.channels.get_mut(&channel) {
                Some(relayed) if !relayed.task.is_finished() => relayed.listed = now,
                _ if has_room => {
                    let relayed = Relayed { task: tokio::spawn(self.relay(channel)), listed: now };
                    self.channels.insert(channel, relayed);
                }
                _ => {}
            }
        }
        self.channels.retain(|_, channel| now.duration_since(channel.listed) < LEAVE_AFTER);
    }

    fn relay(&self, channel: ChannelId) -> impl Future<Output = ()> + Send + use<> {
        let engine = SwarmConfig {
            links_max: LINKS_MAX,
            link_creations_per_hour: usize::MAX,
            upload_cap_x: if self.config.egress_bps.is_some() { 0.0 } else { f32::MAX },
            ..SwarmConfig::default()
        };
        let participant = ParticipantConfig {
            session_url: format!("{}/session", self.socket),
            identity: Identity {
                role: Role::Viewer,
                secret: self.secret,
                channel: channel.to_string(),
                expected: Some(channel),
            },
            authorities: self.config.authorities.clone(),
            engine,
            endpoint: Some(self.endpoint.clone()),
            announce: None,
            alteration: None,
            observer: None,
        };
        let place = Place { channel, budget: Arc::clone(&self.budget) };
        relay(participant, place, Arc::clone(&self.sent_bytes))
    }
}

/// Where sessions of the server at a page's address are.
fn socket_address(page: &str) -> Option<String> {
    let (scheme, rest) = page.split_once("://")?;
    let scheme = match scheme {
        "https" => "wss",
        "http" => "ws",
        _ => return None,
    };
    let host = rest.trim_end_matches('/');
    (!host.is_empty() && !host.contains('/')).then(|| format!("{scheme}://{host}"))
}

/// A channel's place in the budget, given back however its task ends.
struct Place {
    channel: ChannelId,
    budget: Arc<Mutex<Budget>>,
}

impl Place {
    /// What the channel may send; `None`: anything.
    fn share_bps(&self, wanted_bps: u64) -> Option<u64> {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.want(self.channel, wanted_bps).max_bps
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).leave(self.channel);
    }
}

/// Relays one channel for ever.
async fn relay(config: ParticipantConfig, place: Place, sent_bytes: Arc<AtomicU64>) {
    let mut participant = Participant::start(config);
    let (mut look, mut stream, mut sent) = (tokio::time::interval(LOOK_EVERY), None, 0);
    loop {
        tokio::select! {
            event = participant.next() => match event {
                Some(Event::Stream(header)) => stream = Some((u64::from(header.bitrate_bps).max(1), header.stripes)),
                Some(Event::Violation { peer, violation }) => tracing::warn!(%peer, ?violation, "a peer broke the rules"),
                Some(Event::Refused { message, .. }) => tracing::warn!("not let in: {message}"),
                Some(_) => {}
                None => return,
            },
            _ = look.tick() => {
                let stats = participant.stats();
                sent_bytes.fetch_add(stats.uploaded_bytes.saturating_sub(sent), Ordering::Relaxed);
                sent = stats.uploaded_bytes;
                let Some((bitrate_bps, stripes)) = stream else { continue };
                let fed: usize = stats.links.iter().map(|link| link.stripes_out.len()).sum();
                let viewers_x100 = (fed as u64 + u64::from(stripes)) * 100 / u64::from(stripes.max(1));
                let wanted_bps = bitrate_bps * viewers_x100 / USED_PERCENT;
                if let Some(share_bps) = place.share_bps(wanted_bps) {
                    let times = share_bps * USED_PERCENT / 100;
                    participant.cap_upload(times as f32 / bitrate_bps as f32).await;
                }
            }
        }
    }
}

async fn say<T: serde::Serialize>(socket: &mut Socket, message: &T) -> Result<(), String> {
    let text = serde_json::to_string(message).map_err(|error| error.to_string())?;
    socket.send(Message::text(text)).await.map_err(|error| error.to_string())
}

async fn ping_and_say<T: serde::Serialize>(socket: &mut Socket, message: &T) -> Result<(), String> {
    socket.send(Message::Ping(bytes::Bytes::new())).await.map_err(|error| error.to_string())?;
    say(socket, message).await
}
