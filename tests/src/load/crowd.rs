//! Many peers: brought in at a pace, told what to do together, and waited for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::peer::{End, Orders, Peer};
use super::speech::{Dialect, Speech};
use super::tally::Tally;

/// A crowd that makes no progress for this long never will.
const STUCK_AFTER: Duration = Duration::from_secs(30);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Sessions of one tracker.
pub struct Crowd {
    address: SocketAddr,
    dialect: Dialect,
    orders: watch::Sender<Orders>,
    peers: JoinSet<()>,
    next_number: u64,
    /// Nothing new for so long: all has been said.
    quiet: Duration,
    /// What they have seen.
    pub tally: Arc<Tally>,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(address: SocketAddr, dialect: Dialect, quiet: Duration) -> Self {
        let orders = watch::Sender::new(Orders::default());
        Crowd {
            address,
            dialect,
            orders,
            peers: JoinSet::new(),
            next_number: 1,
            quiet,
            tally: Arc::default(),
        }
    }

    /// Brings in `count` more, so many a second, and stays. They are on their way when this returns.
    pub async fn bring(&mut self, count: usize, per_second: f64) {
        let began = Instant::now();
        for place in 0..count {
            sleep_until(began + Duration::from_secs_f64(place as f64 / per_second)).await;
            let (number, address, orders) = (self.next_number, self.address, self.orders.subscribe());
            self.next_number += 1;
            let (speech, tally) = (Speech::new(self.dialect, number), Arc::clone(&self.tally));
            self.peers.spawn(async move {
                let ended = attend(address, number, speech, &tally, orders).await;
                match ended {
                    Ok(()) => {}
                    Err(End::Refused) => Tally::add(&tally.refused),
                    Err(End::Broken(why)) => tally.broke(why),
                }
            });
        }
    }

    /// Each is let in, sent away, or lost.
    pub async fn ended(&self, count: usize) -> Result<()> {
        let tally = &self.tally;
        self.until("sessions open", || {
            let all: u64 = [&tally.welcomed, &tally.refused, &tally.broken].map(Tally::of).iter().sum();
            (all >= count as u64, all)
        })
        .await
    }

    /// Each is let in or sent away.
    pub async fn arrived(&self, count: usize) -> Result<()> {
        self.ended(count).await?;
        let tally = &self.tally;
        match tally.first_fault() {
            Some(fault) => bail!("{} of {count} sessions broke: {fault}", Tally::of(&tally.broken)),
            None => Ok(()),
        }
    }

    /// Everyone has neighbors.
    pub async fn matched(&self, count: usize) -> Result<()> {
        let tally = &self.tally;
        self.until("viewers matched", || {
            let matched = Tally::of(&tally.matched);
            (matched >= count as u64, matched)
        })
        .await
    }

    /// Nobody is told anything new.
    pub async fn quiet(&self) {
        let (mut last, mut since) = (Tally::of(&self.tally.news), Instant::now());
        let deadline = Instant::now() + STUCK_AFTER;
        while since.elapsed() < self.quiet && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
            let news = Tally::of(&self.tally.news);
            if news != last {
                (last, since) = (news, Instant::now());
            }
        }
    }

    /// Everyone offers in so many rounds more, one a period; waits until nothing more arrives. Returns how many offers
    /// and answers have arrived.
    pub async fn signal(&self, rounds: u64, period: Duration) -> u64 {
        let before = Tally::of(&self.tally.signals);
        self.orders.send_modify(|orders| {
            orders.rounds += rounds;
            orders.period = period;
        });
        let (mut last, mut since) = (before, Instant::now());
        while since.elapsed() < self.quiet + period {
            sleep(LOOK_EVERY).await;
            let signals = Tally::of(&self.tally.signals);
            if signals != last {
                (last, since) = (signals, Instant::now());
            }
        }
        last - before
    }

    /// Everyone leaves.
    pub async fn leave(mut self) {
        self.orders.send_modify(|orders| orders.leave = true);
        while self.peers.join_next().await.is_some() {}
    }

    async fn until(&self, what: &str, look: impl Fn() -> (bool, u64)) -> Result<()> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let (done, count) = look();
            if done {
                return Ok(());
            }
            if count != last {
                (last, since) = (count, Instant::now());
            }
            if since.elapsed() > STUCK_AFTER {
                let fault = self.tally.first_fault().unwrap_or_else(|| "no session broke".to_owned());
                bail!("stuck at {count} {what} ({fault})");
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

async fn attend(
    address: SocketAddr,
    number: u64,
    speech: Speech,
    tally: &Arc<Tally>,
    orders: watch::Receiver<Orders>,
) -> Result<(), End> {
    let mut peer = Peer::join(address, number, speech, Arc::clone(tally)).await?;
    peer.settle(false).await?;
    peer.run(orders).await
}
