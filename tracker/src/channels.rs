//! Hosted channels: one file each, `DIR/channels/NAME.json`, with the channel's key and the hash of its stream key.
//!
//! The files are the truth: the command line writes them, a running server notices at its next look. What is live
//! is known elsewhere.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wire::session::is_name;
use wire::{ChannelId, Signer};

use crate::machine;

/// Bytes of a stream key before it is written in hexadecimal: 160 bits cannot be guessed.
const STREAM_KEY_BYTES: usize = 20;

/// A directory changed this recently may change again without a newer time stamp.
const TIME_STAMP_GRAIN: Duration = Duration::from_secs(1);

/// Why the files of hosted channels cannot be used as asked.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Not a name.
    #[error(
        "`{0}` cannot name a channel: use 1 to 48 of the characters a-z, 0-9, `-` and `_` (and not exactly 43 of them)"
    )]
    BadName(String),
    /// There is one already.
    #[error("channel `{0}` exists already; pick another name, or remove it first with `channel remove {0}`")]
    Exists(String),
    /// There is none.
    #[error("there is no channel `{0}`; `channel list` shows those that exist")]
    Unknown(String),
    /// The file system said no.
    #[error("cannot use {path}: {source}; check that --data names a directory that this user may write")]
    Files {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Not written by this program, or damaged.
    #[error("{path} is not a channel file ({reason}); restore it, or delete it and create the channel anew")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A channel whose key this server keeps.
#[derive(Clone)]
pub struct HostedChannel {
    /// Its name in the directory.
    pub name: String,
    /// Its key.
    pub signer: Signer,
    stream_key_hash: [u8; 32],
}

/// A channel that was just created. The stream key is shown this once.
#[derive(Debug, Serialize)]
pub struct NewChannel {
    /// Its name in the directory.
    pub name: String,
    /// Its id.
    pub channel: ChannelId,
    /// What the encoder is given.
    pub stream_key: String,
}

/// What a file holds.
#[derive(Serialize, Deserialize)]
struct ChannelFile {
    name: String,
    channel: ChannelId,
    /// Seed of the channel's Ed25519 key (RFC 8032), in hexadecimal.
    secret_key: String,
    /// SHA-256 of the stream key. No slow hash: the key is random, and cannot be guessed word by word.
    stream_key_sha256: String,
}

/// All hosted channels, as the files say.
#[derive(Clone)]
pub struct HostedChannels {
    directory: PathBuf,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Time stamp of the directory that was read; `None`: read again.
    stamp: Option<SystemTime>,
    channels: Arc<Vec<HostedChannel>>,
}

impl HostedChannels {
    /// Those in `data`, which need not exist yet.
    pub fn new(data: &Path) -> Self {
        HostedChannels { directory: data.join("channels"), seen: Arc::default() }
    }

    /// Creates a channel with a fresh key and a fresh stream key.
    pub fn add(&self, name: &str) -> Result<NewChannel, ChannelError> {
        let path = self.path(name)?;
        let signer = Signer::from_seed(&machine::random());
        let stream_key = HEXLOWER.encode(&machine::random::<STREAM_KEY_BYTES>());
        let file = ChannelFile {
            name: name.to_owned(),
            channel: signer.channel(),
            secret_key: HEXLOWER.encode(&signer.seed()),
            stream_key_sha256: HEXLOWER.encode(&hash(&stream_key)),
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.and_then(|()| write_new(&path, &file)).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => ChannelError::Exists(name.to_owned()),
            _ => ChannelError::Files { path, source },
        })?;
        Ok(NewChannel { name: name.to_owned(), channel: signer.channel(), stream_key })
    }

    /// Deletes a channel and its keys.
    pub fn remove(&self, name: &str) -> Result<(), ChannelError> {
        let path = self.path(name)?;
        fs::remove_file(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ChannelError::Unknown(name.to_owned()),
            _ => ChannelError::Files { path, source },
        })
    }

    /// All of them, by name. Reads files where something changed.
    pub fn all(&self) -> Arc<Vec<HostedChannel>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = fs::metadata(&self.directory).and_then(|about| about.modified()).ok();
        if stamp.is_none() || seen.stamp != stamp {
            seen.channels = Arc::new(self.read());
            let settled = stamp.filter(|at| at.elapsed().is_ok_and(|age| age > TIME_STAMP_GRAIN));
            seen.stamp = settled;
        }
        Arc::clone(&seen.channels)
    }

    /// The channel of this name, or with this id.
    pub fn find(&self, name_or_id: &str) -> Option<HostedChannel> {
        let id: Option<ChannelId> = name_or_id.parse().ok();
        let matches =
            |channel: &&HostedChannel| channel.name == name_or_id || id == Some(channel.signer.channel());
        self.all().iter().find(matches).cloned()
    }

    /// The channel that an encoder with this stream key may publish. Takes the same time whichever it is.
    pub fn by_stream_key(&self, stream_key: &str) -> Option<HostedChannel> {
        let hash = hash(stream_key);
        let mut found = None;
        for channel in self.all().iter() {
            if bool::from(channel.stream_key_hash.ct_eq(&hash)) {
                found = Some(channel.clone());
            }
        }
        found
    }

    fn path(&self, name: &str) -> Result<PathBuf, ChannelError> {
        // Also what keeps a name from being a path.
        if is_name(name) {
            Ok(self.directory.join(format!("{name}.json")))
        } else {
            Err(ChannelError::BadName(name.to_owned()))
        }
    }

    fn read(&self) -> Vec<HostedChannel> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path());
        let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut channels: Vec<_> = files.filter_map(|path| read(&path).map_err(report).ok()).collect();
        channels.sort_by(|one, other| one.name.cmp(&other.name));
        channels
    }
}

