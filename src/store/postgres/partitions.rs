//! Partitions by month: made ahead of time, dropped when they hold nothing any more.
//!
//! Two rules. A partition is only ever made for a month that is yet to come and of which the default partition holds no
//! row: else its rows would have to move. And nobody waits for long: before a partition is attached, Postgres must know
//! that the default holds no row of it, and would read all of it with everybody locked out. So that is stated as a
//! constraint first, which is checked beside ordinary work; attaching then takes a moment.

mod catalog;
mod dropping;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use self::catalog::{existing, is_partitioned, leftovers};
use super::error::{Fault, describe, fault, state};
use super::migrate::INSUFFICIENT_PRIVILEGE;
use super::session;
use crate::store::calendar::Month;
use crate::store::clock::now_ms;
use crate::store::upkeep::{Outcome, Partition, Upkeep};
use crate::store::{ConnectError, Settings};

/// The partitioned tables. Each has a partition `TABLE_default`, and `TABLE_YYYY_MM` for months.
pub(super) const TABLES: [&str; 2] = ["entries", "turns"];
/// The advisory lock: two that keep up take turns. The number is "onym" in ASCII.
const LOCK: i64 = 0x6f6e_796d;
/// Longest wait for the other one.
const LOCK_PATIENCE: &str = "60s";
/// Longest wait for the lock of a table, which everybody else then waits behind.
const TABLE_LOCK_PATIENCE: &str = "2s";
/// Attempts at a lock of a table, with a pause in between.
const ATTEMPTS: u32 = 10;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);
/// A month that begins sooner is left to the default: clocks of other machines may be there already.
const MARGIN_MS: i64 = 3_600_000;
/// The constraint on the default partition while partitions are being made.
const CONSTRAINT: &str = "onya_ahead";

pub(super) async fn keep_up(settings: &Settings, upkeep: Upkeep) -> Result<Outcome, ConnectError> {
    let options = session::options(settings, None)?;
    let mut connection = session::first_connection(&options, settings).await?;
    for table in TABLES {
        if !is_partitioned(&mut connection, table).await.map_err(failed)? {
            return Err(ConnectError::NoPartitions);
        }
    }
    patience(&mut connection, LOCK_PATIENCE).await.map_err(failed)?;
    let locking = sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await;
    locking.map_err(|error| if fault(&error) == Fault::Conflict { ConnectError::UpkeepBusy } else { failed(error) })?;
    patience(&mut connection, TABLE_LOCK_PATIENCE).await.map_err(failed)?;
    let mut outcome = Outcome::default();
    for table in TABLES {
        let make = missing(&mut connection, table, &upkeep, &mut outcome.notices).await.map_err(failed)?;
        if !upkeep.dry_run {
            clean_up(&mut connection, table).await.map_err(failed)?;
            make_all(&mut connection, table, &make).await.map_err(failed)?;
        }
        outcome.made.extend(make);
        outcome.dropped.extend(dropping::run(&mut connection, table, upkeep.dry_run).await.map_err(failed)?);
    }
    // The connection ends here, and with it the lock.
    connection.close().await.map_err(failed)?;
    Ok(outcome)
}

/// What an operator should know: whether the next month has its partitions.
pub(super) async fn notices(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let next = Month::of(now_ms()).plus(1);
    let mut notices = Vec::new();
    for table in TABLES {
        if !is_partitioned(connection, table).await? {
            continue;
        }
        if !existing(connection, table).await?.contains(&next) {
            let name = Partition { table, month: next }.name();
            notices.push(format!(
                "there is no partition {name}: the rows of that month will lie in the default partition, where they stay; \
                 run `onya maintain`"
            ));
        }
        if !leftovers(connection, table, CONSTRAINT).await?.is_empty() {
            notices
                .push(format!("making partitions of {table} was cut off: run `onya maintain` before the month ends"));
        }
    }
    Ok(notices)
}

fn failed(error: sqlx::Error) -> ConnectError {
    if state(&error) == Some(INSUFFICIENT_PRIVILEGE) {
        return ConnectError::NotOwner { what: "partitions are to be made or dropped".to_owned() };
    }
    ConnectError::Unreachable(describe(&error))
}

