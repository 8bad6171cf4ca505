//! A broadcaster without an encoder, for tests that are one process with everyone in it.

use std::time::Duration;

use peer::transport::{Endpoint, EndpointConfig};
use peer::{Event, Participant, ParticipantConfig};
use swarm::{Config, Identity, Role};
use tests::native::window::unix_us;
use tests::programme::{CHUNK_MS, Programme};
use tokio::time::interval;
use uploader::Numbering;
use wire::{Epoch, MediaKey, Signer};

/// Bits a second of the programme.
pub const BITRATE_BPS: u32 = 500_000;

/// A port of one's own for links, on loopback.
pub async fn endpoint() -> Option<Endpoint> {
    Some(Endpoint::bind(EndpointConfig::new(([127, 0, 0, 1], 0).into())).await.unwrap())
}

/// Broadcasts the programme as channel `test` until dropped; sealed, where there is a key.
pub async fn broadcast(session_url: String, signer: Signer, media_key: Option<MediaKey>) {
    let secret = signer.peer_secret();
    let expected = Some(signer.channel());
    let mut participant = Participant::start(ParticipantConfig {
        session_url,
        authorities: peer::Authorities::OfTheWeb,
        identity: Identity { role: Role::Source, secret, channel: "test".into(), expected },
        engine: Config::default(),
        endpoint: endpoint().await,
        announce: Some((signer.clone(), "test".into())),
        alteration: None,
        observer: None,
    });
    while !matches!(participant.next().await, Some(Event::Welcomed { .. })) {}
    let (programme, publisher) = (Programme::new(BITRATE_BPS), participant.publisher());
    let numbering = Numbering::new(Epoch(unix_us() / 1000), BITRATE_BPS);
    let mut numbering = match media_key {
        Some(key) => numbering.private(key, uploader::salt),
        None => numbering,
    };
    let (header, frame) = numbering.header(&programme.init(), &signer).unwrap();
    publisher.stream(header, frame).await;
    let mut pace = interval(Duration::from_millis(CHUNK_MS.into()));
    for number in 0.. {
        pace.tick().await;
        for piece in numbering.pieces(&programme.chunk(number), &signer) {
            publisher.piece(piece).await;
        }
    }
}
