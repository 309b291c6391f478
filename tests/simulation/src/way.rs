//! The way from a process to the store: calls take time, and a call or its answer may be lost.
//!
//! A call is an errand that the store's host carries out: what is on its way is carried out also if the process that sent it is
//! gone by then, or waits no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use onya_actors::ports::{Random as _, StoreError};
use onya_actors::testing::SeededRandom;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::record::{Rare, Record};

/// How long a process waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often is looked whether the store still stands still.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What the store's host does next.
pub(crate) type Errand = BoxFuture<'static, ()>;

/// The store's side of all ways.
#[derive(Clone, Debug)]
pub(crate) struct Roads {
    errands: mpsc::UnboundedSender<Errand>,
    /// Whether the store stands still.
    still: Arc<AtomicBool>,
    /// The longest time that a call takes each way, in ms.
    slowest_ms: Arc<AtomicU64>,
    random: Arc<SeededRandom>,
    record: Record,
}

/// The way of one node.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// Of the node.
    name: &'static str,
    roads: Roads,
    cut: Arc<AtomicBool>,
}

impl Roads {
    /// Together with what the store's host has to do.
    pub(crate) fn new(seed: u64, record: &Record) -> (Self, mpsc::UnboundedReceiver<Errand>) {
        let (errands, received) = mpsc::unbounded_channel();
        let roads = Self {
            errands,
            still: Arc::default(),
            slowest_ms: Arc::new(AtomicU64::new(10)),
            random: Arc::new(SeededRandom::new(seed)),
            record: record.clone(),
        };
        (roads, received)
    }

    pub(crate) fn way(&self, name: &'static str) -> Way {
        Way { name, roads: self.clone(), cut: Arc::default() }
    }

    /// The store stands still, or goes on.
    pub(crate) fn stand_still(&self, still: bool) {
        self.still.store(still, Ordering::Relaxed);
    }

    pub(crate) fn slow_down(&self, slowest_ms: u64) {
        self.slowest_ms.store(slowest_ms, Ordering::Relaxed);
    }

    fn some_time(&self) -> Duration {
        Duration::from_millis(1 + self.random.below(self.slowest_ms.load(Ordering::Relaxed)))
    }
}

impl Way {
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Has the store do something, which is called so.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.is_cut() {
            sleep(self.roads.some_time()).await;
            return Err(StoreError::Unavailable("no connection".to_owned()));
        }
        let (there, back) = (self.roads.some_time(), self.roads.some_time());
        self.roads.record.note(self.name, &format_args!("{what}, {there:?} there and {back:?} back"));
        let (done, answer) = oneshot::channel();
        let (way, carried_out) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let noted = Arc::clone(&carried_out);
        let errand = Box::pin(async move {
            sleep(there).await;
            if way.is_cut() {
                return;
            }
            // Looked at again and again: those who wait for a channel are woken in no particular order.
            while way.roads.still.load(Ordering::Relaxed) {
                sleep(LOOK_EVERY).await;
            }
            let outcome = call.await;
            noted.store(true, Ordering::Relaxed);
            sleep(back).await;
            if !way.is_cut() {
                // Whoever asked may be gone.
                let _ = done.send(outcome);
            }
        });
        // The store's host outlives all others.
        let _ = self.roads.errands.send(errand);
        if let Ok(Ok(outcome)) = timeout(PATIENCE, answer).await {
            return outcome;
        }
        let rare = if carried_out.load(Ordering::Relaxed) { Rare::UnknownDone } else { Rare::UnknownLost };
        self.roads.record.hit(rare);
        Err(StoreError::Unknown("no answer".to_owned()))
    }
}
