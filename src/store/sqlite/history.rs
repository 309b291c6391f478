//! The name of the history: reading it, renewing it, and finding that the store went back.

use std::fs::File;
use std::path::Path;

use onya_actors::ports::{Append, AppendOutcome};
use onya_core::{ConversationId, Seq};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::error::describe;
use super::{database, folder};
use crate::store::ConnectError;
use crate::store::history::{Renewal, Row, held, lacking, report, went_back};

/// Looking is allowed while a server runs.
pub(in crate::store) async fn epoch(file: &Path) -> Result<Uuid, ConnectError> {
    read(&mut open(file).await?).await
}

pub(in crate::store) async fn renew(file: &Path) -> Result<Renewal, ConnectError> {
    let (mut connection, _lock) = open_locked(file).await?;
    let before = read(&mut connection).await?;
    renew_from(&mut connection, before).await.map_err(failed)?.ok_or(ConnectError::NoHistory)
}

/// Renews the history if the store lacks positions that are known from elsewhere; which conversations are short.
pub(in crate::store) async fn renew_if_behind(
    file: &Path,
    known: &[(ConversationId, Seq)],
) -> Result<Option<(Renewal, Vec<ConversationId>)>, ConnectError> {
    if !file.exists() {
        return Ok(None);
    }
    let (mut connection, _lock) = open_locked(file).await?;
    let before = match read(&mut connection).await {
        Err(ConnectError::NoHistory) => return Ok(None),
        before => before?,
    };
    let mut rows: Vec<(Uuid, i64)> = Vec::new();
    for (id, _) in known {
        let query = sqlx::query_as("SELECT id, last_seq FROM conversations WHERE id = $1").bind(id.0);
        let row: Option<(Uuid, i64)> = query.fetch_optional(&mut connection).await.map_err(failed)?;
        rows.extend(row);
    }
    let short = lacking(known, &rows);
    if short.is_empty() {
        return Ok(None);
    }
    let renewal = renew_from(&mut connection, before).await.map_err(failed)?;
    Ok(renewal.map(|renewal| (renewal, short)))
}

/// Looks at the rows of appends that were refused by their fence. If one of them proves that the store went back, the
/// history that this process began with is renewed.
pub(super) async fn examine_fenced(
    connection: &mut SqliteConnection,
    history_epoch: Uuid,
    (batch, outcomes): (&[Append], &[AppendOutcome]),
) -> Result<(), sqlx::Error> {
    let fenced = batch.iter().zip(outcomes).filter(|(_, outcome)| **outcome == AppendOutcome::Fenced);
    for (append, _) in fenced {
        let query = sqlx::query_as("SELECT epoch, nonce, last_seq FROM conversations WHERE id = $1");
        let row: Option<(i64, Option<Uuid>, i64)> =
            query.bind(append.conversation.0).fetch_optional(&mut *connection).await?;
        let row = row.map(|(epoch, nonce, last_seq)| Row { epoch, nonce, last_seq });
        let (Some(row), Some(held)) = (row, held(append)) else { continue };
        if went_back(row, held) {
            let renewal = renew_from(connection, history_epoch).await?;
            report(append.conversation, (row, held), renewal);
            return Ok(());
        }
    }
    Ok(())
}

/// Gives the history a new name; `None` if another has done so meanwhile.
pub(super) async fn renew_from(
    connection: &mut SqliteConnection,
    before: Uuid,
) -> Result<Option<Renewal>, sqlx::Error> {
    let after = Uuid::now_v7();
    let renewing = sqlx::query(include_str!("../queries/renew_history.sql")).bind(before).bind(after);
    let changed = renewing.execute(connection).await?.rows_affected() > 0;
    Ok(changed.then_some(Renewal { before, after }))
}

async fn open(file: &Path) -> Result<SqliteConnection, ConnectError> {
    if !file.exists() {
        return Err(ConnectError::NoHistory);
    }
    database::options(file).create_if_missing(false).connect().await.map_err(failed)
}

async fn open_locked(file: &Path) -> Result<(SqliteConnection, File), ConnectError> {
    if !file.exists() {
        return Err(ConnectError::NoHistory);
    }
    let lock = folder::lock(file)?;
    Ok((open(file).await?, lock))
}

pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Uuid, ConnectError> {
    let exists = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'meta')");
    let exists: bool = exists.fetch_one(&mut *connection).await.map_err(failed)?;
    if !exists {
        return Err(ConnectError::NoHistory);
    }
    let epoch = sqlx::query_scalar(include_str!("../queries/history_epoch.sql")).fetch_optional(connection).await;
    epoch.map_err(failed)?.ok_or(ConnectError::NoHistory)
}

fn failed(error: sqlx::Error) -> ConnectError {
    ConnectError::Unreachable(describe(&error))
}
