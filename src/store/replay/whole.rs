//! A whole log applied again, from its first entry, and held against everything that was derived from it: the head of the
//! conversation, its place in the queue, its turns and its snapshot. For tools; nothing is claimed or changed.

use std::collections::BTreeMap;
use std::fmt;

use onya_actors::ports::StoreError;
use onya_core::conversation::{Control, Entry, Event, Policy, State};
use onya_core::{ConversationId, Timestamp};
use uuid::Uuid;

use super::{CHUNK_ENTRIES, Replay, usable};
use crate::store::stored::{integer, json, saturated};
use crate::store::{ConnectError, Settings, postgres, sqlite};

/// The columns of `queries/whole.sql`.
pub(in crate::store) type WholeRow = (
    Uuid,
    String,
    i64,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    bool,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

/// The columns `turn, attempt, outcome, ended_seq`.
pub(in crate::store) type TurnRow = (i64, i64, Option<String>, Option<i64>);

/// One conversation, read in one snapshot of the database.
pub(in crate::store) enum Source {
    /// On Postgres.
    Postgres(postgres::whole::Snapshot),
    /// In a file.
    Sqlite(sqlite::whole::Snapshot),
}

macro_rules! on_either {
    ($source:expr, $method:ident($($argument:expr),*)) => {
        match $source {
            Source::Postgres(snapshot) => snapshot.$method($($argument),*).await,
            Source::Sqlite(snapshot) => snapshot.$method($($argument),*).await,
        }
    };
}

/// What came of applying a log again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many entries were applied.
    pub entries: u64,
    /// What is stored otherwise than the log says; none: all is as it should be.
    pub differences: Vec<String>,
    /// What could not be compared, or may differ for a good reason.
    pub notes: Vec<String>,
}

/// The log could not be applied at all.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The store cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing to apply.
    #[error("there is no conversation {0}")]
    NotFound(ConversationId),
}

/// Applies the log of a conversation from its first entry, shows each entry with the state after it, and compares the
/// end with what is stored. An entry that is missing or unreadable is a difference. `policy` is the one in force.
///
/// # Errors
/// When the store cannot be read, or has no such conversation.
pub async fn replay(
    settings: &Settings,
    id: ConversationId,
    policy: &Policy,
    show: &mut dyn FnMut(&Entry, &State),
) -> Result<Replayed, ReplayError> {
    let mut source = crate::store::whole(settings).await?;
    let row = on_either!(&mut source, row(id))?.ok_or(ReplayError::NotFound(id))?;
    let mut applied = Applied::new(id, &row);
    loop {
        let after = saturated(applied.replay.seq());
        let chunk = match on_either!(&mut source, entries(id, after, CHUNK_ENTRIES)) {
            Err(StoreError::Corrupt(reason)) => {
                applied.differ(format_args!("after entry {after}: {reason}"));
                break;
            }
            chunk => chunk?,
        };
        if chunk.is_empty() || !applied.take(&chunk, show) {
            break;
        }
    }
    applied.compare_head(&row, policy);
    applied.compare_turns(on_either!(&mut source, turns(id))?);
    Ok(applied.outcome)
}

/// A log being applied.
struct Applied {
    replay: Replay,
    turns: BTreeMap<i64, TurnRow>,
    /// The stored snapshot, until the log has reached its position.
    snapshot: Option<(i64, State)>,
    outcome: Replayed,
}

impl Applied {
    fn new(id: ConversationId, row: &WholeRow) -> Self {
        let mut outcome = Replayed::default();
        let snapshot = match (&row.9, row.10) {
            (Some(text), Some(seq)) => {
                let state = usable(text).map(|state| (seq, state));
                if state.is_none() {
                    outcome.notes.push("the snapshot is of another version: it is not compared".to_owned());
                }
                state
            }
            _ => None,
        };
        Self { replay: Replay::new(id, None), turns: BTreeMap::new(), snapshot, outcome }
    }

    fn differ(&mut self, what: impl fmt::Display) {
        self.outcome.differences.push(what.to_string());
    }

