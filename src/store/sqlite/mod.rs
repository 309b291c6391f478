//! The store in one file, for one process: SQLite with a write-ahead log, flushed with every commit.
//!
//! One connection writes, in `BEGIN IMMEDIATE` transactions; a few read. A lock on the data folder keeps a second
//! process out, so whoever was alive before is dead. The outcomes are those of `postgres`, the contract suite is the
//! same; `Locked` occurs only for a conversation that stands twice in one batch.

mod acts;
mod append;
pub(super) mod audit;
pub(super) mod backup;
mod claim;
mod database;
mod erase;
mod error;
mod folder;
pub(super) mod history;
mod migrate;
mod read;
mod search;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod whole;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use database::Database;
pub(super) use folder::file_of_url;
use onya_actors::ports::{
    Act, Append, AppendOutcome, AuditLog, Claim, Due, EventLog, Fence, Forsaken, Hit, Member, NewConversation, Opening,
    Page, Search, StoreError, Summary, Tail, TailLimit,
};
use onya_core::conversation::{Entry, KnownKey};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Timestamp};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::audit::act::Acts;
use super::audit::settings::{Fingerprint, SettingsMemory};
use super::durability::judge_sqlite;
use super::migrations::{Direction, SQLITE, StepStatus, status};
use super::observe::{pool_connections, timed};
use super::upkeep::Outcome;
use super::{ConnectError, Inspection, Settings, Take};

/// The embedded store, as one incarnation uses it.
pub struct SqliteLog {
    database: Arc<Database>,
    incarnation: Uuid,
    acts: Acts,
}

impl SqliteLog {
    /// Locks the folder, opens the file and brings the schema up to date.
    pub async fn connect(settings: &Settings, file: &Path, incarnation: Uuid) -> Result<Self, ConnectError> {
        let database = Arc::new(Database::open(settings, file).await?);
        Ok(Self { database, incarnation, acts: Acts::new(incarnation) })
    }
}

/// Reads what decides over the worth of an acknowledgement.
pub(super) async fn inspect(file: &Path) -> Result<Inspection, ConnectError> {
    let failed = |error: sqlx::Error| ConnectError::Unreachable(error::describe(&error));
    let mut connection = database::options(file).create_if_missing(false).connect().await.map_err(failed)?;
    let journal_mode = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.map_err(failed)?;
    let synchronous = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut connection).await.map_err(failed)?;
    Ok(Inspection { durability: judge_sqlite(journal_mode, synchronous), notices: Vec::new() })
}

/// Moves the schema of this file, under the lock on its folder; with no direction only says what is applied.
pub(super) async fn migrate(file: &Path, direction: Option<Direction>) -> Result<Vec<StepStatus>, ConnectError> {
    if direction.is_none() && !file.exists() {
        return Ok(status(SQLITE, &[]));
    }
    let _lock = folder::lock(file)?;
    let connection = database::options(file).connect().await;
    let mut connection = connection.map_err(|error| ConnectError::Unreachable(error::describe(&error)))?;
    migrate::run(&mut connection, direction).await
}

/// A connection of nobody's to a file that exists, without the lock on its folder: for what may be done beside a server.
/// Writes the file anew, without what deleted and moved rows have left in it.
pub(super) async fn keep_up(settings: &Settings, file: &Path, dry_run: bool) -> Result<Outcome, ConnectError> {
    let failed = |error: sqlx::Error| ConnectError::Unreachable(error::describe(&error));
    let mut connection = connection(settings, file).await?;
    let mut notices = Vec::new();
    if !dry_run {
        sqlx::query("VACUUM").execute(&mut connection).await.map_err(failed)?;
        if !database::empty_log(&mut connection).await.map_err(failed)? {
            notices.push("somebody reads an older state just now, which keeps it alive: run this again".to_owned());
        }
    }
    connection.close().await.map_err(failed)?;
    Ok(Outcome { rewritten: true, notices, ..Outcome::default() })
}

pub(super) async fn connection(settings: &Settings, file: &Path) -> Result<sqlx::SqliteConnection, ConnectError> {
    let options = database::options(file).create_if_missing(false);
    let connection = options.busy_timeout(Duration::from_millis(settings.lock_timeout_ms)).connect().await;
    connection.map_err(|error| ConnectError::Unreachable(format!("{}: {}", file.display(), error::describe(&error))))
}

