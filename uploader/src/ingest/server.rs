//! Accepts connections, seats only so many, keeps the panic of one from the others, and knows who publishes what.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};

use super::connection;
use super::keys::{Admission, Keys, Refused};
use super::limits::IngestLimits;
use super::publication::{Publication, Publisher, PublisherId, publication};

/// How the server is set up.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// The first part of the path in `rtmp://host/live`. Default `live`.
    pub app: String,
    /// What senders may cost.
    pub limits: IngestLimits,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self { app: "live".to_owned(), limits: IngestLimits::default() }
    }
}

/// After the system refused a connection (out of files, most likely), how long to wait before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves RTMP until `shutdown` completes or nobody takes publications any more; then every connection closes.
/// Encoders that present a key appear at the other end of `publications`.
pub async fn run(
    listener: TcpListener,
    config: IngestConfig,
    keys: Arc<dyn Keys>,
    publications: mpsc::Sender<Publication>,
    shutdown: impl Future<Output = ()>,
) {
    let shared =
        Arc::new(Shared { config, keys, publications, registry: Mutex::default(), seats: Mutex::default() });
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            () = shared.publications.closed() => break,
            Some(ended) = connections.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((socket, address)) => seat(&mut connections, &shared, socket, address.ip()),
                Err(error) => {
                    tracing::warn!("cannot accept an encoder's connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

fn seat(connections: &mut JoinSet<()>, shared: &Arc<Shared>, socket: TcpStream, address: IpAddr) {
    match Seat::take(shared, address) {
        Some(seat) => {
            let shared = shared.clone();
            connections.spawn(async move {
                connection::serve(socket, shared).await;
                drop(seat);
            });
        }
        None => {
            shared.keys.refused(Refused::ConnectionsFull);
            tracing::debug!("too many connections: one was closed unheard");
        }
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection's task panicked, the others go on: {error}");
    }
}

/// What all connections share.
pub(crate) struct Shared {
    pub config: IngestConfig,
    pub keys: Arc<dyn Keys>,
    publications: mpsc::Sender<Publication>,
    registry: Mutex<Registry>,
    seats: Mutex<Seats>,
}

/// Who publishes what. A dropped sender tells an encoder that it was replaced.
#[derive(Default)]
struct Registry {
    last_number: u64,
    active: HashMap<Admission, (u64, oneshot::Sender<()>)>,
}

impl Shared {
    /// Makes a connection the publisher of `admission`; whoever was that is told. `None` when nobody takes
    /// publications any more.
    pub async fn publish(&self, admission: &Admission) -> Option<(u64, Publisher, oneshot::Receiver<()>)> {
        let (tell, replaced) = oneshot::channel();
        let (number, before) = {
            let mut registry = lock(&self.registry);
            registry.last_number += 1;
            let number = registry.last_number;
            (number, registry.active.insert(admission.clone(), (number, tell)))
        };
        match before {
            Some((before, _)) => {
                tracing::info!(publisher = number, %admission, "takes over from publisher {before}")
            }
            None => tracing::info!(publisher = number, %admission, "an encoder publishes"),
        }
        let (publisher, publication) =
            publication(PublisherId(number), admission.clone(), &self.config.limits);
        match self.publications.send(publication).await {
            Ok(()) => Some((number, publisher, replaced)),
            Err(_) => {
                self.unpublish(admission, number);
                None
            }
        }
    }

    /// The connection is gone, unless another one is the publisher already.
    pub fn unpublish(&self, admission: &Admission, number: u64) {
        let mut registry = lock(&self.registry);
        if registry.active.get(admission).is_some_and(|(active, _)| *active == number) {
            registry.active.remove(admission);
        }
    }
}

/// How many connections there are.
#[derive(Default)]
struct Seats {
    taken: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right of one connection to be there; given back when dropped, also by a panic.
struct Seat {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Seat {
    fn take(shared: &Arc<Shared>, address: IpAddr) -> Option<Self> {
        let address = household(address);
        let limits = &shared.config.limits;
        let mut seats = lock(&shared.seats);
        let here = seats.by_address.get(&address).copied().unwrap_or(0);
        if seats.taken >= limits.connections_max || here >= limits.connections_per_address_max {
            return None;
        }
        seats.taken += 1;
        seats.by_address.insert(address, here + 1);
        Some(Self { shared: shared.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = lock(&self.shared.seats);
        seats.taken -= 1;
        if let Some(here) = seats.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                seats.by_address.remove(&self.address);
            }
        }
    }
}

/// One subscriber has a whole /64 in IPv6.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// A panic elsewhere leaves counters and names whole: every critical section is a few plain assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
