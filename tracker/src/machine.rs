//! What only the machine can say: the time, random bytes, its cores, whether the disk takes any. Nothing else in the
//! crate asks.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use swarm::Timestamp;

/// Time for which an answer of the disk is believed.
const DISK_SEEN_FOR: Duration = Duration::from_secs(1);

/// The machine's clock, with a zero of our own for the cores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock that reads zero now.
    pub(crate) fn start() -> Self {
        Clock { zero: Instant::now() }
    }

    /// Monotonic time, for the cores.
    pub(crate) fn now(self) -> Timestamp {
        Timestamp::from_micros(self.zero.elapsed().as_micros() as u64)
    }

    /// The moment that a core has named, for a timer.
    pub(crate) fn instant(self, at: Timestamp) -> Instant {
        self.zero + Duration::from_micros(at.as_micros())
    }

    /// Time since the clock was started.
    pub(crate) fn uptime(self) -> Duration {
        self.zero.elapsed()
    }
}

/// Monotonic time, for limits.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// The next whole second of this process, for what may wait a little: thousands of sessions then wake the machine once
/// a second and together, not each for itself.
pub(crate) fn on_the_second(at: tokio::time::Instant) -> tokio::time::Instant {
    static ZERO: LazyLock<tokio::time::Instant> = LazyLock::new(tokio::time::Instant::now);
    let elapsed = at.saturating_duration_since(*ZERO);
    *ZERO + Duration::from_secs(elapsed.as_millis().div_ceil(1_000) as u64)
}

/// Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Whether the disk takes anything, asked by writing; kept for a second, so that nobody can make it busy by asking.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    seen: Mutex<Option<(Instant, bool)>>,
}

impl Disk {
    /// Whether a file can be made in `directory`. A full or read-only disk says no.
    pub(crate) fn is_writable(&self, directory: &Path) -> bool {
        let (mut seen, now) = (self.seen.lock().unwrap_or_else(PoisonError::into_inner), instant());
        match *seen {
            Some((at, writable)) if now.duration_since(at) < DISK_SEEN_FOR => writable,
            _ => seen.insert((now, can_write(directory))).1,
        }
    }
}

/// Whether a file can be made in `directory`.
pub(crate) fn can_write(directory: &Path) -> bool {
    let path = directory.join(format!(".writable-{}", std::process::id()));
    let written = fs::write(&path, b"?").is_ok();
    written && fs::remove_file(&path).is_ok()
}

/// A new file in the data folder, for its owner's eyes alone: the server's user, also where root runs the command.
pub(crate) fn secret_file(folder: &Path, name: &str) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
    let owner = fs::metadata(folder)?;
    if file.metadata()?.uid() != owner.uid() {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}

/// Bytes that nobody can guess. A system that has none to give cannot run a server.
pub(crate) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_folder_s_owner_s_whoever_has_made_it() {
        let folder = tempfile::tempdir().unwrap();
        // Root alone may give things away. Everybody else owns the folder.
        let _ = std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534));
        secret_file(folder.path(), "secret").unwrap();
        let [file, owner] = ["secret", ""].map(|name| fs::metadata(folder.path().join(name)).unwrap());
        assert_eq!((file.uid(), file.gid(), file.mode() & 0o777), (owner.uid(), owner.gid(), 0o600));
        let again = secret_file(folder.path(), "secret").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }
}
