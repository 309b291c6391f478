//! Moves the schema of the embedded database. The lock on the folder keeps everybody else out.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, SqlSafeStr as _};

use super::error::describe;
use crate::store::ConnectError;
use crate::store::clock::now_ms;
use crate::store::migrations::{
    APPLIED, CREATE_TABLE, Direction, FORGET, NOTE, SQLITE, Step, StepStatus, plan, status,
};

/// Runs the steps and says what is applied; with no direction only the latter.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    direction: Option<Direction>,
) -> Result<Vec<StepStatus>, ConnectError> {
    let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
    let Some(direction) = direction else {
        return Ok(status(SQLITE, &applied(connection).await.map_err(failed)?));
    };
    sqlx::query(CREATE_TABLE).execute(&mut *connection).await.map_err(failed)?;
    let before = applied(connection).await.map_err(failed)?;
    for step in plan(SQLITE, &before, direction) {
        let up = direction == Direction::Up;
        take_step(connection, &step, up)
            .await
            .map_err(|error| ConnectError::Migration { version: step.version, reason: describe(&error) })?;
        tracing::info!(version = step.version, name = step.name, up, "schema moved");
    }
    Ok(status(SQLITE, &applied(connection).await.map_err(failed)?))
}

async fn applied(connection: &mut SqliteConnection) -> Result<Vec<i64>, sqlx::Error> {
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations')")
            .fetch_one(&mut *connection)
            .await?;
    if !exists {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(APPLIED).fetch_all(connection).await
}

async fn take_step(connection: &mut SqliteConnection, step: &Step, up: bool) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE".into_sql_str()).await?;
    sqlx::raw_sql(if up { step.up } else { step.down }).execute(&mut *transaction).await?;
    if up {
        let note = sqlx::query(NOTE).bind(step.version).bind(step.name).bind(now_ms());
        note.execute(&mut *transaction).await?;
    } else {
        sqlx::query(FORGET).bind(step.version).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
