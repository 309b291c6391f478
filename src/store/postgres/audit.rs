//! Anchors and verification: one snapshot, on a connection of its own.

use async_trait::async_trait;
use onya_actors::ports::StoreError;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::error::{of_read, of_write};
use super::session;
use crate::store::audit::anchoring::Collect;
use crate::store::audit::source::{
    ActColumns, ActRow, EntryColumns, EntryRow, HeadRow, Kind, LeafColumns, LeafRow, Source, source, sql,
};
use crate::store::{ConnectError, Settings};

/// A connection with an open transaction.
pub(super) struct Snapshot {
    pub(super) connection: PgConnection,
}

source!(Snapshot, of_read);

/// Connects and opens a snapshot that only reads.
pub(in crate::store) async fn snapshot(settings: &Settings) -> Result<Box<dyn Source>, ConnectError> {
    let connection = begin(settings, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    Ok(Box::new(Snapshot { connection }))
}

/// Connects and opens a snapshot in which the heads of an anchor can be written.
pub(in crate::store) async fn heads(settings: &Settings) -> Result<Box<dyn Collect>, ConnectError> {
    let connection = begin(settings, "BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    Ok(Box::new(Snapshot { connection }))
}

/// The schema is not touched: whoever verifies may have no right to.
async fn begin(settings: &Settings, begin: &'static str) -> Result<PgConnection, ConnectError> {
    let options = session::options(settings, None)?;
    let mut connection = session::first_connection(&options, settings).await?;
    let begun = async {
        session::prepare(&mut connection).await?;
        sqlx::query(begin).execute(&mut connection).await
    };
    begun.await.map_err(|error| ConnectError::Unreachable(super::error::describe(&error)))?;
    Ok(connection)
}

#[async_trait]
impl Collect for Snapshot {
    async fn collect(&mut self, anchor: i64, cursor: &str) -> Result<String, StoreError> {
        collect(&mut self.connection, anchor, cursor).await.map_err(of_read)
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        sqlx::query("COMMIT").execute(&mut self.connection).await.map_err(of_write)?;
        drop(self.connection.close().await);
        Ok(())
    }
}

/// The cursor is `cluster:transaction`: all transactions before that one were finished when the snapshot was taken, so
/// whatever they wrote is in it. What was still under way, or came later, has that number or a higher one, and the next
/// anchor reads it; what it then sees a second time, it passes over.
pub(super) async fn collect(connection: &mut PgConnection, anchor: i64, cursor: &str) -> Result<String, sqlx::Error> {
    let (cluster, oldest): (String, String) = sqlx::query_as(
        "SELECT (SELECT system_identifier::text FROM pg_control_system()), \
                pg_snapshot_xmin(pg_current_snapshot())::text",
    )
    .fetch_one(&mut *connection)
    .await?;
    let since = since(cursor, &cluster, &oldest);
    for statement in [
        "DELETE FROM audit_anchor_heads WHERE anchor >= $1 AND $2::text IS NOT NULL",
        "INSERT INTO audit_anchor_heads (anchor, kind, chain, position, link) \
         SELECT $1, 'conversation', c.id, c.last_seq, c.link FROM conversations AS c \
         WHERE c.moved >= $2::xid8 AND c.link IS NOT NULL AND ($2 = '0' OR NOT EXISTS ( \
             SELECT 1 FROM audit_anchor_heads AS h WHERE h.kind = 'conversation' AND h.chain = c.id \
             AND h.position = c.last_seq AND h.link = c.link))",
        "INSERT INTO audit_anchor_heads (anchor, kind, chain, position, link) \
         SELECT $1, 'audit', a.chain, a.n, a.link FROM ( \
             SELECT DISTINCT ON (chain) chain, n, link FROM audit_log WHERE moved >= $2::xid8 ORDER BY chain, n DESC \
         ) AS a WHERE $2 = '0' OR NOT EXISTS ( \
             SELECT 1 FROM audit_anchor_heads AS h WHERE h.kind = 'audit' AND h.chain = a.chain \
             AND h.position = a.n AND h.link = a.link)",
    ] {
        sqlx::query(statement).bind(anchor).bind(&since).execute(&mut *connection).await?;
    }
    Ok(format!("{cluster}:{oldest}"))
}

/// The first transaction to look at: all of them, if the cursor counts in another cluster or in another past of this
/// one.
fn since(cursor: &str, cluster: &str, oldest: &str) -> String {
    let transaction = |text: &str| text.parse::<u64>().ok();
    let since = cursor.split_once(':').filter(|(of, _)| *of == cluster).and_then(|(_, since)| transaction(since));
    since.filter(|since| Some(*since) <= transaction(oldest)).unwrap_or(0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_cluster_or_of_the_future_is_none() {
        assert_eq!(since("7:100", "7", "100"), "100");
        assert_eq!(since("7:100", "7", "120"), "100");
        assert_eq!(since("7:100", "8", "120"), "0");
        assert_eq!(since("7:100", "7", "99"), "0");
        assert_eq!(since("", "7", "99"), "0");
        assert_eq!(since("7:x", "7", "99"), "0");
    }
}
