//! `lying-peer`: a native viewer that joins a swarm like any other and alters every piece it passes on. For tests of
//! what honest peers make of it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use peer::transport::{Endpoint, EndpointConfig};
use peer::{Participant, ParticipantConfig};
use swarm::{Config, Identity, Role};
use wire::PeerSecret;

/// It ends by itself, should nobody end it.
const LIFE: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let value_of = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.and_then(|at| arguments.get(at + 1)).with_context(|| format!("{flag} is missing"))
    };
    let tracker = value_of("--tracker")?.trim_end_matches('/').replacen("http", "ws", 1);
    let channel = value_of("--channel")?.clone();
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).ok().context("no random bytes")?;
    let secret = PeerSecret(secret);
    let any_port = SocketAddr::from(([0, 0, 0, 0], 0));
    let endpoint = Endpoint::bind(EndpointConfig::new(any_port)).await?;
    let mut participant = Participant::start(ParticipantConfig {
        session_url: format!("{tracker}/session"),
        authorities: peer::Authorities::OfTheWeb,
        identity: Identity { role: Role::Viewer, secret, channel, expected: None },
        engine: Config::default(),
        endpoint: Some(endpoint),
        announce: None,
        alteration: Some(Box::new(altered)),
        observer: None,
    });
    println!("peer: {}", secret.peer());
    let life = async { while participant.next().await.is_some() {} };
    // Either way its life is over.
    let _ = tokio::time::timeout(LIFE, life).await;
    Ok(())
}

/// The same piece with another payload.
fn altered(frame: Bytes) -> Bytes {
    let mut lie = BytesMut::from(frame);
    if let Some(last) = lie.last_mut() {
        *last ^= 0xff;
    }
    lie.freeze()
}
