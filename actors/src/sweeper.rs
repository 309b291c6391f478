//! Wakes what has no actor and needs one: due timers, and open turns that no living owner works on; and tells conversations
//! that their agent is gone.
//!
//! Each sweep also asks for the name of the history. If it has changed, the store was restored to an earlier state, and
//! what this process believes of its conversations may never have happened: it ends, and a new one starts clean.
//!
//! After a start it also goes once through the closed conversations, a batch with each sweep, and gives them the deadline
//! that the retention in force asks for: it may have been another one when they were closed.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;
use uuid::Uuid;

use crate::absence::{ASKED_EVERY, Absences};
use crate::conversation::Message;
use crate::guard::guarded;
use crate::ports::{Closed, Due, Forsaken, StoreError};
use crate::system::System;

/// Conversations woken in one sweep.
const PER_SWEEP: usize = 100;
/// Closed conversations whose deadline is looked at in one sweep.
const SCHEDULED_PER_SWEEP: usize = 500;

pub(crate) struct Sweeper;

#[derive(Debug)]
pub(crate) enum SweeperMessage {
    Sweep,
    Swept { due: Result<Vec<Due>, StoreError>, history: Result<Uuid, StoreError> },
    Forsaken(Result<Vec<Forsaken>, StoreError>),
    Scheduled(Result<Option<Closed>, StoreError>),
}

/// The store is not the one that this process began with.
#[derive(Debug, thiserror::Error)]
#[error("the store's history is {history}, this process began with {known}: a new process starts clean")]
struct HistoryChanged {
    known: Uuid,
    history: Uuid,
}

pub(crate) struct SweeperState {
    system: Arc<System>,
    /// Whether the last sweep failed; said once, not every second.
    failing: bool,
    absences: Absences,
    /// When to ask next who waits for an agent who is gone; `None` while the answer is awaited.
    asks_at: Option<Instant>,
    schedule: Schedule,
}

/// How far the pass through the closed conversations has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schedule {
    After(Option<Closed>),
    Done,
}

impl Actor for Sweeper {
    type Msg = SweeperMessage;
    type State = SweeperState;
    type Arguments = Arc<System>;

    async fn pre_start(
        &self,
        myself: ActorRef<SweeperMessage>,
        system: Arc<System>,
    ) -> Result<SweeperState, ActorProcessingErr> {
        myself.cast(SweeperMessage::Sweep)?;
        Ok(SweeperState {
            system,
            failing: false,
            absences: Absences::default(),
            asks_at: Some(Instant::now()),
            schedule: Schedule::After(None),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<SweeperMessage>,
        message: SweeperMessage,
        sweeper: &mut SweeperState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SweeperMessage::Sweep => {
                sweeper.schedule_retention(&myself);
                sweeper.ask_for_forsaken(&myself);
                let system = Arc::clone(&sweeper.system);
                sweeper.system.tasks.spawn(async move {
                    let due = guarded(system.log.due(system.clock.now(), system.due_limit(PER_SWEEP))).await;
                    let history = guarded(system.log.history_epoch()).await;
                    let _ = myself.cast(SweeperMessage::Swept { due, history });
                });
            }
            SweeperMessage::Swept { due, history } => {
                let known = sweeper.system.history_epoch;
                if let Ok(history) = history
                    && history != known
                {
                    return Err(HistoryChanged { known, history }.into());
                }
                sweeper.wake(due);
                let interval = Duration::from_millis(sweeper.system.settings.sweep_interval_ms);
                myself.send_after(interval, || SweeperMessage::Sweep);
            }
            SweeperMessage::Forsaken(forsaken) => sweeper.tell_forsaken(forsaken),
            SweeperMessage::Scheduled(Ok(Some(reached))) => sweeper.schedule = Schedule::After(Some(reached)),
            SweeperMessage::Scheduled(Ok(None)) => sweeper.schedule = Schedule::Done,
            // The same batch again, with the next sweep.
            SweeperMessage::Scheduled(Err(error)) => tracing::warn!(%error, "the retention could not be scheduled"),
        }
        Ok(())
    }
}

impl SweeperState {
    fn schedule_retention(&self, myself: &ActorRef<SweeperMessage>) {
        let Schedule::After(after) = self.schedule else { return };
        let (system, myself) = (Arc::clone(&self.system), myself.clone());
        self.system.tasks.spawn(async move {
            let kept_ms = system.settings.policy.retention_ms;
            let reached = guarded(system.log.schedule_retention(kept_ms, after, SCHEDULED_PER_SWEEP)).await;
            let _ = myself.cast(SweeperMessage::Scheduled(reached));
        });
    }

    fn ask_for_forsaken(&mut self, myself: &ActorRef<SweeperMessage>) {
        let now = Instant::now();
        if self.system.settings.agent_lost_after_ms == 0 || self.asks_at.is_none_or(|at| now < at) {
            return;
        }
        self.asks_at = None;
        let (system, myself) = (Arc::clone(&self.system), myself.clone());
        self.system.tasks.spawn(async move {
            let here = system.registry.connected_staff();
            let forsaken = guarded(system.log.forsaken(&here, system.due_limit(PER_SWEEP))).await;
            let _ = myself.cast(SweeperMessage::Forsaken(forsaken));
        });
    }

    fn tell_forsaken(&mut self, forsaken: Result<Vec<Forsaken>, StoreError>) {
        let now = Instant::now();
        self.asks_at = Some(now + ASKED_EVERY);
        let Ok(forsaken) = forsaken else { return self.absences.unknown() };
        let patience = Duration::from_millis(self.system.settings.agent_lost_after_ms);
        for Forsaken { conversation, agent, owned } in self.absences.seen(now, forsaken, patience) {
            if !owned && !self.system.may_claim(conversation) {
                continue;
            }
            // Refused only while draining: whoever owns it next finds it, too.
            if let Ok(handle) = self.system.directory.activate(&self.system, conversation) {
                tracing::info!(%conversation, %agent, "a customer waits for an agent who is gone: back to the queue");
                let _ = handle.actor.cast(Message::AgentLost(agent));
            }
        }
    }

    fn wake(&mut self, due: Result<Vec<Due>, StoreError>) {
        match due {
            Ok(due) => {
                self.failing = false;
                let ours = due.into_iter().filter(|due| due.owned || self.system.may_claim(due.conversation));
                for due in ours.take(PER_SWEEP) {
                    // Refused only while draining, when nothing should wake here.
                    let refused = self.system.directory.activate(&self.system, due.conversation).is_err();
                    if refused && self.system.peers.is_some() {
                        self.system.directory.let_go_soon(&self.system, due.conversation);
                    }
                }
            }
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(%error, "due timers could not be looked for");
            }
            Err(_) => {}
        }
    }
}
