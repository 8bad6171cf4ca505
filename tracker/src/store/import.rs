//! Takes over the channels of earlier versions: one file each, `DIR/channels/NAME.json`. They are kept aside in
//! `DIR/channels.imported` afterwards, should an earlier version be wanted again.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::Deserialize;
use wire::{ChannelId, Signer};

use super::error::StoreError;
use super::records::Right;
use super::secret::Hash;
use super::sqlite::Database;

/// Label of the one stream key that such a channel had.
const LABEL: &str = "first";

/// What a file holds.
#[derive(Deserialize)]
struct ChannelFile {
    name: String,
    channel: ChannelId,
    secret_key: String,
    stream_key_sha256: String,
}

/// All of them, in one transaction; what cannot be taken over is named in the log and stays in its file.
pub(super) fn take_over(database: &mut Database, data: &Path) -> Result<(), StoreError> {
    let from = data.join("channels");
    let Ok(entries) = fs::read_dir(&from) else { return Ok(()) };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    database.write(|store| {
        for path in &paths {
            match read(path) {
                Ok((file, signer, stream_key)) if store.channel(file.channel)?.is_none() => {
                    match store.register(file.channel, &file.name, Right::Open) {
                        Ok(_) => {
                            store.host(&signer)?;
                            store.add_stream_key(file.channel, LABEL, stream_key)?;
                        }
                        Err(StoreError::Exists(_) | StoreError::BadName(_)) => leave_out(path, "its name"),
                        Err(other) => return Err(other),
                    }
                }
                Ok(_) => {}
                Err(reason) => leave_out(path, reason),
            }
        }
        Ok(())
    })?;
    set_aside(&from, data)
}

fn leave_out(path: &Path, reason: &str) {
    tracing::warn!("{}: left out, because of {reason}", path.display());
}

fn set_aside(from: &Path, data: &Path) -> Result<(), StoreError> {
    let free = |number: &u32| -> PathBuf {
        match number {
            0 => data.join("channels.imported"),
            more => data.join(format!("channels.imported.{more}")),
        }
    };
    let to = (0..).map(|number| free(&number)).find(|path| !path.exists());
    let to = to.unwrap_or_else(|| data.join("channels.imported"));
    match fs::rename(from, &to) {
        // Another process was quicker.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::Files { path: from.to_owned(), source }),
        Ok(()) => {
            tracing::info!("the channels of {} are in the database now", to.display());
            Ok(())
        }
    }
}

fn read(path: &Path) -> Result<(ChannelFile, Signer, Hash), &'static str> {
    let text = fs::read_to_string(path).map_err(|_| "an error while reading")?;
    let file: ChannelFile = serde_json::from_str(&text).map_err(|_| "its form")?;
    let signer = Signer::from_seed(&bytes(&file.secret_key).ok_or("its secret_key")?);
    let stream_key = Hash(bytes(&file.stream_key_sha256).ok_or("its stream_key_sha256")?);
    if signer.channel() != file.channel {
        return Err("a secret_key that is not the channel's");
    }
    Ok((file, signer, stream_key))
}

fn bytes(hexadecimal: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(hexadecimal.as_bytes()).ok()?.try_into().ok()
}
