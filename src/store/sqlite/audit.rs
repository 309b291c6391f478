//! Anchors and verification: one snapshot, on a connection of its own.

use std::path::Path;

use async_trait::async_trait;
use onya_actors::ports::StoreError;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use uuid::Uuid;

use super::database::options;
use super::error::{Stage, before, describe, store_error};
use crate::store::ConnectError;
use crate::store::audit::anchoring::Collect;
use crate::store::audit::source::{
    ActColumns, ActRow, EntryColumns, EntryRow, HeadRow, Kind, LeafColumns, LeafRow, Source, source, sql,
};

/// A connection with an open transaction.
pub(super) struct Snapshot {
    pub(super) connection: SqliteConnection,
}

source!(Snapshot, before);

/// Opens a snapshot that only reads; a server may be writing meanwhile.
pub(in crate::store) async fn snapshot(file: &Path) -> Result<Box<dyn Source>, ConnectError> {
    let connection = begin(file, "BEGIN").await?;
    Ok(Box::new(Snapshot { connection }))
}

/// Opens a snapshot in which the heads of an anchor can be written; who else writes waits until it is committed.
pub(in crate::store) async fn heads(file: &Path) -> Result<Box<dyn Collect>, ConnectError> {
    let connection = begin(file, "BEGIN IMMEDIATE").await?;
    Ok(Box::new(Snapshot { connection }))
}

async fn begin(file: &Path, begin: &'static str) -> Result<SqliteConnection, ConnectError> {
    let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
    let mut connection = options(file).create_if_missing(false).connect().await.map_err(failed)?;
    sqlx::query(begin).execute(&mut connection).await.map_err(failed)?;
    Ok(connection)
}

#[async_trait]
impl Collect for Snapshot {
    async fn collect(&mut self, anchor: i64, cursor: &str) -> Result<String, StoreError> {
        collect(&mut self.connection, anchor, cursor).await.map_err(before)
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let committed = sqlx::query("COMMIT").execute(&mut self.connection).await;
        committed.map_err(|error| store_error(&error, Stage::Commit))?;
        // The last connection to be closed tidies up the write-ahead log. If it does not, the next one does.
        if let Err(error) = self.connection.close().await {
            tracing::debug!(error = describe(&error), "a connection could not be closed");
        }
        Ok(())
    }
}

/// The cursor is `conversations:acts`: the highest counts seen. There is one writer, so what it writes later counts
/// higher.
pub(super) async fn collect(
    connection: &mut SqliteConnection,
    anchor: i64,
    cursor: &str,
) -> Result<String, sqlx::Error> {
    let (conversations, acts): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT coalesce(max(moved), 0) FROM conversations), (SELECT coalesce(max(moved), 0) FROM audit_log)",
    )
    .fetch_one(&mut *connection)
    .await?;
    let since = since(cursor, (conversations, acts));
    sqlx::query("DELETE FROM audit_anchor_heads WHERE anchor >= $1").bind(anchor).execute(&mut *connection).await?;
    sqlx::query(
        "INSERT INTO audit_anchor_heads (anchor, kind, chain, position, link) \
         SELECT $1, 'conversation', id, last_seq, link FROM conversations WHERE moved > $2 AND link IS NOT NULL",
    )
    .bind(anchor)
    .bind(since.0)
    .execute(&mut *connection)
    .await?;
    // With max(), SQLite takes the other columns from the row that has it.
    sqlx::query(
        "INSERT INTO audit_anchor_heads (anchor, kind, chain, position, link) \
         SELECT $1, 'audit', chain, max(n), link FROM audit_log WHERE moved > $2 GROUP BY chain",
    )
    .bind(anchor)
    .bind(since.1)
    .execute(&mut *connection)
    .await?;
    Ok(format!("{conversations}:{acts}"))
}

/// From where to look: from the beginning, if the file was exchanged for an earlier one.
fn since(cursor: &str, now: (i64, i64)) -> (i64, i64) {
    let number = |text: &str| text.parse::<i64>().ok();
    let since = cursor.split_once(':').and_then(|(left, right)| Some((number(left)?, number(right)?)));
    since.filter(|(conversations, acts)| *conversations <= now.0 && *acts <= now.1).unwrap_or((0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_the_future_is_none() {
        assert_eq!(since("3:4", (3, 4)), (3, 4));
        assert_eq!(since("3:4", (9, 9)), (3, 4));
        assert_eq!(since("3:4", (2, 9)), (0, 0));
        assert_eq!(since("3:4", (9, 3)), (0, 0));
        assert_eq!(since("", (9, 9)), (0, 0));
    }
}
