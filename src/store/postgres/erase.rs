//! Erasure, legal holds and retention.
//!
//! An erasure is one transaction on a pooled connection: the fenced statement for the entry that says so, then every
//! earlier row in chunks. It holds the lock on the conversation's row meanwhile, which no append ever waits for, and a
//! shared advisory lock on the customer, which whoever places a hold takes for itself.

use async_trait::async_trait;
use onya_actors::ports::{
    Append, AppendOutcome, Closed, CustomerConversation, Erasure, HOLD_POSTPONES_MS, LegalHold, Link, StoreError,
};
use onya_core::{ConversationId, ParticipantId};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Postgres, Transaction};
use uuid::Uuid;

use super::append::{APPEND, bury, outcome, send};
use super::columns::Columns;
use super::database::Database;
use super::error::{Fault, describe, fault, of_read, of_write};
use super::{PostgresLog, acts};
use crate::store::audit::act::Erased;
use crate::store::erasure::{self, BodyRow, CHUNK_ENTRIES, DERIVED, HoldRow};
use crate::store::observe::timed;
use crate::store::stored::{self, StoredAppend};

/// The first half of the advisory locks on customers; the second is taken from the customer's identifier.
const HOLD_LOCKS: i32 = 0x006f_6e79;

#[async_trait]
impl Erasure for PostgresLog {
    async fn erase(&self, append: Append) -> Result<AppendOutcome, StoreError> {
        timed("erase", erase(&self.database, &append)).await
    }

