//! Rows ⇄ core events. What is written here is read by every later version: a golden file freezes the form.
//!
//! An event is JSON text with its kind in a column of its own; the key of a command lies in columns, so that the
//! database can compare it. Both backends use these rows, and only bind and fetch them.

use std::borrow::Cow;

use onya_actors::planted;
use onya_actors::ports::{Append, Due, Fence, Forsaken, Link, Opening, StoreError, Summary};
use onya_core::conversation::{Commitment, Control, Entry, Event, Head, Key, KnownKey};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, Incarnation, ParticipantId, Seq, Timestamp};
use rand::Rng as _;
use serde::Serialize;
use smallvec::SmallVec;
use uuid::Uuid;

use super::chain::{self, Hash, Salt, Sealed};

/// The columns `seq, customer_prev, at, body, participant, client_msg_id, commitment, erased`.
pub(super) type EntryRow = (i64, i64, i64, String, Option<Uuid>, Option<String>, Option<Vec<u8>>, bool);

/// The columns `seq, participant, client_msg_id, commitment`.
pub(super) type KeyRow = (i64, Uuid, String, Vec<u8>);

/// The columns `id, customer, language, opened_at, last_seq, control, control_version, epoch, turn_seq, turn_attempt`.
pub(super) type SummaryRow = (Uuid, Uuid, String, i64, i64, String, i64, Option<Uuid>, i64, Option<i64>, Option<i64>);

/// The columns `conversation, control_version, queued`.
pub(super) type WaitingRow = (Uuid, i64, String);

/// Something that has no stored form; says what, and never quotes a text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unstorable(pub(super) String);

/// A row of `entries` to write.
#[derive(Debug)]
pub(super) struct StoredEntry {
    pub(super) seq: i64,
    pub(super) customer_prev: i64,
    pub(super) customer_sees: bool,
    pub(super) at: i64,
    pub(super) kind: &'static str,
    pub(super) body: String,
    pub(super) participant: Option<Uuid>,
    pub(super) client_msg_id: Option<ClientMsgId>,
    pub(super) commitment: Option<[u8; 16]>,
    pub(super) salt: Salt,
    pub(super) body_commitment: Hash,
    pub(super) link: Hash,
}

/// The chain of a conversation as it grows by the entries of one append.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    pub(super) conversation: Uuid,
    pub(super) epoch: i64,
    pub(super) link: Hash,
}

impl StoredEntry {
    /// The row of an entry, which becomes the end of the chain.
    pub(super) fn new(entry: &Entry, chain: &mut Chain) -> Result<Self, Unstorable> {
        let (salt, body) = (salt(), body(&entry.event)?);
        let body_commitment = chain::body_commitment(&salt, &body);
        let key = entry.key.as_ref();
        let sealed = Sealed {
            conversation: chain.conversation,
            seq: integer(entry.seq)?,
            customer_prev: integer(entry.customer_prev)?,
            customer_sees: entry.event.customer_sees(),
            at: entry.at.0,
            epoch: chain.epoch,
            kind: entry.event.kind(),
            participant: key.map(|key| key.participant.0),
            client_msg_id: key.map(|key| key.client_msg_id.as_str()),
            commitment: key.map(|key| &key.commitment.0[..]),
            body_commitment: &body_commitment,
        };
        chain.link = sealed.link(&chain.link);
        Ok(Self {
            seq: sealed.seq,
            customer_prev: sealed.customer_prev,
            customer_sees: sealed.customer_sees,
            at: sealed.at,
            kind: entry.event.kind(),
            participant: sealed.participant,
            client_msg_id: key.map(|key| key.client_msg_id.clone()),
            commitment: key.map(|key| key.commitment.0),
            link: chain.link,
            body,
            salt,
            body_commitment,
        })
    }
}

