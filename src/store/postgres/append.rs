//! Runs the fenced batch, and finds the one append that the database refuses among many.

use onya_actors::ports::{Append, AppendOutcome, Link, StoreError};
use onya_core::conversation::KnownKey;
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::QueryAs;
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

/// An append in the form of rows, and where it stands in the batch.
pub(super) type Item = (usize, StoredAppend);
/// What is left of an item once it is sent: where it stands in the batch, and where its chain ends if it is stored.
type Sent = (usize, Link);
pub(super) type OutcomeRow = (String, Option<i64>, Option<Uuid>, Option<String>, Option<Vec<u8>>);

pub(super) async fn append(database: &Database, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut lane = database.lanes.lane().await?;
    let batch = &*planted::linked(&mut lane.connection, batch).await?;
    let (twice, unstorable) = prepare(batch, &mut lane.room);
    let mut outcomes = Outcomes::of(batch);
    twice.into_iter().for_each(|number| outcomes.set(number, AppendOutcome::Locked));
    let rows = (&mut lane.room, unstorable);
    database.write(write_all(&mut lane.connection, database.append, batch, rows, &mut outcomes)).await?;
    let outcomes = outcomes.all()?;
    // An owner that takes for stored what it has only sent would be taken for proof that the store went back.
    let misled = onya_actors::planted::is(onya_actors::planted::Fault::AckBeforeCommit);
    if misled || examine(database, &mut lane.connection, (batch, &outcomes)).await {
        lane.done();
    }
    Ok(outcomes)
}

/// The outcomes in the order of the batch, as far as they are known.
struct Outcomes(Vec<Option<AppendOutcome>>);

impl Outcomes {
    fn of(batch: &[Append]) -> Self {
        Self(vec![None; batch.len()])
    }

    fn set(&mut self, number: usize, outcome: AppendOutcome) {
        self.0[number] = Some(outcome);
    }

    fn any_accepted(&self) -> bool {
        self.0.iter().flatten().any(AppendOutcome::is_accepted)
    }

    fn all(self) -> Result<Vec<AppendOutcome>, StoreError> {
        let none = || StoreError::Unknown("an append of the batch had no outcome".to_owned());
        self.0.into_iter().map(|outcome| outcome.ok_or_else(none)).collect()
    }
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

/// Turns appends into rows, in this room, sorted by conversation as the statement expects. Those whose conversation stands in the batch
/// already are set aside, and with the reason those that have no stored form.
pub(super) fn prepare(batch: &[Append], items: &mut Vec<Item>) -> (Vec<usize>, Vec<(usize, String)>) {
    let (mut twice, mut unstorable) = (Vec::new(), Vec::new());
    items.clear();
    // Sorted before they are rows, which are large; of one conversation the first stays the first.
    let mut sorted: Vec<_> = (0..).zip(batch).map(|(number, append)| (append.conversation, number)).collect();
    sorted.sort_unstable();
    let mut before = None;
    for (conversation, number) in sorted {
        if before.replace(conversation) == Some(conversation) {
            twice.push(number);
            continue;
        }
        match StoredAppend::new(&batch[number]) {
            Ok(stored) => items.push((number, stored)),
            Err(error) => unstorable.push((number, error.to_string())),
        }
    }
    (twice, unstorable)
}

/// The rows of what was sent once, to be sent again.
fn prepare_again(batch: &[Append], sent: &[Sent]) -> Vec<Item> {
    // What had a form has it still.
    sent.iter().filter_map(|(number, _)| Some((*number, StoredAppend::new(&batch[*number]).ok()?))).collect()
}

/// Sends all items in one statement. If the database refuses the data of one, the statement is undone as a whole: then
/// in two halves, until the one stands alone.
async fn write_all(
    connection: &mut PgConnection,
    statement: &'static str,
    batch: &[Append],
    (room, unstorable): (&mut Vec<Item>, Vec<(usize, String)>),
    outcomes: &mut Outcomes,
) -> Result<(), StoreError> {
    for (number, reason) in unstorable {
        outcomes.set(number, bury(connection, &batch[number], &reason).await?);
    }
    let mut open = vec![std::mem::take(room)];
    while let Some(mut items) = open.pop() {
        if items.is_empty() {
            continue;
        }
        let (sent, outcome) = run(connection, statement, batch, &mut items).await;
        *room = items;
        match (outcome, sent.as_slice()) {
            (Ok(rows), _) => settle(connection, batch, (&sent, rows), outcomes).await?,
            (Err(error), [(number, _)]) if fault(&error) == Fault::Data => {
                outcomes.set(*number, bury(connection, &batch[*number], &describe(&error)).await?);
            }
            (Err(error), _) => match fault(&error) {
                Fault::Data => {
                    metrics::counter!("onya_append_bisections_total").increment(1);
                    let (first, second) = sent.split_at(sent.len() / 2);
                    open.extend([second, first].map(|half| prepare_again(batch, half)));
                }
                Fault::Conflict => sent.iter().for_each(|(number, _)| outcomes.set(*number, AppendOutcome::Locked)),
                // What was committed of the batch before this must not be taken for "nothing happened".
                _ if outcomes.any_accepted() => return Err(StoreError::Unknown(describe(&error))),
                _ => return Err(of_write(error)),
            },
        }
    }
    Ok(())
}

/// Reads the outcomes; an append whose turn does not fit was passed over and is buried.
async fn settle(
    connection: &mut PgConnection,
    batch: &[Append],
    (sent, rows): (&[Sent], Vec<OutcomeRow>),
    outcomes: &mut Outcomes,
) -> Result<(), StoreError> {
    for ((number, link), row) in sent.iter().zip(rows) {
        let outcome = match outcome(row, *link)? {
            Some(outcome) => outcome,
            None => bury(connection, &batch[*number], "a turn that it continues is not open").await?,
        };
        outcomes.set(*number, outcome);
    }
    Ok(())
}

/// Sends the statement, and again if it is in conflict with another. The rows are let go of before anybody waits: their
/// memory is still at hand then, and later another thread might give it back, which costs more. Only the room for them stays.
async fn run(
    connection: &mut PgConnection,
    statement: &'static str,
    batch: &[Append],
    items: &mut Vec<Item>,
) -> (Vec<Sent>, Result<Vec<OutcomeRow>, sqlx::Error>) {
    let mut attempt = 1;
    loop {
        let sent: Vec<_> = items.iter().map(|(number, row)| (*number, Link(row.link))).collect();
        let query = query(statement, items);
        items.clear();
        let outcome = match query {
            Ok(query) => query.fetch_all(&mut *connection).await,
            Err(error) => Err(error),
        };
        match outcome {
            Err(error) if attempt < ATTEMPTS && fault(&error) == Fault::Conflict => attempt += 1,
            outcome => return (sent, outcome),
        }
        items.extend(prepare_again(batch, &sent));
    }
}

pub(super) async fn run_once(
    connection: &mut PgConnection,
    statement: &'static str,
    items: &[Item],
) -> Result<Vec<OutcomeRow>, sqlx::Error> {
    query(statement, items)?.fetch_all(connection).await
}

/// The statement with all that is sent.
fn query(
    statement: &'static str,
    items: &[Item],
) -> Result<QueryAs<'static, Postgres, OutcomeRow, PgArguments>, sqlx::Error> {
    let columns = Columns::new(|| items.iter().map(|(_, append)| append));
    Ok(sqlx::query_as_with(statement, columns.arguments()?))
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
