//! The owner of the socket: makes links, one task each, and keeps the reading task alive while any is left.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::addresses;
use super::config::{EndpointConfig, Limits};
use super::connection::{Connection, Credentials, LocalAddresses, Unusable};
use super::drive::{Drive, Ends};
use super::link::{Link, LinkEvents, Shared};
use super::receive;
use super::routes::{LinkId, Routes};
use super::socket::{Inbound, MuxSocket};

/// Why an endpoint could not be made, or a link not be started.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The UDP address is taken, or not ours.
    #[error("cannot listen on UDP {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The endpoint has as many links as it may have.
    #[error("no room for another link")]
    TooManyLinks,
    /// The description is longer than any that is meant seriously.
    #[error("the description is {0} bytes long")]
    DescriptionTooLong(usize),
    /// The peer's description cannot be used.
    #[error("the description cannot be used")]
    UnusableDescription,
    /// The system has no random bytes to give.
    #[error("no random bytes")]
    NoRandomness,
}

/// One UDP socket and the links on it. Clones are the same endpoint. The socket closes when the last clone and
/// the last link are gone.
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    socket: Arc<MuxSocket>,
    routes: Arc<Mutex<Routes>>,
    announced: Vec<IpAddr>,
    limits: Limits,
    receiver: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

/// How a link begins.
enum Beginning {
    Offer,
    Answer { offer: String },
}

impl Endpoint {
    /// Binds the socket. Needs a tokio runtime.
    pub async fn bind(config: EndpointConfig) -> Result<Self, EndpointError> {
        let EndpointConfig { bind, announce, limits } = config;
        let socket = MuxSocket::bind(bind, limits.socket_buffer_bytes)
            .map_err(|source| EndpointError::Bind { address: bind, source })?;
        let socket = Arc::new(socket);
        let announced = addresses::announced(&announce, socket.local_addr());
        let routes = Arc::new(Mutex::new(Routes::new(limits.links_max, limits.remote_addresses_max)));
        let receiver = tokio::spawn(receive::receive(Arc::clone(&socket), Arc::clone(&routes)));
        let inner = Inner { socket, routes, announced, limits, receiver: receiver.abort_handle() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The bound address; its port is in every host candidate.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.socket.local_addr()
    }

    /// The addresses of our host candidates.
    pub fn announced(&self) -> &[IpAddr] {
        &self.inner.announced
    }

    /// Number of links, opening ones included.
    pub fn links(&self) -> usize {
        self.inner.routes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Answers a peer's offer. The answer holds all our candidates: nothing trickles from this side.
    pub async fn answer(&self, offer_sdp: String) -> Result<(Link, LinkEvents, String), EndpointError> {
        if offer_sdp.len() > self.inner.limits.sdp_max_bytes {
            return Err(EndpointError::DescriptionTooLong(offer_sdp.len()));
        }
        self.begin(Beginning::Answer { offer: offer_sdp }).await
    }

    /// Offers a link; the peer's answer goes to [`Link::accept_answer`].
    pub async fn offer(&self) -> Result<(Link, LinkEvents, String), EndpointError> {
        self.begin(Beginning::Offer).await
    }

    async fn begin(&self, beginning: Beginning) -> Result<(Link, LinkEvents, String), EndpointError> {
        let limits = &self.inner.limits;
        let credentials = random_credentials()?;
        let (inbox, inbox_end) = mpsc::channel(limits.inbox_max_datagrams);
        let registration = self.register(&credentials.ufrag, inbox).ok_or(EndpointError::TooManyLinks)?;
        let shared = Arc::new(Shared::new(limits));
        let (commands, commands_end) = mpsc::channel(limits.queued_frames_max);
        let (events, events_end) = mpsc::channel(limits.events_max);
        let ends = Ends { inbox: inbox_end, commands: commands_end, events, shared: Arc::clone(&shared) };
        let (ready, began) = oneshot::channel();
        // Parsing happens in the task: should a stranger's text ever cause a panic, it ends this link alone.
        tokio::spawn(async move {
            match connect(&registration, credentials, beginning) {
                Ok((connection, description)) => {
                    if ready.send(Ok(description)).is_ok() {
                        drive(connection, registration, ends).run().await;
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        match began.await {
            Ok(Ok(description)) => {
                let link = Link { commands, shared: Arc::clone(&shared) };
                Ok((link, LinkEvents { receiver: events_end, shared, ended: false }, description))
            }
            // No word at all: the task panicked.
            Ok(Err(Unusable)) | Err(_) => Err(EndpointError::UnusableDescription),
        }
    }

    fn register(&self, ufrag: &str, inbox: mpsc::Sender<Inbound>) -> Option<Registration> {
        let mut routes = self.inner.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let id = routes.add(ufrag.to_owned(), inbox)?;
        Some(Registration { id, inner: Arc::clone(&self.inner) })
    }
}

fn connect(
    registration: &Registration,
    credentials: Credentials,
    beginning: Beginning,
) -> Result<(Connection, String), Unusable> {
    let now = Instant::now();
    let inner = &registration.inner;
    let local = LocalAddresses { announced: inner.announced.clone(), port: inner.socket.local_addr().port() };
    let mut connection = Connection::new(now, credentials, local, &inner.limits)?;
    let description = match beginning {
        Beginning::Offer => connection.offer(now)?,
        Beginning::Answer { offer } => connection.answer(now, &offer)?,
    };
    Ok((connection, description))
}

fn drive(connection: Connection, registration: Registration, ends: Ends) -> Drive {
    let Limits { open_timeout, disconnected_grace, .. } = registration.inner.limits;
    Drive::new(Instant::now(), connection, registration, ends, open_timeout, disconnected_grace)
}

/// A link's place in the table of routes, given back on drop. Keeps the socket open.
pub(super) struct Registration {
    id: LinkId,
    inner: Arc<Inner>,
}

impl Registration {
    pub(super) fn id(&self) -> LinkId {
        self.id
    }

    pub(super) fn socket(&self) -> &MuxSocket {
        &self.inner.socket
    }

    pub(super) fn routes(&self) -> &Mutex<Routes> {
        &self.inner.routes
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.inner.routes.lock().unwrap_or_else(PoisonError::into_inner).remove(self.id);
    }
}

/// An ICE user name of 96 bits, so that it can serve as a key, and a password of 192 (RFC 8839 §5.4 asks for
/// 24 and 128).
fn random_credentials() -> Result<Credentials, EndpointError> {
    Ok(Credentials { ufrag: random_text::<16>()?, password: random_text::<32>()? })
}

fn random_text<const LENGTH: usize>() -> Result<String, EndpointError> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = [0; LENGTH];
    getrandom::fill(&mut random).map_err(|_| EndpointError::NoRandomness)?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect())
}