async fn patience(connection: &mut PgConnection, patience: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config('lock_timeout', $1, false)").bind(patience).execute(connection).await.map(drop)
}

/// The partitions to make.
async fn missing(
    connection: &mut PgConnection,
    table: &'static str,
    upkeep: &Upkeep,
    notices: &mut Vec<String>,
) -> Result<Vec<Partition>, sqlx::Error> {
    let (now, existing) = (now_ms(), existing(connection, table).await?);
    let mut make = Vec::new();
    for ahead in 1..=i64::from(upkeep.months_ahead) {
        let partition = Partition { table, month: Month::of(now).plus(ahead) };
        if existing.contains(&partition.month) {
            continue;
        }
        if partition.month.start_ms() - now < MARGIN_MS {
            notices.push(format!("{partition} is not made: its month is about to begin, its rows stay in the default"));
        } else if default_holds(connection, &partition).await? {
            notices.push(format!("{partition} is not made: the default partition holds rows of its month"));
        } else {
            make.push(partition);
        }
    }
    Ok(make)
}

async fn default_holds(connection: &mut PgConnection, partition: &Partition) -> Result<bool, sqlx::Error> {
    let query = format!(
        "SELECT EXISTS (SELECT 1 FROM {}_default WHERE conversation >= $1 AND conversation < $2)",
        partition.table
    );
    sqlx::query_scalar(AssertSqlSafe(query))
        .bind(partition.month.first_id())
        .bind(partition.month.plus(1).first_id())
        .fetch_one(connection)
        .await
}

/// Takes away what an earlier run left when it was cut off: rows of a month to come would be refused by it.
async fn clean_up(connection: &mut PgConnection, table: &str) -> Result<(), sqlx::Error> {
    for name in leftovers(connection, table, CONSTRAINT).await? {
        patiently(connection, &format!("ALTER TABLE {table}_default DROP CONSTRAINT {name}")).await?;
    }
    Ok(())
}

async fn make_all(connection: &mut PgConnection, table: &str, partitions: &[Partition]) -> Result<(), sqlx::Error> {
    if partitions.is_empty() {
        return Ok(());
    }
    let outside = |partition: &Partition| {
        let (from, to) = bounds(partition);
        format!("(conversation < '{from}' OR conversation >= '{to}')")
    };
    let outside: Vec<_> = partitions.iter().map(outside).collect();
    let outside = outside.join(" AND ");
    patiently(
        connection,
        &format!("ALTER TABLE {table}_default ADD CONSTRAINT {CONSTRAINT} CHECK ({outside}) NOT VALID"),
    )
    .await?;
    let made = attach_all(connection, table, partitions).await;
    if made.is_err() {
        clean_up(connection, table).await?;
    }
    made
}

async fn attach_all(connection: &mut PgConnection, table: &str, partitions: &[Partition]) -> Result<(), sqlx::Error> {
    // Reads the default partition from end to end, beside everybody's work.
    patiently(connection, &format!("ALTER TABLE {table}_default VALIDATE CONSTRAINT {CONSTRAINT}")).await?;
    let mut statements = String::new();
    for partition in partitions {
        let (from, to) = bounds(partition);
        statements += &format!(
            "CREATE TABLE {partition} (LIKE {table} INCLUDING ALL);\n\
             ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ('{from}') TO ('{to}');\n"
        );
    }
    statements += &format!("ALTER TABLE {table}_default DROP CONSTRAINT {CONSTRAINT};\n");
    patiently(connection, &statements).await
}

fn bounds(partition: &Partition) -> (String, String) {
    (partition.month.first_id().to_string(), partition.month.plus(1).first_id().to_string())
}

/// Runs statements in one transaction; again if somebody is in the way.
async fn patiently(connection: &mut PgConnection, statements: &str) -> Result<(), sqlx::Error> {
    let mut attempt = 1;
    loop {
        match in_transaction(connection, statements).await {
            Err(error) if attempt < ATTEMPTS && fault(&error) == Fault::Conflict => attempt += 1,
            outcome => return outcome,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn in_transaction(connection: &mut PgConnection, statements: &str) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut *transaction).await?;
    transaction.commit().await
}
