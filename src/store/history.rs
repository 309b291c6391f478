//! The history that positions count in, and how it is noticed that the store went back to an earlier one.
//!
//! After a restore, positions mean something else: what a client saw at position 9 may be another message now. So the
//! history has a name, one UUID, which is part of every cursor. It is renewed by whoever restores (`onya history-epoch
//! renew`, `onya restore`), by an owner whose own fence stands in the store with a shorter log, and at a start whose
//! newest anchor names positions that the store lacks. A running server that sees it change ends and starts clean.

use onya_actors::ports::Append;
use onya_core::{ConversationId, Seq};
use uuid::Uuid;

use super::stored;

/// A history that was given a new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The name before.
    pub before: Uuid,
    /// The name from now on.
    pub after: Uuid,
}

/// A conversation's row as the store has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) epoch: i64,
    pub(super) nonce: Option<Uuid>,
    pub(super) last_seq: i64,
}

/// What an owner knows to be committed: its claim, and its log up to here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) epoch: i64,
    pub(super) nonce: Uuid,
    pub(super) last_seq: i64,
}

/// What the owner of an append believes; `None` if it cannot be what a database gave out.
pub(super) fn held(append: &Append) -> Option<Held> {
    let (epoch, nonce) = stored::fence_columns(append.fence)?;
    Some(Held { epoch, nonce, last_seq: stored::integer(append.expected_seq).ok()? })
}

/// Whether the store has lost what this owner knows to be committed.
///
/// Epochs and positions only grow, so a lower one is proof. A conversation that is not there at all is none: it may have
/// been removed on purpose.
pub(super) fn went_back(row: Row, held: Held) -> bool {
    row.epoch < held.epoch || (row.epoch == held.epoch && row.nonce == Some(held.nonce) && row.last_seq < held.last_seq)
}

/// Says that the store went back, once it is proven.
pub(super) fn report(conversation: ConversationId, (row, held): (Row, Held), renewal: Option<Renewal>) {
    tracing::error!(
        %conversation,
        stored_epoch = row.epoch,
        stored_position = row.last_seq,
        known_epoch = held.epoch,
        known_position = held.last_seq,
        renewed_here = renewal.is_some(),
        "the store has gone back to an earlier state: what was acknowledged since is not in it; the history has a new \
         name, and every server on it starts clean"
    );
}

/// Positions that are known from elsewhere, such as a signed anchor, and that the store lacks.
pub(super) fn lacking(known: &[(ConversationId, Seq)], stored: &[(Uuid, i64)]) -> Vec<ConversationId> {
    let short = |(id, seq): &&(ConversationId, Seq)| {
        let stored = stored.iter().find(|(stored, _)| *stored == id.0);
        stored.is_some_and(|(_, last_seq)| u64::try_from(*last_seq).unwrap_or(0) < *seq)
    };
    known.iter().filter(short).map(|(id, _)| *id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Uuid = Uuid::from_u128(1);
    const HELD: Held = Held { epoch: 5, nonce: NONCE, last_seq: 10 };

    #[test]
    fn only_what_cannot_happen_forwards_is_proof_of_going_back() {
        let went_back = |epoch, nonce, last_seq| went_back(Row { epoch, nonce, last_seq }, HELD);
        assert!(went_back(5, Some(NONCE), 9), "our own claim with a shorter log");
        assert!(went_back(4, Some(Uuid::from_u128(2)), 9), "before our claim");
        assert!(!went_back(6, Some(Uuid::from_u128(2)), 10), "claimed by another");
        assert!(!went_back(5, None, 10), "released");
        assert!(!went_back(5, Some(NONCE), 12), "an append of ours whose outcome we never learned");
    }

    #[test]
    fn a_position_is_lacking_where_the_log_is_shorter_and_not_where_it_is_gone() {
        let (short, gone, whole) =
            (ConversationId(Uuid::now_v7()), ConversationId(Uuid::now_v7()), ConversationId(NONCE));
        let stored = [(short.0, 3), (whole.0, 7)];
        assert_eq!(lacking(&[(short, 4), (gone, 1), (whole, 7)], &stored), [short]);
    }
}
