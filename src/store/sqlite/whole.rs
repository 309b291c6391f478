//! One conversation, whole, in one snapshot of the database; for tools.

use std::path::Path;

use onya_actors::ports::StoreError;
use onya_core::ConversationId;
use onya_core::conversation::Entry;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::error::{before, describe};
use super::read::entries_after;
use crate::store::ConnectError;
use crate::store::replay::{TurnRow, WholeRow};

/// A connection in a transaction that reads one state of the database.
pub(in crate::store) struct Snapshot(SqliteConnection);

impl Snapshot {
    /// Opens the file to read it. A server may be running on it: its lock on the folder keeps out only who would write.
    pub(in crate::store) async fn open(file: &Path) -> Result<Self, ConnectError> {
        let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
        if !file.exists() {
            return Err(ConnectError::Unreachable(format!("there is no file {}", file.display())));
        }
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut connection = options.connect().await.map_err(failed)?;
        sqlx::raw_sql("BEGIN").execute(&mut connection).await.map_err(failed)?;
        Ok(Self(connection))
    }

    pub(in crate::store) async fn row(&mut self, id: ConversationId) -> Result<Option<WholeRow>, StoreError> {
        let query = sqlx::query_as(include_str!("../queries/whole.sql")).bind(id.0);
        query.fetch_optional(&mut self.0).await.map_err(before)
    }

    pub(in crate::store) async fn turns(&mut self, id: ConversationId) -> Result<Vec<TurnRow>, StoreError> {
        let query = sqlx::query_as(include_str!("../queries/turns.sql")).bind(id.0);
        query.fetch_all(&mut self.0).await.map_err(before)
    }

    pub(in crate::store) async fn entries(
        &mut self,
        id: ConversationId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Entry>, StoreError> {
        entries_after(&mut self.0, id, after, (true, limit)).await
    }
}
