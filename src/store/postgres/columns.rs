//! A batch as arrays, one per column: the statement stays the same whatever the size of the batch.
//!
//! An append is spread over the arrays as soon as it is a row, while the processor has the row at hand. Each family of
//! arrays is filled row by row, so that they are equally long: Postgres would pad a short one with NULL and say nothing.

use onya_core::ClientMsgId;
use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgBindIterExt as _, PgHasArrayType};
use sqlx::{Arguments as _, Postgres, Type};
use uuid::Uuid;

use crate::store::chain::{Hash, Salt};
use crate::store::stored::{self, StoredAppend, StoredEntry, TurnChange};

/// A batch, ready to be sent. It keeps its room from batch to batch.
#[derive(Default)]
pub(super) struct Columns {
    heads: Heads,
    entries: Entries,
    turns: Turns,
}

impl Columns {
    /// One append by itself.
    pub(super) fn of(append: &StoredAppend) -> Self {
        let mut columns = Self::default();
        columns.push(append);
        columns
    }

    /// Adds an append behind those that are there.
    pub(super) fn push(&mut self, append: &StoredAppend) {
        self.heads.push(append);
        let n = stored::saturated(self.heads.conversation.len());
        append.entries.iter().for_each(|entry| self.entries.push(n, entry));
        append.turns.iter().for_each(|change| self.turns.push(n, change));
    }

    /// What is sent.
    pub(super) fn arguments(&self) -> Result<PgArguments, sqlx::Error> {
        let mut arguments = PgArguments::default();
        let added = self.heads.add_to(&mut arguments);
        let added = added.and_then(|()| self.entries.add_to(&mut arguments));
        added.and_then(|()| self.turns.add_to(&mut arguments)).map_err(sqlx::Error::Encode)?;
        Ok(arguments)
    }

    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.entries.clear();
        self.turns.clear();
    }
}

/// One array.
trait Column {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError>;
    fn clear(&mut self);
}

impl<T: for<'a> Encode<'a, Postgres> + Type<Postgres> + PgHasArrayType> Column for Vec<T> {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(self)
    }

    fn clear(&mut self) {
        self.clear();
    }
}

/// Texts, one after the other in one place: each by itself would be memory to ask for and to give back.
#[derive(Default)]
struct Texts {
    all: String,
    /// Of each that is not null.
    ends: Vec<Option<usize>>,
}

/// Texts may be long; more room than this is given back, in bytes.
const MOST_ROOM: usize = 1024 * 1024;

impl Texts {
    fn push(&mut self, text: Option<&str>) {
        self.all.push_str(text.unwrap_or_default());
        self.ends.push(text.map(|_| self.all.len()));
    }

    fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        self.ends.iter().scan(0, |begin, end| Some(end.map(|end| &self.all[std::mem::replace(begin, end)..end])))
    }
}

impl Column for Texts {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(self.iter().bind_iter())
    }

    fn clear(&mut self) {
        self.all.clear();
        self.all.shrink_to(MOST_ROOM);
        self.ends.clear();
    }
}

