//! `backup`: a copy of the database, as of one moment, beside a running server.

use std::path::PathBuf;

use clap::Args;
use tracker::Database;

use super::channel::Place;

#[derive(Args)]
pub(crate) struct Backup {
    /// The file to write; it is never overwritten
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(backup: &Backup) -> anyhow::Result<()> {
    Ok(Database::open(&backup.place.data)?.backup(&backup.file)?)
}
