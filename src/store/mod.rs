//! Where conversations live: the adapters behind the port [`EventLog`], one for Postgres and one for SQLite.
//!
//! Both keep the same tables, give the same outcomes and pass the same contract suite. Postgres serves many processes,
//! fences them against each other and writes the batches of many conversations in one statement; SQLite serves one
//! process, which holds a lock on the data folder, and writes a batch in one transaction.
//!
//! Not here: any rule about conversations, batching, retries of whole conversations (the persistence actor's), caches.
//! Read `docs/STORE.md` for the reasons, then [`postgres`]'s `queries/append.sql`, the statement everything hangs on.

pub mod audit;
pub mod backup;
mod calendar;
mod chain;
mod clock;
pub mod dead_letters;
pub mod durability;
mod erasure;
pub mod history;
pub mod members;
pub mod migrations;
pub mod observe;
pub mod postgres;
mod replay;
mod search;
pub mod sqlite;
mod stored;
pub mod stuck;
pub mod upkeep;

#[cfg(test)]
mod contract;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit::settings::SettingsMemory;
use durability::Durability;
use history::Renewal;
use migrations::{Direction, StepStatus};
use onya_actors::ports::{AuditLog, EventLog, Members};
use onya_core::cluster::Times;
use onya_core::{ConversationId, Seq};
use replay::Source;
pub use replay::{ReplayError, Replayed, replay};
pub use search::INDEX_STEP;
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
    /// What is late, among members.
    pub times: Times,
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
            times: Times::default(),
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
    /// The database belongs to a newer version.
    #[error(
        "the database is too new for this version of Onya: its step {version:04} needs a version that knows step \
         {needs:04}, this one knows up to {newest:04}; start the newer version, or undo the step with it (onya migrate down)"
    )]
    TooNew {
        /// The step of the newer version.
        version: i64,
        /// The newest step that a program must know to work on it.
        needs: i64,
        /// The newest step that this program knows.
        newest: i64,
    },
    /// A step is to be undone that this version does not know.
    #[error(
        "the database has step {version:04} of a newer version of Onya; this one knows up to {newest:04} and cannot \
         undo it: use the newer version"
    )]
    UnknownStep {
        /// The step.
        version: i64,
        /// The newest step that this program knows.
        newest: i64,
    },
    /// Another process moves the schema and does not come to an end.
    #[error("another process has been moving the schema for {waited_s} s: try again when it is done")]
    SchemaBusy {
        /// How long it was waited for, in seconds.
        waited_s: u64,
    },
    /// The schema is to be changed, and this role may not.
    #[error("{what}, and this database role may not: use the role that owns the tables")]
    NotOwner {
        /// What is to be done.
        what: String,
    },
    /// There is no database yet.
    #[error("there is no history yet: start the server, or run `onya migrate up` and start it")]
    NoHistory,
    /// The schema is of an earlier version.
    #[error("the tables have no partitions yet: run `onya migrate up`")]
    NoPartitions,
    /// Another process keeps up the partitions.
    #[error("another `onya maintain` has been at work for a minute: try again when it is done")]
    UpkeepBusy,
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
pub async fn connect(settings: &Settings, incarnation: Uuid) -> Result<Store, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => {
            let log = Arc::new(postgres::PostgresLog::connect(settings, incarnation).await?);
            let members = postgres::PostgresMembers::new(settings, incarnation)?;
            let (audit, memory) = (Arc::clone(&log) as _, Arc::clone(&log) as _);
            Ok(Store { audit, settings: memory, log, members: Some(Arc::new(members)), anchors_itself: false })
        }
        Backend::Sqlite(file) => {
            let log = Arc::new(sqlite::SqliteLog::connect(settings, &file, incarnation).await?);
            let (audit, memory) = (Arc::clone(&log) as _, Arc::clone(&log) as _);
            Ok(Store { audit, settings: memory, log, members: None, anchors_itself: true })
        }
    }
}

/// One state of the database, to read a conversation whole. Changes nothing, also not the schema.
async fn whole(settings: &Settings) -> Result<Source, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => postgres::whole::Snapshot::open(settings).await.map(Source::Postgres),
        Backend::Sqlite(file) => sqlite::whole::Snapshot::open(&file).await.map(Source::Sqlite),
    }
}

/// What a claim may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    /// What nobody alive owns, and what this incarnation owns already.
    IfFree,
    /// Only the latter.
    OnlyOwn,
}

/// An open store, under each of its ports.
#[derive(Clone)]
pub struct Store {
    /// Conversations.
    pub log: Arc<dyn EventLog>,
    /// The record of acts.
    pub audit: Arc<dyn AuditLog>,
    /// What this node was configured with.
    pub settings: Arc<dyn SettingsMemory>,
    /// Who belongs to the cluster; `None` for an embedded store, which serves one process.
    pub members: Option<Arc<dyn Members>>,
    /// Whether nobody else can make anchors while the server runs: it is embedded.
    pub anchors_itself: bool,
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

/// What an operator should know of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What an acknowledgement is worth.
    pub durability: Durability,
    /// What else should be seen to; each says what to do.
    pub notices: Vec<String>,
}

/// Looks at the database; changes nothing. `expects_standby`: whether one machine is too few.
pub async fn inspect(settings: &Settings, expects_standby: bool) -> Result<Inspection, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => postgres::inspect(settings, expects_standby).await,
        Backend::Sqlite(file) => sqlite::inspect(&file).await,
    }
}

/// The name of the history that positions count in.
pub async fn history_epoch(settings: &Settings) -> Result<Uuid, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => postgres::history::epoch(settings).await,
        Backend::Sqlite(file) => sqlite::history::epoch(&file).await,
    }
}

/// Gives the history a new name: every cursor from before is told so. Running servers notice, end and start clean; the
/// embedded database must not be in use.
pub async fn renew_history_epoch(settings: &Settings) -> Result<Renewal, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => postgres::history::renew(settings).await,
        Backend::Sqlite(file) => sqlite::history::renew(&file).await,
    }
}

/// Renews the history if the store lacks positions that are known from elsewhere, such as those of the newest anchor,
/// and says which conversations are too short. A conversation that is not there at all counts for nothing: it may have
/// been removed on purpose. To be called before [`connect`].
pub async fn renew_history_if_behind(
    settings: &Settings,
    known: &[(ConversationId, Seq)],
) -> Result<Option<(Renewal, Vec<ConversationId>)>, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => postgres::history::renew_if_behind(settings, known).await,
        Backend::Sqlite(file) => sqlite::history::renew_if_behind(&file, known).await,
    }
}
