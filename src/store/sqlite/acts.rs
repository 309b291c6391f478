//! The record of acts: one chain, which this start of the process writes.

use onya_actors::ports::{Act, StoreError};
use sqlx::SqliteConnection;

use super::database::{Database, commit};
use super::error::before;
use crate::store::audit::act::{Acts, LAST, head_of, rows_after};
use crate::store::audit::settings::{self, Fingerprint};
use crate::store::audit::source::ActRow;

/// Adds acts to the chain, all of them or none.
pub(super) async fn record(database: &Database, acts: &Acts, new: &[Act]) -> Result<(), StoreError> {
    let mut head = acts.head.lock().await;
    let mut writer = database.writer().await?;
    // Whatever ends this before its outcome is known leaves the end unknown, and the next call reads it.
    let known = head.take();
    let mut transaction = writer.begin().await?;
    let end = match known {
        Some(end) => end,
        None => {
            let last = sqlx::query_as(LAST).bind(acts.chain).fetch_optional(&mut *transaction).await;
            head_of(last.map_err(before)?)?
        }
    };
    let (rows, after) = rows_after(new, acts.chain, end);
    insert(&mut transaction, &rows).await.map_err(before)?;
    commit(transaction).await?;
    *head = Some(after);
    writer.done();
    Ok(())
}

/// Inserts acts; atomic only within a transaction.
pub(super) async fn insert(connection: &mut SqliteConnection, acts: &[ActRow]) -> Result<(), sqlx::Error> {
    for act in acts {
        sqlx::query(
            "INSERT INTO audit_log (chain, n, at, actor, actor_role, action, conversation, detail, link, moved) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, (SELECT coalesce(max(moved), 0) + 1 FROM audit_log))",
        )
        .bind(act.chain)
        .bind(act.n)
        .bind(act.at)
        .bind(&act.actor)
        .bind(&act.actor_role)
        .bind(&act.action)
        .bind(act.conversation)
        .bind(&act.detail)
        .bind(&act.link)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// What a node was configured with at its last start.
pub(super) async fn known_settings(database: &Database, node: &str) -> Result<Vec<Fingerprint>, StoreError> {
    let query = sqlx::query_as(settings::KNOWN).bind(node).fetch_all(database.readers());
    let rows: Vec<settings::Columns> = query.await.map_err(before)?;
    Ok(rows.into_iter().map(Fingerprint::from).collect())
}

/// Puts other settings in their place.
pub(super) async fn remember_settings(
    database: &Database,
    node: &str,
    settings: &[Fingerprint],
) -> Result<(), StoreError> {
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    sqlx::query(settings::FORGET).bind(node).execute(&mut *transaction).await.map_err(before)?;
    for one in settings {
        let query = sqlx::query(settings::REMEMBER).bind(node).bind(&one.setting).bind(&one.salt);
        query.bind(&one.digest).execute(&mut *transaction).await.map_err(before)?;
    }
    commit(transaction).await?;
    writer.done();
    Ok(())
}