/// The columns of `conversations` and `queue_entries` that a head decides.
#[derive(Debug)]
pub(super) struct StoredHead {
    pub(super) last_seq: i64,
    pub(super) control: Cow<'static, str>,
    pub(super) control_version: i64,
    /// Set if the conversation is closed; an earlier time that is stored already stays.
    pub(super) closed_at: Option<i64>,
    pub(super) turn_seq: Option<i64>,
    pub(super) turn_attempt: Option<i64>,
    pub(super) next_deadline: Option<i64>,
    /// Since when, and all of it as JSON.
    pub(super) queued: Option<(i64, String)>,
    pub(super) owed_by: Option<Uuid>,
}

impl StoredHead {
    pub(super) fn new(head: &Head, now: Timestamp) -> Result<Self, Unstorable> {
        let turn = head.turn.as_ref();
        Ok(Self {
            last_seq: integer(head.last_seq)?,
            control: control(head.control)?,
            control_version: integer(head.control_version)?,
            closed_at: (head.control == Control::Closed).then_some(now.0),
            turn_seq: turn.map(|turn| integer(turn.turn)).transpose()?,
            turn_attempt: turn.map(|turn| i64::from(turn.attempt)),
            next_deadline: head.next_deadline.map(|at| at.0),
            queued: head.queued.as_ref().map(|queued| Ok((queued.since.0, json(queued)?))).transpose()?,
            owed_by: head.owed_by.map(|agent| agent.0),
        })
    }
}

/// What an append does to one row of `turns`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TurnChange {
    pub(super) turn: i64,
    /// Whether this append opens the turn; otherwise it must stand in the table, open.
    pub(super) opened: bool,
    pub(super) attempt: i64,
    /// How and where it ended, if it did.
    pub(super) end: Option<(&'static str, i64)>,
}

/// An [`Append`] in the form of rows.
#[derive(Debug)]
pub(super) struct StoredAppend {
    pub(super) conversation: Uuid,
    pub(super) epoch: i64,
    pub(super) nonce: Uuid,
    pub(super) expected_seq: i64,
    /// Where the chain ends before these entries, and after them.
    pub(super) previous: Hash,
    pub(super) link: Hash,
    pub(super) head: StoredHead,
    pub(super) entries: Vec<StoredEntry>,
    /// Nearly always one or none.
    pub(super) turns: SmallVec<[TurnChange; 1]>,
    /// The state as JSON.
    pub(super) snapshot: Option<String>,
}

impl StoredAppend {
    pub(super) fn new(append: &Append) -> Result<Self, Unstorable> {
        let Some(last) = append.entries.last() else { return Err(Unstorable("no entries".to_owned())) };
        let contiguous = append.entries.iter().zip(append.expected_seq + 1..).all(|(entry, seq)| entry.seq == seq);
        if !contiguous || append.head.last_seq != last.seq {
            return Err(Unstorable("positions are not contiguous".to_owned()));
        }
        let (conversation, epoch) = (append.conversation.0, integer(append.fence.epoch)?);
        let mut chain = Chain { conversation, epoch, link: append.previous.0 };
        let mut entries = Vec::with_capacity(append.entries.len());
        for entry in append.entries.iter() {
            if planted::is(planted::Fault::UnchainedEntry) {
                chain.link = append.previous.0;
            }
            entries.push(StoredEntry::new(entry, &mut chain)?);
        }
        Ok(Self {
            entries,
            conversation,
            epoch,
            nonce: append.fence.nonce,
            expected_seq: integer(append.expected_seq)?,
            previous: append.previous.0,
            link: chain.link,
            head: StoredHead::new(&append.head, last.at)?,
            turns: turn_changes(&append.entries)?,
            snapshot: append.snapshot.as_ref().map(json).transpose()?,
        })
    }
}

