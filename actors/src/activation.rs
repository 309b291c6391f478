//! Loading conversations, so many at a time.
//!
//! When a node dies or many customers write at once, many conversations want to be loaded in the same second. Each load
//! takes a connection of the store, which readers need as well; so the loads wait here, in their order, and not there.

use std::time::Duration;

use onya_core::ConversationId;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::guard::guarded;
use crate::ports::{Claim, StoreError};
use crate::system::System;

/// Longest wait for a turn. What waits for the conversation is then answered `busy`, and it is tried again after a pause.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bounds the loads that are under way.
pub(crate) struct Activations(Semaphore);

impl Activations {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)))
    }

    /// Claims and loads a conversation when it is its turn; only if this node owns it already, where another one should.
    pub(crate) async fn claim(&self, system: &System, id: ConversationId) -> Result<Claim, StoreError> {
        let waiting = metrics::gauge!("onya_queue_depth", "queue" => "load");
        waiting.increment(1.0);
        let turn = timeout(PATIENCE, self.0.acquire()).await;
        waiting.decrement(1.0);
        let Ok(Ok(_turn)) = turn else {
            return Err(StoreError::Unavailable("too many conversations are being loaded".to_owned()));
        };
        let (log, limit) = (&system.log, system.settings.window);
        if system.may_claim(id) { guarded(log.claim(id, limit)).await } else { guarded(log.reclaim(id, limit)).await }
    }
}
