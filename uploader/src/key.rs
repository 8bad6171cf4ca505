//! The broadcaster's keys on disk: 32 bytes as text in a file that only its owner can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use wire::{MediaKey, Signer};

/// First word of a key file, so that no other secret is taken for one.
const LABEL: &str = "swarmcast-key-1";

/// The same of a file that holds a private channel's media key.
const MEDIA_LABEL: &str = "swarmcast-media-key-1";

/// What is added to a key file's name to have its media key's.
const MEDIA_SUFFIX: &str = ".private";

/// Why a key file cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Making a key would overwrite one, and with it a channel.
    #[error(
        "{0} exists already. A lost key is a lost channel, so it is not overwritten; choose another file"
    )]
    Exists(PathBuf),
    /// There is no key to read.
    #[error("there is no key at {0}. Make one with: swarmcast-uploader keygen --key {0}")]
    NotFound(PathBuf),
    /// Others on this machine can read the key.
    #[error("{path} can be read by others (mode {mode:o}). Keep it to yourself: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{0} holds no swarmcast key")]
    Malformed(PathBuf),
    /// The system refuses.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no random bytes.
    #[error("this system gives no random bytes, so no key can be made")]
    NoRandomness,
}

/// Makes a key and keeps it in a new file of mode 0600.
pub fn generate(path: &Path) -> Result<Signer, KeyError> {
    make(path, LABEL).map(|seed| Signer::from_seed(&seed))
}

/// The private channel's media key beside the key at `path`, made at the first use.
pub fn media_key(path: &Path) -> Result<MediaKey, KeyError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(MEDIA_SUFFIX);
    let beside = PathBuf::from(beside);
    let key = match read(&beside, MEDIA_LABEL) {
        Err(KeyError::NotFound(_)) => make(&beside, MEDIA_LABEL)?,
        other => other?,
    };
    Ok(MediaKey::new(key))
}

fn make(path: &Path, label: &str) -> Result<[u8; 32], KeyError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| KeyError::NoRandomness)?;
    let io_error = |source| KeyError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(io_error)?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyError::Exists(path.to_owned()));
        }
        Err(error) => return Err(io_error(error)),
    };
    writeln!(file, "{label} {}", BASE64URL_NOPAD.encode(&seed))
        .and_then(|()| file.sync_all())
        .map_err(io_error)?;
    Ok(seed)
}

/// Reads a key. Refuses a file that others can read.
pub fn load(path: &Path) -> Result<Signer, KeyError> {
    read(path, LABEL).map(|seed| Signer::from_seed(&seed))
}

fn read(path: &Path, label: &str) -> Result<[u8; 32], KeyError> {
    let io_error = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyError::NotFound(path.to_owned()),
        _ => KeyError::Io { path: path.to_owned(), source },
    };
    let mode = fs::metadata(path).map_err(io_error)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let text = fs::read_to_string(path).map_err(io_error)?;
    let seed =
        text.trim().strip_prefix(label).and_then(|rest| BASE64URL_NOPAD.decode(rest.trim().as_bytes()).ok());
    let seed: Option<[u8; 32]> = seed.and_then(|seed| seed.try_into().ok());
    seed.ok_or_else(|| KeyError::Malformed(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("swarmcast-key-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder.join("channel.key")
    }

    #[test]
    fn a_key_is_kept_private_and_read_back() {
        let path = scratch("kept");
        let made = generate(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load(&path).unwrap().channel(), made.channel());
        assert!(matches!(generate(&path), Err(KeyError::Exists(_))));
    }

    #[test]
    fn a_media_key_is_made_once_and_kept_beside() {
        let path = scratch("media");
        let made = media_key(&path).unwrap();
        assert_eq!(media_key(&path).unwrap(), made);
        let beside = path.with_file_name("channel.key.private");
        assert_eq!(fs::metadata(&beside).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(load(&beside), Err(KeyError::Malformed(_))), "no channel's key");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let path = scratch("wrong");
        assert!(matches!(load(&path), Err(KeyError::NotFound(_))));
        generate(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load(&path), Err(KeyError::Exposed { mode: 0o644, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "-----BEGIN PRIVATE KEY-----").unwrap();
        assert!(matches!(load(&path), Err(KeyError::Malformed(_))));
    }
}
