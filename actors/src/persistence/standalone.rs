//! The lanes by themselves, without conversations: for measurements of the way to the store.

use std::sync::Arc;

use ractor::{Actor, ActorCell};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::{Bounds, OnOutcome, Persistence};
use crate::ports::{Append, EventLog};
use crate::sessions::StartError;
use crate::supervisor::Supervisor;

/// What conversations submit their appends to, under a supervisor of its own.
pub struct Standalone {
    persistence: Persistence,
    tasks: TaskTracker,
    root: ActorCell,
}

impl Standalone {
    /// Starts the lanes.
    ///
    /// # Errors
    /// When an actor does not start.
    pub async fn start(log: &Arc<dyn EventLog>, bounds: Bounds) -> Result<Self, StartError> {
        let (failing, _) = watch::channel(false);
        let (supervisor, _) = Supervisor::spawn(None, Supervisor, failing).await?;
        let (tasks, root) = (TaskTracker::new(), supervisor.get_cell());
        let persistence = Persistence::start((log, &tasks), bounds, root.clone()).await?;
        Ok(Self { persistence, tasks, root })
    }

    /// Sends an append; its outcome is given to `reply`.
    pub fn append(&self, append: Append, reply: OnOutcome) {
        self.persistence.append(append, reply);
    }

    /// Waits for what is on its way, then ends the lanes.
    pub async fn stop(self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.root.stop_children_and_wait(None, None).await;
        self.root.stop(None);
    }
}
