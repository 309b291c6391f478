//! Runs the fenced batch, and finds the one append that the database refuses among many.

use std::collections::BTreeSet;

use onya_actors::ports::{Append, AppendOutcome, Link, StoreError};
use onya_core::conversation::KnownKey;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::columns::Columns;
use super::database::Database;
use super::error::{Fault, describe, fault, of_write};
use super::history::examine_fenced;
use super::planted;
use crate::store::clock::now_ms;
use crate::store::stored::{self, StoredAppend};

pub(super) const APPEND: &str = include_str!("queries/append.sql");
/// Attempts at a statement that is in conflict with another.
const ATTEMPTS: u32 = 3;

/// The outcome of one append, and where it stood in the batch.
type Numbered = (usize, AppendOutcome);
/// An append in the form of rows, and where it stands in the batch.
pub(super) type Item = (usize, StoredAppend);
pub(super) type OutcomeRow = (String, Option<i64>, Option<Uuid>, Option<String>, Option<Vec<u8>>);

pub(super) async fn append(database: &Database, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut lane = database.lanes.lane().await?;
    let batch = &*planted::linked(&mut lane.connection, batch).await?;
    let (items, mut outcomes, unstorable) = prepare(batch);
    let write = write_all(&mut lane.connection, database.append, batch, (items, unstorable));
    outcomes.extend(database.write(write).await?);
    outcomes.sort_by_key(|(number, _)| *number);
    let outcomes: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    // An owner that takes for stored what it has only sent would be taken for proof that the store went back.
    let misled = onya_actors::planted::is(onya_actors::planted::Fault::AckBeforeCommit);
    if misled || examine(database, &mut lane.connection, (batch, &outcomes)).await {
        lane.done();
    }
    Ok(outcomes)
}

/// Looks for the reason of a refused fence; whether the connection is still good. The outcomes stand either way.
async fn examine(database: &Database, connection: &mut PgConnection, appends: (&[Append], &[AppendOutcome])) -> bool {
    let examining = examine_fenced(connection, database.history_epoch, appends);
    let examined = database.write(async { examining.await.map_err(of_write) }).await;
    if let Err(error) = &examined {
        tracing::warn!(%error, "it could not be looked up why an append was fenced");
    }
    examined.is_ok()
}

