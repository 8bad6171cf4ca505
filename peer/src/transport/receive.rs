//! The task that reads the socket: hands each datagram to its link and answers STUN questions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::routes::Routes;
use super::socket::{Inbound, MuxSocket, Outbound, ReceiveBuffers};
use super::stun::{self, Kind, Responder};

/// Pause after a failed read, so that a broken socket does not take a core.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);

/// Reads until the task is aborted.
pub(super) async fn receive(socket: Arc<MuxSocket>, routes: Arc<Mutex<Routes>>, mut responder: Responder) {
    let mut buffers = ReceiveBuffers::new();
    let mut answers = Vec::new();
    loop {
        let now = Instant::now();
        let read = socket
            .receive(&mut buffers, |datagram| answers.extend(sort(&routes, &mut responder, now, datagram)))
            .await;
        if let Err(error) = read {
            tracing::warn!(%error, "reading the UDP socket failed");
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        }
        for (answer, source) in answers.drain(..) {
            socket.send(std::slice::from_ref(&answer), |_| source).await;
        }
    }
}

/// Delivers one datagram; returns the answer and the address to send it from when it was a question.
fn sort(
    routes: &Mutex<Routes>,
    responder: &mut Responder,
    now: Instant,
    datagram: Inbound,
) -> Option<(Outbound, Option<std::net::IpAddr>)> {
    let mut routes = routes.lock().unwrap_or_else(PoisonError::into_inner);
    match stun::classify(&datagram.bytes) {
        Kind::Secured => routes.deliver(datagram),
        Kind::Check { ufrag } => {
            let ufrag = ufrag.to_owned();
            routes.deliver_check(&ufrag, datagram);
        }
        Kind::Response => routes.deliver_response(datagram),
        Kind::Question { transaction } => {
            let answer = responder.answer(now, datagram.from, transaction)?;
            return Some((Outbound { to: datagram.from, bytes: BytesMut::from(&answer[..]) }, datagram.to));
        }
        Kind::Garbage => {}
    }
    None
}
