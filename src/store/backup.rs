//! Copies of the embedded database: made while the server works, checked, and put back.
//!
//! A PostgreSQL database is backed up by its own tools; `docs/OPERATIONS.md` says how.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::history::Renewal;
use super::{Backend, ConnectError, Settings, sqlite};

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes are written, of about so many.
    Copying {
        /// Written.
        bytes: u64,
        /// Of the database, with what is free in it: the copy may be smaller.
        of_bytes: u64,
    },
    /// The copy is read from end to end.
    Checking,
}

/// What a checked copy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Conversations.
    pub conversations: i64,
    /// Entries of their logs.
    pub entries: i64,
    /// The name of its history.
    pub history_epoch: Uuid,
}

/// What a restore has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The database that is in use from now on.
    pub file: PathBuf,
    /// What it holds.
    pub contents: Contents,
    /// Where the database before lies now; `None` if there was none.
    pub kept: Option<PathBuf>,
    /// The history has a new name.
    pub history: Renewal,
}

/// Why there is no copy, or why it was not put back. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// The store is PostgreSQL.
    #[error(
        "the conversations are in PostgreSQL: use its own tools (a base backup with archived logs, or pg_dump and \
         pg_restore), and `onya history-epoch renew` after a restore; docs/OPERATIONS.md has the steps"
    )]
    Postgres,
    /// There is nothing to copy.
    #[error("there is no database at {0}")]
    Missing(PathBuf),
    /// The file to write is there.
    #[error("{0} exists: a backup overwrites nothing, choose another name")]
    Exists(PathBuf),
    /// The file is no copy of an Onya database.
    #[error("{0} is not a database of Onya")]
    Foreign(PathBuf),
    /// The copy is damaged.
    #[error("{file} is damaged: {finding}")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The first finding of the check.
        finding: String,
    },
    /// A file cannot be read or written.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: PathBuf,
        /// What the operating system or the database says.
        reason: String,
    },
    /// The data folder or the database cannot be used.
    #[error(transparent)]
    Store(#[from] ConnectError),
}

impl BackupError {
    pub(super) fn file(file: &Path, reason: &impl ToString) -> Self {
        Self::File { file: file.to_path_buf(), reason: reason.to_string() }
    }
}

/// Copies the embedded database to a new file while a server may work on it: everything that was acknowledged before
/// this call is in the copy, which is checked and appears whole or not at all.
pub async fn backup(
    settings: &Settings,
    target: &Path,
    progress: impl FnMut(Progress),
) -> Result<Contents, BackupError> {
    match settings.backend()? {
        Backend::Postgres => Err(BackupError::Postgres),
        Backend::Sqlite(file) => sqlite::backup::backup(&file, target, progress).await,
    }
}

/// Puts a copy in the place of the embedded database, under a new name of its history. No server may be using it; the
/// database before is kept beside it.
pub async fn restore(
    settings: &Settings,
    source: &Path,
    progress: impl FnMut(Progress),
) -> Result<Restored, BackupError> {
    match settings.backend()? {
        Backend::Postgres => Err(BackupError::Postgres),
        Backend::Sqlite(file) => sqlite::backup::restore(&file, source, progress).await,
    }
}