/// Turns appends into rows, sorted by conversation as the statement expects. A conversation that stands in the batch already
/// is told to try again; what has no stored form is set aside with the reason.
pub(super) fn prepare(batch: &[Append]) -> (Vec<Item>, Vec<Numbered>, Vec<(usize, String)>) {
    let (mut items, mut outcomes, mut unstorable) = (Vec::with_capacity(batch.len()), Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (number, append) in batch.iter().enumerate() {
        if !seen.insert(append.conversation) {
            outcomes.push((number, AppendOutcome::Locked));
            continue;
        }
        match StoredAppend::new(append) {
            Ok(stored) => items.push((number, stored)),
            Err(error) => unstorable.push((number, error.to_string())),
        }
    }
    items.sort_unstable_by_key(|(_, stored)| stored.conversation);
    (items, outcomes, unstorable)
}

/// Sends all items in one statement. If the database refuses the data of one, the statement is undone as a whole: then
/// in two halves, until the one stands alone.
async fn write_all(
    connection: &mut PgConnection,
    statement: &'static str,
    batch: &[Append],
    (items, unstorable): (Vec<Item>, Vec<(usize, String)>),
) -> Result<Vec<Numbered>, StoreError> {
    let mut outcomes = Vec::with_capacity(batch.len());
    for (number, reason) in unstorable {
        outcomes.push((number, bury(connection, &batch[number], &reason).await?));
    }
    let mut open = vec![items];
    while let Some(items) = open.pop() {
        if items.is_empty() {
            continue;
        }
        match (run(connection, statement, &items).await, items.as_slice()) {
            (Ok(rows), _) => outcomes.extend(settle(connection, batch, &items, rows).await?),
            (Err(error), [(number, _)]) if fault(&error) == Fault::Data => {
                outcomes.push((*number, bury(connection, &batch[*number], &describe(&error)).await?));
            }
            (Err(error), _) => match fault(&error) {
                Fault::Data => {
                    metrics::counter!("onya_append_bisections_total").increment(1);
                    open.extend(halves(items));
                }
                Fault::Conflict => outcomes.extend(items.iter().map(|(number, _)| (*number, AppendOutcome::Locked))),
                // What was committed of the batch before this must not be taken for "nothing happened".
                _ if outcomes.iter().any(|(_, outcome)| outcome.is_accepted()) => {
                    return Err(StoreError::Unknown(describe(&error)));
                }
                _ => return Err(of_write(error)),
            },
        }
    }
    Ok(outcomes)
}

/// Reads the outcomes; an append whose turn does not fit was passed over and is buried.
async fn settle(
    connection: &mut PgConnection,
    batch: &[Append],
    items: &[Item],
    rows: Vec<OutcomeRow>,
) -> Result<Vec<Numbered>, StoreError> {
    let mut outcomes = Vec::with_capacity(items.len());
    for ((number, item), row) in items.iter().zip(rows) {
        let outcome = match outcome(row, Link(item.link))? {
            Some(outcome) => outcome,
            None => bury(connection, &batch[*number], "a turn that it continues is not open").await?,
        };
        outcomes.push((*number, outcome));
    }
    Ok(outcomes)
}

fn halves(mut items: Vec<Item>) -> [Vec<Item>; 2] {
    let second = items.split_off(items.len() / 2);
    [second, items]
}

/// Sends the statement, and again if it is in conflict with another.
pub(super) async fn run(
    connection: &mut PgConnection,
    statement: &'static str,
    items: &[Item],
) -> Result<Vec<OutcomeRow>, sqlx::Error> {
    let mut attempt = 1;
    loop {
        let outcome = run_once(connection, statement, items).await;
        match outcome {
            Err(error) if attempt < ATTEMPTS && fault(&error) == Fault::Conflict => attempt += 1,
            outcome => return outcome,
        }
    }
}

pub(super) async fn run_once(
    connection: &mut PgConnection,
    statement: &'static str,
    items: &[Item],
) -> Result<Vec<OutcomeRow>, sqlx::Error> {
    let columns = Columns::new(|| items.iter().map(|(_, append)| append));
    columns.bind(sqlx::query_as(statement)).fetch_all(connection).await
}

/// `None` for a turn that does not fit.
pub(super) fn outcome(row: OutcomeRow, link: Link) -> Result<Option<AppendOutcome>, StoreError> {
    let (outcome, seq, participant, id, commitment) = row;
    Ok(Some(match (outcome.as_str(), seq, participant, id, commitment) {
        ("accepted", ..) => AppendOutcome::Accepted(link),
        ("fenced", ..) => AppendOutcome::Fenced,
        ("locked", ..) => AppendOutcome::Locked,
        ("repeated", Some(seq), Some(participant), Some(id), Some(commitment)) => {
            let known: KnownKey = stored::known_key((seq, participant, id, commitment))?;
            AppendOutcome::Repeated(known)
        }
        ("broken", ..) => return Ok(None),
        _ => return Err(StoreError::Unknown("the batch had no readable outcome".to_owned())),
    }))
}

/// Puts an append that cannot be stored among the dead letters. If that fails too it is to be tried again, and ends
/// here again.
pub(super) async fn bury(
    connection: &mut PgConnection,
    append: &Append,
    reason: &str,
) -> Result<AppendOutcome, StoreError> {
    let letter = sqlx::query(include_str!("../queries/dead_letter.sql"))
        .bind(Uuid::now_v7())
        .bind(append.conversation.0)
        .bind(stored::saturated(append.expected_seq))
        .bind(now_ms())
        .bind(reason)
        .bind(stored::dead_letter(append));
    match letter.execute(connection).await {
        Ok(_) => {
            tracing::error!(conversation = %append.conversation, reason, "entries cannot be stored: kept as a dead letter");
            Ok(AppendOutcome::Poisoned)
        }
        Err(error) if fault(&error) == Fault::Unknown => Err(of_write(error)),
        Err(error) => {
            tracing::error!(conversation = %append.conversation, error = describe(&error), "a dead letter cannot be stored");
            Ok(AppendOutcome::Locked)
        }
    }
}
