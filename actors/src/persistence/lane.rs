//! One lane: collects while a batch is in flight, then sends the next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::OutcomeReply;
use crate::guard::guarded;
use crate::planted::{self, Fault};
use crate::ports::{Append, AppendOutcome, EventLog, StoreError};

/// Times an append is sent again because its row was locked, before the sender hears of it.
const MAX_LOCKED_RETRIES: u32 = 5;
/// Pause before that, in ms.
const LOCKED_PAUSE_MS: u64 = 20;

pub(crate) struct Lane;

pub(crate) struct LaneArguments {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) tasks: TaskTracker,
    pub(crate) batch_entries: usize,
    pub(crate) waiting_bytes: Arc<AtomicUsize>,
}

pub(crate) struct LaneState {
    arguments: LaneArguments,
    waiting: VecDeque<Item>,
    in_flight: bool,
    /// Looked up once: a look-up for every append costs more than the rest of what the lane does with it.
    depth: metrics::Gauge,
}

#[derive(Debug)]
pub(crate) struct Item {
    append: Append,
    ticket: Ticket,
}

/// What is kept of an append while the store has it.
#[derive(Debug)]
pub(crate) struct Ticket {
    bytes: usize,
    reply: OutcomeReply,
    locked: u32,
}

/// What is on its way, with the ticket of each.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    appends: Vec<Append>,
    tickets: Vec<Ticket>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every message is the large one")]
pub(crate) enum LaneMessage {
    Append { append: Append, bytes: usize, reply: OutcomeReply },
    Done { batch: Batch, outcome: Result<Vec<AppendOutcome>, StoreError> },
    Again(Box<Item>),
}

impl Actor for Lane {
    type Msg = LaneMessage;
    type State = LaneState;
    type Arguments = LaneArguments;

    async fn pre_start(
        &self,
        _: ActorRef<LaneMessage>,
        arguments: LaneArguments,
    ) -> Result<LaneState, ActorProcessingErr> {
        let depth = metrics::gauge!("onya_queue_depth", "queue" => "append");
        Ok(LaneState { arguments, waiting: VecDeque::new(), in_flight: false, depth })
    }

    async fn handle(
        &self,
        myself: ActorRef<LaneMessage>,
        message: LaneMessage,
        lane: &mut LaneState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LaneMessage::Append { append, bytes, reply } => {
                lane.waiting.push_back(Item { append, ticket: Ticket { bytes, reply, locked: 0 } });
            }
            LaneMessage::Again(item) => lane.waiting.push_back(*item),
            LaneMessage::Done { batch, outcome } => {
                lane.in_flight = false;
                lane.answer(&myself, batch, outcome);
            }
        }
        lane.flush(&myself);
        Ok(())
    }
}

impl LaneState {
    fn flush(&mut self, myself: &ActorRef<LaneMessage>) {
        self.depth.set(self.waiting.len() as f64);
        if self.in_flight || self.waiting.is_empty() {
            return;
        }
        let batch = self.next_batch();
        self.in_flight = true;
        let (log, myself) = (Arc::clone(&self.arguments.log), myself.clone());
        self.arguments.tasks.spawn(async move {
            let started = Instant::now();
            let outcome = guarded(log.append(&batch.appends)).await;
            metrics::histogram!("onya_append_batch_seconds").record(started.elapsed().as_secs_f64());
            metrics::histogram!("onya_append_batch_conversations").record(batch.appends.len() as f64);
            let _ = myself.cast(LaneMessage::Done { batch, outcome });
        });
    }

    fn next_batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut entries = 0;
        while let Some(item) = self.waiting.front() {
            let conversation = item.append.conversation;
            let early = planted::is(Fault::AckBeforeCommit);
            // Such an owner does not wait for its outcome: one append after the other, as if it did.
            if early && batch.appends.iter().any(|before| before.conversation == conversation) {
                break;
            }
            entries += item.append.entries.len();
            if !batch.appends.is_empty() && entries > self.arguments.batch_entries {
                break;
            }
            if let Some(Item { append, ticket }) = self.waiting.pop_front() {
                batch.appends.push(append);
                batch.tickets.push(ticket);
            }
        }
        batch
    }

    fn answer(&self, myself: &ActorRef<LaneMessage>, batch: Batch, outcome: Result<Vec<AppendOutcome>, StoreError>) {
        let mut outcomes = match outcome {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error); batch.appends.len()],
        };
        outcomes.resize(batch.appends.len(), Err(StoreError::Unknown("the store gave no outcome".to_owned())));
        count(&outcomes);
        for ((append, mut ticket), outcome) in batch.appends.into_iter().zip(batch.tickets).zip(outcomes) {
            let label = label(&outcome);
            let again = label == "locked" || (label == "unknown" && planted::is(Fault::BlindRetry));
            if again && ticket.locked < MAX_LOCKED_RETRIES {
                ticket.locked += 1;
                let item = Box::new(Item { append, ticket });
                myself.send_after(Duration::from_millis(LOCKED_PAUSE_MS), || LaneMessage::Again(item));
                continue;
            }
            self.arguments.waiting_bytes.fetch_sub(ticket.bytes, Ordering::Relaxed);
            ticket.reply.give(outcome);
        }
    }
}

/// Counts outcomes, those that are alike at once: nearly always all of a batch are.
fn count(outcomes: &[Result<AppendOutcome, StoreError>]) {
    for alike in outcomes.chunk_by(|one, next| label(one) == label(next)) {
        let Some(first) = alike.first() else { continue };
        metrics::counter!("onya_append_outcomes_total", "outcome" => label(first)).increment(alike.len() as u64);
    }
}

/// The outcome as a label of a metric.
const fn label(outcome: &Result<AppendOutcome, StoreError>) -> &'static str {
    match outcome {
        Ok(AppendOutcome::Accepted(_)) => "accepted",
        Ok(AppendOutcome::Fenced) => "fenced",
        Ok(AppendOutcome::Repeated(_)) => "repeated",
        Ok(AppendOutcome::Locked) => "locked",
        Ok(AppendOutcome::Poisoned) => "poisoned",
        Ok(AppendOutcome::OnHold) => "on_hold",
        Err(StoreError::Unavailable(_)) => "unavailable",
        Err(StoreError::Unknown(_)) => "unknown",
        Err(StoreError::Refused(_) | StoreError::Corrupt(_)) => "refused",
    }
}