fn report(error: ChannelError) {
    tracing::warn!("channel left out: {error}");
}

fn read(path: &Path) -> Result<HostedChannel, ChannelError> {
    let damaged = |reason: &str| ChannelError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    let text =
        fs::read_to_string(path).map_err(|source| ChannelError::Files { path: path.to_owned(), source })?;
    let file: ChannelFile = serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?;
    let seed = bytes(&file.secret_key).ok_or_else(|| damaged("bad secret_key"))?;
    let stream_key_hash = bytes(&file.stream_key_sha256).ok_or_else(|| damaged("bad stream_key_sha256"))?;
    let signer = Signer::from_seed(&seed);
    if signer.channel() != file.channel {
        return Err(damaged("secret_key is not the channel's"));
    }
    if !is_name(&file.name) || path.file_stem().is_none_or(|stem| stem != file.name.as_str()) {
        return Err(damaged("it does not carry its own name"));
    }
    Ok(HostedChannel { name: file.name, signer, stream_key_hash })
}

/// Writes a file that only its owner reads, whole or not at all, and never over another.
fn write_new(path: &Path, file: &ChannelFile) -> io::Result<()> {
    let half = path.with_extension(format!("{}.new", std::process::id()));
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?;
    let written = serde_json::to_writer_pretty(&mut out, file)
        .map_err(io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.sync_all())
        .and_then(|()| fs::hard_link(&half, path));
    fs::remove_file(&half)?;
    written
}

fn hash(stream_key: &str) -> [u8; 32] {
    Sha256::digest(stream_key.as_bytes()).into()
}

fn bytes(hexadecimal: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(hexadecimal.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_channel_is_made_once_found_and_removed() {
        let data = tempfile::tempdir().unwrap();
        let (command_line, server) = (HostedChannels::new(data.path()), HostedChannels::new(data.path()));
        assert!(server.find("demo").is_none());
        let new = command_line.add("demo").unwrap();
        assert!(matches!(command_line.add("demo"), Err(ChannelError::Exists(_))));
        assert_eq!(server.find("demo").unwrap().signer.channel(), new.channel);
        assert_eq!(server.find(&new.channel.to_string()).unwrap().name, "demo");
        assert_eq!(server.by_stream_key(&new.stream_key).unwrap().name, "demo");
        assert!(server.by_stream_key("guess").is_none());
        command_line.remove("demo").unwrap();
        assert!(server.find("demo").is_none() && server.by_stream_key(&new.stream_key).is_none());
        assert!(matches!(command_line.remove("demo"), Err(ChannelError::Unknown(_))));
    }

    #[test]
    fn keys_are_the_owners_alone() {
        let data = tempfile::tempdir().unwrap();
        let new = HostedChannels::new(data.path()).add("demo").unwrap();
        let path = data.path().join("channels/demo.json");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!fs::read_to_string(&path).unwrap().contains(&new.stream_key));
    }

    #[test]
    fn damaged_files_and_bad_names_harm_nobody() {
        let data = tempfile::tempdir().unwrap();
        let channels = HostedChannels::new(data.path());
        channels.add("good").unwrap();
        fs::write(data.path().join("channels/bad.json"), "{").unwrap();
        fs::copy(data.path().join("channels/good.json"), data.path().join("channels/copy.json")).unwrap();
        assert_eq!(channels.all().iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>(), ["good"]);
        assert!(matches!(channels.add("../up"), Err(ChannelError::BadName(_))));
    }
}
