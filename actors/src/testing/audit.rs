//! A record of acts in memory, which can be told to fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::ports::{Act, AuditLog, StoreError};

/// Acts in memory.
#[derive(Debug)]
pub struct MemoryAudit {
    acts: Mutex<Vec<Act>>,
    failing: AtomicBool,
    open: watch::Sender<bool>,
}

impl Default for MemoryAudit {
    fn default() -> Self {
        Self { acts: Mutex::default(), failing: AtomicBool::new(false), open: watch::Sender::new(true) }
    }
}

impl MemoryAudit {
    /// What is on record.
    #[must_use]
    pub fn acts(&self) -> Vec<Act> {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on nothing is taken, or it is again.
    pub fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// Batches wait until [`Self::resume`].
    pub fn hold(&self) {
        self.open.send_replace(false);
    }

    /// Batches go on.
    pub fn resume(&self) {
        self.open.send_replace(true);
    }
}

#[async_trait]
impl AuditLog for MemoryAudit {
    async fn record(&self, acts: &[Act]) -> Result<(), StoreError> {
        // The sender lives as long as this record.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        if self.failing.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("asked to fail".to_owned()));
        }
        self.acts.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(acts);
        Ok(())
    }
}
