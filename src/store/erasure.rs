//! What erasing a conversation means for the tables, the same in both backends: which rows go, and what is left of a body.

use onya_actors::ports::{Append, Closed, CustomerConversation, LegalHold, StoreError};
use onya_core::conversation::{Entry, Event, Role};
use onya_core::{ConversationId, ParticipantId, Timestamp};
use uuid::Uuid;

use super::audit::act::Erased;
use super::audit::source::ActRow;
use super::stored;

/// Entries that are redacted at a time.
pub(super) const CHUNK_ENTRIES: i64 = 500;

/// One statement for each table that holds what people said, or what was derived of it, apart from the log and the
/// conversation's own row. `$1` is the conversation. A new table of that kind gets its line here, and nothing else has to
/// be done for it.
pub(super) const DERIVED: &[&str] = &[
    "DELETE FROM dead_letters WHERE conversation = $1",
    "DELETE FROM crashes WHERE conversation = $1",
    "DELETE FROM search WHERE conversation = $1",
    // A step of the indexing that has read the texts already must not add them now.
    "UPDATE conversations SET searched_seq = last_seq WHERE id = $1",
];

/// The columns `seq, body`, and whether the entry stands in the chain.
pub(super) type BodyRow = (i64, String, bool);

/// The columns `reason, placed_by, placed_at`.
pub(super) type HoldRow = (String, Uuid, i64);

/// What is left of bodies: their positions, and the redacted events. Those in the chain are added to what goes on record.
pub(super) fn redacted(rows: &[BodyRow], left: &mut Erased) -> Result<(Vec<i64>, Vec<String>), StoreError> {
    let mut redact = |(seq, body, linked): &BodyRow| {
        let body = stored::redacted(body)?;
        if *linked {
            left.add(*seq, &body);
        }
        Ok((*seq, body))
    };
    Ok(rows.iter().map(&mut redact).collect::<Result<Vec<_>, StoreError>>()?.into_iter().unzip())
}

/// The act that puts an erasure on record, in the transaction that erases: without it a verification takes what is left
/// for a forgery.
pub(super) fn on_record(append: &Append, left: Erased) -> Option<ActRow> {
    let Entry { event: Event::Erased { by }, at, .. } = append.entries.last()? else { return None };
    let actor = by.as_ref().map_or_else(|| "onya".to_owned(), |by| by.id.to_string());
    let role = match by.as_ref().map(|by| by.role) {
        Some(Role::Supervisor) => "supervisor",
        Some(Role::Agent) => "agent",
        Some(Role::Customer) => "customer",
        None => "program",
    };
    Some(ActRow::alone(&left.act(append.conversation, (&actor, role), *at)))
}

/// Reads a row of a customer's conversations.
pub(super) fn of_customer((id, last_seq, erased): (Uuid, i64, bool)) -> Result<CustomerConversation, StoreError> {
    Ok(CustomerConversation { conversation: ConversationId(id), last_seq: stored::position(last_seq)?, erased })
}

/// Reads a row of `legal_holds`.
pub(super) fn hold(customer: ParticipantId, (reason, placed_by, placed_at): HoldRow) -> LegalHold {
    LegalHold { customer, reason, placed_by: ParticipantId(placed_by), placed_at: Timestamp(placed_at) }
}

/// A place among the closed conversations as columns; before all of them if there is none.
pub(super) fn place(after: Option<Closed>) -> (i64, Uuid) {
    after.map_or((i64::MIN, Uuid::nil()), |after| (after.at.0, after.conversation.0))
}

/// A place among the closed conversations as it is read.
pub(super) fn closed((at, id): (i64, Uuid)) -> Closed {
    Closed { at: Timestamp(at), conversation: ConversationId(id) }
}
