//! State = snapshot + the entries after it. A snapshot that this version cannot use is ignored: the log is the truth.

mod whole;

use onya_actors::ports::StoreError;
use onya_core::ConversationId;
use onya_core::conversation::{Entry, Snapshot, State};
use serde::Deserialize;

pub use whole::{ReplayError, Replayed, replay};
pub(super) use whole::{Source, TurnRow, WholeRow};

/// Entries that are read at a time when a log is applied from far back.
pub(super) const CHUNK_ENTRIES: i64 = 500;

/// A state being rebuilt.
pub(super) struct Replay {
    id: ConversationId,
    state: Option<State>,
}

#[derive(Deserialize)]
struct Form {
    version: u32,
}

impl Replay {
    /// Starts from a stored snapshot if it can be used, else from nothing.
    pub(super) fn new(id: ConversationId, snapshot: Option<&str>) -> Self {
        let state = snapshot.and_then(|text| {
            let state = usable(text).filter(|state| state.id == id);
            if state.is_none() {
                tracing::warn!(conversation = %id, "a snapshot cannot be used: the log is applied from its start");
            }
            state
        });
        Self { id, state }
    }

    /// The position reached.
    pub(super) fn seq(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.seq)
    }

    /// Applies entries in order; those that the state has already are passed over.
    pub(super) fn apply(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        for entry in entries {
            if entry.seq <= self.seq() {
                continue;
            }
            if entry.seq != self.seq() + 1 {
                return Err(StoreError::Corrupt(format!("the log lacks an entry before {}", entry.seq)));
            }
            match &mut self.state {
                Some(state) => state.apply(entry),
                None => self.state = State::open(self.id, entry),
            }
            if self.state.is_none() {
                return Err(StoreError::Corrupt("the log does not begin with its opening".to_owned()));
            }
        }
        Ok(())
    }

    /// The state, if it has reached the position that the conversation's row names.
    pub(super) fn finish(self, last_seq: u64) -> Result<State, StoreError> {
        let reached = self.seq();
        self.state
            .filter(|state| state.seq == last_seq)
            .ok_or_else(|| StoreError::Corrupt(format!("the log ends at {reached}, its head says {last_seq}")))
    }
}

fn usable(text: &str) -> Option<State> {
    let form: Form = serde_json::from_str(text).ok()?;
    if form.version != Snapshot::VERSION {
        return None;
    }
    serde_json::from_str::<Snapshot>(text).ok().map(|snapshot| snapshot.state)
}
