//! A batch as arrays, one per column: the statement stays the same whatever the size of the batch.
//!
//! Each family of arrays is filled row by row, so that they are equally long: Postgres would pad a short one with NULL
//! and say nothing.

use onya_core::ClientMsgId;
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use uuid::Uuid;

use crate::store::chain::{Hash, Salt};
use crate::store::stored::StoredAppend;

/// A batch, ready to be sent.
pub(super) struct Columns<'a> {
    heads: HeadColumns<'a>,
    entries: EntryColumns<'a>,
    turns: TurnColumns,
}

impl<'a> Columns<'a> {
    /// Goes over the appends three times, once for each family.
    pub(super) fn new<I: Iterator<Item = &'a StoredAppend>>(appends: impl Fn() -> I) -> Self {
        Self {
            heads: HeadColumns::new(appends()),
            entries: EntryColumns::new(appends()),
            turns: TurnColumns::new(appends()),
        }
    }

    /// What is sent; nothing of the appends is needed any longer.
    pub(super) fn arguments(self) -> Result<PgArguments, sqlx::Error> {
        let mut arguments = PgArguments::default();
        let added = self.heads.add_to(&mut arguments);
        let added = added.and_then(|()| self.entries.add_to(&mut arguments));
        added.and_then(|()| self.turns.add_to(&mut arguments)).map_err(sqlx::Error::Encode)?;
        Ok(arguments)
    }
}

/// One row per conversation: parameters 1 to 17.
#[derive(Default)]
struct HeadColumns<'a> {
    conversation: Vec<Uuid>,
    epoch: Vec<i64>,
    nonce: Vec<Uuid>,
    expected_seq: Vec<i64>,
    last_seq: Vec<i64>,
    control: Vec<&'a str>,
    control_version: Vec<i64>,
    closed_at: Vec<Option<i64>>,
    turn_seq: Vec<Option<i64>>,
    turn_attempt: Vec<Option<i64>>,
    next_deadline: Vec<Option<i64>>,
    snapshot: Vec<Option<&'a str>>,
    queued_since: Vec<Option<i64>>,
    queued: Vec<Option<&'a str>>,
    previous: Vec<Hash>,
    link: Vec<Hash>,
    owed_by: Vec<Option<Uuid>>,
}

impl<'a> HeadColumns<'a> {
    fn new(appends: impl Iterator<Item = &'a StoredAppend>) -> Self {
        let mut columns = Self::default();
        for append in appends {
            let head = &append.head;
            columns.conversation.push(append.conversation);
            columns.epoch.push(append.epoch);
            columns.nonce.push(append.nonce);
            columns.expected_seq.push(append.expected_seq);
            columns.last_seq.push(head.last_seq);
            columns.control.push(&*head.control);
            columns.control_version.push(head.control_version);
            columns.closed_at.push(head.closed_at);
            columns.turn_seq.push(head.turn_seq);
            columns.turn_attempt.push(head.turn_attempt);
            columns.next_deadline.push(head.next_deadline);
            columns.snapshot.push(append.snapshot.as_deref());
            columns.queued_since.push(head.queued.as_ref().map(|(since, _)| *since));
            columns.queued.push(head.queued.as_ref().map(|(_, queued)| queued.as_str()));
            columns.previous.push(append.previous);
            columns.link.push(append.link);
            columns.owed_by.push(head.owed_by);
        }
        columns
    }

    fn add_to(self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(self.conversation)?;
        arguments.add(self.epoch)?;
        arguments.add(self.nonce)?;
        arguments.add(self.expected_seq)?;
        arguments.add(self.last_seq)?;
        arguments.add(self.control)?;
        arguments.add(self.control_version)?;
        arguments.add(self.closed_at)?;
        arguments.add(self.turn_seq)?;
        arguments.add(self.turn_attempt)?;
        arguments.add(self.next_deadline)?;
        arguments.add(self.snapshot)?;
        arguments.add(self.queued_since)?;
        arguments.add(self.queued)?;
        arguments.add(self.previous)?;
        arguments.add(self.link)?;
        arguments.add(self.owed_by)?;
        Ok(())
    }
}

/// One row per entry, with the number of its conversation in the batch, from 1: parameters 18 to 30.
#[derive(Default)]
struct EntryColumns<'a> {
    n: Vec<i64>,
    seq: Vec<i64>,
    customer_prev: Vec<i64>,
    customer_sees: Vec<bool>,
    at: Vec<i64>,
    kind: Vec<&'static str>,
    body: Vec<&'a str>,
    participant: Vec<Option<Uuid>>,
    client_msg_id: Vec<Option<&'a str>>,
    commitment: Vec<Option<&'a [u8]>>,
    salt: Vec<Salt>,
    body_commitment: Vec<Hash>,
    link: Vec<Hash>,
}

impl<'a> EntryColumns<'a> {
    fn new(appends: impl Iterator<Item = &'a StoredAppend>) -> Self {
        let mut columns = Self::default();
        for (n, append) in (1..).zip(appends) {
            for entry in &append.entries {
                columns.n.push(n);
                columns.seq.push(entry.seq);
                columns.customer_prev.push(entry.customer_prev);
                columns.customer_sees.push(entry.customer_sees);
                columns.at.push(entry.at);
                columns.kind.push(entry.kind);
                columns.body.push(&entry.body);
                columns.participant.push(entry.participant);
                columns.client_msg_id.push(entry.client_msg_id.as_ref().map(ClientMsgId::as_str));
                columns.commitment.push(entry.commitment.as_ref().map(|bytes| &bytes[..]));
                columns.salt.push(entry.salt);
                columns.body_commitment.push(entry.body_commitment);
                columns.link.push(entry.link);
            }
        }
        columns
    }

    fn add_to(self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(self.n)?;
        arguments.add(self.seq)?;
        arguments.add(self.customer_prev)?;
        arguments.add(self.customer_sees)?;
        arguments.add(self.at)?;
        arguments.add(self.kind)?;
        arguments.add(self.body)?;
        arguments.add(self.participant)?;
        arguments.add(self.client_msg_id)?;
        arguments.add(self.commitment)?;
        arguments.add(self.salt)?;
        arguments.add(self.body_commitment)?;
        arguments.add(self.link)?;
        Ok(())
    }
}

/// One row per turn that changes, with the number of its conversation in the batch, from 1: parameters 31 to 36.
#[derive(Default)]
struct TurnColumns {
    n: Vec<i64>,
    turn: Vec<i64>,
    opened: Vec<bool>,
    attempt: Vec<i64>,
    outcome: Vec<Option<&'static str>>,
    ended_seq: Vec<Option<i64>>,
}

impl TurnColumns {
    fn new<'a>(appends: impl Iterator<Item = &'a StoredAppend>) -> Self {
        let mut columns = Self::default();
        for (n, append) in (1..).zip(appends) {
            for change in &append.turns {
                columns.n.push(n);
                columns.turn.push(change.turn);
                columns.opened.push(change.opened);
                columns.attempt.push(change.attempt);
                columns.outcome.push(change.end.map(|(outcome, _)| outcome));
                columns.ended_seq.push(change.end.map(|(_, seq)| seq));
            }
        }
        columns
    }

    fn add_to(self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(self.n)?;
        arguments.add(self.turn)?;
        arguments.add(self.opened)?;
        arguments.add(self.attempt)?;
        arguments.add(self.outcome)?;
        arguments.add(self.ended_seq)?;
        Ok(())
    }
}
