//! Reads without a claim, on the connections that only read.

use onya_actors::ports::{Due, Forsaken, Page, PageFrom, StoreError, Summary, Tail, TailLimit};
use onya_core::conversation::{Entry, KnownKey, View};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Timestamp};
use sqlx::SqliteConnection;
use sqlx::pool::PoolConnection;
use uuid::Uuid;

use super::database::Database;
use super::error::{self, before};
use crate::store::stored::{self, EntryRow, KeyRow, SummaryRow, WaitingRow};

async fn reader(database: &Database) -> Result<PoolConnection<sqlx::Sqlite>, StoreError> {
    database.readers().acquire().await.map_err(before)
}

pub(super) async fn history_epoch(database: &Database) -> Result<Uuid, StoreError> {
    let query = sqlx::query_scalar(include_str!("../queries/history_epoch.sql"));
    query.fetch_one(database.readers()).await.map_err(before)
}

pub(super) async fn known_keys(
    database: &Database,
    id: ConversationId,
    participant: ParticipantId,
    ids: &[ClientMsgId],
) -> Result<Vec<KnownKey>, StoreError> {
    let mut reader = reader(database).await?;
    let mut known = Vec::new();
    for client_msg_id in ids {
        let row: Option<KeyRow> = sqlx::query_as(include_str!("../queries/known_key.sql"))
            .bind(id.0)
            .bind(participant.0)
            .bind(client_msg_id.as_str())
            .fetch_optional(&mut *reader)
            .await
            .map_err(before)?;
        known.extend(row.map(stored::known_key).transpose()?);
    }
    Ok(known)
}

/// The head first, then the entries up to its position: those never change, so the two agree.
pub(super) async fn tail(
    database: &Database,
    id: ConversationId,
    limit: TailLimit,
) -> Result<Option<Tail>, StoreError> {
    let mut reader = reader(database).await?;
    let Some(summary) = summary_of(&mut reader, id).await? else { return Ok(None) };
    let last_seq = stored::saturated(summary.last_seq);
    let entries = tail_entries(&mut reader, id, last_seq, limit).await?;
    Ok(Some(Tail { summary, entries }))
}

pub(super) async fn page(database: &Database, id: ConversationId, page: Page) -> Result<Vec<Entry>, StoreError> {
    let mut reader = reader(database).await?;
    let size = (page.view == View::Staff, stored::saturated(page.limit));
    match page.from {
        PageFrom::After(seq) => entries_after(&mut reader, id, stored::saturated(seq), size).await,
        PageFrom::Before(seq) => entries_before(&mut reader, id, stored::saturated(seq), size).await,
        PageFrom::End => entries_before(&mut reader, id, i64::MAX, size).await,
    }
}

pub(super) async fn summary(database: &Database, id: ConversationId) -> Result<Option<Summary>, StoreError> {
    summary_of(&mut *reader(database).await?, id).await
}

pub(super) async fn open_conversation_of(
    database: &Database,
    customer: ParticipantId,
) -> Result<Option<ConversationId>, StoreError> {
    let query = sqlx::query_scalar(include_str!("../queries/open_of_customer.sql")).bind(customer.0);
    let id: Option<Uuid> = query.fetch_optional(database.readers()).await.map_err(before)?;
    Ok(id.map(ConversationId))
}

pub(super) async fn open_conversations(
    database: &Database,
    before: Option<ConversationId>,
    limit: usize,
) -> Result<Vec<Summary>, StoreError> {
    let query = sqlx::query_as(include_str!("../queries/open_conversations.sql"))
        .bind(before.map_or(Uuid::max(), |before| before.0))
        .bind(stored::saturated(limit));
    let rows: Vec<SummaryRow> = query.fetch_all(database.readers()).await.map_err(error::before)?;
    rows.into_iter().map(stored::summary).collect()
}

pub(super) async fn due(
    database: &Database,
    incarnation: Uuid,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let query =
        sqlx::query_as(include_str!("../queries/due.sql")).bind(now.0).bind(incarnation).bind(stored::saturated(limit));
    let due: Vec<(Uuid, bool)> = query.fetch_all(database.readers()).await.map_err(before)?;
    Ok(due.into_iter().map(stored::due).collect())
}

pub(super) async fn forsaken(
    database: &Database,
    incarnation: Uuid,
    agents: &[ParticipantId],
    limit: usize,
) -> Result<Vec<Forsaken>, StoreError> {
    let agents: Vec<String> = agents.iter().map(|agent| format!("{:X}", agent.0.simple())).collect();
    let query = sqlx::query_as(include_str!("queries/forsaken.sql"))
        .bind(incarnation)
        .bind(serde_json::json!(agents).to_string())
        .bind(stored::saturated(limit));
    let rows: Vec<(Uuid, Uuid, bool)> = query.fetch_all(database.readers()).await.map_err(before)?;
    Ok(rows.into_iter().map(stored::forsaken).collect())
}

pub(super) async fn waiting(database: &Database) -> Result<Vec<Waiting>, StoreError> {
    let query = sqlx::query_as(include_str!("../queries/waiting.sql"));
    let rows: Vec<WaitingRow> = query.fetch_all(database.readers()).await.map_err(before)?;
    rows.into_iter().map(stored::waiting).collect()
}

pub(super) async fn ping(database: &Database) -> Result<String, StoreError> {
    sqlx::query_scalar("SELECT 'sqlite ' || sqlite_version()").fetch_one(database.readers()).await.map_err(before)
}

async fn summary_of(connection: &mut SqliteConnection, id: ConversationId) -> Result<Option<Summary>, StoreError> {
    let row: Option<SummaryRow> = sqlx::query_as(include_str!("../queries/summary.sql"))
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(before)?;
    row.map(stored::summary).transpose()
}

pub(super) async fn tail_entries(
    connection: &mut SqliteConnection,
    id: ConversationId,
    last_seq: i64,
    limit: TailLimit,
) -> Result<Vec<Entry>, StoreError> {
    let rows: Vec<EntryRow> = sqlx::query_as(include_str!("../queries/tail.sql"))
        .bind(id.0)
        .bind(last_seq)
        .bind(stored::saturated(limit.entries.max(1)))
        .bind(stored::saturated(limit.bytes))
        .fetch_all(connection)
        .await
        .map_err(before)?;
    stored::entries_newest_first(rows)
}

pub(super) async fn entries_after(
    connection: &mut SqliteConnection,
    id: ConversationId,
    seq: i64,
    (staff, limit): (bool, i64),
) -> Result<Vec<Entry>, StoreError> {
    let query = sqlx::query_as(include_str!("../queries/page_after.sql"));
    let rows = query.bind(id.0).bind(seq).bind(staff).bind(limit).fetch_all(connection).await;
    stored::entries(rows.map_err(before)?)
}

async fn entries_before(
    connection: &mut SqliteConnection,
    id: ConversationId,
    seq: i64,
    (staff, limit): (bool, i64),
) -> Result<Vec<Entry>, StoreError> {
    let query = sqlx::query_as(include_str!("../queries/page_before.sql"));
    let rows = query.bind(id.0).bind(seq).bind(staff).bind(limit).fetch_all(connection).await;
    stored::entries_newest_first(rows.map_err(before)?)
}
