//! Moves the schema of the embedded database. The lock on the folder keeps everybody else out.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, SqlSafeStr as _};

use super::error::describe;
use crate::store::ConnectError;
use crate::store::clock::now_ms;
use crate::store::migrations::{
    ADD_NEEDS, APPLIED, APPLIED_WITHOUT_NEEDS, Applied, CREATE_TABLE, Direction, FORGET, NOTE, SQLITE, Step,
    StepStatus, plan, status,
};

/// Runs the steps and says what is applied; with no direction only the latter.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    direction: Option<Direction>,
) -> Result<Vec<StepStatus>, ConnectError> {
    let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
    let before = applied(connection).await.map_err(failed)?;
    let Some(direction) = direction else { return Ok(status(SQLITE, &before)) };
    let steps = plan(SQLITE, &before, direction)?;
    if !steps.is_empty() {
        prepare_list(connection).await.map_err(failed)?;
    }
    for step in steps {
        let up = direction == Direction::Up;
        take_step(connection, &step, up)
            .await
            .map_err(|error| ConnectError::Migration { version: step.version, reason: describe(&error) })?;
        tracing::info!(version = step.version, name = step.name, up, "schema moved");
    }
    Ok(status(SQLITE, &applied(connection).await.map_err(failed)?))
}

/// Whether this program can work on the database, after steps that are missing are applied.
pub(super) async fn fits(connection: &mut SqliteConnection) -> Result<(), ConnectError> {
    let applied = applied(connection).await.map_err(|error| ConnectError::Unreachable(describe(&error)))?;
    plan(SQLITE, &applied, Direction::Up).map(drop)
}

/// The columns of the list of steps; none if it is missing.
async fn columns(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM pragma_table_info('schema_migrations')").fetch_all(connection).await
}

async fn prepare_list(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let columns = columns(connection).await?;
    let statement = match columns.iter().any(|column| column == "needs") {
        true => return Ok(()),
        false if columns.is_empty() => CREATE_TABLE,
        false => ADD_NEEDS,
    };
    sqlx::query(statement).execute(connection).await.map(drop)
}

async fn applied(connection: &mut SqliteConnection) -> Result<Vec<Applied>, sqlx::Error> {
    let columns = columns(connection).await?;
    let query = match columns.iter().any(|column| column == "needs") {
        true => APPLIED,
        false if columns.is_empty() => return Ok(Vec::new()),
        false => APPLIED_WITHOUT_NEEDS,
    };
    let rows: Vec<(i64, i64)> = sqlx::query_as(query).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(version, needs)| Applied { version, needs }).collect())
}

pub(super) async fn take_step(connection: &mut SqliteConnection, step: &Step, up: bool) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE".into_sql_str()).await?;
    sqlx::raw_sql(if up { step.up } else { step.down }).execute(&mut *transaction).await?;
    if up {
        let note = sqlx::query(NOTE).bind(step.version).bind(step.name).bind(now_ms()).bind(step.needs);
        note.execute(&mut *transaction).await?;
    } else {
        sqlx::query(FORGET).bind(step.version).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