/// A family of columns, in the order of the statement's parameters.
macro_rules! family {
    ($(#[$about:meta])* struct $name:ident { $($column:ident: $array:ty,)* }) => {
        $(#[$about])*
        #[derive(Default)]
        struct $name {
            $($column: $array,)*
        }

        impl $name {
            fn add_to(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
                $(Column::add_to(&self.$column, arguments)?;)*
                Ok(())
            }

            fn clear(&mut self) {
                $(Column::clear(&mut self.$column);)*
            }
        }
    };
}

family! {
    /// One row per conversation: parameters 1 to 17.
    struct Heads {
        conversation: Vec<Uuid>,
        epoch: Vec<i64>,
        nonce: Vec<Uuid>,
        expected_seq: Vec<i64>,
        last_seq: Vec<i64>,
        control: Texts,
        control_version: Vec<i64>,
        closed_at: Vec<Option<i64>>,
        turn_seq: Vec<Option<i64>>,
        turn_attempt: Vec<Option<i64>>,
        next_deadline: Vec<Option<i64>>,
        snapshot: Texts,
        queued_since: Vec<Option<i64>>,
        queued: Texts,
        previous: Vec<Hash>,
        link: Vec<Hash>,
        owed_by: Vec<Option<Uuid>>,
    }
}

impl Heads {
    fn push(&mut self, append: &StoredAppend) {
        let head = &append.head;
        self.conversation.push(append.conversation);
        self.epoch.push(append.epoch);
        self.nonce.push(append.nonce);
        self.expected_seq.push(append.expected_seq);
        self.last_seq.push(head.last_seq);
        self.control.push(Some(&head.control));
        self.control_version.push(head.control_version);
        self.closed_at.push(head.closed_at);
        self.turn_seq.push(head.turn_seq);
        self.turn_attempt.push(head.turn_attempt);
        self.next_deadline.push(head.next_deadline);
        self.snapshot.push(append.snapshot.as_deref());
        self.queued_since.push(head.queued.as_ref().map(|(since, _)| *since));
        self.queued.push(head.queued.as_ref().map(|(_, queued)| queued.as_str()));
        self.previous.push(append.previous);
        self.link.push(append.link);
        self.owed_by.push(head.owed_by);
    }
}

family! {
    /// One row per entry, with the number of its conversation in the batch, from 1: parameters 18 to 30.
    struct Entries {
        n: Vec<i64>,
        seq: Vec<i64>,
        customer_prev: Vec<i64>,
        customer_sees: Vec<bool>,
        at: Vec<i64>,
        kind: Vec<&'static str>,
        body: Texts,
        participant: Vec<Option<Uuid>>,
        client_msg_id: Texts,
        commitment: Vec<Option<[u8; 16]>>,
        salt: Vec<Salt>,
        body_commitment: Vec<Hash>,
        link: Vec<Hash>,
    }
}

impl Entries {
    fn push(&mut self, n: i64, entry: &StoredEntry) {
        self.n.push(n);
        self.seq.push(entry.seq);
        self.customer_prev.push(entry.customer_prev);
        self.customer_sees.push(entry.customer_sees);
        self.at.push(entry.at);
        self.kind.push(entry.kind);
        self.body.push(Some(&entry.body));
        self.participant.push(entry.participant);
        self.client_msg_id.push(entry.client_msg_id.as_ref().map(ClientMsgId::as_str));
        self.commitment.push(entry.commitment);
        self.salt.push(entry.salt);
        self.body_commitment.push(entry.body_commitment);
        self.link.push(entry.link);
    }
}

family! {
    /// One row per turn that changes, with the number of its conversation in the batch, from 1: parameters 31 to 36.
    struct Turns {
        n: Vec<i64>,
        turn: Vec<i64>,
        opened: Vec<bool>,
        attempt: Vec<i64>,
        outcome: Vec<Option<&'static str>>,
        ended_seq: Vec<Option<i64>>,
    }
}

impl Turns {
    fn push(&mut self, n: i64, change: &TurnChange) {
        self.n.push(n);
        self.turn.push(change.turn);
        self.opened.push(change.opened);
        self.attempt.push(change.attempt);
        self.outcome.push(change.end.map(|(outcome, _)| outcome));
        self.ended_seq.push(change.end.map(|(_, seq)| seq));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_out_as_they_were_put_in_also_once_the_room_is_used_again() {
        let mut texts = Texts::default();
        for column in [&[Some("a"), None, Some(""), Some("Grüße"), None][..], &[None], &[], &[Some(""), Some("b")]] {
            column.iter().for_each(|text| texts.push(*text));
            assert_eq!(texts.iter().collect::<Vec<_>>(), column);
            texts.clear();
        }
    }

    #[test]
    fn room_for_long_texts_is_given_back() {
        let mut texts = Texts::default();
        texts.push(Some(&"x".repeat(MOST_ROOM + 1)));
        texts.clear();
        assert!(texts.all.capacity() <= MOST_ROOM);
    }
}
