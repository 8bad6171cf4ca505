//! The measurements. Each starts with a server without viewers and ends with its figures.

use std::time::Duration;

use anyhow::Result;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

use super::crowd::Crowd;
use super::figures::Figures;
use super::peer;
use super::server::Server;
use super::source;
use super::speech::Dialect;
use super::tally::Tally;
use crate::native::percentile::percentile;

/// Viewers brought in each second where the pace is not what is measured.
const PACE: f64 = 2_000.0;

/// Viewers that come and go before memory is read for the first time: what a server keeps for its first visitors is not
/// what each costs.
const WARM_UP: usize = 64;

/// Viewers that show how many joins a server can take, and later that it takes them again.
const SAMPLE: usize = 1_000;

/// Sessions that are being opened at once where the pace is the server's.
const OPENING_MAX: usize = 64;

/// What may be chosen for a run.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// The protocol of the server.
    pub dialect: Dialect,
    /// Sessions.
    pub viewers: usize,
    /// Joins a second, in `join`.
    pub rate: f64,
    /// How long silence is measured for, in `idle`.
    pub idle: Duration,
    /// Rounds of offers, in `relay`.
    pub rounds: u64,
    /// Time between the rounds of one peer, in `relay`.
    pub period: Duration,
    /// When nothing has come for so long, all has been said.
    pub quiet: Duration,
}

impl Setup {
    /// A thousand joins a second, twenty seconds of five offers every two seconds.
    pub fn new(dialect: Dialect, viewers: usize) -> Self {
        let [idle, period, quiet] = [50, 2, 2].map(Duration::from_secs);
        Setup { dialect, viewers, rate: 1_000.0, idle, rounds: 10, period, quiet }
    }
}

/// A server with a live channel and nobody watching.
struct Stage<'a> {
    server: &'a Server,
    setup: Setup,
    crowd: Crowd,
    _source: Option<JoinHandle<()>>,
}

impl<'a> Stage<'a> {
    async fn set(server: &'a Server, setup: Setup) -> Result<Self> {
        let source = match setup.dialect {
            Dialect::Swarmcast => Some(source::go_live(server.address).await?),
            Dialect::Webtorrent => None,
        };
        let mut early = Crowd::new(server.address, setup.dialect, setup.quiet);
        early.bring(WARM_UP, PACE).await;
        early.arrived(WARM_UP).await?;
        early.quiet().await;
        early.leave().await;
        let crowd = Crowd::new(server.address, setup.dialect, setup.quiet);
        Ok(Stage { server, setup, crowd, _source: source })
    }

    /// Everyone comes, and is matched where the server does that by itself.
    async fn fill(&mut self, rate: f64) -> Result<()> {
        let viewers = self.setup.viewers;
        self.crowd.bring(viewers, rate).await;
        self.crowd.arrived(viewers).await?;
        if self.setup.dialect == Dialect::Swarmcast {
            self.crowd.matched(viewers).await?;
        }
        Ok(())
    }

    /// Processor time of the server since `before`, in seconds.
    fn cpu_since(&self, before_s: f64) -> f64 {
        self.server.usage().cpu_s - before_s
    }
}

/// Memory of viewers that have joined, and again after signalling; processor time of silence.
pub async fn idle(server: &Server, setup: Setup) -> Result<Figures> {
    let mut figures = Figures::new("idle", setup.dialect, setup.viewers);
    let mut stage = Stage::set(server, setup).await?;
    let empty = server.usage();
    stage.fill(PACE).await?;
    stage.crowd.quiet().await;
    let per_viewer = |bytes: f64| (bytes - empty.own_bytes) / setup.viewers as f64;
    let joined = server.usage();
    figures.bytes_per_viewer = Some(per_viewer(joined.own_bytes));
    let (before_s, began) = (joined.cpu_s, Instant::now());
    sleep(setup.idle).await;
    figures.idle_cpu = Some(stage.cpu_since(before_s) / began.elapsed().as_secs_f64());
    let signals = stage.crowd.signal(1, setup.period).await;
    stage.crowd.quiet().await;
    figures.bytes_per_viewer_after_signalling = Some(per_viewer(server.usage().own_bytes));
    figures.count("signals", signals);
    figures.count("broken", Tally::of(&stage.crowd.tally.broken));
    Ok(figures)
}

