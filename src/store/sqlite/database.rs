//! The open file: one connection that writes, a few that read, and the lock on the folder.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use onya_actors::ports::StoreError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqlSafeStr as _, Sqlite, Transaction};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::error::{Stage, before, describe, store_error};
use super::{folder, history, migrate};
use crate::store::migrations::Direction;
use crate::store::{ConnectError, Settings};

/// Connections that read. Reads are short and from memory mostly; more would only take turns on the disk.
const READERS: u32 = 4;
/// Pages that each of them keeps, in KiB as SQLite spells it; the system keeps the file in memory anyway.
const READER_CACHE: &str = "-256";

pub(super) struct Database {
    options: SqliteConnectOptions,
    /// `None` after a failed write: the connection is opened anew, so that nothing half done is left in it.
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
    acquire_timeout: Duration,
    lock_timeout_ms: u64,
    /// The name of the history when this process began.
    pub(super) history_epoch: Uuid,
    /// The write-ahead log holds what was erased: somebody read when it should have been emptied.
    log_is_stale: AtomicBool,
    _lock: File,
}

impl Database {
    /// Locks the folder, opens the file, brings the schema up to date, and marks earlier incarnations dead: the lock
    /// proves that they are.
    pub(super) async fn open(settings: &Settings, file: &Path) -> Result<Self, ConnectError> {
        let lock = folder::lock(file)?;
        let options = options(file).busy_timeout(Duration::from_millis(settings.lock_timeout_ms));
        let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
        let mut writer = options.connect().await.map_err(failed)?;
        migrate::run(&mut writer, Some(Direction::Up)).await?;
        sqlx::query("UPDATE members SET state = 'dead' WHERE state = 'live'")
            .execute(&mut writer)
            .await
            .map_err(failed)?;
        sqlx::query(include_str!("../queries/begin_history.sql"))
            .bind(Uuid::now_v7())
            .execute(&mut writer)
            .await
            .map_err(failed)?;
        let history_epoch = history::read(&mut writer).await?;
        // What an erasure left in the write-ahead log when the process died right after it.
        let log_is_stale = !empty_log(&mut writer).await.map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(settings.acquire_timeout())
            .test_before_acquire(false)
            .connect_lazy_with(options.clone().pragma("query_only", "on").pragma("cache_size", READER_CACHE));
        let acquire_timeout = settings.acquire_timeout();
        Ok(Self {
            options,
            writer: Mutex::new(Some(writer)),
            readers,
            acquire_timeout,
            lock_timeout_ms: settings.lock_timeout_ms,
            history_epoch,
            log_is_stale: AtomicBool::new(log_is_stale),
            _lock: lock,
        })
    }

    /// The connections that read.
    pub(super) const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Closes all connections; the last one to be closed tidies up the write-ahead log.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.lock().await.take()
            && let Err(error) = writer.close().await
        {
            tracing::warn!(error = describe(&error), "the database could not be closed; the next start tidies up");
        }
    }

    /// The connection that writes, once the writes before are done.
    pub(super) async fn writer(&self) -> Result<Writer<'_>, StoreError> {
        let locked = tokio::time::timeout(self.acquire_timeout, self.writer.lock()).await;
        let mut slot = locked.map_err(|_| StoreError::Unavailable("earlier writes take too long".to_owned()))?;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(before)?,
        };
        let (log_is_stale, lock_timeout_ms) = (&self.log_is_stale, self.lock_timeout_ms);
        let mut writer = Writer { slot, connection, log_is_stale, lock_timeout_ms };
        writer.try_again().await;
        Ok(writer)
    }
}

/// The writing connection, checked out. It goes back only if the write ended well.
pub(super) struct Writer<'a> {
    slot: MutexGuard<'a, Option<SqliteConnection>>,
    connection: SqliteConnection,
    log_is_stale: &'a AtomicBool,
    lock_timeout_ms: u64,
}

impl Writer<'_> {
    /// The connection itself, for single statements.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Begins a transaction that has the right to write from its first statement on.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        self.connection.begin_with("BEGIN IMMEDIATE".into_sql_str()).await.map_err(before)
    }

    /// Moves what was written into the file and empties the write-ahead log, which holds older states of pages. If somebody
    /// reads for longer than a lock is waited for, the next write tries again.
    pub(super) async fn empty_the_log(&mut self) {
        let emptied = empty_log(&mut self.connection).await.unwrap_or_else(|error| {
            tracing::warn!(error = describe(&error), "the write-ahead log could not be emptied after an erasure");
            false
        });
        self.log_is_stale.store(!emptied, Ordering::Relaxed);
    }

    /// The same once more, without waiting for those who read.
    async fn try_again(&mut self) {
        if self.log_is_stale.load(Ordering::Relaxed) {
            self.wait_for_locks(0).await;
            self.empty_the_log().await;
            self.wait_for_locks(self.lock_timeout_ms).await;
        }
    }

    async fn wait_for_locks(&mut self, timeout_ms: u64) {
        let wait = AssertSqlSafe(format!("PRAGMA busy_timeout = {timeout_ms}"));
        if let Err(error) = sqlx::query(wait).fetch_all(&mut self.connection).await {
            tracing::warn!(error = describe(&error), "the wait for locks could not be set");
        }
    }

    /// Puts the connection back.
    pub(super) fn done(mut self) {
        *self.slot = Some(self.connection);
    }
}

/// Empties the write-ahead log, unless somebody reads for longer than a lock is waited for; whether it is empty.
pub(super) async fn empty_log(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    Ok(busy == 0)
}

/// Commits; once this returns, the transaction is on the disk.
pub(super) async fn commit(transaction: Transaction<'_, Sqlite>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(|error| store_error(&error, Stage::Commit))
}

/// Write-ahead log, and a flush to the disk with every commit: an acknowledged entry survives a loss of power. What is
/// deleted or replaced is overwritten, so that an erased text does not stay behind in the file.
pub(super) fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "on")
}

#[cfg(test)]
impl Writer<'_> {
    pub(super) async fn execute(&mut self, sql: sqlx::AssertSqlSafe<String>) {
        sqlx::query(sql).fetch_all(&mut self.connection).await.unwrap();
    }
}