#[async_trait]
impl AuditLog for SqliteLog {
    async fn record(&self, acts: &[Act]) -> Result<(), StoreError> {
        timed("record", acts::record(&self.database, &self.acts, acts)).await
    }
}

#[async_trait]
impl SettingsMemory for SqliteLog {
    async fn known_settings(&self, node: &str) -> Result<Vec<Fingerprint>, StoreError> {
        acts::known_settings(&self.database, node).await
    }

    async fn remember_settings(&self, node: &str, settings: &[Fingerprint]) -> Result<(), StoreError> {
        acts::remember_settings(&self.database, node, settings).await
    }
}

#[async_trait]
impl EventLog for SqliteLog {
    async fn register(&self, member: &Member) -> Result<(), StoreError> {
        timed("register", claim::register(&self.database, member)).await
    }

    async fn history_epoch(&self) -> Result<Uuid, StoreError> {
        timed("history_epoch", read::history_epoch(&self.database)).await
    }

    async fn open(&self, new: NewConversation) -> Result<Opening, StoreError> {
        timed("open", claim::open(&self.database, &new)).await
    }

    async fn claim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError> {
        timed("claim", claim::claim(&self.database, self.incarnation, (conversation, Take::IfFree), tail)).await
    }

    async fn reclaim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError> {
        timed("reclaim", claim::claim(&self.database, self.incarnation, (conversation, Take::OnlyOwn), tail)).await
    }

    async fn release(&self, held: &[(ConversationId, Fence)]) -> Result<(), StoreError> {
        timed("release", claim::release(&self.database, held)).await
    }

    async fn release_idle(&self, conversation: ConversationId) -> Result<(), StoreError> {
        timed("release_idle", claim::release_idle(&self.database, self.incarnation, conversation)).await
    }

    async fn retire(&self) -> Result<(), StoreError> {
        timed("retire", claim::retire(&self.database, self.incarnation)).await
    }

    async fn append(&self, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
        timed("append", append::append(&self.database, batch)).await
    }

    async fn known_keys(
        &self,
        conversation: ConversationId,
        participant: ParticipantId,
        ids: &[ClientMsgId],
    ) -> Result<Vec<KnownKey>, StoreError> {
        timed("known_keys", read::known_keys(&self.database, conversation, participant, ids)).await
    }

    async fn tail(&self, conversation: ConversationId, limit: TailLimit) -> Result<Option<Tail>, StoreError> {
        timed("tail", read::tail(&self.database, conversation, limit)).await
    }

    async fn page(&self, conversation: ConversationId, page: Page) -> Result<Vec<Entry>, StoreError> {
        timed("page", read::page(&self.database, conversation, page)).await
    }

    async fn summary(&self, conversation: ConversationId) -> Result<Option<Summary>, StoreError> {
        timed("summary", read::summary(&self.database, conversation)).await
    }

    async fn open_conversation_of(&self, customer: ParticipantId) -> Result<Option<ConversationId>, StoreError> {
        timed("open_conversation_of", read::open_conversation_of(&self.database, customer)).await
    }

    async fn open_conversations(
        &self,
        before: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        timed("open_conversations", read::open_conversations(&self.database, before, limit)).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
        let readers = self.database.readers();
        pool_connections(readers.size(), readers.num_idle());
        timed("due", read::due(&self.database, self.incarnation, now, limit)).await
    }

    async fn forsaken(&self, agents: &[ParticipantId], limit: usize) -> Result<Vec<Forsaken>, StoreError> {
        timed("forsaken", read::forsaken(&self.database, self.incarnation, agents, limit)).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        timed("waiting", read::waiting(&self.database)).await
    }

    async fn record_crash(
        &self,
        conversation: ConversationId,
        now: Timestamp,
        window_ms: u64,
    ) -> Result<u32, StoreError> {
        timed("record_crash", claim::record_crash(&self.database, conversation, now, window_ms)).await
    }

    async fn search(&self, search: &Search) -> Result<Vec<Hit>, StoreError> {
        timed("search", search::search(&self.database, search)).await
    }

    async fn index_texts(&self) -> Result<usize, StoreError> {
        timed("index_texts", search::index_texts(&self.database)).await
    }

    async fn ping(&self) -> Result<String, StoreError> {
        timed("ping", read::ping(&self.database)).await
    }

    async fn close(&self) {
        self.database.close().await;
    }
}
