//! Moves the schema, under an advisory lock: any number of processes may start at once.

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::error::describe;
use crate::store::ConnectError;
use crate::store::clock::now_ms;
use crate::store::migrations::{
    APPLIED, CREATE_TABLE, Direction, FORGET, NOTE, POSTGRES, Step, StepStatus, plan, status,
};

/// The advisory lock; the number is "onya" in ASCII.
const LOCK: i64 = 0x6f6e_7961;
/// Longest wait for the lock, and for the locks that a step needs.
const PATIENCE: &str = "SET lock_timeout = '60s'";

/// Runs the steps and says what is applied; with no direction only the latter. The connection should be closed
/// afterwards: it holds the lock.
pub(super) async fn run(
    connection: &mut PgConnection,
    direction: Option<Direction>,
) -> Result<Vec<StepStatus>, ConnectError> {
    let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
    let Some(direction) = direction else {
        return Ok(status(POSTGRES, &applied(connection).await.map_err(failed)?));
    };
    sqlx::query(PATIENCE).execute(&mut *connection).await.map_err(failed)?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *connection).await.map_err(failed)?;
    sqlx::query(CREATE_TABLE).execute(&mut *connection).await.map_err(failed)?;
    let before = applied(connection).await.map_err(failed)?;
    for step in plan(POSTGRES, &before, direction) {
        let up = direction == Direction::Up;
        take_step(connection, &step, up)
            .await
            .map_err(|error| ConnectError::Migration { version: step.version, reason: describe(&error) })?;
        tracing::info!(version = step.version, name = step.name, up, "schema moved");
    }
    Ok(status(POSTGRES, &applied(connection).await.map_err(failed)?))
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>, sqlx::Error> {
    let exists: bool =
        sqlx::query_scalar("SELECT to_regclass('schema_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !exists {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(APPLIED).fetch_all(connection).await
}

async fn take_step(connection: &mut PgConnection, step: &Step, up: bool) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(if up { step.up } else { step.down }).execute(&mut *transaction).await?;
    if up {
        let note = sqlx::query(NOTE).bind(step.version).bind(step.name).bind(now_ms());
        note.execute(&mut *transaction).await?;
    } else {
        sqlx::query(FORGET).bind(step.version).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
