//! The running server: binds its ports, accepts connections, and ends in order.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use peer::transport::{Endpoint, EndpointError, StunServer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::admin;
use crate::api::Api;
use crate::assets::Assets;
use crate::bans::{self, Bans};
use crate::channel::ToChannel;
use crate::config::Config;
use crate::delegations;
use crate::directory::Directory;
use crate::egress::Egress;
use crate::firewall::Firewall;
use crate::history::{self, History};
use crate::hooks::{Hooks, HooksError};
use crate::hosted::{self, Place};
use crate::http;
use crate::machine::{Clock, Disk};
use crate::metrics::Metrics;
use crate::ports::Ports;
use crate::rate::Addresses;
use crate::relays::Relays;
use crate::shell::Shell;
use crate::store::{Store, StoreError};
use crate::tls::{Tls, TlsError};
use crate::tokens::Tokens;
use crate::udp;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address for pages and sessions is taken, or not this machine's.
    #[error("cannot listen on {address}: {source}. If another program uses it, choose another with {flag}")]
    Listen {
        /// The flag that chooses it.
        flag: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// TLS is set in a way that cannot be.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Webhooks are set in a way that cannot be.
    #[error(transparent)]
    Hooks(#[from] HooksError),
    /// The UDP address for STUN is taken, or not this machine's.
    #[error("cannot listen on UDP {address}: {source}. Choose another with --udp, or go without: --udp off")]
    Udp {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The UDP address for links is taken, or not this machine's.
    #[error("{source}, for the links of hosted channels. Choose another address with --links")]
    Links {
        /// What went wrong.
        source: EndpointError,
    },
    /// The RTMP address is taken, or not this machine's.
    #[error("cannot listen on {address}: {source}. Choose another with --rtmp, or go without: --rtmp off")]
    Rtmp {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A server with its ports bound.
pub struct Server {
    ports: Ports,
    address: SocketAddr,
    tls: Option<Tls>,
    stun: Option<StunServer>,
    hosting: Option<Hosting>,
    shell: Arc<Shell>,
    settings: watch::Sender<Arc<Config>>,
    ending: watch::Sender<bool>,
}

/// The ports of hosted ingest.
struct Hosting {
    listener: TcpListener,
    endpoint: Option<Endpoint>,
}

impl Hosting {
    async fn bind(rtmp: SocketAddr, config: &Config) -> Result<Self, ServerError> {
        let bound = TcpListener::bind(rtmp).await;
        let listener = bound.map_err(|source| ServerError::Rtmp { address: rtmp, source })?;
        let endpoint = match config.links.or(config.udp.map(udp::beside)) {
            Some(address) => {
                let bound = udp::links(address, &config.announce).await;
                Some(bound.map_err(|source| ServerError::Links { source })?)
            }
            None => None,
        };
        Ok(Hosting { listener, endpoint })
    }
}

impl Server {
    /// Binds all ports. Connections wait until [`run`](Self::run).
    pub async fn bind(config: Config) -> Result<Self, ServerError> {
        let tls = Tls::new(&config)?;
        let ports = Ports::bind(&config).await?;
        let address = ports.address().unwrap_or(config.listen);
        let stun = match config.udp {
            Some(address) => {
                Some(udp::stun(address).await.map_err(|source| ServerError::Udp { address, source })?)
            }
            None => None,
        };
        let hosting = match config.rtmp {
            Some(rtmp) => Some(Hosting::bind(rtmp, &config).await?),
            None => None,
        };
        let data = config.data.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let store = Store::open(&data)?;
            let bans = Bans::open(&data).map_err(|source| StoreError::Files { path: data, source })?;
            Ok::<_, StoreError>((store, Arc::new(bans)))
        });
        let (store, bans) = opened.await.map_err(|_| StoreError::Ended)??;
        bans.replace(store.read(|records| records.bans()).await?);
        let (ending, ending_end) = watch::channel(false);
        let config = Arc::new(config);
        let (settings, settings_end) = watch::channel(Arc::clone(&config));
        let metrics = Arc::new(Metrics::new(config.seeing.metrics_channels_max));
        let hooks = Hooks::start(&config.hooks, Arc::clone(&metrics))?;
        let shell = Shell {
            clock: Clock::start(),
            directory: Directory::new(store.clone(), hooks.clone(), Arc::clone(&bans)),
            store,
            addresses: Addresses::new(),
            relays: Relays::default(),
            api: Api::new(),
            bans,
            tokens: Tokens::default(),
            egress: Arc::new(Egress::open(&config)),
            metrics,
            hooks,
            admin: admin::Door::default(),
            history: History::default(),
            disk: Disk::default(),
            sessions: Arc::new(Semaphore::new(config.limits.sessions_max)),
            chat_visits: Arc::new(Semaphore::new(config.limits.chat_visits_max)),
            stun_port: stun.as_ref().map(|stun| stun.local_addr().port()),
            firewall: stun.as_ref().map(|stun| Arc::new(Firewall::new(stun.tally()))),
            ending: ending_end,
            settings: settings_end,
        };
        Ok(Server { ports, address, tls, stun, hosting, shell: Arc::new(shell), settings, ending })
    }

    /// The bound address of pages and sessions.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether that address speaks TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The bound address of the plain port that stands beside TLS.
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.ports.plain_address()
    }

    /// Where changed settings go in. Whatever of them is opened or counted at the start stays as it is.
    pub fn settings(&self) -> watch::Sender<Arc<Config>> {
        self.settings.clone()
    }

    /// The bound port of the STUN server.
    pub fn stun_port(&self) -> Option<u16> {
        self.shell.stun_port
    }

    /// The bound address that encoders publish to.
    pub fn rtmp_address(&self) -> Option<SocketAddr> {
        self.hosting.as_ref().and_then(|hosting| hosting.listener.local_addr().ok())
    }

    /// Serves until `shutdown` resolves, then tells every session and waits for them to go.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let router = http::router(Arc::clone(&self.shell), Assets::load());
        let inside = self.ports.inside_address();
        let hosting = self.hosting.map(|Hosting { listener, endpoint }| {
            let store = self.shell.store.clone();
            let place = Place { session_url: session_url(inside.unwrap_or(self.address)), endpoint };
            tokio::spawn(hosted::run(listener, store, place, Arc::clone(&self.shell)))
        });
        let counting = tokio::spawn(Arc::clone(&self.shell.egress).keep(self.settings.subscribe()));
        let sampling = tokio::spawn(history::run(Arc::clone(&self.shell)));
        let sweeping = tokio::spawn(bans::sweep(self.shell.store.clone()));
        let warning = tokio::spawn(delegations::watch(Arc::clone(&self.shell)));
        let listening = self
            .shell
            .stun_port
            .zip(self.shell.firewall.clone())
            .map(|(port, firewall)| tokio::spawn(async move { firewall.watch(port).await }));
        let mut doors = self.ports.open(self.tls.as_ref(), &router, &self.shell);
        if let Some(tls) = self.tls {
            doors.spawn(tls.keep(self.settings.subscribe()));
        }
        tokio::select! {
            () = self.shell.directory.watch() => {}
            () = shutdown => {}
        }
        doors.shutdown().await;
        // Receivers are in `shell`, which is still here.
        let _ = self.ending.send(true);
        let config = self.shell.config();
        let limits = &config.limits;
        let farewell = async {
            for channel in self.shell.directory.handles() {
                // A task that is gone has told its sessions.
                let _ = channel.tell(ToChannel::ShutDown).await;
            }
            let _ = self.shell.sessions.acquire_many(limits.sessions_max as u32).await;
            let _ = self.shell.chat_visits.acquire_many(limits.chat_visits_max as u32).await;
        };
        let _ = tokio::time::timeout(limits.shutdown_wait, farewell).await;
        hosting.into_iter().for_each(|hosting| hosting.abort());
        sampling.abort();
        warning.abort();
        listening.into_iter().for_each(|listening| listening.abort());
        sweeping.abort();
        drop(self.stun);
        counting.abort();
        self.shell.egress.write();
    }
}

/// Where a hosted broadcast reaches this server: as everyone does, but from inside.
fn session_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("ws://{}/session", SocketAddr::new(ip, address.port()))
}
