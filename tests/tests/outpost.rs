//! A relay elsewhere as a real process, which reaches the server by TLS: it takes the load off that server, and its death
//! stalls nobody.

#![allow(clippy::unwrap_used)] // A failure here is a failure of the test.

mod broadcaster;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use broadcaster::{broadcast, endpoint};
use peer::{Participant, ParticipantConfig};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use swarm::{Config, Identity, Role};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracker::Server;
use wire::{PeerSecret, Signer};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const SECRET: &str = "known-to-both-servers";
const VIEWERS: u8 = 4;
/// Of the broadcast: those of a slow stream.
const STRIPES: usize = 6;

/// Two chunks a viewer's worth: enough to tell a habit from a hand-over.
const CHUNKS_WATCHED: u64 = 50;

struct World {
    /// Where peers come in: the server's plain port.
    session_url: String,
    /// Where the relay comes in: the port with TLS.
    url: String,
    tasks: Vec<JoinHandle<()>>,
    outpost: Option<Child>,
    folder: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.kill_outpost();
    }
}

/// The file of an authority made for this, and a certificate of its for 127.0.0.1 with the key.
fn certificates(folder: &Path) -> [PathBuf; 3] {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let files = [authority.pem(), certificate.pem(), key.serialize_pem()];
    let paths = ["authority.pem", "certificate.pem", "key.pem"].map(|name| folder.join(name));
    paths.iter().zip(files).for_each(|(path, pem)| std::fs::write(path, pem).unwrap());
    paths
}

impl World {
    async fn start() -> World {
        let folder = tempfile::tempdir().unwrap();
        let any_port = ([127, 0, 0, 1], 0).into();
        let mut config = tracker::Config::new(any_port, folder.path().to_owned());
        config.relay_secret = Some(SECRET.to_owned());
        let [_, certificate, key] = certificates(folder.path());
        (config.tls.cert, config.tls.key) = (Some(certificate), Some(key));
        config.tls.http_listen = Some(any_port);
        let server = Server::bind(config).await.unwrap();
        let url = format!("https://{}", server.address());
        let session_url = format!("ws://{}/session", server.plain_address().unwrap());
        let server = tokio::spawn(server.run(std::future::pending()));
        let broadcast = tokio::spawn(broadcast(session_url.clone(), Signer::from_seed(&[7; 32]), None));
        World { session_url, url, tasks: vec![server, broadcast], outpost: None, folder }
    }

    fn start_outpost(&mut self) {
        let program = Path::new(env!("CARGO_BIN_EXE_native-swarm")).with_file_name("swarmcast-tracker");
        assert!(program.exists(), "{}: `cargo build --release --workspace` first", program.display());
        let child = Command::new(program)
            .args(["relay", "--of", &self.url, "--name", "elsewhere", "--links", "127.0.0.1:0", "--ca"])
            .arg(self.folder.path().join("authority.pem"))
            .env("SWARMCAST_RELAY_SECRET", SECRET)
            .current_dir(self.folder.path())
            .spawn();
        self.outpost = Some(child.unwrap());
    }

    fn kill_outpost(&mut self) {
        if let Some(mut child) = self.outpost.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A viewer who passes nothing on.
    async fn taker(&self, secret: u8) -> Participant {
        let (role, secret) = (Role::Viewer, PeerSecret([secret; 16]));
        Participant::start(ParticipantConfig {
            session_url: self.session_url.clone(),
            identity: Identity { role, secret, channel: "test".into(), expected: None },
            authorities: peer::Authorities::OfTheWeb,
            engine: Config { upload_cap_x: 0.0, ..Config::default() },
            endpoint: endpoint().await,
            announce: None,
            alteration: None,
            observer: None,
        })
    }
}

/// Waits until `reached` holds of the viewers.
async fn until(viewers: &[Participant], what: &str, reached: impl Fn(&[Participant]) -> bool) {
    let waiting = async {
        while !reached(viewers) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
}

/// Bytes from other peers but the source (no viewer here passes anything on: from the relay elsewhere), and from the
/// server's own relay.
fn taken(viewers: &[Participant]) -> (u64, u64) {
    let bytes = viewers.iter().map(|viewer| viewer.stats().bytes);
    bytes.fold((0, 0), |sum, bytes| (sum.0 + bytes.viewers, sum.1 + bytes.relay))
}

fn chunks(viewers: &[Participant]) -> u64 {
    viewers.iter().map(|viewer| viewer.stats().chunks).min().unwrap_or(0)
}

fn skipped(viewers: &[Participant]) -> u64 {
    viewers.iter().map(|viewer| viewer.stats().chunks_skipped).sum()
}

#[tokio::test]
async fn a_relay_elsewhere_carries_the_load_and_its_death_stalls_nobody() {
    let mut world = World::start().await;
    world.start_outpost();
    let mut viewers = Vec::new();
    for secret in 1..=VIEWERS {
        viewers.push(world.taker(secret).await);
    }
    until(&viewers, "all have a picture", |viewers| chunks(viewers) > 0).await;
    until(&viewers, "they are fed from elsewhere", |viewers| {
        let links = viewers.iter().flat_map(|viewer| viewer.stats().links);
        let of_outpost = links.filter(|link| link.kind == Role::Viewer).map(|link| link.stripes_in.len());
        // The source feeds one viewer each stripe.
        of_outpost.sum::<usize>() >= STRIPES * (usize::from(VIEWERS) - 1)
    })
    .await;

    let (before, watched) = (taken(&viewers), chunks(&viewers));
    until(&viewers, "they watch for a while", |viewers| chunks(viewers) >= watched + CHUNKS_WATCHED).await;
    let after = taken(&viewers);
    let (elsewhere, here) = (after.0 - before.0, after.1 - before.1);
    println!("of the relays' bytes {elsewhere} came from elsewhere, {here} from the server itself");
    assert!(elsewhere > here * 4, "{elsewhere} bytes from elsewhere, {here} from the server");

    let (watched, lost) = (chunks(&viewers), skipped(&viewers));
    world.kill_outpost();
    until(&viewers, "they watch on", |viewers| chunks(viewers) >= watched + CHUNKS_WATCHED).await;
    assert_eq!(skipped(&viewers), lost, "no chunk was left out");
    assert!(taken(&viewers).1 > after.1, "the server feeds them now");
}
