//! One lane: collects while a batch is with the store, then sends the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::queue::{Batch, Item, Queue, Ticket};
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
    lane: ActorRef<Wake>,
}

impl LaneHandle {
    pub(crate) async fn start(arguments: LaneArguments, supervisor: ActorCell) -> Result<Self, SpawnErr> {
        let queue = Arc::clone(&arguments.queue);
        Ok(Self { queue, lane: Lane::spawn_linked(None, Lane, arguments, supervisor).await?.0 })
    }

    pub(crate) fn submit(&self, item: Item) {
        if self.queue.push(item) {
            // A lane that has ended has closed its queue, or is about to.
            let _ = self.lane.cast(Wake);
        }
    }
}

pub(crate) struct LaneState {
    arguments: LaneArguments,
    seconds: metrics::Histogram,
    conversations: metrics::Histogram,
}

impl Drop for LaneState {
    fn drop(&mut self) {
        self.arguments.queue.close();
    }
}

/// The outcome of each append of a batch, or what concerns them all.
type BatchOutcome = Result<Vec<AppendOutcome>, StoreError>;

/// Something waits, and the lane had nothing to do.
#[derive(Debug)]
pub(crate) struct Wake;

impl Actor for Lane {
    type Msg = Wake;
    type State = LaneState;
    type Arguments = LaneArguments;

    async fn pre_start(&self, _: ActorRef<Wake>, arguments: LaneArguments) -> Result<LaneState, ActorProcessingErr> {
        // Looked up once, and not for every batch.
        let seconds = metrics::histogram!("onya_append_batch_seconds");
        let conversations = metrics::histogram!("onya_append_batch_conversations");
        Ok(LaneState { arguments, seconds, conversations })
    }

    async fn handle(&self, myself: ActorRef<Wake>, _: Wake, lane: &mut LaneState) -> Result<(), ActorProcessingErr> {
        while let Some(batch) = lane.arguments.queue.next() {
            let started = Instant::now();
            let outcome = guarded(lane.arguments.log.append(&batch.appends)).await;
            lane.seconds.record(started.elapsed().as_secs_f64());
            lane.conversations.record(batch.appends.len() as f64);
            lane.answer(&myself, batch, outcome);
        }
        Ok(())
    }
}

impl LaneState {
    fn answer(&self, myself: &ActorRef<Wake>, mut batch: Batch, outcome: BatchOutcome) {
        let mut outcomes = match outcome {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error); batch.appends.len()],
        };
        outcomes.resize(batch.appends.len(), Err(StoreError::Unknown("the store gave no outcome".to_owned())));
        count(&outcomes);
        // All at once, since every sender of every lane counts there; and before anybody hears, who may send the next at once.
        let answered = batch.tickets.iter().zip(&outcomes).filter(|(ticket, outcome)| !ticket.goes_again(outcome));
        let bytes = answered.map(|(ticket, _)| ticket.bytes).sum();
        self.arguments.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        for ((append, mut ticket), outcome) in batch.appends.iter().zip(batch.tickets.drain(..)).zip(outcomes) {
            if ticket.goes_again(&outcome) {
                ticket.locked += 1;
                self.submit_later(myself.clone(), Item { append: append.clone(), ticket });
            } else {
                ticket.reply.give(outcome);
            }
        }
        self.arguments.queue.reuse(batch);
    }

    fn submit_later(&self, myself: ActorRef<Wake>, item: Item) {
        let lane = LaneHandle { queue: Arc::clone(&self.arguments.queue), lane: myself };
        self.arguments.tasks.spawn(async move {
            sleep(Duration::from_millis(LOCKED_PAUSE_MS)).await;
            lane.submit(item);
        });
    }
}

impl Ticket {
    /// Whether the append is sent again instead of an answer.
    fn goes_again(&self, outcome: &Result<AppendOutcome, StoreError>) -> bool {
        let again = match outcome {
            Ok(AppendOutcome::Locked) => true,
            Err(StoreError::Unknown(_)) => planted::is(Fault::BlindRetry),
            _ => false,
        };
        again && self.locked < MAX_LOCKED_RETRIES
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
