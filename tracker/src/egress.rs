//! What the relay has sent and may send, of the running server: counts bytes, asks the [`Budget`], and keeps the month's
//! sum in a file, so that a restart does not give the volume a second time.
//!
//! What was sent since the file was last written is forgotten by a crash: at most [`WRITE_EVERY`] of it. Only frames
//! are counted, not what TCP, TLS and WebSocket add to them (3 to 5 %).

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use wire::ChannelId;

use crate::budget::{Allowance, Budget, Month, Share, Standing};
use crate::config::Config;
use crate::machine;

/// How often the sum is brought up to date. 1 s: as often as channels look at their share.
pub(crate) const COUNT_EVERY: Duration = Duration::from_secs(1);

/// How often the file is written while the relay sends. 5 s: at 1 Gb/s 625 MB, a thousandth of a month's terabyte.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// In the data folder: the month and the bytes sent in it.
const FILE: &str = "relay-month.txt";

/// The relay's account, shared by all channels.
#[derive(Debug)]
pub(crate) struct Egress {
    sent_bytes: AtomicU64,
    state: Mutex<State>,
    file: PathBuf,
}

#[derive(Debug)]
struct State {
    budget: Budget,
    standing: Standing,
    written: (Month, u64),
}

impl Egress {
    /// Goes on where the last run ended. A file that cannot be read counts as none, which is said in the log.
    pub(crate) fn open(config: &Config) -> Self {
        let file = config.data.join(FILE);
        let this_month = Month::of_unix_ms(machine::unix_ms());
        let (month, bytes) = match read(&file) {
            Ok(found) => found.unwrap_or((this_month, 0)),
            Err(error) => {
                tracing::error!(
                    "cannot read {}: {error}. The relay's month begins at nothing",
                    file.display()
                );
                (this_month, 0)
            }
        };
        let mut budget = Budget::new(allowance(config), month, bytes);
        budget.spend(this_month, 0);
        let state = State { standing: budget.standing(), written: (month, bytes), budget };
        Egress { sent_bytes: AtomicU64::new(0), state: Mutex::new(state), file }
    }

    /// So many bytes were handed to a session.
    pub(crate) fn count(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A channel says how many bits a second it could use, and learns what it gets.
    pub(crate) fn share(&self, channel: ChannelId, wanted_bps: u64) -> Share {
        self.lock().budget.want(channel, wanted_bps)
    }

    /// A channel has ended.
    pub(crate) fn leave(&self, channel: ChannelId) {
        self.lock().budget.leave(channel);
    }

    /// Whether there is something left for who is not fed yet.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.lock().standing, Standing::Open)
    }

    /// Why somebody cannot be taken on, for people.
    pub(crate) fn why_not(&self) -> &'static str {
        match self.lock().standing {
            Standing::Open => BUSY,
            Standing::Closing | Standing::Spent => SPENT,
        }
    }

    /// Bytes sent in this month so far.
    #[cfg(test)]
    pub(crate) fn spent_bytes(&self) -> u64 {
        self.lock().budget.spent().1
    }

    /// Brings the month up to date, and says in the log when it comes to its end.
    fn settle(&self) {
        let sent = self.sent_bytes.swap(0, Ordering::Relaxed);
        let mut state = self.lock();
        state.budget.spend(Month::of_unix_ms(machine::unix_ms()), sent);
        let standing = state.budget.standing();
        if std::mem::replace(&mut state.standing, standing) != standing {
            let (month, bytes) = state.budget.spent();
            tracing::warn!(%month, bytes, "{}", news(standing));
        }
    }

    /// Writes the sum, if it has changed. Blocks.
    pub(crate) fn write(&self) {
        self.settle();
        let (spent, written) = {
            let state = self.lock();
            (state.budget.spent(), state.written)
        };
        if spent == written {
            return;
        }
        match write(&self.file, spent) {
            Ok(()) => self.lock().written = spent,
            Err(error) => {
                tracing::error!(
                    "cannot write {}: {error}. After a restart this is forgotten",
                    self.file.display()
                );
            }
        }
    }

    /// Counts and writes until the server is gone, and takes what the operator changes.
    pub(crate) async fn keep(self: Arc<Self>, mut settings: watch::Receiver<Arc<Config>>) {
        let mut count = tokio::time::interval(COUNT_EVERY);
        let mut write = tokio::time::interval(WRITE_EVERY);
        loop {
            tokio::select! {
                _ = count.tick() => self.settle(),
                Ok(()) = settings.changed() => {
                    let allowance = allowance(&settings.borrow_and_update());
                    self.lock().budget.allow(allowance);
                }
                _ = write.tick() => {
                    let egress = Arc::clone(&self);
                    // A disk may take its time. A write that panics is a lost write: the next one follows.
                    let _ = tokio::task::spawn_blocking(move || egress.write()).await;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const BUSY: &str = "This server sends as much as it may at the moment, and no other viewer could be reached from here. \
                    Try again later, or switch sharing on if it is off.";

const SPENT: &str = "This server has used up what it may send this month, and no other viewer could be reached from \
                     here. Switch sharing on if it is off, or come back next month.";

fn allowance(config: &Config) -> Allowance {
    Allowance { max_bps: config.relay_egress_bps, month_bytes: config.relay_month_bytes }
}

fn news(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "the relay's month has begun",
        Standing::Closing => "the relay's month is nearly spent: it takes on nobody new",
        Standing::Spent => {
            "the relay's month is spent: it sends nothing until the next, viewers have each other"
        }
    }
}

fn read(file: &Path) -> io::Result<Option<(Month, u64)>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let parsed = text.split_once(' ').and_then(|(month, bytes)| {
        Some((month.parse().ok()?, bytes.strip_suffix(" bytes\n")?.parse().ok()?))
    });
    let expected = || io::Error::new(io::ErrorKind::InvalidData, "it should say `2026-11 1234 bytes`");
    parsed.map(Some).ok_or_else(expected)
}

/// A crash leaves the old sum or the new one, never half of one.
fn write(file: &Path, (month, bytes): (Month, u64)) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    let mut new = std::fs::File::create(&unfinished)?;
    writeln!(new, "{month} {bytes} bytes")?;
    new.sync_data()?;
    std::fs::rename(&unfinished, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month_of(data: &Path, bytes: u64) -> Config {
        let config = Config::new(([127, 0, 0, 1], 0).into(), data.to_owned());
        Config { relay_month_bytes: Some(bytes), ..config }
    }

    #[test]
    fn a_restart_does_not_give_the_month_again() {
        let data = tempfile::tempdir().unwrap();
        let egress = Egress::open(&month_of(data.path(), 1_000));
        egress.count(995);
        egress.write();
        drop(egress);
        let egress = Egress::open(&month_of(data.path(), 1_000));
        assert_eq!(egress.spent_bytes(), 995);
        assert_eq!(egress.share(ChannelId([1; 32]), 1), Share { max_bps: None, takes_on: false });
        assert_eq!(egress.why_not(), SPENT);
    }

    #[test]
    fn a_damaged_file_is_no_reason_not_to_start() {
        let data = tempfile::tempdir().unwrap();
        for damaged in ["", "2026-11", "2026-11 x bytes\n", "2026-11 99", "\u{0} \u{0} bytes\n"] {
            std::fs::write(data.path().join(FILE), damaged).unwrap();
            assert_eq!(Egress::open(&month_of(data.path(), 1_000)).spent_bytes(), 0, "{damaged:?}");
        }
    }
}
