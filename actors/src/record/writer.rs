//! The task that stores acts: one batch in flight, what arrives meanwhile is the next.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::acts::not_recorded;
use super::{Lost, Read};
use crate::guard::guarded;
use crate::planted::{self, Fault};
use crate::ports::{Act, AuditLog, Clock};

/// Acts in a batch.
const BATCH: usize = 256;
/// Pause before notes are tried again that the store did not take; doubled each time, up to the maximum.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

pub(super) struct Writer {
    log: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
    reads: mpsc::Receiver<Read>,
    notes: mpsc::Receiver<Act>,
    lost: Arc<Lost>,
    closing: CancellationToken,
    /// Notes that the store has not taken yet, in their order.
    kept: Vec<Act>,
    pause: Option<Duration>,
}

impl Writer {
    pub(super) fn new(
        (log, clock): (Arc<dyn AuditLog>, Arc<dyn Clock>),
        (reads, notes): (mpsc::Receiver<Read>, mpsc::Receiver<Act>),
        lost: Arc<Lost>,
        closing: CancellationToken,
    ) -> Self {
        Self { log, clock, reads, notes, lost, closing, kept: Vec::new(), pause: None }
    }

    pub(super) async fn run(mut self) {
        loop {
            let mut reads = Vec::new();
            tokio::select! {
                biased;
                read = self.reads.recv() => reads.extend(read),
                note = self.notes.recv(), if self.kept.is_empty() => self.kept.extend(note),
                () = tokio::time::sleep(self.pause.unwrap_or_default()), if self.pause.is_some() => {}
                () = self.closing.cancelled() => break,
            }
            self.collect(&mut reads);
            self.write(reads).await;
        }
        self.finish().await;
    }

    /// Takes what waits, as far as the batch goes.
    fn collect(&mut self, reads: &mut Vec<Read>) {
        while reads.len() < BATCH
            && let Ok(read) = self.reads.try_recv()
        {
            reads.push(read);
        }
        while self.kept.len() < BATCH - 1
            && let Ok(note) = self.notes.try_recv()
        {
            self.kept.push(note);
        }
        // There is always room for the number once; while the store is away they are counted on.
        if self.kept.len() < BATCH {
            let lost = self.lost.take();
            if lost != (0, 0) {
                self.kept.push(not_recorded(self.clock.now(), lost));
            }
        }
    }

    /// Stores a batch. Whoever waits is told; notes that the store does not take are kept.
    async fn write(&mut self, reads: Vec<Read>) {
        let acts: Vec<Act> = self.kept.iter().chain(reads.iter().flat_map(|read| &read.acts)).cloned().collect();
        if acts.is_empty() {
            return;
        }
        let mut outcome = guarded(self.log.record(&acts)).await;
        if planted::is(Fault::DroppedAuditRow) {
            outcome = Ok(());
        }
        match &outcome {
            Ok(()) => {
                metrics::counter!("onya_audit_acts_total").increment(acts.len() as u64);
                self.kept.clear();
                self.pause = None;
            }
            Err(error) => {
                if self.pause.is_none() {
                    tracing::warn!(%error, "acts could not be put on record; reads by staff are refused meanwhile");
                }
                self.pause = Some(self.pause.map_or(PAUSE_FIRST, |pause| (pause * 2).min(PAUSE_MAX)));
            }
        }
        if self.kept.is_empty() {
            self.pause = None;
        }
        for read in reads {
            // Who asked may be gone.
            let _ = read.stored.send(outcome.clone());
        }
    }

    /// Stores what is left, in one attempt each; what is then not stored is told the log at least.
    async fn finish(mut self) {
        self.reads.close();
        self.notes.close();
        loop {
            let mut reads = Vec::new();
            self.collect(&mut reads);
            let left = reads.len() + self.kept.len();
            if left == 0 {
                return;
            }
            self.write(reads).await;
            if !self.kept.is_empty() {
                let (refusals, log_ins) = self.lost.take();
                let acts = self.kept.len() + self.notes.len();
                tracing::error!(acts, refusals, log_ins, "acts are not on record: the store did not take them");
                return;
            }
        }
    }
}
