//! One conversation, whole, in one snapshot of the database; for tools.

use onya_actors::ports::StoreError;
use onya_core::ConversationId;
use onya_core::conversation::Entry;
use sqlx::postgres::PgConnection;

use super::error::of_read;
use super::read::entries_after;
use super::session;
use crate::store::replay::{TurnRow, WholeRow};
use crate::store::{ConnectError, Settings};

/// A connection in a transaction that reads one state of the database.
pub(in crate::store) struct Snapshot(PgConnection);

impl Snapshot {
    pub(in crate::store) async fn open(settings: &Settings) -> Result<Self, ConnectError> {
        let options = session::options(settings, None)?;
        let mut connection = session::first_connection(&options, settings).await?;
        // Whoever is shown the entries may take their time.
        let begin =
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0";
        sqlx::raw_sql(begin)
            .execute(&mut connection)
            .await
            .map_err(|error| ConnectError::Unreachable(super::error::describe(&error)))?;
        Ok(Self(connection))
    }

    pub(in crate::store) async fn row(&mut self, id: ConversationId) -> Result<Option<WholeRow>, StoreError> {
        let query = sqlx::query_as(include_str!("../queries/whole.sql")).bind(id.0);
        query.fetch_optional(&mut self.0).await.map_err(of_read)
    }

    pub(in crate::store) async fn turns(&mut self, id: ConversationId) -> Result<Vec<TurnRow>, StoreError> {
        let query = sqlx::query_as(include_str!("../queries/turns.sql")).bind(id.0);
        query.fetch_all(&mut self.0).await.map_err(of_read)
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
