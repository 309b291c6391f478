//! Reads without a claim, from the primary.

use std::future::Future;

use onya_actors::ports::{Due, Forsaken, Page, PageFrom, StoreError, Summary, Tail, TailLimit};
use onya_core::conversation::{Entry, KnownKey, View};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Timestamp};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::database::Database;
use super::error::of_read;
use super::planted;
use crate::store::stored::{self, EntryRow, KeyRow, SummaryRow, WaitingRow};

pub(super) async fn history_epoch(database: &Database) -> Result<Uuid, StoreError> {
    let query = sqlx::query_scalar(include_str!("../queries/history_epoch.sql"));
    let mut checkout = database.connection().await?;
    let epoch = bounded(database, query.fetch_one(checkout.get())).await?;
    checkout.done();
    Ok(epoch)
}

pub(super) async fn known_keys(
    database: &Database,
    id: ConversationId,
    participant: ParticipantId,
    ids: &[ClientMsgId],
) -> Result<Vec<KnownKey>, StoreError> {
    let ids: Vec<&str> = ids.iter().map(ClientMsgId::as_str).collect();
    let query = sqlx::query_as(include_str!("queries/known_keys.sql")).bind(id.0).bind(participant.0).bind(ids);
    let mut checkout = database.connection().await?;
    let rows: Vec<KeyRow> = bounded(database, query.fetch_all(checkout.get())).await?;
    checkout.done();
    rows.into_iter().map(stored::known_key).collect()
}

/// The head first, then the entries up to its position: those never change, so the two agree.
pub(super) async fn tail(
    database: &Database,
    id: ConversationId,
    limit: TailLimit,
) -> Result<Option<Tail>, StoreError> {
    let mut checkout = database.connection().await?;
    let connection = checkout.get();
    let tail = database
        .read(async move {
            let Some(summary) = summary_of(connection, id).await? else { return Ok(None) };
            let last_seq = stored::saturated(summary.last_seq);
            let entries = tail_entries(connection, id, last_seq, limit).await?;
            Ok(Some(Tail { summary, entries }))
        })
        .await?;
    checkout.done();
    Ok(tail)
}

pub(super) async fn page(database: &Database, id: ConversationId, page: Page) -> Result<Vec<Entry>, StoreError> {
    let mut checkout = database.connection().await?;
    let size = (page.view == View::Staff, stored::saturated(page.limit));
    let connection = checkout.get();
    let entries = database
        .read(async move {
            match page.from {
                PageFrom::After(seq) => entries_after(connection, id, stored::saturated(seq), size).await,
                PageFrom::Before(seq) => entries_before(connection, id, stored::saturated(seq), size).await,
                PageFrom::End => entries_before(connection, id, i64::MAX, size).await,
            }
        })
        .await?;
    checkout.done();
    Ok(entries)
}

pub(super) async fn summary(database: &Database, id: ConversationId) -> Result<Option<Summary>, StoreError> {
    let mut checkout = database.connection().await?;
    let summary = database.read(summary_of(checkout.get(), id)).await?;
    checkout.done();
    Ok(summary)
}

pub(super) async fn open_conversation_of(
    database: &Database,
    customer: ParticipantId,
) -> Result<Option<ConversationId>, StoreError> {
    let query = sqlx::query_scalar(include_str!("../queries/open_of_customer.sql")).bind(customer.0);
    let mut checkout = database.connection().await?;
    let id: Option<Uuid> = bounded(database, query.fetch_optional(checkout.get())).await?;
    checkout.done();
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
    let mut checkout = database.connection().await?;
    let rows: Vec<SummaryRow> = bounded(database, query.fetch_all(checkout.get())).await?;
    checkout.done();
    rows.into_iter().map(stored::summary).collect()
}

pub(super) async fn due(
    database: &Database,
    incarnation: Uuid,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let query = sqlx::query_as(planted::due()).bind(now.0).bind(incarnation).bind(stored::saturated(limit));
    let mut checkout = database.connection().await?;
    let due: Vec<(Uuid, bool)> = bounded(database, query.fetch_all(checkout.get())).await?;
    checkout.done();
    Ok(due.into_iter().map(stored::due).collect())
}

pub(super) async fn forsaken(
    database: &Database,
    incarnation: Uuid,
    agents: &[ParticipantId],
    limit: usize,
) -> Result<Vec<Forsaken>, StoreError> {
    let agents: Vec<Uuid> = agents.iter().map(|agent| agent.0).collect();
    let query = sqlx::query_as(include_str!("queries/forsaken.sql"))
        .bind(incarnation)
        .bind(agents)
        .bind(stored::saturated(limit));
    let mut checkout = database.connection().await?;
    let rows: Vec<(Uuid, Uuid, bool)> = bounded(database, query.fetch_all(checkout.get())).await?;
    checkout.done();
    Ok(rows.into_iter().map(stored::forsaken).collect())
}

pub(super) async fn waiting(database: &Database) -> Result<Vec<Waiting>, StoreError> {
    let query = sqlx::query_as(include_str!("../queries/waiting.sql"));
    let mut checkout = database.connection().await?;
    let rows: Vec<WaitingRow> = bounded(database, query.fetch_all(checkout.get())).await?;
    checkout.done();
    rows.into_iter().map(stored::waiting).collect()
}

pub(super) async fn ping(database: &Database) -> Result<String, StoreError> {
    let mut checkout = database.connection().await?;
    let version = sqlx::query_scalar("SELECT 'postgres ' || split_part(current_setting('server_version'), ' ', 1)");
    let version = bounded(database, version.fetch_one(checkout.get())).await?;
    checkout.done();
    Ok(version)
}

async fn bounded<T>(database: &Database, run: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    database.read(async { run.await.map_err(of_read) }).await
}

async fn summary_of(connection: &mut PgConnection, id: ConversationId) -> Result<Option<Summary>, StoreError> {
    let row: Option<SummaryRow> = sqlx::query_as(include_str!("../queries/summary.sql"))
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(of_read)?;
    row.map(stored::summary).transpose()
}

pub(super) async fn tail_entries(
    connection: &mut PgConnection,
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
        .map_err(of_read)?;
    stored::entries_newest_first(rows)
}

pub(super) async fn entries_after(
    connection: &mut PgConnection,
    id: ConversationId,
    seq: i64,
    (staff, limit): (bool, i64),
) -> Result<Vec<Entry>, StoreError> {
    let query = sqlx::query_as(include_str!("../queries/page_after.sql"));
    let rows = query.bind(id.0).bind(seq).bind(staff).bind(limit).fetch_all(connection).await;
    stored::entries(rows.map_err(of_read)?)
}

pub(super) async fn entries_before(
    connection: &mut PgConnection,
    id: ConversationId,
    seq: i64,
    (staff, limit): (bool, i64),
) -> Result<Vec<Entry>, StoreError> {
    let query = sqlx::query_as(include_str!("../queries/page_before.sql"));
    let rows = query.bind(id.0).bind(seq).bind(staff).bind(limit).fetch_all(connection).await;
    stored::entries_newest_first(rows.map_err(of_read)?)
}