    /// Applies a chunk; `false` if it does not fit what came before.
    fn take(&mut self, chunk: &[Entry], show: &mut dyn FnMut(&Entry, &State)) -> bool {
        for entry in chunk {
            let customer_seq = self.replay.state.as_ref().map_or(0, |state| state.customer_seq);
            if entry.customer_prev != customer_seq {
                self.differ(format_args!(
                    "entry {}: says that {} is the customer's entry before it, it is {customer_seq}",
                    entry.seq, entry.customer_prev
                ));
            }
            if let Err(error) = self.replay.apply(std::slice::from_ref(entry)) {
                self.differ(error);
                return false;
            }
            self.outcome.entries += 1;
            self.note_turn(entry);
            let Some(state) = &self.replay.state else { return false };
            show(entry, state);
            self.compare_snapshot();
        }
        true
    }

    fn note_turn(&mut self, entry: &Entry) {
        let seq = saturated(entry.seq);
        match &entry.event {
            Event::TurnOpened { .. } => {
                self.turns.insert(seq, (seq, 1, None, None));
            }
            Event::AttemptStarted { turn, attempt } => {
                if let Some(row) = integer(*turn).ok().and_then(|turn| self.turns.get_mut(&turn)) {
                    row.1 = i64::from(*attempt);
                }
            }
            Event::TurnEnded { turn, attempt, outcome, .. } => {
                let row = integer(*turn).ok().and_then(|turn| self.turns.get_mut(&turn));
                match row {
                    Some(row) if row.3.is_none() => {
                        (row.1, row.2, row.3) = (i64::from(*attempt), Some(outcome.as_str().to_owned()), Some(seq));
                    }
                    Some(_) => self.differ(format_args!("entry {seq}: turn {turn} ends a second time")),
                    None => self.differ(format_args!("entry {seq}: turn {turn} was never opened")),
                }
            }
            _ => {}
        }
    }

    fn compare_snapshot(&mut self) {
        let at = saturated(self.replay.seq());
        let Some((_, stored)) = self.snapshot.take_if(|(seq, _)| *seq == at) else { return };
        if self.replay.state.as_ref() != Some(&stored) {
            self.differ(format_args!("the snapshot at {at} is not the state there"));
        }
    }

    fn compare_head(&mut self, row: &WholeRow, policy: &Policy) {
        if let Some((seq, _)) = self.snapshot.take() {
            self.differ(format_args!("the snapshot is of position {seq}, which the log does not reach"));
        }
        let Some(state) = self.replay.state.clone() else {
            return self.differ("the log is empty");
        };
        let turn = state.turn.map(|turn| (integer(turn.turn).ok(), Some(i64::from(turn.attempt))));
        let queued = state.queued.as_ref().and_then(|queued| json(queued).ok());
        let control_version = integer(state.control_version).ok();
        let closed = state.control == Control::Closed;
        let equal = [
            ("customer", row.0 == state.customer.0),
            ("language", row.1 == state.language),
            ("last_seq", Some(row.2) == integer(state.seq).ok()),
            ("control", json(&state.control).is_ok_and(|control| control == row.3)),
            ("control_version", Some(row.4) == control_version),
            ("turn", (row.5, row.6) == turn.unwrap_or_default()),
            ("closed_at", row.7 == closed),
            ("next_deadline", row.8.is_none() == closed),
            ("queue entry", row.12 == queued),
            ("control_version of the queue entry", row.11.is_none() || row.11 == control_version),
        ];
        for (what, _) in equal.into_iter().filter(|(_, equal)| !equal) {
            self.differ(format_args!("{what}: the stored head is not what the log says"));
        }
        let deadline = state.next_deadline(policy);
        if !closed && deadline != row.8.map(Timestamp) {
            self.outcome.notes.push("the timer is not the one that today's settings would give".to_owned());
        }
    }

    fn compare_turns(&mut self, stored: Vec<TurnRow>) {
        let stored: BTreeMap<i64, TurnRow> = stored.into_iter().map(|row| (row.0, row)).collect();
        let turns: Vec<i64> = self.turns.keys().chain(stored.keys()).copied().collect();
        let mut seen = std::collections::BTreeSet::new();
        for turn in turns {
            if seen.insert(turn) && self.turns.get(&turn) != stored.get(&turn) {
                self.differ(format_args!("turn {turn}: its row is not what the log says"));
            }
        }
    }
}
