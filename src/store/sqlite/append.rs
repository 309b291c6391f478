//! The fenced batch: one transaction for many conversations. The unique keys find the repeats.

use std::collections::BTreeSet;

use onya_actors::ports::{Append, AppendOutcome, Link, StoreError};
use onya_core::ClientMsgId;
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;

use super::database::{Database, Writer, commit};
use super::error::{before, describe, refuses_data};
use super::history::examine_fenced;
use crate::store::chain;
use crate::store::clock::now_ms;
use crate::store::stored::{self, KeyRow, StoredAppend, StoredEntry, TurnChange};

/// The columns `epoch, nonce, last_seq, link`.
type Found = (i64, Option<Uuid>, i64, Option<Vec<u8>>);

pub(super) async fn append(database: &Database, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
    let mut writer = database.writer().await?;
    let mut outcomes = append_all(&mut writer, batch, Care::None).await?;
    if outcomes.is_none() {
        metrics::counter!("onya_append_bisections_total").increment(1);
        outcomes = append_all(&mut writer, batch, Care::Savepoints).await?;
    }
    let Some(outcomes) = outcomes else {
        writer.done();
        return Err(StoreError::Unavailable("the batch was undone".to_owned()));
    };
    // The outcomes stand, whatever comes of this.
    match examine_fenced(writer.connection(), database.history_epoch, (batch, &outcomes)).await {
        Ok(()) => writer.done(),
        Err(error) => {
            tracing::warn!(error = describe(&error), "it could not be looked up why an append was fenced");
        }
    }
    Ok(outcomes)
}

/// How a batch is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// All of it or nothing: what the database refuses is nearly always nothing.
    None,
    /// With a savepoint for each conversation, which can be undone alone.
    Savepoints,
}

/// One transaction; `None` if it was undone because the database refuses something in it.
async fn append_all(
    writer: &mut Writer<'_>,
    batch: &[Append],
    care: Care,
) -> Result<Option<Vec<AppendOutcome>>, StoreError> {
    let mut transaction = writer.begin().await?;
    let mut seen = BTreeSet::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for append in batch {
        let outcome = if seen.insert(append.conversation) {
            append_one(&mut transaction, append, care).await?
        } else {
            Some(AppendOutcome::Locked)
        };
        let Some(outcome) = outcome else {
            transaction.rollback().await.map_err(before)?;
            return Ok(None);
        };
        outcomes.push(outcome);
    }
    commit(transaction).await?;
    Ok(Some(outcomes))
}

/// `None` if the database refuses it and there is no savepoint to go back to.
pub(super) async fn append_one(
    transaction: &mut Transaction<'_, Sqlite>,
    append: &Append,
    care: Care,
) -> Result<Option<AppendOutcome>, StoreError> {
    let row = match StoredAppend::new(append) {
        Ok(row) => row,
        Err(error) => return bury(transaction, append, &error.to_string()).await.map(Some),
    };
    let found: Option<Found> = sqlx::query_as("SELECT epoch, nonce, last_seq, link FROM conversations WHERE id = $1")
        .bind(row.conversation)
        .fetch_optional(&mut **transaction)
        .await
        .map_err(before)?;
    let fits = |(epoch, nonce, last_seq, link): Found| {
        let ends_there = link.as_deref().unwrap_or(&chain::GENESIS) == row.previous;
        (epoch, nonce, last_seq) == (row.epoch, Some(row.nonce), row.expected_seq) && ends_there
    };
    if !found.is_some_and(fits) {
        return Ok(Some(AppendOutcome::Fenced));
    }
    if !turns_fit(transaction, &row).await.map_err(before)? {
        return refuse(transaction, (append, &row), "a turn that it continues is not open").await.map(Some);
    }
    if care == Care::None {
        return match write(transaction, &row).await {
            Ok(()) => Ok(Some(AppendOutcome::Accepted(Link(row.link)))),
            Err(error) if refuses_data(&error) => Ok(None),
            Err(error) => Err(before(error)),
        };
    }
    let mut savepoint = transaction.begin().await.map_err(before)?;
    match write(&mut savepoint, &row).await {
        Ok(()) => savepoint.commit().await.map_err(before)?,
        Err(error) if refuses_data(&error) => {
            savepoint.rollback().await.map_err(before)?;
            return refuse(transaction, (append, &row), &describe(&error)).await.map(Some);
        }
        Err(error) => return Err(before(error)),
    }
    Ok(Some(AppendOutcome::Accepted(Link(row.link))))
}

