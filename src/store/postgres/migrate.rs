//! Moves the schema, under an advisory lock: any number of processes may start at once.
//!
//! A process that finds nothing to do takes no lock and changes nothing, so that a role without the right to may serve.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::error::{Fault, describe, fault, state};
use crate::store::ConnectError;
use crate::store::clock::now_ms;
use crate::store::migrations::{
    ADD_NEEDS, APPLIED, APPLIED_WITHOUT_NEEDS, Applied, CREATE_TABLE, Direction, FORGET, NOTE, POSTGRES, Step,
    StepStatus, plan, status,
};

/// The advisory lock; the number is "onya" in ASCII.
pub(super) const LOCK: i64 = 0x6f6e_7961;
/// Longest wait for the lock, and for the locks that a step needs, in seconds.
const PATIENCE_S: u64 = 60;

/// Attempts at a step that somebody is in the way of, and the pause in between.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// SQLSTATE of a wait for a lock that took too long, and of a missing right.
const LOCK_NOT_AVAILABLE: &str = "55P03";
pub(super) const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Runs the steps and says what is applied; with no direction only the latter. The connection should be closed
/// afterwards: it holds the lock.
pub(super) async fn run(
    connection: &mut PgConnection,
    direction: Option<Direction>,
) -> Result<Vec<StepStatus>, ConnectError> {
    let before = applied(connection).await.map_err(failed)?;
    let Some(direction) = direction else { return Ok(status(POSTGRES, &before)) };
    let Some(first) = plan(POSTGRES, &before, direction)?.first().copied() else {
        return Ok(status(POSTGRES, &before));
    };
    lock(connection).await?;
    prepare_list(connection).await.map_err(|error| match state(&error) {
        Some(INSUFFICIENT_PRIVILEGE) => not_owner(&first, direction),
        _ => failed(error),
    })?;
    // Whoever had the lock before may have done it.
    let before = applied(connection).await.map_err(failed)?;
    for step in plan(POSTGRES, &before, direction)? {
        let up = direction == Direction::Up;
        take_step_patiently(connection, &step, up).await.map_err(|error| match state(&error) {
            Some(INSUFFICIENT_PRIVILEGE) => not_owner(&step, direction),
            _ => ConnectError::Migration { version: step.version, reason: describe(&error) },
        })?;
        tracing::info!(version = step.version, name = step.name, up, "schema moved");
    }
    Ok(status(POSTGRES, &applied(connection).await.map_err(failed)?))
}

fn not_owner(step: &Step, direction: Direction) -> ConnectError {
    let (version, name) = (step.version, step.name);
    let what = match direction {
        Direction::Up => {
            format!("step {version:04} ({name}) of the schema is missing: `onya migrate up` has to apply it")
        }
        Direction::Down => format!("step {version:04} ({name}) of the schema is to be undone"),
    };
    ConnectError::NotOwner { what }
}

fn failed(error: sqlx::Error) -> ConnectError {
    ConnectError::Unreachable(describe(&error))
}

async fn lock(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let patience = sqlx::query("SELECT set_config('lock_timeout', $1, false)").bind(format!("{PATIENCE_S}s"));
    patience.execute(&mut *connection).await.map_err(failed)?;
    let locking = sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *connection).await;
    locking.map(drop).map_err(|error| match state(&error) {
        Some(LOCK_NOT_AVAILABLE) => ConnectError::SchemaBusy { waited_s: PATIENCE_S },
        _ => failed(error),
    })
}

/// What the list of steps can tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Missing,
    WithoutNeeds,
    Complete,
}

async fn list(connection: &mut PgConnection) -> Result<List, sqlx::Error> {
    let (exists, needs): (bool, bool) = sqlx::query_as(
        "SELECT to_regclass('schema_migrations') IS NOT NULL, EXISTS (SELECT 1 FROM pg_attribute \
         WHERE attrelid = to_regclass('schema_migrations') AND attname = 'needs' AND NOT attisdropped)",
    )
    .fetch_one(connection)
    .await?;
    Ok(match (exists, needs) {
        (false, _) => List::Missing,
        (true, false) => List::WithoutNeeds,
        (true, true) => List::Complete,
    })
}

async fn prepare_list(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let statement = match list(connection).await? {
        List::Missing => CREATE_TABLE,
        List::WithoutNeeds => ADD_NEEDS,
        List::Complete => return Ok(()),
    };
    sqlx::query(statement).execute(connection).await.map(drop)
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, sqlx::Error> {
    let query = match list(connection).await? {
        List::Missing => return Ok(Vec::new()),
        List::WithoutNeeds => APPLIED_WITHOUT_NEEDS,
        List::Complete => APPLIED,
    };
    let rows: Vec<(i64, i64)> = sqlx::query_as(query).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(version, needs)| Applied { version, needs }).collect())
}

/// Takes a step, and again if it waited too long for a lock or was in somebody's way: servers go on meanwhile.
async fn take_step_patiently(connection: &mut PgConnection, step: &Step, up: bool) -> Result<(), sqlx::Error> {
    let mut attempt = 1;
    loop {
        match take_step(connection, step, up).await {
            Err(error) if attempt < ATTEMPTS && fault(&error) == Fault::Conflict => attempt += 1,
            outcome => return outcome,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) async fn take_step(connection: &mut PgConnection, step: &Step, up: bool) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(if up { step.up } else { step.down }).execute(&mut *transaction).await?;
    if up {
        let note = sqlx::query(NOTE).bind(step.version).bind(step.name).bind(now_ms()).bind(step.needs);
        note.execute(&mut *transaction).await?;
    } else {
        sqlx::query(FORGET).bind(step.version).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
