//! Giving up ownership: many conversations at a time, and what follows once it is stored.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use onya_core::ConversationId;
use tokio::time::sleep;

use crate::guard::guarded;
use crate::ports::Fence;
use crate::system::System;

/// Releases sent to the store at once.
const AT_ONCE: usize = 500;
/// Times that a release is tried, and the pause between two.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// Ownership that is to be given up.
#[derive(Default)]
pub(crate) struct Releases(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: Vec<Release>,
    /// A task is at work.
    running: bool,
}

/// One conversation to give up.
pub(crate) struct Release {
    pub(crate) conversation: ConversationId,
    pub(crate) fence: Fence,
    /// Done once it is stored, or will not be: whoever claims next finds out.
    pub(crate) then: Box<dyn FnOnce() + Send>,
}

impl Releases {
    /// Gives up a conversation soon.
    pub(crate) fn give_up(&self, system: &Arc<System>, release: Release) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push(release);
        if !mem::replace(&mut queue.running, true) {
            let system = Arc::clone(system);
            system.tasks.clone().spawn(async move { run(&system).await });
        }
    }

    fn next(&self) -> Option<Vec<Release>> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.running = !queue.waiting.is_empty();
        let number = queue.waiting.len().min(AT_ONCE);
        queue.running.then(|| queue.waiting.drain(..number).collect())
    }
}

async fn run(system: &Arc<System>) {
    while let Some(releases) = system.releases.next() {
        let held: Vec<_> = releases.iter().map(|release| (release.conversation, release.fence)).collect();
        for attempt in 1..=ATTEMPTS {
            match guarded(system.log.release(&held)).await {
                Ok(()) => break,
                Err(error) if attempt == ATTEMPTS => {
                    tracing::warn!(%error, "ownership could not be given up; the next owner will claim it");
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
        releases.into_iter().for_each(|release| (release.then)());
    }
}
