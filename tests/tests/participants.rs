//! What the owner of a native viewer can tell it and see of it, over real sockets on loopback.

#![allow(clippy::unwrap_used)] // A failure here is a failure of the test.

mod broadcaster;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use broadcaster::{BITRATE_BPS, broadcast, endpoint};
use peer::{Event, Observation, Observer, Participant, ParticipantConfig};
use swarm::{Config, Identity, Phase, Role};
use tests::programme::Programme;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracker::Server;
use wire::session::FromPeer;
use wire::{MediaKey, PeerId, PeerSecret, Signer};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A tracker and a source that broadcasts.
struct World {
    session_url: String,
    source: PeerId,
    tasks: Vec<JoinHandle<()>>,
    _data: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl World {
    async fn start() -> World {
        World::with(None).await
    }

    /// A private channel's, where there is a key.
    async fn with(media_key: Option<MediaKey>) -> World {
        let data = tempfile::tempdir().unwrap();
        let config = tracker::Config::new(([127, 0, 0, 1], 0).into(), data.path().to_owned());
        let server = Server::bind(config).await.unwrap();
        let session_url = format!("ws://{}/session", server.address());
        let server = tokio::spawn(server.run(std::future::pending()));
        let signer = Signer::from_seed(&[7; 32]);
        let source = signer.peer_secret().peer();
        let broadcast = tokio::spawn(broadcast(session_url.clone(), signer, media_key));
        World { session_url, source, tasks: vec![server, broadcast], _data: data }
    }

    async fn viewer(&self, secret: u8, observer: Option<Observer>) -> Participant {
        self.viewer_with(secret, observer, Config::default()).await
    }

    async fn viewer_with(&self, secret: u8, observer: Option<Observer>, engine: Config) -> Participant {
        let (role, secret) = (Role::Viewer, PeerSecret([secret; 16]));
        Participant::start(ParticipantConfig {
            session_url: self.session_url.clone(),
            authorities: peer::Authorities::OfTheWeb,
            identity: Identity { role, secret, channel: "test".into(), expected: None },
            engine,
            endpoint: endpoint().await,
            announce: None,
            alteration: None,
            observer,
        })
    }
}

/// The next chunk; it must be the broadcaster's.
async fn chunk(viewer: &mut Participant) -> swarm::Chunk {
    let chunk = timeout(PATIENCE, async {
        loop {
            if let Event::Chunk(chunk) = viewer.next().await.unwrap() {
                return chunk;
            }
        }
    });
    let chunk = chunk.await.expect("a chunk");
    assert!(Programme::new(BITRATE_BPS).is_chunk(chunk.number, &chunk.bytes));
    chunk
}

/// Takes what comes to the viewer until `reached` holds.
async fn until(viewer: &mut Participant, what: &str, reached: impl Fn(&Participant) -> bool) {
    let waiting = async {
        while !reached(viewer) {
            // Events that nobody takes are lost, not harmful: only time has to pass.
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
}

fn is_linked_to(viewer: &Participant, peer: PeerId) -> bool {
    viewer.stats().links.iter().any(|link| link.peer == peer)
}

#[tokio::test]
async fn a_viewer_that_stops_sharing_closes_its_links_and_watches_on() {
    let world = World::start().await;
    let mut viewer = world.viewer(1, None).await;
    chunk(&mut viewer).await;
    until(&mut viewer, "a link to the source", |viewer| is_linked_to(viewer, world.source)).await;
    viewer.share(false).await;
    until(&mut viewer, "no link", |viewer| !is_linked_to(viewer, world.source)).await;
    while viewer.stats().links.iter().any(|link| link.kind != Role::Relay) {
        sleep(Duration::from_millis(20)).await;
    }
    let newest = viewer.stats().chunks;
    until(&mut viewer, "more chunks", |viewer| viewer.stats().chunks > newest + 5).await;
}

#[tokio::test]
async fn what_a_viewer_shows_decides_its_phase() {
    let world = World::start().await;
    let mut viewer = world.viewer(1, None).await;
    let shown_ms = chunk(&mut viewer).await.time_ms;
    viewer.show(shown_ms, true).await;
    until(&mut viewer, "buffering", |viewer| viewer.phase() == Phase::Buffering).await;
    viewer.show(shown_ms, false).await;
    until(&mut viewer, "live", |viewer| viewer.phase() == Phase::Live).await;
    let offset_ms = viewer.clock_offset_ms().unwrap();
    assert!(offset_ms.abs() < 1_000, "the tracker's clock is this machine's: {offset_ms} ms");
}

#[tokio::test]
async fn an_observer_sees_links_frames_and_what_the_tracker_is_told() {
    let world = World::start().await;
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let observer: Observer = {
        let seen = Arc::clone(&seen);
        Box::new(move |what| seen.lock().unwrap().extend(told(what)))
    };
    let mut viewer = world.viewer(1, Some(observer)).await;
    until(&mut viewer, "a link to the source", |viewer| is_linked_to(viewer, world.source)).await;
    viewer.cap_upload(0.5).await;
    let wanted = ["opening", "opened", "sent", "received", "cap 250000"];
    until(&mut viewer, "all of it seen", |_| {
        let seen = seen.lock().unwrap();
        wanted.iter().all(|wanted| seen.iter().any(|seen| seen == wanted))
    })
    .await;
}

/// Everything that comes to a viewer, in one run of bytes.
fn recording() -> (Arc<Mutex<Vec<u8>>>, Observer) {
    let record: Arc<Mutex<Vec<u8>>> = Arc::default();
    let recorder = Arc::clone(&record);
    let observer: Observer = Box::new(move |what| {
        if let Observation::Received { frame, .. } = what {
            recorder.lock().unwrap().extend_from_slice(frame);
        }
    });
    (record, observer)
}

#[tokio::test]
async fn a_private_broadcast_is_plain_only_to_those_with_its_key() {
    let key = MediaKey::new([4; 32]);
    let world = World::with(Some(key.clone())).await;
    let (record, observer) = recording();
    let engine = Config { media_key: Some(key), ..Config::default() };
    let mut friend = world.viewer_with(1, Some(observer), engine).await;
    let mut stranger = world.viewer(2, None).await;
    until(&mut stranger, "locked", |viewer| viewer.phase() == Phase::Locked).await;

    let (programme, wire) =
        (Programme::new(BITRATE_BPS), |record: &Mutex<Vec<u8>>| record.lock().unwrap().clone());
    let holds = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    for _ in 0..5 {
        let shown = chunk(&mut friend).await;
        let plain = programme.chunk(shown.number).bytes;
        assert!(!holds(&wire(&record), &plain[..32]), "chunk {} travels in the clear", shown.number);
    }
    let init = programme.init();
    assert!(!holds(&wire(&record), &init.bytes) && !holds(&wire(&record), init.mime.as_bytes()));
    assert_eq!(stranger.stats().chunks, 0);

    let before = stranger.stats().pieces.received;
    for _ in 0..10 {
        chunk(&mut friend).await;
    }
    assert_eq!(stranger.stats().pieces.received, before, "nothing comes to who cannot open it");
}

fn told(what: Observation<'_>) -> Option<String> {
    Some(match what {
        Observation::Opening { offers: true, .. } => "opening".into(),
        Observation::Opened { .. } => "opened".into(),
        Observation::Sent { lane: Some(_), unsent_bytes, dropped: false, .. } if unsent_bytes > 0 => {
            "sent".into()
        }
        Observation::Received { lane: Some(_), .. } => "received".into(),
        Observation::Told { message: FromPeer::Report(report) } => {
            format!("cap {}", report.upload_cap_bps.unwrap_or(0))
        }
        _ => return None,
    })
}
