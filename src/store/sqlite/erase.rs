//! Erasure, legal holds and retention. One writer: an erasure and a hold come one after the other.

use async_trait::async_trait;
use onya_actors::ports::{
    Append, AppendOutcome, Closed, CustomerConversation, Erasure, HOLD_POSTPONES_MS, LegalHold, StoreError,
};
use onya_core::{ConversationId, ParticipantId};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;

use super::append::{Care, append_one};
use super::database::{Database, commit};
use super::error::before;
use super::{SqliteLog, acts};
use crate::store::audit::act::Erased;
use crate::store::erasure::{self, BodyRow, CHUNK_ENTRIES, DERIVED, HoldRow};
use crate::store::observe::timed;
use crate::store::stored;

#[async_trait]
impl Erasure for SqliteLog {
    async fn erase(&self, append: Append) -> Result<AppendOutcome, StoreError> {
        timed("erase", erase(&self.database, &append)).await
    }

    async fn conversations_of(
        &self,
        customer: ParticipantId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<CustomerConversation>, StoreError> {
        let query = sqlx::query_as(include_str!("../queries/of_customer.sql"))
            .bind(customer.0)
            .bind(after.map_or(Uuid::nil(), |after| after.0))
            .bind(stored::saturated(limit));
        timed("conversations_of", async {
            let rows: Vec<_> = query.fetch_all(self.database.readers()).await.map_err(before)?;
            rows.into_iter().map(erasure::of_customer).collect()
        })
        .await
    }

    async fn place_hold(&self, hold: LegalHold) -> Result<(), StoreError> {
        let query = sqlx::query(include_str!("../queries/place_hold.sql"))
            .bind(hold.customer.0)
            .bind(hold.reason)
            .bind(hold.placed_by.0)
            .bind(hold.placed_at.0);
        timed("place_hold", write(&self.database, query)).await.map(|_| ())
    }

    async fn lift_hold(&self, customer: ParticipantId) -> Result<bool, StoreError> {
        let query = sqlx::query(include_str!("../queries/lift_hold.sql")).bind(customer.0);
        timed("lift_hold", write(&self.database, query)).await.map(|rows| rows > 0)
    }

    async fn hold(&self, customer: ParticipantId) -> Result<Option<LegalHold>, StoreError> {
        let query = sqlx::query_as::<_, HoldRow>(include_str!("../queries/hold.sql")).bind(customer.0);
        timed("hold", async {
            let row = query.fetch_optional(self.database.readers()).await.map_err(before)?;
            Ok(row.map(|row| erasure::hold(customer, row)))
        })
        .await
    }

    async fn schedule_retention(
        &self,
        retention_ms: Option<u64>,
        after: Option<Closed>,
        limit: usize,
    ) -> Result<Option<Closed>, StoreError> {
        timed("schedule_retention", schedule_retention(&self.database, retention_ms, (after, limit))).await
    }
}

async fn write(
    database: &Database,
    query: sqlx::query::Query<'_, Sqlite, sqlx::sqlite::SqliteArguments>,
) -> Result<u64, StoreError> {
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    let done = query.execute(&mut *transaction).await.map_err(before)?;
    commit(transaction).await?;
    writer.done();
    Ok(done.rows_affected())
}

async fn erase(database: &Database, append: &Append) -> Result<AppendOutcome, StoreError> {
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    let outcome = erase_within(&mut transaction, append).await?;
    commit(transaction).await?;
    if outcome.is_accepted() {
        writer.empty_the_log().await;
    }
    writer.done();
    Ok(outcome)
}

async fn erase_within(transaction: &mut Transaction<'_, Sqlite>, append: &Append) -> Result<AppendOutcome, StoreError> {
    let held = sqlx::query_scalar(include_str!("../queries/is_held.sql")).bind(append.head.customer.0);
    if held.fetch_one(&mut **transaction).await.map_err(before)? {
        postpone(transaction, append).await?;
        return Ok(AppendOutcome::OnHold);
    }
    let outcome = append_one(transaction, append, Care::Savepoints).await?;
    let outcome = outcome.ok_or_else(|| StoreError::Unavailable("the append was undone".to_owned()))?;
    if outcome.is_accepted() {
        redact(transaction, append).await?;
    }
    Ok(outcome)
}

async fn postpone(connection: &mut SqliteConnection, append: &Append) -> Result<(), StoreError> {
    let (Some(last), Some((epoch, nonce))) = (append.entries.last(), stored::fence_columns(append.fence)) else {
        return Ok(());
    };
    sqlx::query(include_str!("../queries/postpone.sql"))
        .bind(append.conversation.0)
        .bind(epoch)
        .bind(nonce)
        .bind(last.at.0)
        .bind(last.at.plus_ms(HOLD_POSTPONES_MS).0)
        .execute(connection)
        .await
        .map_err(before)?;
    Ok(())
}

/// Everything before the entry that says so.
async fn redact(connection: &mut SqliteConnection, append: &Append) -> Result<(), StoreError> {
    let (id, last) = (append.conversation.0, stored::saturated(append.head.last_seq) - 1);
    let (mut after, mut left) = (0, Erased::default());
    while after < last {
        let bodies = sqlx::query_as(include_str!("../queries/bodies.sql")).bind(id).bind(after).bind(last);
        let rows: Vec<BodyRow> = bodies.bind(CHUNK_ENTRIES).fetch_all(&mut *connection).await.map_err(before)?;
        let (seqs, bodies) = erasure::redacted(&rows, &mut left)?;
        after = seqs.last().copied().unwrap_or(last);
        for (seq, body) in seqs.into_iter().zip(bodies) {
            let redact = sqlx::query(include_str!("queries/redact.sql")).bind(id).bind(seq).bind(body);
            redact.execute(&mut *connection).await.map_err(before)?;
        }
    }
    let act = erasure::on_record(append, left);
    acts::insert(connection, act.as_slice()).await.map_err(before)?;
    let erased_at = append.entries.last().map(|entry| entry.at.0);
    let head = sqlx::query(include_str!("../queries/erase_head.sql")).bind(id).bind(erased_at);
    head.execute(&mut *connection).await.map_err(before)?;
    for statement in DERIVED {
        sqlx::query(*statement).bind(id).execute(&mut *connection).await.map_err(before)?;
    }
    // The full-text index only notes what is deleted, and keeps the words until its segments are merged.
    let merge = sqlx::query("INSERT INTO search_words (search_words) VALUES ('optimize')");
    merge.execute(&mut *connection).await.map_err(before)?;
    Ok(())
}

async fn schedule_retention(
    database: &Database,
    retention_ms: Option<u64>,
    (after, limit): (Option<Closed>, usize),
) -> Result<Option<Closed>, StoreError> {
    let (at, id) = erasure::place(after);
    let kept_ms = retention_ms.map(stored::saturated);
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    let page: Vec<(i64, Uuid)> = sqlx::query_as(include_str!("queries/closed.sql"))
        .bind(at)
        .bind(id)
        .bind(stored::saturated(limit))
        .fetch_all(&mut *transaction)
        .await
        .map_err(before)?;
    for (_, id) in &page {
        let set = sqlx::query(include_str!("queries/set_retention.sql")).bind(id).bind(kept_ms);
        set.execute(&mut *transaction).await.map_err(before)?;
    }
    commit(transaction).await?;
    writer.done();
    Ok(page.last().copied().map(erasure::closed))
}
