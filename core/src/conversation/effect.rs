//! What follows from a decision: entries to store, and what to do once they are stored.

use serde::{Deserialize, Serialize};

use super::event::Entry;
use crate::Seq;

/// The answer to a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What to append, in order; empty if nothing changes.
    pub entries: Vec<Entry>,
    /// What to do after the append, in order.
    pub effects: Vec<Effect>,
    /// What to tell the sender after the append.
    pub ack: Option<Ack>,
}

/// The positive outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The entry that answers for the command.
    pub seq: Seq,
    /// Where the reply in progress was cut, in bytes of UTF-8, if the command cut one.
    pub cut_at: Option<u64>,
    /// Whether the command had been stored before.
    pub repeated: bool,
}

/// Something for the shell to do once the entries are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Call off the model for this turn.
    CancelCompletion {
        /// The turn.
        turn: Seq,
    },
    /// Ask the model. Always the last effect of a decision.
    StartCompletion {
        /// The turn.
        turn: Seq,
        /// The attempt.
        attempt: u32,
    },
}
