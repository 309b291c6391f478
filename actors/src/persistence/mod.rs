//! Appends of many conversations, in batches: one batch in flight per lane, a conversation always on one lane.
//!
//! An idle lane commits at once; what arrives meanwhile is the next batch. There is no fixed wait.

mod lane;
mod queue;
mod standalone;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use onya_core::ConversationId;
use onya_core::conversation::Entry;
use ractor::{ActorCell, SpawnErr};
use tokio_util::task::TaskTracker;

use self::lane::{LaneArguments, LaneHandle};
use self::queue::{Item, Queue, Ticket};
pub use self::standalone::Standalone;
use crate::planted::{self, Fault};
use crate::ports::{Append, AppendOutcome, EventLog, Link, StoreError};

/// Hands appends to the lanes.
#[derive(Debug)]
pub(crate) struct Persistence {
    lanes: Vec<LaneHandle>,
    waiting_bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// The bounds of the persistence actors.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Batches that may be on their way side by side.
    pub lanes: usize,
    /// Most entries in one batch.
    pub batch_entries: usize,
    /// Bytes of text that may wait, over all conversations, before appends are refused.
    pub queue_bytes: usize,
}

/// Is called with the outcome of each append of a conversation, from another task. Shared, and not made for each append:
/// that would be memory that one thread asks for and another gives back.
#[derive(Clone)]
pub struct OnOutcome(Arc<dyn Fn(Result<AppendOutcome, StoreError>) + Send + Sync>);

impl OnOutcome {
    /// Calls this.
    pub fn new(call: impl Fn(Result<AppendOutcome, StoreError>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    pub(crate) fn call(&self, outcome: Result<AppendOutcome, StoreError>) {
        (self.0)(outcome);
    }
}

impl std::fmt::Debug for OnOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnOutcome")
    }
}

/// Calls back with the outcome of an append, exactly once: `Unknown` if it is dropped.
#[derive(Debug)]
pub(crate) struct OutcomeReply(Option<OnOutcome>);

impl OutcomeReply {
    fn give(mut self, outcome: Result<AppendOutcome, StoreError>) {
        if let Some(reply) = self.0.take() {
            reply.call(outcome);
        }
    }

    fn given_early(mut self, link: Link) -> Self {
        if let Some(reply) = self.0.take() {
            reply.call(Ok(AppendOutcome::Accepted(link)));
        }
        self
    }
}

impl Drop for OutcomeReply {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            reply.call(Err(StoreError::Unknown("the persistence lane ended".to_owned())));
        }
    }
}

impl Persistence {
    pub(crate) async fn start(
        (log, tasks): (&Arc<dyn EventLog>, &TaskTracker),
        bounds: Bounds,
        supervisor: ActorCell,
    ) -> Result<Self, SpawnErr> {
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let mut lanes = Vec::new();
        for _ in 0..bounds.lanes.max(1) {
            let arguments = LaneArguments {
                log: Arc::clone(log),
                tasks: tasks.clone(),
                queue: Arc::new(Queue::new(bounds.batch_entries)),
                waiting_bytes: Arc::clone(&waiting_bytes),
            };
            lanes.push(LaneHandle::start(arguments, supervisor.clone()).await?);
        }
        Ok(Self { lanes, waiting_bytes, max_bytes: bounds.queue_bytes })
    }

    /// Sends an append; its outcome is given to `reply`.
    pub(crate) fn append(&self, append: Append, reply: OnOutcome) {
        let reply = OutcomeReply(Some(reply));
        let bytes = append.entries.iter().map(entry_bytes).sum();
        if self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.max_bytes {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return reply.give(Err(StoreError::Unavailable("too much waits to be stored".to_owned())));
        }
        // The link is not known yet: the store of such a program goes on from the one that it has.
        let reply = if planted::is(Fault::AckBeforeCommit) { reply.given_early(append.previous) } else { reply };
        let lane = lane_of(append.conversation, self.lanes.len());
        self.lanes[lane].submit(Item { append, ticket: Ticket { bytes, reply, locked: 0 } });
    }
}

/// Which of so many lanes, at least one, stores what a conversation appends; always the same.
#[must_use]
pub fn lane_of(conversation: ConversationId, lanes: usize) -> usize {
    usize::try_from(conversation.0.as_u128() % lanes as u128).unwrap_or(0)
}

fn entry_bytes(entry: &Entry) -> usize {
    const FLAT_BYTES: usize = 256;
    FLAT_BYTES + entry.event.said().len()
}