fn turn_changes(entries: &[Entry]) -> Result<SmallVec<[TurnChange; 1]>, Unstorable> {
    let mut changes = SmallVec::<[TurnChange; 1]>::new();
    for entry in entries {
        let (turn, opened, attempt, outcome) = match &entry.event {
            Event::TurnOpened { .. } => (entry.seq, true, 1, None),
            Event::AttemptStarted { turn, attempt } => (*turn, false, *attempt, None),
            Event::TurnEnded { turn, attempt, outcome, .. } => (*turn, false, *attempt, Some(outcome.as_str())),
            _ => continue,
        };
        let (turn, attempt) = (integer(turn)?, i64::from(attempt));
        let end = outcome.map(|outcome| Ok((outcome, integer(entry.seq)?))).transpose()?;
        match changes.iter_mut().find(|change| change.turn == turn) {
            Some(change) if change.end.is_some() => {
                return Err(Unstorable("a turn goes on after its end".to_owned()));
            }
            Some(change) => (change.attempt, change.end) = (attempt, end),
            None => changes.push(TurnChange { turn, opened, attempt, end }),
        }
    }
    Ok(changes)
}

/// Reads a row of `entries`.
pub(super) fn entry(row: EntryRow) -> Result<Entry, StoreError> {
    let (seq, customer_prev, at, body, participant, client_msg_id, commitment, erased) = row;
    let key = match (participant, client_msg_id, commitment) {
        (Some(participant), Some(id), Some(commitment)) => Some(key(participant, id, &commitment)?),
        _ => None,
    };
    Ok(Entry {
        seq: position(seq)?,
        customer_prev: position(customer_prev)?,
        at: Timestamp(at),
        key,
        event: event(&body)?,
        erased,
    })
}

