//! One lane: collects while a batch is in flight, then sends the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::queue::{Batch, Item, Queue};
use crate::guard::guarded;
use crate::planted::{self, Fault};
use crate::ports::{AppendOutcome, EventLog, StoreError};

/// Times an append is sent again because its row was locked, before the sender hears of it.
const MAX_LOCKED_RETRIES: u32 = 5;
/// Pause before that, in ms.
const LOCKED_PAUSE_MS: u64 = 20;

pub(crate) struct Lane;

pub(crate) struct LaneArguments {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) tasks: TaskTracker,
    pub(crate) queue: Arc<Queue>,
    pub(crate) waiting_bytes: Arc<AtomicUsize>,
}

/// Hands appends to a lane.
#[derive(Debug)]
pub(crate) struct LaneHandle {
    queue: Arc<Queue>,
    lane: ActorRef<LaneMessage>,
}

impl LaneHandle {
    pub(crate) async fn start(arguments: LaneArguments, supervisor: ActorCell) -> Result<Self, SpawnErr> {
        let queue = Arc::clone(&arguments.queue);
        Ok(Self { queue, lane: Lane::spawn_linked(None, Lane, arguments, supervisor).await?.0 })
    }

    pub(crate) fn submit(&self, item: Item) {
        if self.queue.push(item) {
            // A lane that has ended has closed its queue, or is about to.
            let _ = self.lane.cast(LaneMessage::Wake);
        }
    }
}

pub(crate) struct LaneState {
    arguments: LaneArguments,
    in_flight: bool,
}

impl Drop for LaneState {
    fn drop(&mut self) {
        self.arguments.queue.close();
    }
}

/// The outcome of each append of a batch, or what concerns them all.
type BatchOutcome = Result<Vec<AppendOutcome>, StoreError>;

#[derive(Debug)]
pub(crate) enum LaneMessage {
    /// Something waits.
    Wake,
    /// The store is through with a batch.
    Done(Batch, BatchOutcome),
    /// To be stored once more.
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
        Ok(LaneState { arguments, in_flight: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<LaneMessage>,
        message: LaneMessage,
        lane: &mut LaneState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LaneMessage::Wake => {}
            LaneMessage::Again(item) => {
                // It is looked at below, whether the lane was idle or not.
                lane.arguments.queue.push(*item);
            }
            LaneMessage::Done(batch, outcome) => {
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
        if self.in_flight {
            return;
        }
        let Some(batch) = self.arguments.queue.next() else { return };
        self.in_flight = true;
        let (log, myself) = (Arc::clone(&self.arguments.log), myself.clone());
        self.arguments.tasks.spawn(async move {
            let started = Instant::now();
            let outcome = guarded(log.append(&batch.appends)).await;
            metrics::histogram!("onya_append_batch_seconds").record(started.elapsed().as_secs_f64());
            metrics::histogram!("onya_append_batch_conversations").record(batch.appends.len() as f64);
            let _ = myself.cast(LaneMessage::Done(batch, outcome));
        });
    }

    fn answer(&self, myself: &ActorRef<LaneMessage>, mut batch: Batch, outcome: BatchOutcome) {
        let mut outcomes = match outcome {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error); batch.appends.len()],
        };
        outcomes.resize(batch.appends.len(), Err(StoreError::Unknown("the store gave no outcome".to_owned())));
        count(&outcomes);
        for ((append, mut ticket), outcome) in batch.appends.iter().zip(batch.tickets.drain(..)).zip(outcomes) {
            let label = label(&outcome);
            let again = label == "locked" || (label == "unknown" && planted::is(Fault::BlindRetry));
            if again && ticket.locked < MAX_LOCKED_RETRIES {
                ticket.locked += 1;
                let item = Box::new(Item { append: append.clone(), ticket });
                myself.send_after(Duration::from_millis(LOCKED_PAUSE_MS), || LaneMessage::Again(item));
                continue;
            }
            self.arguments.waiting_bytes.fetch_sub(ticket.bytes, Ordering::Relaxed);
            ticket.reply.give(outcome);
        }
        self.arguments.queue.reuse(batch);
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