/// Says why an append under a good fence is not stored: a command that is stored already, or else it never can be.
async fn refuse(
    connection: &mut SqliteConnection,
    (append, row): (&Append, &StoredAppend),
    reason: &str,
) -> Result<AppendOutcome, StoreError> {
    for entry in row.entries.iter().filter(|entry| entry.client_msg_id.is_some()) {
        let known: Option<KeyRow> = sqlx::query_as(include_str!("../queries/known_key.sql"))
            .bind(row.conversation)
            .bind(entry.participant)
            .bind(entry.client_msg_id.as_ref().map(ClientMsgId::as_str))
            .fetch_optional(&mut *connection)
            .await
            .map_err(before)?;
        if let Some(known) = known {
            return Ok(AppendOutcome::Repeated(stored::known_key(known)?));
        }
    }
    bury(connection, append, reason).await
}

/// Whether each turn that is continued or ended stands open.
async fn turns_fit(connection: &mut SqliteConnection, row: &StoredAppend) -> Result<bool, sqlx::Error> {
    for change in row.turns.iter().filter(|change| !change.opened) {
        let open: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM turns WHERE conversation = $1 AND turn = $2 AND ended_seq IS NULL AND attempt <= $3",
        )
        .bind(row.conversation)
        .bind(change.turn)
        .bind(change.attempt)
        .fetch_optional(&mut *connection)
        .await?;
        if open.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn write(connection: &mut SqliteConnection, row: &StoredAppend) -> Result<(), sqlx::Error> {
    for entry in &row.entries {
        write_entry(connection, (row.conversation, row.epoch), entry).await?;
    }
    for change in &row.turns {
        write_turn(connection, row.conversation, change).await?;
    }
    write_queue(connection, row).await?;
    let head = &row.head;
    sqlx::query(include_str!("queries/update_head.sql"))
        .bind(row.conversation)
        .bind(head.last_seq)
        .bind(&*head.control)
        .bind(head.control_version)
        .bind(head.closed_at)
        .bind(head.turn_seq)
        .bind(head.turn_attempt)
        .bind(head.next_deadline)
        .bind(row.snapshot.as_deref())
        .bind(row.link.as_slice())
        .bind(head.owed_by)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn write_entry(
    connection: &mut SqliteConnection,
    (conversation, epoch): (Uuid, i64),
    entry: &StoredEntry,
) -> Result<(), sqlx::Error> {
    sqlx::query(include_str!("queries/insert_entry.sql"))
        .bind(conversation)
        .bind(entry.seq)
        .bind(entry.customer_prev)
        .bind(entry.customer_sees)
        .bind(entry.at)
        .bind(epoch)
        .bind(entry.kind)
        .bind(&entry.body)
        .bind(entry.participant)
        .bind(entry.client_msg_id.as_ref().map(ClientMsgId::as_str))
        .bind(entry.commitment.as_ref().map(|bytes| &bytes[..]))
        .bind(entry.salt.as_slice())
        .bind(entry.body_commitment.as_slice())
        .bind(entry.link.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_turn(
    connection: &mut SqliteConnection,
    conversation: Uuid,
    change: &TurnChange,
) -> Result<(), sqlx::Error> {
    let statement = if change.opened {
        "INSERT INTO turns (conversation, turn, attempt, outcome, ended_seq) VALUES ($1, $2, $3, $4, $5)"
    } else {
        "UPDATE turns SET attempt = $3, outcome = $4, ended_seq = $5 \
         WHERE conversation = $1 AND turn = $2 AND ended_seq IS NULL"
    };
    sqlx::query(statement)
        .bind(conversation)
        .bind(change.turn)
        .bind(change.attempt)
        .bind(change.end.map(|(outcome, _)| outcome))
        .bind(change.end.map(|(_, seq)| seq))
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_queue(connection: &mut SqliteConnection, row: &StoredAppend) -> Result<(), sqlx::Error> {
    let statement = match &row.head.queued {
        None => sqlx::query("DELETE FROM queue_entries WHERE conversation = $1").bind(row.conversation),
        Some((since, queued)) => sqlx::query(
            "INSERT INTO queue_entries (conversation, control_version, since, queued) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (conversation) DO UPDATE \
             SET control_version = excluded.control_version, since = excluded.since, queued = excluded.queued",
        )
        .bind(row.conversation)
        .bind(row.head.control_version)
        .bind(since)
        .bind(queued),
    };
    statement.execute(connection).await?;
    Ok(())
}

/// Puts an append that cannot be stored among the dead letters.
async fn bury(connection: &mut SqliteConnection, append: &Append, reason: &str) -> Result<AppendOutcome, StoreError> {
    sqlx::query(include_str!("../queries/dead_letter.sql"))
        .bind(Uuid::now_v7())
        .bind(append.conversation.0)
        .bind(stored::saturated(append.expected_seq))
        .bind(now_ms())
        .bind(reason)
        .bind(stored::dead_letter(append))
        .execute(connection)
        .await
        .map_err(before)?;
    tracing::error!(conversation = %append.conversation, reason, "entries cannot be stored: kept as a dead letter");
    Ok(AppendOutcome::Poisoned)
}
