//! The load program measures what it says it measures: a small crowd on a server in this process.

#![allow(clippy::unwrap_used)] // A failure here is a failure of the test.

use std::time::Duration;

use tests::load::figures::Figures;
use tests::load::modes::{self, Setup};
use tests::load::server::Server;
use tests::load::speech::Dialect;

const VIEWERS: usize = 40;

fn setup() -> Setup {
    let [idle, period, quiet] = [10, 50, 300].map(Duration::from_millis);
    Setup { idle, period, quiet, rounds: 2, ..Setup::new(Dialect::Swarmcast, VIEWERS) }
}

/// A server, and the way to it; it ends with the runtime.
async fn server() -> (Server, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    let config = tracker::Config::new(([127, 0, 0, 1], 0).into(), data.path().to_owned());
    let server = tracker::Server::bind(config).await.unwrap();
    let address = server.address();
    tokio::spawn(server.run(std::future::pending()));
    (Server::running(address, std::process::id()), data)
}

fn counted(figures: &Figures, name: &str) -> u64 {
    figures.counts.get(name).and_then(serde_json::Value::as_u64).unwrap()
}

#[tokio::test]
async fn viewers_are_let_in_and_their_signals_arrive() {
    let (server, _data) = server().await;
    let figures = modes::idle(&server, setup()).await.unwrap();
    assert!(figures.bytes_per_viewer.is_some_and(f64::is_finite));
    assert!(figures.idle_cpu.is_some_and(|share| share >= 0.0));
    assert_eq!((counted(&figures, "broken"), counted(&figures, "signals") > 0), (0, true));
    let figures = modes::relay(&server, setup()).await.unwrap();
    // Each offer is answered.
    assert!(
        counted(&figures, "signals") >= 4 * VIEWERS as u64 && counted(&figures, "signals").is_multiple_of(2)
    );
}

#[tokio::test]
async fn everyone_is_matched_and_the_wait_is_measured() {
    let (server, _data) = server().await;
    let figures = modes::join(&server, setup()).await.unwrap();
    assert_eq!(counted(&figures, "refused"), 0);
    let (median, most) = (figures.match_p50_ms.unwrap(), figures.match_p99_ms.unwrap());
    assert!(median > 0.0 && median <= most);
}
