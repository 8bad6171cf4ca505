//! The task that reads the socket of the links and hands each datagram to its link.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::routes::Routes;
use super::socket::{Inbound, MuxSocket, ReceiveBuffers};
use super::stun::{self, Kind};

/// Pause after a failed read, so that a broken socket does not take a core.
pub(super) const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);

/// Reads until the task is aborted.
pub(super) async fn receive(socket: Arc<MuxSocket>, routes: Arc<Mutex<Routes>>) {
    let mut buffers = ReceiveBuffers::new();
    loop {
        let read = socket.receive(&mut buffers, |datagram| sort(&routes, datagram)).await;
        if let Err(error) = read {
            tracing::warn!(%error, "reading the UDP socket failed");
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        }
    }
}

fn sort(routes: &Mutex<Routes>, datagram: Inbound) {
    let mut routes = routes.lock().unwrap_or_else(PoisonError::into_inner);
    match stun::classify(&datagram.bytes) {
        Kind::Secured => routes.deliver(datagram),
        Kind::Response => routes.deliver_response(datagram),
        Kind::Check { ufrag } => {
            let ufrag = ufrag.to_owned();
            routes.deliver_check(&ufrag, datagram);
        }
        Kind::Question { .. } | Kind::Garbage => {}
    }
}
