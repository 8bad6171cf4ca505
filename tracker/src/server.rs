//! The running server: binds its ports, accepts connections, and ends in order.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use peer::transport::{Endpoint, EndpointError, StunServer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use crate::admin;
use crate::assets::Assets;
use crate::channel::ToChannel;
use crate::config::{Config, Limits};
use crate::directory::Directory;
use crate::egress::Egress;
use crate::history::{self, History};
use crate::hosted::{self, Place};
use crate::http::{self, PeerAddress};
use crate::machine::{Clock, Disk};
use crate::metrics::Metrics;
use crate::rate::Addresses;
use crate::refusals::{Door, Reason};
use crate::relays::Relays;
use crate::shell::Shell;
use crate::store::{Store, StoreError};
use crate::udp;

/// Time between attempts to accept when the system has no more files to give. 100 ms: connections end all the time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address for pages and sessions is taken, or not this machine's.
    #[error("cannot listen on {address}: {source}. If another program uses it, choose another with --listen")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    listener: TcpListener,
    address: SocketAddr,
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
        let at = config.listen;
        let failed = |source| ServerError::Listen { address: at, source };
        let listener = TcpListener::bind(at).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
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
        let store = tokio::task::spawn_blocking(move || Store::open(&data)).await;
        let store = store.map_err(|_| StoreError::Ended)??;
        let (ending, ending_end) = watch::channel(false);
        let config = Arc::new(config);
        let (settings, settings_end) = watch::channel(Arc::clone(&config));
        let shell = Shell {
            clock: Clock::start(),
            directory: Directory::new(store.clone()),
            store,
            addresses: Addresses::new(),
            relays: Relays::default(),
            egress: Arc::new(Egress::open(&config)),
            metrics: Arc::new(Metrics::new(config.seeing.metrics_channels_max)),
            admin: admin::Door::default(),
            history: History::default(),
            disk: Disk::default(),
            sessions: Arc::new(Semaphore::new(config.limits.sessions_max)),
            stun_port: stun.as_ref().map(|stun| stun.local_addr().port()),
            ending: ending_end,
            settings: settings_end,
        };
        Ok(Server { listener, address, stun, hosting, shell: Arc::new(shell), settings, ending })
    }

    /// The bound address of pages and sessions.
    pub fn address(&self) -> SocketAddr {
        self.address
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
        let hosting = self.hosting.map(|Hosting { listener, endpoint }| {
            let store = self.shell.store.clone();
            let place = Place { session_url: session_url(self.address), endpoint };
            tokio::spawn(hosted::run(listener, store, place, Arc::clone(&self.shell)))
        });
        let counting = tokio::spawn(Arc::clone(&self.shell.egress).keep(self.settings.subscribe()));
        let sampling = tokio::spawn(history::run(Arc::clone(&self.shell)));
        tokio::select! {
            () = accept(&self.listener, &router, &self.shell) => {}
            () = self.shell.directory.watch() => {}
            () = shutdown => {}
        }
        drop(self.listener);
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
        };
        let _ = tokio::time::timeout(limits.farewell, farewell).await;
        hosting.into_iter().for_each(|hosting| hosting.abort());
        sampling.abort();
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

/// Accepts for ever.
async fn accept(listener: &TcpListener, router: &Router, shell: &Shell) {
    let config = shell.config();
    let limits = &config.limits;
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => {
                tune(&stream, limits);
                let connection = serve(stream, address, router.clone(), limits.header_timeout);
                let metrics = Arc::clone(&shell.metrics);
                tokio::spawn(async move {
                    // How a connection of a stranger ends is no news, but for the count.
                    if let Some(reason) = connection.await {
                        metrics.refused(Door::Http, reason);
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Pieces leave at once, few wait in the kernel, where stale ones cannot be dropped, and who takes nothing for long is
/// gone. Best effort: a system that refuses serves all the same.
fn tune(stream: &TcpStream, limits: &Limits) {
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        let socket = SockRef::from(stream);
        let _ = socket.set_tcp_notsent_lowat(limits.unsent_bytes_max);
        let _ = socket.set_tcp_user_timeout(Some(limits.dead_after));
    }
}

/// Returns why the peer was not served. One that was, and then is silent, was refused nothing.
async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    header_timeout: Duration,
) -> Option<Reason> {
    let served = AtomicBool::new(false);
    let service = service_fn(|mut request: Request<Incoming>| {
        served.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(PeerAddress(address.ip()));
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let reason = Reason::of_connection(&connection.await.err()?)?;
    (reason != Reason::Timeout || !served.load(Ordering::Relaxed)).then_some(reason)
}
