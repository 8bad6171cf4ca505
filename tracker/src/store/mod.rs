//! What the server knows for good: channels, their settings and keys, invites. One SQLite file, `DIR/swarmcast.db`.
//!
//! [`Records`] is what can be asked. [`Database`] answers on the thread that asks, for the command line. [`Store`] is for
//! the running server: nothing blocks its threads, and what it acknowledges is on the disk.

mod ban;
mod error;
mod import;
pub mod invite;
mod record;
mod records;
pub mod secret;
pub mod settings;
pub mod setup_link;
mod sqlite;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub use ban::{Ban, Banned, Household, NewBan, prefix};
pub use error::StoreError;
pub use record::{Channel, HostedChannel, NewChannel, Poster, StreamKeyId, StreamKeyInfo, StreamKeyOwner};
pub use records::{Records, Right};
pub use secret::JoinSecret;
pub(crate) use sqlite::DATABASE;
pub use sqlite::Database;
use wire::Signer;
use writer::Writer;

/// Label of a hosted channel's first stream key.
const FIRST_KEY: &str = "first";

/// The database of a running server: one thread writes, lookups go beside it.
#[derive(Clone)]
pub(crate) struct Store {
    reader: Arc<Mutex<Database>>,
    writer: Writer,
}

impl Store {
    /// Opens the database in the directory `data`. Blocks.
    pub(crate) fn open(data: &Path) -> Result<Self, StoreError> {
        let writer = Writer::start(Database::open(data)?);
        Ok(Store { reader: Arc::new(Mutex::new(Database::open(data)?)), writer })
    }

    /// Runs `work` as one transaction. When this returns `Ok`, it is on the disk.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(work).await
    }

    /// Looks something up, beside whatever is being written.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.with_reader(|database| database.read(work)).await
    }

    /// Changes whenever something was committed, by this process or another.
    pub(crate) async fn data_version(&self) -> Result<i64, StoreError> {
        self.with_reader(|database| database.data_version()).await
    }

    async fn with_reader<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reader = Arc::clone(&self.reader);
        let looked_up = tokio::task::spawn_blocking(move || {
            let database = reader.lock().unwrap_or_else(PoisonError::into_inner);
            work(&database)
        });
        looked_up.await.map_err(|_| StoreError::Ended)?
    }
}

/// Creates a channel whose key this server keeps, with its first stream key.
pub fn create_hosted(store: &dyn Records, name: &str) -> Result<NewChannel, StoreError> {
    if store.find(name)?.is_some() {
        return Err(StoreError::Exists(name.to_owned()));
    }
    let signer = Signer::from_seed(&crate::machine::random());
    let stream_key = secret::fresh();
    store.register(signer.channel(), name, Right::Open)?;
    store.host(&signer)?;
    store.add_stream_key(signer.channel(), FIRST_KEY, secret::hash(&stream_key))?;
    Ok(NewChannel { name: name.to_owned(), channel: signer.channel(), stream_key })
}

/// Gives the channel of this name another join secret.
pub fn renew_join_secret(store: &dyn Records, name: &str) -> Result<JoinSecret, StoreError> {
    let channel = store.find(name)?.ok_or_else(|| StoreError::Unknown(name.to_owned()))?;
    let secret = JoinSecret::fresh();
    store.set_join_secret(channel.id, &secret)?;
    Ok(secret)
}

/// Forgets the channel of this name, its settings and its keys.
pub fn remove_named(store: &dyn Records, name: &str) -> Result<(), StoreError> {
    let channel = store.find(name)?.ok_or_else(|| StoreError::Unknown(name.to_owned()))?;
    store.remove(channel.id)
}

#[cfg(test)]
mod tests;
