//! The desk: who waits for a person, shown live to everybody who may answer, and to those who wait their place.
//!
//! The queue is rebuilt from the store at start; after that every commit that changes it says so here. What is shown is
//! provisional: a claim is decided by the conversation, not by the desk.

use std::sync::{Arc, Weak};
use std::time::Duration;

use onya_core::ConversationId;
use onya_core::desk::{Queue, Waiting};
use onya_protocol::{QueueEntry, ServerFrame};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use tokio::sync::oneshot;

use crate::connection::{Published, SendQueue};
use crate::system::System;

/// Customers in the queue that are shown to staff and told their place.
const SHOWN: usize = 200;
/// How often a customer's place is sent at most, in ms.
const PLACES_EVERY_MS: u64 = 3_000;

/// Reaches the desk.
#[derive(Clone, Debug)]
pub(crate) struct Desk(ActorRef<DeskMessage>);

#[derive(Debug)]
pub(crate) enum DeskMessage {
    /// Who tells the customers; sent once, at start.
    System(Weak<System>),
    Waits(Box<Waiting>),
    WaitsNoMore(ConversationId),
    /// Everybody who waits, as the store says.
    Refresh(Vec<Waiting>),
    Watch(Arc<SendQueue>),
    Show(oneshot::Sender<Vec<Waiting>>),
    TellPlaces,
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("System")
    }
}

impl Desk {
    pub(crate) async fn start(waiting: Vec<Waiting>, supervisor: ActorCell) -> Result<Self, SpawnErr> {
        Ok(Self(DeskActor::spawn_linked(None, DeskActor, waiting, supervisor).await?.0))
    }

    pub(crate) fn serve(&self, system: &Arc<System>) {
        self.tell(DeskMessage::System(Arc::downgrade(system)));
    }

    pub(crate) fn waits(&self, waiting: Waiting) {
        self.tell(DeskMessage::Waits(Box::new(waiting)));
    }

    pub(crate) fn waits_no_more(&self, conversation: ConversationId) {
        self.tell(DeskMessage::WaitsNoMore(conversation));
    }

    /// Compares with what the store says: on several nodes, word of a change may be lost.
    pub(crate) fn refresh(&self, waiting: Vec<Waiting>) {
        self.tell(DeskMessage::Refresh(waiting));
    }

    /// Shows the queue on this socket, now and whenever it changes, for as long as the socket lives.
    pub(crate) fn watch(&self, queue: &Arc<SendQueue>) {
        self.tell(DeskMessage::Watch(Arc::clone(queue)));
    }

    /// Everybody who waits, first to be served first; empty if the desk has ended.
    pub(crate) async fn show(&self) -> Vec<Waiting> {
        let (reply, shown) = oneshot::channel();
        self.tell(DeskMessage::Show(reply));
        shown.await.unwrap_or_default()
    }

    fn tell(&self, message: DeskMessage) {
        // The desk ends only with the process.
        let _ = self.0.cast(message);
    }
}

struct DeskActor;

struct DeskState {
    queue: Queue,
    watchers: Vec<Weak<SendQueue>>,
    system: Weak<System>,
    telling: bool,
}

impl Actor for DeskActor {
    type Msg = DeskMessage;
    type State = DeskState;
    type Arguments = Vec<Waiting>;

    async fn pre_start(
        &self,
        _: ActorRef<DeskMessage>,
        waiting: Vec<Waiting>,
    ) -> Result<DeskState, ActorProcessingErr> {
        let mut queue = Queue::default();
        waiting.into_iter().for_each(|waiting| {
            queue.insert(waiting);
        });
        Ok(DeskState { queue, watchers: Vec::new(), system: Weak::new(), telling: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<DeskMessage>,
        message: DeskMessage,
        desk: &mut DeskState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            DeskMessage::System(system) => desk.system = system,
            DeskMessage::Waits(waiting) => {
                if desk.queue.insert(*waiting) {
                    desk.changed(&myself);
                }
            }
            DeskMessage::WaitsNoMore(conversation) => {
                if desk.queue.remove(conversation) {
                    desk.changed(&myself);
                }
            }
            DeskMessage::Refresh(waiting) => {
                if desk.queue.replace(waiting) {
                    desk.changed(&myself);
                }
            }
            DeskMessage::Watch(watcher) => {
                show_queue(&watcher, &desk.frame());
                desk.watchers.retain(|watcher| watcher.strong_count() > 0);
                desk.watchers.push(Arc::downgrade(&watcher));
            }
            // Who asked may have gone away.
            DeskMessage::Show(reply) => drop(reply.send(desk.queue.iter().cloned().collect())),
            DeskMessage::TellPlaces => desk.tell_places(),
        }
        Ok(())
    }
}

impl DeskState {
    fn changed(&mut self, myself: &ActorRef<DeskMessage>) {
        metrics::gauge!("onya_queue_depth", "queue" => "desk").set(self.queue.len() as f64);
        let frame = self.frame();
        self.watchers.retain(|watcher| {
            watcher.upgrade().is_some_and(|watcher| {
                show_queue(&watcher, &frame);
                true
            })
        });
        if !self.telling {
            self.telling = true;
            self.tell_places();
            self.telling = true;
            myself.send_after(Duration::from_millis(PLACES_EVERY_MS), || DeskMessage::TellPlaces);
        }
    }

    fn frame(&self) -> ServerFrame {
        let entries: Vec<QueueEntry> = self.queue.iter().take(SHOWN).map(Into::into).collect();
        ServerFrame::Queue { entries, waiting: self.queue.len() }
    }

    fn tell_places(&mut self) {
        self.telling = false;
        let Some(system) = self.system.upgrade() else { return };
        for (place, waiting) in self.queue.iter().take(SHOWN).enumerate() {
            system.directory.show(waiting.conversation, &Published::QueuePosition(place + 1));
        }
    }
}

fn show_queue(watcher: &SendQueue, frame: &ServerFrame) {
    watcher.push_newest(frame.clone(), |waits| matches!(waits, ServerFrame::Queue { .. }));
}