/// Offers and answers between viewers.
pub async fn relay(server: &Server, setup: Setup) -> Result<Figures> {
    let mut figures = Figures::new("relay", setup.dialect, setup.viewers);
    let mut stage = Stage::set(server, setup).await?;
    stage.fill(PACE).await?;
    stage.crowd.quiet().await;
    stage.crowd.signal(1, setup.period).await;
    let before = server.usage();
    let signals = stage.crowd.signal(setup.rounds, setup.period).await;
    figures.relays_per_cpu_s = Some(signals as f64 / stage.cpu_since(before.cpu_s));
    figures.count("signals", signals);
    figures.count("broken", Tally::of(&stage.crowd.tally.broken));
    Ok(figures)
}

/// Viewers that come at a pace and are matched; then sessions that are opened as fast as they can be, and say nothing.
pub async fn join(server: &Server, setup: Setup) -> Result<Figures> {
    let mut figures = Figures::new("join", setup.dialect, setup.viewers);
    let mut stage = Stage::set(server, setup).await?;
    let before = server.usage();
    stage.fill(setup.rate).await?;
    figures.joins_per_cpu_s = Some(setup.viewers as f64 / stage.cpu_since(before.cpu_s));
    let waits = stage.crowd.tally.matches_ms();
    figures.match_p50_ms = percentile(waits.iter().copied(), 0.5);
    figures.match_p99_ms = percentile(waits, 0.99);
    figures.count("refused", Tally::of(&stage.crowd.tally.refused));
    figures.count("joins_per_s", setup.rate);
    stage.crowd.leave().await;
    figures.sessions_per_cpu_s = Some(open(server, setup.viewers, setup.quiet).await?);
    Ok(figures)
}

/// Opens so many sessions, some at a time; each is done when the server has said its first word, or has answered the
/// upgrade if it speaks only when spoken to. Returns sessions for each second of processor time.
async fn open(server: &Server, sessions: usize, quiet: Duration) -> Result<f64> {
    // The Roster still works on those who left: that is not what an opening costs.
    server.at_rest(quiet).await;
    let before = server.usage();
    let mut opening = JoinSet::new();
    for number in 0..sessions {
        if opening.len() >= OPENING_MAX
            && let Some(opened) = opening.join_next().await
        {
            opened??;
        }
        let address = server.address;
        opening.spawn(async move { peer::open_and_leave(address, number as u64).await });
    }
    while let Some(opened) = opening.join_next().await {
        opened??;
    }
    Ok(sessions as f64 / (server.usage().cpu_s - before.cpu_s))
}

/// Twice as many joins as the server can take with one core, for some seconds; then a few at leisure. Those who are let in
/// leave when the flood is over.
pub async fn overload(server: &Server, setup: Setup) -> Result<Figures> {
    let mut figures = Figures::new("overload", setup.dialect, setup.viewers);
    let mut stage = Stage::set(server, setup).await?;
    let before = server.usage();
    stage.crowd.bring(SAMPLE, PACE / 4.0).await;
    stage.crowd.arrived(SAMPLE).await?;
    let sustainable = SAMPLE as f64 / stage.cpu_since(before.cpu_s);
    let mut flood = Crowd::new(server.address, setup.dialect, setup.quiet);
    flood.bring(setup.viewers, 2.0 * sustainable).await;
    flood.ended(setup.viewers).await?;
    let tally = &flood.tally;
    for (name, count) in [("let_in", &tally.welcomed), ("refused", &tally.refused), ("broken", &tally.broken)]
    {
        figures.count(name, Tally::of(count));
    }
    figures.count("joins_per_s", 2.0 * sustainable);
    figures.count("residents_lost", Tally::of(&stage.crowd.tally.broken));
    flood.leave().await;
    let mut after = Crowd::new(server.address, setup.dialect, setup.quiet);
    after.bring(SAMPLE, PACE / 4.0).await;
    after.arrived(SAMPLE).await?;
    figures.count("let_in_afterwards", Tally::of(&after.tally.welcomed));
    figures.count("of", SAMPLE);
    Ok(figures)
}
