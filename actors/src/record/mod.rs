//! What goes on record beside the logs of conversations: who of the staff looked at what, who came in, what was refused.
//!
//! Two ways in. A read by staff is stored *before* it is answered ([`Recorder::store`]): what cannot be put on record
//! is not shown. Log-ins and refusals come from whoever likes to knock, so they wait in a bounded queue
//! ([`Recorder::note`]) and slow nobody down; what does not fit is counted, and the number goes on record. One batch is
//! in flight, what arrives meanwhile is the next.
//!
//! Takeovers, claims and everything else that happens in a conversation are entries of its log and not here.

mod acts;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::acts::{LOGGED_IN, REFUSED, TOKEN_MADE, act, role_name};
pub use self::acts::{Looked, Refused};
use self::writer::Writer;
use crate::ports::{Act, AuditLog, Clock, StoreError};

/// Reads that may wait to be put on record.
const WAITING_READS: usize = 256;
/// Log-ins and refusals that may wait.
const WAITING_NOTES: usize = 4_096;

/// Puts acts on record. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recorder {
    reads: mpsc::Sender<Read>,
    notes: mpsc::Sender<Act>,
    lost: Arc<Lost>,
    closing: CancellationToken,
}

/// Acts that somebody waits for.
pub(crate) struct Read {
    acts: Vec<Act>,
    stored: oneshot::Sender<Result<(), StoreError>>,
}

/// Acts that did not fit, and are not on record one by one.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    refusals: AtomicU64,
    log_ins: AtomicU64,
}

impl Lost {
    fn count(&self, action: &str) {
        let counter = if action == REFUSED { &self.refusals } else { &self.log_ins };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Refusals and log-ins since this was asked before.
    fn take(&self) -> (u64, u64) {
        (self.refusals.swap(0, Ordering::Relaxed), self.log_ins.swap(0, Ordering::Relaxed))
    }
}

impl Recorder {
    pub(crate) fn start(log: Arc<dyn AuditLog>, clock: Arc<dyn Clock>, tasks: &TaskTracker) -> Self {
        let (reads, waiting_reads) = mpsc::channel(WAITING_READS);
        let (notes, waiting_notes) = mpsc::channel(WAITING_NOTES);
        let (lost, closing) = (Arc::new(Lost::default()), CancellationToken::new());
        let writer = Writer::new((log, clock), (waiting_reads, waiting_notes), Arc::clone(&lost), closing.clone());
        tasks.spawn(writer.run());
        Self { reads, notes, lost, closing }
    }

    /// Stores acts; they are on record once this returns.
    pub(crate) async fn store(&self, acts: Vec<Act>) -> Result<(), StoreError> {
        let (stored, outcome) = oneshot::channel();
        let full = |_| StoreError::Unavailable("too many acts wait to be put on record".to_owned());
        self.reads.try_send(Read { acts, stored }).map_err(full)?;
        outcome.await.unwrap_or_else(|_| Err(StoreError::Unavailable("nothing is put on record any more".to_owned())))
    }

    /// Lets an act be stored soon. Never waits.
    pub(crate) fn note(&self, act: Act) {
        if let Err(refused) = self.notes.try_send(act) {
            let (mpsc::error::TrySendError::Full(act) | mpsc::error::TrySendError::Closed(act)) = refused;
            self.lost.count(act.action);
        }
    }

    /// Stores what waits, then ends. Reads are refused from now on.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }
}