    async fn conversations_of(
        &self,
        customer: ParticipantId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<CustomerConversation>, StoreError> {
        let query = sqlx::query_as(include_str!("../queries/of_customer.sql"))
            .bind(customer.0)
            .bind(after.map_or(Uuid::nil(), |after| after.0))
            .bind(stored::saturated(limit));
        timed("conversations_of", async {
            let mut checkout = self.database.connection().await?;
            let run = query.fetch_all(checkout.get());
            let rows = self.database.read(async { run.await.map_err(of_read) }).await?;
            checkout.done();
            rows.into_iter().map(erasure::of_customer).collect()
        })
        .await
    }

    async fn place_hold(&self, hold: LegalHold) -> Result<(), StoreError> {
        timed("place_hold", place_hold(&self.database, &hold)).await
    }

    async fn lift_hold(&self, customer: ParticipantId) -> Result<bool, StoreError> {
        timed("lift_hold", async {
            let mut checkout = self.database.connection().await?;
            let run = sqlx::query(include_str!("../queries/lift_hold.sql")).bind(customer.0).execute(checkout.get());
            let done = self.database.write(async { run.await.map_err(of_write) }).await?;
            checkout.done();
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn hold(&self, customer: ParticipantId) -> Result<Option<LegalHold>, StoreError> {
        timed("hold", async {
            let mut checkout = self.database.connection().await?;
            let query = sqlx::query_as::<_, HoldRow>(include_str!("../queries/hold.sql")).bind(customer.0);
            let run = query.fetch_optional(checkout.get());
            let row = self.database.read(async { run.await.map_err(of_read) }).await?;
            checkout.done();
            Ok(row.map(|row| erasure::hold(customer, row)))
        })
        .await
    }

    async fn schedule_retention(
        &self,
        retention_ms: Option<u64>,
        after: Option<Closed>,
        limit: usize,
    ) -> Result<Option<Closed>, StoreError> {
        let (at, id) = erasure::place(after);
        let query = sqlx::query_as(include_str!("queries/schedule_retention.sql"))
            .bind(at)
            .bind(id)
            .bind(stored::saturated(limit))
            .bind(retention_ms.map(stored::saturated));
        timed("schedule_retention", async {
            let mut checkout = self.database.connection().await?;
            let run = query.fetch_optional(checkout.get());
            let last = self.database.write(async { run.await.map_err(of_write) }).await?;
            checkout.done();
            Ok(last.map(erasure::closed))
        })
        .await
    }
}

async fn erase(database: &Database, append: &Append) -> Result<AppendOutcome, StoreError> {
    let mut checkout = database.connection().await?;
    let connection = checkout.get();
    let row = match StoredAppend::new(append) {
        Ok(row) => row,
        Err(error) => return database.write(bury(connection, append, &error.to_string())).await,
    };
    let outcome = match erase_in_transaction(database, connection, append, row).await? {
        Ok(outcome) => outcome,
        Err(reason) => database.write(bury(connection, append, &reason)).await?,
    };
    checkout.done();
    Ok(outcome)
}

/// `Ok(Err(reason))` if the database can never hold the entries; nothing happened then.
async fn erase_in_transaction(
    database: &Database,
    connection: &mut PgConnection,
    append: &Append,
    row: StoredAppend,
) -> Result<Result<AppendOutcome, String>, StoreError> {
    let mut transaction = database.read(async { connection.begin().await.map_err(of_read) }).await?;
    let steps = async {
        match is_held(database, &mut transaction, append.head.customer).await? {
            None => return Ok(Ok(AppendOutcome::Locked)),
            Some(true) => {
                database.read(postpone(&mut transaction, append, &row)).await?;
                return Ok(Ok(AppendOutcome::OnHold));
            }
            Some(false) => {}
        }
        let appended = database.read(append_entry(&mut transaction, &row)).await?;
        if matches!(appended, Ok(AppendOutcome::Accepted(_))) {
            redact(database, &mut transaction, append).await?;
        }
        Ok(appended)
    };
    let outcome: Result<AppendOutcome, String> = steps.await?;
    if matches!(outcome, Ok(AppendOutcome::Accepted(_) | AppendOutcome::OnHold)) {
        database.write(async { transaction.commit().await.map_err(of_write) }).await?;
    } else {
        database.read(async { transaction.rollback().await.map_err(of_read) }).await?;
    }
    Ok(outcome)
}

/// Whether the customer is on hold, which cannot change before the transaction ends; `None` if it is being changed just
/// now.
async fn is_held(
    database: &Database,
    transaction: &mut Transaction<'_, Postgres>,
    customer: ParticipantId,
) -> Result<Option<bool>, StoreError> {
    let held = async {
        sqlx::query("SELECT pg_advisory_xact_lock_shared($1, $2)")
            .bind(HOLD_LOCKS)
            .bind(lock_of(customer))
            .execute(&mut **transaction)
            .await?;
        let held = sqlx::query_scalar(include_str!("../queries/is_held.sql")).bind(customer.0);
        held.fetch_one(&mut **transaction).await
    };
    let outcome: Result<bool, sqlx::Error> = database.read(async { Ok(held.await) }).await?;
    match outcome {
        Ok(held) => Ok(Some(held)),
        Err(error) if fault(&error) == Fault::Conflict => Ok(None),
        Err(error) => Err(of_read(error)),
    }
}

fn lock_of(customer: ParticipantId) -> i32 {
    let [.., a, b, c, d] = *customer.0.as_bytes();
    i32::from_be_bytes([a, b, c, d])
}

async fn postpone(connection: &mut PgConnection, append: &Append, row: &StoredAppend) -> Result<(), StoreError> {
    let Some(last) = append.entries.last() else { return Ok(()) };
    sqlx::query(include_str!("../queries/postpone.sql"))
        .bind(row.conversation)
        .bind(row.epoch)
        .bind(row.nonce)
        .bind(last.at.0)
        .bind(last.at.plus_ms(HOLD_POSTPONES_MS).0)
        .execute(connection)
        .await
        .map_err(of_read)?;
    Ok(())
}

/// The statement of every append, for this one alone. `Ok(Err(reason))` if the entries can never be stored.
async fn append_entry(
    connection: &mut PgConnection,
    append: &StoredAppend,
) -> Result<Result<AppendOutcome, String>, StoreError> {
    match send(connection, APPEND, &mut Columns::of(append)).await {
        Ok(rows) => {
            let row = rows.into_iter().next();
            let row = row.ok_or_else(|| StoreError::Unavailable("the append had no outcome".to_owned()))?;
            Ok(outcome(row, Link(append.link))?.ok_or_else(|| "a turn that it continues is not open".to_owned()))
        }
        Err(error) => match fault(&error) {
            Fault::Conflict => Ok(Ok(AppendOutcome::Locked)),
            Fault::Data => Ok(Err(describe(&error))),
            _ => Err(of_read(error)),
        },
    }
}

/// Everything before the entry that says so.
async fn redact(
    database: &Database,
    transaction: &mut Transaction<'_, Postgres>,
    append: &Append,
) -> Result<(), StoreError> {
    let (id, last) = (append.conversation.0, stored::saturated(append.head.last_seq) - 1);
    let (mut after, mut left) = (0, Erased::default());
    while after < last {
        after = database.read(redact_chunk(transaction, id, (after, last), &mut left)).await?;
    }
    let act = erasure::on_record(append, left);
    database.read(async { acts::insert(transaction, act.as_slice()).await.map_err(of_read) }).await?;
    let erased_at = append.entries.last().map(|entry| entry.at.0);
    let head = sqlx::query(include_str!("../queries/erase_head.sql")).bind(id).bind(erased_at);
    database.read(async { head.execute(&mut **transaction).await.map_err(of_read) }).await?;
    for statement in DERIVED {
        let forget = sqlx::query(*statement).bind(id);
        database.read(async { forget.execute(&mut **transaction).await.map_err(of_read) }).await?;
    }
    Ok(())
}

/// How far it came.
async fn redact_chunk(
    connection: &mut PgConnection,
    id: Uuid,
    (after, last): (i64, i64),
    left: &mut Erased,
) -> Result<i64, StoreError> {
    let bodies = sqlx::query_as(include_str!("../queries/bodies.sql")).bind(id).bind(after).bind(last);
    let rows: Vec<BodyRow> = bodies.bind(CHUNK_ENTRIES).fetch_all(&mut *connection).await.map_err(of_read)?;
    let (seqs, bodies) = erasure::redacted(&rows, left)?;
    let (Some(first), Some(reached)) = (seqs.first().copied(), seqs.last().copied()) else { return Ok(last) };
    sqlx::query(include_str!("queries/redact.sql"))
        .bind(id)
        .bind(seqs)
        .bind(bodies)
        .bind(first)
        .bind(reached)
        .execute(connection)
        .await
        .map_err(of_read)?;
    Ok(reached)
}

async fn place_hold(database: &Database, hold: &LegalHold) -> Result<(), StoreError> {
    let mut checkout = database.connection().await?;
    let connection = checkout.get();
    let placing = async move {
        let mut transaction = connection.begin().await.map_err(of_read)?;
        // Erasures of this customer that have begun come to their end first; those that begin later see the hold.
        sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
            .bind(HOLD_LOCKS)
            .bind(lock_of(hold.customer))
            .execute(&mut *transaction)
            .await
            .map_err(of_read)?;
        sqlx::query(include_str!("../queries/place_hold.sql"))
            .bind(hold.customer.0)
            .bind(&hold.reason)
            .bind(hold.placed_by.0)
            .bind(hold.placed_at.0)
            .execute(&mut *transaction)
            .await
            .map_err(of_read)?;
        transaction.commit().await.map_err(of_write)
    };
    database.write(placing).await?;
    checkout.done();
    Ok(())
}
