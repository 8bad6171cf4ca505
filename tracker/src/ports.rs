//! The TCP ports of pages and sessions: which there are, and what is behind each.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::connection::{self, Gate};
use crate::server::ServerError;
use crate::shell::Shell;
use crate::tls::Tls;

/// Time between attempts to accept when the system has no more files to give. 100 ms: connections end all the time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bound ports.
pub(crate) struct Ports {
    /// The one that everybody knows.
    main: TcpListener,
    /// With TLS: the plain one.
    plain: Option<TcpListener>,
    /// With TLS: for hosted broadcasts, which come from inside of this process.
    inside: Option<TcpListener>,
}

impl Ports {
    /// Binds all. Connections wait until [`open`](Self::open).
    pub(crate) async fn bind(config: &Config) -> Result<Self, ServerError> {
        let main = listen(config.listen, "--listen").await?;
        let (mut plain, mut inside) = (None, None);
        if config.tls.is_on() {
            if let Some(address) = config.tls.http_listen {
                plain = Some(listen(address, "--http-listen").await?);
            }
            if config.rtmp.is_some() {
                inside = Some(listen((Ipv4Addr::LOCALHOST, 0).into(), "--rtmp off").await?);
            }
        }
        Ok(Ports { main, plain, inside })
    }

    /// The address that everybody knows.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.main.local_addr().ok()
    }

    /// Of the plain port beside TLS.
    pub(crate) fn plain_address(&self) -> Option<SocketAddr> {
        self.plain.as_ref()?.local_addr().ok()
    }

    /// Of the port for hosted broadcasts beside TLS.
    pub(crate) fn inside_address(&self) -> Option<SocketAddr> {
        self.inside.as_ref()?.local_addr().ok()
    }

    /// Accepts at all of them, until the tasks are aborted.
    pub(crate) fn open(self, tls: Option<&Tls>, router: &Router, shell: &Arc<Shell>) -> JoinSet<()> {
        let serving = || Gate::Plain(router.clone());
        let tls_port = self.address().map_or(0, |address| address.port());
        let beside = self.plain.map(|listener| {
            let is_loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
            (listener, if is_loopback { serving() } else { Gate::Redirect(tls_port) })
        });
        let inside = self.inside.map(|listener| (listener, serving()));
        let main = tls.map_or_else(serving, |tls| Gate::Tls(router.clone(), tls.acceptor()));
        let connections = Arc::new(Semaphore::new(shell.config().limits.connections_max));
        let mut accepting = JoinSet::new();
        for (listener, gate) in [Some((self.main, main)), beside, inside].into_iter().flatten() {
            accepting.spawn(accept(listener, gate, Arc::clone(shell), Arc::clone(&connections)));
        }
        accepting
    }
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|source| ServerError::Listen { flag, address, source })
}

/// Accepts for ever.
async fn accept(listener: TcpListener, gate: Gate, shell: Arc<Shell>, connections: Arc<Semaphore>) {
    let mut settings = shell.settings.clone();
    settings.mark_changed();
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        if settings.has_changed().unwrap_or(false) {
            connection::tune(&listener, &settings.borrow_and_update().limits);
        }
        match listener.accept().await {
            Ok((stream, address)) => gate.enter(stream, address, &shell, permit),
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
