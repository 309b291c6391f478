//! Runs the fenced batch, and finds the one append that the database refuses among many.

use std::hint::black_box;

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

/// Where an append that was sent stands in the batch, and where its chain ends if it is stored.
type Sent = (usize, Link);
pub(super) type OutcomeRow = (String, Option<i64>, Option<Uuid>, Option<String>, Option<Vec<u8>>);

pub(super) async fn append(database: &Database, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut lane = database.lanes.lane().await?;
    let batch = &*planted::linked(&mut lane.connection, batch).await?;
    fetch(batch);
    let (numbers, twice) = in_order(batch);
    let mut outcomes = Outcomes::of(batch);
    twice.into_iter().for_each(|number| outcomes.set(number, AppendOutcome::Locked));
    let to = (&mut lane.connection, database.append, &mut lane.columns);
    database.write(write_all(to, batch, numbers, &mut outcomes)).await?;
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

/// The numbers of the appends, sorted by conversation as the statement expects, and of those whose conversation stands in
/// the batch already: of one conversation the first stays the first.
pub(super) fn in_order(batch: &[Append]) -> (Vec<usize>, Vec<usize>) {
    let mut sorted: Vec<_> = (0..).zip(batch).map(|(number, append)| (append.conversation, number)).collect();
    sorted.sort_unstable();
    let (mut numbers, mut twice, mut before) = (Vec::with_capacity(batch.len()), Vec::new(), None);
    for (conversation, number) in sorted {
        let again = before.replace(conversation) == Some(conversation);
        if again { &mut twice } else { &mut numbers }.push(number);
    }
    (numbers, twice)
}

/// Reads a little of everything that rows are made of. What waited has left the processor's caches: here the ways to memory overlap,
/// while rows are made each would be waited for by itself.
fn fetch(batch: &[Append]) {
    const CACHE_LINE: usize = 64;
    for append in batch {
        let Append { fence, previous, head, .. } = append;
        black_box((
            fence.epoch,
            previous.0[0],
            head.last_seq,
            head.control,
            head.control_version,
            head.turn,
            head.owed_by,
        ));
        for entry in append.entries.iter() {
            black_box((
                entry.seq,
                entry.at,
                entry.key.as_ref().map(|key| key.client_msg_id.as_str().as_bytes().first()),
            ));
            black_box(entry.event.said().as_bytes().iter().step_by(CACHE_LINE).fold(0, |sum, byte| sum ^ byte));
        }
    }
}

/// Turns these appends into rows. Those that have no stored form are left out, and why.
fn fill(columns: &mut Columns, batch: &[Append], numbers: &[usize]) -> (Vec<Sent>, Vec<(usize, String)>) {
    let (mut sent, mut unstorable) = (Vec::with_capacity(numbers.len()), Vec::new());
    for &number in numbers {
        match StoredAppend::new(&batch[number]) {
            Ok(row) => {
                columns.push(&row);
                sent.push((number, Link(row.link)));
            }
            Err(error) => unstorable.push((number, error.to_string())),
        }
    }
    (sent, unstorable)
}

/// Sends all of them in one statement, and again if it is in conflict with another. If the database refuses the data of one,
/// the statement is undone as a whole: then in two halves, until the one stands alone.
async fn write_all(
    (connection, statement, columns): (&mut PgConnection, &'static str, &mut Columns),
    batch: &[Append],
    numbers: Vec<usize>,
    outcomes: &mut Outcomes,
) -> Result<(), StoreError> {
    let mut open = vec![(numbers, 1)];
    while let Some((numbers, attempt)) = open.pop() {
        let (sent, unstorable) = fill(columns, batch, &numbers);
        for (number, reason) in unstorable {
            outcomes.set(number, bury(connection, &batch[number], &reason).await?);
        }
        if sent.is_empty() {
            continue;
        }
        let error = match send(connection, statement, columns).await {
            Ok(rows) => {
                settle(connection, batch, (&sent, rows), outcomes).await?;
                continue;
            }
            Err(error) => error,
        };
        match (fault(&error), sent.as_slice()) {
            (Fault::Conflict, _) if attempt < ATTEMPTS => open.push((numbers_of(&sent), attempt + 1)),
            (Fault::Conflict, _) => sent.iter().for_each(|(number, _)| outcomes.set(*number, AppendOutcome::Locked)),
            (Fault::Data, [(number, _)]) => {
                outcomes.set(*number, bury(connection, &batch[*number], &describe(&error)).await?);
            }
            (Fault::Data, _) => {
                metrics::counter!("onya_append_bisections_total").increment(1);
                let (first, second) = sent.split_at(sent.len() / 2);
                open.extend([second, first].map(|half| (numbers_of(half), 1)));
            }
            // What was committed of the batch before this must not be taken for "nothing happened".
            _ if outcomes.any_accepted() => return Err(StoreError::Unknown(describe(&error))),
            _ => return Err(of_write(error)),
        }
    }
    Ok(())
}

fn numbers_of(sent: &[Sent]) -> Vec<usize> {
    sent.iter().map(|(number, _)| *number).collect()
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

/// Sends what the columns hold, and empties them.
pub(super) async fn send(
    connection: &mut PgConnection,
    statement: &'static str,
    columns: &mut Columns,
) -> Result<Vec<OutcomeRow>, sqlx::Error> {
    let arguments = columns.arguments();
    columns.clear();
    sqlx::query_as_with(statement, arguments?).fetch_all(connection).await
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
