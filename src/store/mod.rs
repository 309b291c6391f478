//! Where conversations live: the adapters behind the port [`EventLog`], one for Postgres and one for SQLite.
//!
//! Both keep the same tables, give the same outcomes and pass the same contract suite. Postgres serves many processes,
//! fences them against each other and writes the batches of many conversations in one statement; SQLite serves one
//! process, which holds a lock on the data folder, and writes a batch in one transaction.
//!
//! Not here: any rule about conversations, batching, retries of whole conversations (the persistence actor's), caches.
//! Read `docs/STORE.md` for the reasons, then [`postgres`]'s `queries/append.sql`, the statement everything hangs on.

mod clock;
pub mod dead_letters;
pub mod migrations;
pub mod observe;
pub mod postgres;
mod replay;
pub mod sqlite;
mod stored;

#[cfg(test)]
mod contract;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use migrations::{Direction, StepStatus};
use onya_actors::ports::EventLog;
use uuid::Uuid;

/// Where the store is and how patient its callers are. Not printable: the URL may hold a password.
#[derive(Clone)]
pub struct Settings {
    /// `postgres://…`, `sqlite://path`, or empty for `onya.db` in the data folder.
    pub url: String,
    /// The data folder, for an empty URL.
    pub data_dir: PathBuf,
    /// Most connections for reads and claims; append lanes have their own.
    pub max_connections: u32,
    /// Appends that may run side by side, each on a connection of its own. SQLite always has one.
    pub lanes: usize,
    /// Longest wait for a connection, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// Longest time for a statement; after it the connection is closed and the outcome is unknown. In milliseconds.
    pub statement_timeout_ms: u64,
    /// Longest wait for a row that somebody else has locked, in milliseconds.
    pub lock_timeout_ms: u64,
}

impl Settings {
    /// Settings for a URL, with the defaults of `config/onya.default.toml`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            data_dir: PathBuf::from("data"),
            max_connections: 8,
            lanes: 2,
            acquire_timeout_ms: 5_000,
            statement_timeout_ms: 10_000,
            lock_timeout_ms: 2_000,
        }
    }

    pub(crate) const fn acquire_timeout(&self) -> Duration {
        Duration::from_millis(self.acquire_timeout_ms)
    }

    pub(crate) const fn statement_timeout(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms)
    }

    fn backend(&self) -> Result<Backend, ConnectError> {
        let url = &self.url;
        if url.is_empty() {
            return Ok(Backend::Sqlite(self.data_dir.join("onya.db")));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Backend::Postgres);
        }
        if url.starts_with("sqlite:") {
            return sqlite::file_of_url(url).map(Backend::Sqlite);
        }
        Err(ConnectError::Url("it begins with neither postgres:// nor sqlite://".to_owned()))
    }
}

enum Backend {
    Postgres,
    Sqlite(PathBuf),
}

/// The store cannot be used; the text is for the person who starts the server and names no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The URL is none.
    #[error("the database URL is not usable: {0}")]
    Url(String),
    /// Another process uses the data folder.
    #[error("another Onya uses the data folder {0}: one process at a time, or use postgres://")]
    FolderInUse(PathBuf),
    /// The data folder cannot be written.
    #[error("the data folder {folder} cannot be used: {reason}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// The server is too old.
    #[error("PostgreSQL {found} is too old: Onya needs 15 or newer")]
    TooOld {
        /// The version that the server reports.
        found: String,
    },
    /// The server only reads.
    #[error("the PostgreSQL server is a replica: Onya needs the primary")]
    Replica,
    /// The database cannot be reached, or refuses.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A step of the schema failed and was undone.
    #[error("migration {version} failed: {reason}")]
    Migration {
        /// The step.
        version: i64,
        /// What the database says.
        reason: String,
    },
}

/// Opens the store for this start of the process: connects, checks, and brings the schema up to date.
///
/// [`EventLog::register`] with the same incarnation comes next; nothing can be claimed before.
pub async fn connect(settings: &Settings, incarnation: Uuid) -> Result<Arc<dyn EventLog>, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => Ok(Arc::new(postgres::PostgresLog::connect(settings, incarnation).await?)),
        Backend::Sqlite(file) => Ok(Arc::new(sqlite::SqliteLog::connect(settings, &file, incarnation).await?)),
    }
}

/// Moves the schema, and says what is applied afterwards.
pub async fn migrate(settings: &Settings, direction: Direction) -> Result<Vec<StepStatus>, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => postgres::migrate(settings, Some(direction)).await,
        Backend::Sqlite(file) => sqlite::migrate(&file, Some(direction)).await,
    }
}

/// What is applied of the schema; changes nothing.
pub async fn migration_status(settings: &Settings) -> Result<Vec<StepStatus>, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => postgres::migrate(settings, None).await,
        Backend::Sqlite(file) => sqlite::migrate(&file, None).await,
    }
}
