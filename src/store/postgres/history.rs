//! The name of the history: reading it, renewing it, and finding that the store went back.

use onya_actors::ports::{Append, AppendOutcome};
use onya_core::{ConversationId, Seq};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::error::describe;
use super::session;
use crate::store::history::{Renewal, Row, held, lacking, report, went_back};
use crate::store::{ConnectError, Settings};

const ROWS: &str = "SELECT id, epoch, nonce, last_seq FROM conversations WHERE id = ANY ($1)";

pub(in crate::store) async fn epoch(settings: &Settings) -> Result<Uuid, ConnectError> {
    read(&mut connect(settings).await?).await
}

pub(in crate::store) async fn renew(settings: &Settings) -> Result<Renewal, ConnectError> {
    let mut connection = connect(settings).await?;
    loop {
        let before = read(&mut connection).await?;
        if let Some(renewal) = renew_from(&mut connection, before).await.map_err(failed)? {
            return Ok(renewal);
        }
    }
}

/// Renews the history if the store lacks positions that are known from elsewhere; which conversations are short.
pub(in crate::store) async fn renew_if_behind(
    settings: &Settings,
    known: &[(ConversationId, Seq)],
) -> Result<Option<(Renewal, Vec<ConversationId>)>, ConnectError> {
    let mut connection = connect(settings).await?;
    let before = match read(&mut connection).await {
        Err(ConnectError::NoHistory) => return Ok(None),
        before => before?,
    };
    let ids: Vec<Uuid> = known.iter().map(|(id, _)| id.0).collect();
    let rows = sqlx::query_as("SELECT id, last_seq FROM conversations WHERE id = ANY ($1)").bind(ids);
    let stored: Vec<(Uuid, i64)> = rows.fetch_all(&mut connection).await.map_err(failed)?;
    let short = lacking(known, &stored);
    if short.is_empty() {
        return Ok(None);
    }
    let renewal = renew_from(&mut connection, before).await.map_err(failed)?;
    Ok(renewal.map(|renewal| (renewal, short)))
}

/// Looks at the rows of appends that were refused by their fence. If one of them proves that the store went back, the
/// history that this process began with is renewed.
pub(super) async fn examine_fenced(
    connection: &mut PgConnection,
    history_epoch: Uuid,
    (batch, outcomes): (&[Append], &[AppendOutcome]),
) -> Result<(), sqlx::Error> {
    let fenced = batch.iter().zip(outcomes).filter(|(_, outcome)| **outcome == AppendOutcome::Fenced);
    let fenced: Vec<&Append> = fenced.map(|(append, _)| append).collect();
    if fenced.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = fenced.iter().map(|append| append.conversation.0).collect();
    let rows: Vec<(Uuid, i64, Option<Uuid>, i64)> = sqlx::query_as(ROWS).bind(ids).fetch_all(&mut *connection).await?;
    for (id, epoch, nonce, last_seq) in rows {
        let row = Row { epoch, nonce, last_seq };
        let held = fenced.iter().find(|append| append.conversation.0 == id).and_then(|append| held(append));
        if let Some(held) = held.filter(|held| went_back(row, *held)) {
            let renewal = renew_from(connection, history_epoch).await?;
            report(ConversationId(id), (row, held), renewal);
            return Ok(());
        }
    }
    Ok(())
}

/// `None` if another has renewed it meanwhile.
async fn renew_from(connection: &mut PgConnection, before: Uuid) -> Result<Option<Renewal>, sqlx::Error> {
    let after = Uuid::now_v7();
    let renewing = sqlx::query(include_str!("../queries/renew_history.sql")).bind(before).bind(after);
    let changed = renewing.execute(connection).await?.rows_affected() > 0;
    Ok(changed.then_some(Renewal { before, after }))
}

async fn connect(settings: &Settings) -> Result<PgConnection, ConnectError> {
    let options = session::options(settings, None)?;
    let mut connection = session::first_connection(&options, settings).await?;
    session::prepare(&mut connection).await.map_err(failed)?;
    Ok(connection)
}

async fn read(connection: &mut PgConnection) -> Result<Uuid, ConnectError> {
    let exists = sqlx::query_scalar("SELECT to_regclass('meta') IS NOT NULL").fetch_one(&mut *connection).await;
    if !exists.map_err(failed)? {
        return Err(ConnectError::NoHistory);
    }
    let epoch = sqlx::query_scalar(include_str!("../queries/history_epoch.sql")).fetch_optional(connection).await;
    epoch.map_err(failed)?.ok_or(ConnectError::NoHistory)
}

fn failed(error: sqlx::Error) -> ConnectError {
    ConnectError::Unreachable(describe(&error))
}
