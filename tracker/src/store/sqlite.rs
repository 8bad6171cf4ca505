//! The database file: opening, schema, backup. Its rows are `records`' part.
//!
//! WAL: readers never wait for a writer, and the command line works beside a running server. `synchronous = FULL`: what
//! was committed is on the disk, whatever happens to the process or the machine.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::error::StoreError;
use super::import;
use super::records::Records;
use crate::machine;

/// The database within the data directory.
pub(crate) const DATABASE: &str = "swarmcast.db";

/// Each entry brings the schema from its index to the next number (`PRAGMA user_version`).
const MIGRATIONS: [&str; 4] = [
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
];

/// How long a statement waits for another process's write. 5 s: a slow disk's commit many times over.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages copied before writers get a turn. 256 of 4 KiB: a few milliseconds.
const BACKUP_PAGES: i32 = 256;

/// Rest between two such runs.
const BACKUP_PAUSE: Duration = Duration::from_millis(5);

/// The database, for one thread. Each call is a transaction of its own.
pub struct Database {
    pub(super) connection: Connection,
}

impl Database {
    /// Opens the database in the directory `data`; makes what is not there; takes over the channel files of earlier
    /// versions.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let files = |source| StoreError::Files { path: data.to_owned(), source };
        std::fs::create_dir_all(data).map_err(files)?;
        let path = data.join(DATABASE);
        keep_private(data).map_err(|source| StoreError::Files { path: path.clone(), source })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Answers with the mode that it has set.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        migrate(&mut connection, &path)?;
        let mut database = Database { connection };
        import::take_over(&mut database, data)?;
        Ok(database)
    }

    /// Runs `work` as one transaction: all of it is on the disk when this returns `Ok`, or nothing.
    pub fn write<T>(
        &mut self,
        work: impl FnOnce(&dyn Records) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.begin()?;
        let done = work(&*transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Looks something up.
    pub fn read<T>(&self, work: impl FnOnce(&dyn Records) -> Result<T, StoreError>) -> Result<T, StoreError> {
        work(&self.connection)
    }

    /// Changes whenever another connection, of this process or another, has committed something.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        Ok(self.connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// Copies the database, as of one moment, to a new file that only its owner reads. Works beside a running server.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let files = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => StoreError::FileExists(to.to_owned()),
            _ => StoreError::Files { path: to.to_owned(), source },
        };
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(files)?;
        let copied = self.copy(to).and_then(|()| sync(to).map_err(files));
        if copied.is_err() {
            // Half a backup must not be taken for one.
            let _ = std::fs::remove_file(to);
        }
        copied
    }

    fn copy(&self, to: &Path) -> Result<(), StoreError> {
        let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        Backup::new(&self.connection, &mut copy)?.run_to_completion(BACKUP_PAGES, BACKUP_PAUSE, None)?;
        Ok(())
    }

    pub(super) fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        Ok(self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }
}

/// Makes the file before SQLite does, which would let others read it. Its journal gets the same mode.
fn keep_private(data: &Path) -> io::Result<()> {
    match machine::secret_file(data, DATABASE) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).open(path)?.sync_all()
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    if version(connection)? == MIGRATIONS.len() as i64 {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Another process may have been quicker.
    let found = version(&transaction)?;
    let done = usize::try_from(found).ok().filter(|&done| done <= MIGRATIONS.len());
    let done = done.ok_or_else(|| StoreError::Newer { path: path.to_owned(), found })?;
    for migration in &MIGRATIONS[done..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    Ok(transaction.commit()?)
}

fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
