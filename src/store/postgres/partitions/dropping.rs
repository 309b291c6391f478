//! Dropping partitions of months that are over and hold nothing any more.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::super::error::{Fault, fault};
use super::catalog::existing;
use super::{ATTEMPTS, PAUSE};
use crate::store::calendar::Month;
use crate::store::clock::now_ms;
use crate::store::upkeep::Partition;

/// Drops what may go, and says what.
pub(super) async fn run(
    connection: &mut PgConnection,
    table: &'static str,
    dry_run: bool,
) -> Result<Vec<Partition>, sqlx::Error> {
    let mut dropped = Vec::new();
    for month in existing(connection, table).await? {
        let partition = Partition { table, month };
        if reason_to_keep(connection, &partition).await?.is_some() {
            continue;
        }
        if dry_run || drop_patiently(connection, &partition).await? {
            dropped.push(partition);
        }
    }
    Ok(dropped)
}

/// Why a partition stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Conversations may still be created in its month.
    NotOver,
    /// It holds rows.
    HoldsRows,
}

/// Why this partition must stay; `None` if it may go.
///
/// The one place that decides over the end of a month. A month that is past its retention may go while it still holds
/// rows, if all of its conversations are closed and none is on legal hold: that is to be decided here, before
/// [`Keep::HoldsRows`], and again under the lock.
pub(super) async fn reason_to_keep(
    connection: &mut PgConnection,
    partition: &Partition,
) -> Result<Option<Keep>, sqlx::Error> {
    if partition.month >= Month::of(now_ms()) {
        return Ok(Some(Keep::NotOver));
    }
    let holds = format!("SELECT EXISTS (SELECT 1 FROM {partition})");
    let holds: bool = sqlx::query_scalar(AssertSqlSafe(holds)).fetch_one(connection).await?;
    Ok(holds.then_some(Keep::HoldsRows))
}

async fn drop_patiently(connection: &mut PgConnection, partition: &Partition) -> Result<bool, sqlx::Error> {
    let mut attempt = 1;
    loop {
        match drop_once(connection, partition).await {
            Err(error) if attempt < ATTEMPTS && fault(&error) == Fault::Conflict => attempt += 1,
            outcome => return outcome,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Looks again with everybody locked out, for a moment: a row may have come meanwhile. Rows of the month that come after
/// lie in the default.
async fn drop_once(connection: &mut PgConnection, partition: &Partition) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let lock = format!("LOCK TABLE ONLY {}, {partition} IN ACCESS EXCLUSIVE MODE", partition.table);
    sqlx::query(AssertSqlSafe(lock)).execute(&mut *transaction).await?;
    if reason_to_keep(&mut transaction, partition).await?.is_some() {
        transaction.rollback().await?;
        return Ok(false);
    }
    let drop = format!("DROP TABLE {partition}");
    sqlx::query(AssertSqlSafe(drop)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(true)
}