/// A stored event without what people said or are.
pub(super) fn redacted(body: &str) -> Result<String, StoreError> {
    json(&event(body)?.redacted()).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads the column `body` of `entries`.
pub(super) fn event(body: &str) -> Result<Event, StoreError> {
    parse(body, "an event")
}

/// Reads rows of `entries` in their order.
pub(super) fn entries(rows: Vec<EntryRow>) -> Result<Vec<Entry>, StoreError> {
    rows.into_iter().map(entry).collect()
}

/// Reads rows of `entries` that come newest first, and turns them round.
pub(super) fn entries_newest_first(rows: Vec<EntryRow>) -> Result<Vec<Entry>, StoreError> {
    rows.into_iter().rev().map(entry).collect()
}

/// Reads a stored command.
pub(super) fn known_key(row: KeyRow) -> Result<KnownKey, StoreError> {
    let (seq, participant, client_msg_id, commitment) = row;
    Ok(KnownKey { key: key(participant, client_msg_id, &commitment)?, seq: position(seq)? })
}

fn key(participant: Uuid, client_msg_id: String, commitment: &[u8]) -> Result<Key, StoreError> {
    let client_msg_id = ClientMsgId::new(client_msg_id).map_err(|_| corrupt("a client_msg_id"))?;
    let commitment = commitment.try_into().map_err(|_| corrupt("a commitment"))?;
    Ok(Key { participant: ParticipantId(participant), client_msg_id, commitment: Commitment(commitment) })
}

/// Reads a conversation's row.
pub(super) fn summary(row: SummaryRow) -> Result<Summary, StoreError> {
    let (id, customer, language, opened_at, last_seq, control, control_version, owner, epoch, turn_seq, turn_attempt) =
        row;
    let attempt = |attempt: i64| u32::try_from(attempt).map_err(|_| corrupt("an attempt"));
    Ok(Summary {
        id: ConversationId(id),
        customer: ParticipantId(customer),
        language,
        opened_at: Timestamp(opened_at),
        last_seq: position(last_seq)?,
        control: parse(&control, "a control")?,
        control_version: position(control_version)?,
        owner: owner.map(Incarnation),
        epoch: position(epoch)?,
        turn: match turn_seq.zip(turn_attempt) {
            Some((turn, number)) => Some((position(turn)?, attempt(number)?)),
            None => None,
        },
    })
}

/// Reads a conversation that needs an owner, and whether it is ours.
pub(super) const fn due((id, owned): (Uuid, bool)) -> Due {
    Due { conversation: ConversationId(id), owned }
}

/// Reads a conversation whose agent is gone, and whether it is ours.
pub(super) const fn forsaken((id, agent, owned): (Uuid, Uuid, bool)) -> Forsaken {
    Forsaken { conversation: ConversationId(id), agent: ParticipantId(agent), owned }
}

/// Reads what stood in the way of a creation: its id, and whether it is the same customer's.
pub(super) fn existing((id, own): (Uuid, bool)) -> Result<Opening, StoreError> {
    if own {
        Ok(Opening::Existing(ConversationId(id)))
    } else {
        Err(StoreError::Refused("the identifier belongs to another customer's conversation".to_owned()))
    }
}

/// Reads a row of `queue_entries`.
pub(super) fn waiting(row: WaitingRow) -> Result<Waiting, StoreError> {
    let (conversation, control_version, queued) = row;
    Ok(Waiting {
        conversation: ConversationId(conversation),
        control_version: position(control_version)?,
        queued: parse(&queued, "a queue entry")?,
    })
}

/// The entries of an append as bytes, for the dead letters.
pub(super) fn dead_letter(append: &Append) -> Vec<u8> {
    serde_json::to_vec(&*append.entries).unwrap_or_default()
}

/// A fence as it is compared in the database; `None` if it cannot be one that the database gave out.
pub(super) fn fence_columns(fence: Fence) -> Option<(i64, Uuid)> {
    Some((i64::try_from(fence.epoch).ok()?, fence.nonce))
}

/// A number of the core as a column.
pub(super) fn integer(number: u64) -> Result<i64, Unstorable> {
    i64::try_from(number).map_err(|_| Unstorable("a number exceeds 63 bits".to_owned()))
}

/// A bound or a position as a column; what is larger than any column bounds nothing and is never reached.
pub(super) fn saturated(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Where a conversation's chain ends, as its row says; nothing if no entry of it has a link.
pub(super) fn link(column: Option<Vec<u8>>) -> Result<Link, StoreError> {
    let Some(bytes) = column else { return Ok(Link(chain::GENESIS)) };
    bytes.try_into().map(Link).map_err(|_| corrupt("a link"))
}

/// A position, version or epoch read from a column.
pub(super) fn position(number: i64) -> Result<Seq, StoreError> {
    Seq::try_from(number).map_err(|_| corrupt("a negative number"))
}

/// Nearly every conversation is with the assistant, so that is not written anew each time.
fn control(control: Control) -> Result<Cow<'static, str>, Unstorable> {
    match control {
        Control::Assistant => Ok(Cow::Borrowed(r#"{"state":"assistant"}"#)),
        other => json(&other).map(Cow::Owned),
    }
}

/// Drawn as one number: as an array, each byte would take four of the generator's.
fn salt() -> Salt {
    rand::rng().random::<u128>().to_ne_bytes()
}

/// An event as JSON text. It has its room from the start, since to grow it a text is copied.
fn body(event: &Event) -> Result<String, Unstorable> {
    const FLAT_BYTES: usize = 160;
    let mut body = Vec::with_capacity(FLAT_BYTES + event.said().len());
    serde_json::to_writer(&mut body, event).map_err(|error| no_json(&error))?;
    String::from_utf8(body).map_err(|_| Unstorable("JSON that is not UTF-8".to_owned()))
}

/// A value as JSON text.
pub(super) fn json(value: &impl Serialize) -> Result<String, Unstorable> {
    serde_json::to_string(value).map_err(|error| no_json(&error))
}

fn no_json(error: &serde_json::Error) -> Unstorable {
    Unstorable(format!("no JSON form: {:?}", error.classify()))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| {
        let (kind, line, column) = (error.classify(), error.line(), error.column());
        StoreError::Corrupt(format!("{what} does not parse ({kind:?} at {line}:{column})"))
    })
}

fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt(format!("{what} is malformed"))
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
