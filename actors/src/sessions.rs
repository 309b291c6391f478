//! The way in: everything that an edge may ask of the running system.

use std::sync::Arc;
use std::time::Duration;

use onya_core::conversation::{Ack, Actor as Person, Request, State};
use onya_core::desk::Waiting;
use onya_core::{AssignmentId, ConversationId, Incarnation, ParticipantId};
use onya_protocol::{CloseCode, Cursor, ErrorCode, Refusal};
use ractor::{Actor, ActorCell};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::connection::{CustomerConnection, Registry, StaffConnection};
use crate::conversation::{Command, Message, Reply, busy};
use crate::desk::Desk;
use crate::directory::DirectoryActor;
use crate::persistence::{Bounds, Persistence};
use crate::ports::{AuditLog, Clock, Cluster, EventLog, Model, NewConversation, Opening, Random, StoreError};
use crate::reading::not_on_record;
use crate::record::Recorder;
use crate::record::{LOGGED_IN, Looked, act, role_name};
use crate::relay::{self, EdgeLink, Peers};
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use crate::sweeper::Sweeper;
use crate::system::{Parts, System};
use crate::watchdog::Watchdog;

/// Longest wait for the other nodes to be told of a drain: it does not depend on that.
const TELL_LIMIT: Duration = Duration::from_secs(2);
/// How long sockets that were told to come back elsewhere may take, once the last of them was due to.
const SOCKETS_LEAVE_LIMIT: Duration = Duration::from_secs(2);
/// Longest wait for tasks after the last actor has left: calls of the store that are bounded by its own time-outs.
const TASKS_END_LIMIT: Duration = Duration::from_secs(5);

/// What the actors need from the world.
#[derive(Clone)]
pub struct Ports {
    /// The store.
    pub log: Arc<dyn EventLog>,
    /// The record of acts.
    pub audit: Arc<dyn AuditLog>,
    /// The model.
    pub model: Arc<dyn Model>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The other nodes; none if this is the only one.
    pub cluster: Option<Cluster>,
}

/// Why the system did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An actor did not start.
    #[error("an actor did not start: {0}")]
    Spawn(#[from] ractor::SpawnErr),
}

/// The running system. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    pub(crate) system: Arc<System>,
    failed: watch::Receiver<bool>,
    root: ActorCell,
}

impl Sessions {
    /// Starts the tree and begins to look for due timers and open turns. The member must be registered before.
    pub async fn start(ports: Ports, settings: Settings) -> Result<Self, StartError> {
        let (failing, failed) = watch::channel(false);
        let (supervisor, _) = Supervisor::spawn(None, Supervisor, failing).await?;
        let root = supervisor.get_cell();
        let bounds = Bounds {
            lanes: settings.lanes,
            batch_entries: settings.batch_entries,
            queue_bytes: settings.append_queue_bytes,
        };
        let history_epoch = ports.log.history_epoch().await?;
        let tasks = TaskTracker::new();
        let persistence = Persistence::start((&ports.log, &tasks), bounds, root.clone()).await?;
        let desk = Desk::start(ports.log.waiting().await?, root.clone()).await?;
        let registry = Arc::new(Registry::default());
        let recorder = Recorder::start(Arc::clone(&ports.audit), Arc::clone(&ports.clock), &tasks);
        let system =
            System::new(Parts { ports, settings, history_epoch, persistence, desk, registry, recorder, tasks });
        system.desk.serve(&system);
        relay::start(&system);
        DirectoryActor::spawn_linked(None, DirectoryActor, Arc::clone(&system), root.clone()).await?;
        Sweeper::spawn_linked(None, Sweeper, Arc::clone(&system), root.clone()).await?;
        Watchdog::spawn_linked(None, Watchdog, Arc::clone(&system), root.clone()).await?;
        Ok(Self { system, failed, root })
    }

    /// Creates the customer's conversation, or finds the one that is open.
    pub async fn open(&self, customer: ParticipantId, language: &str) -> Result<Opening, Refusal> {
        if self.system.is_draining() && self.system.peers.is_none() {
            return Err(busy("this server is shutting down"));
        }
        let (random, now) = (&self.system.random, self.system.clock.now());
        let id = ConversationId(random.uuid());
        let opening = State::opening(customer, language.to_owned(), random.salt(), now);
        let state = State::open(id, &opening)
            .ok_or_else(|| Refusal::new(ErrorCode::Internal, "the conversation cannot be opened"))?;
        let new = NewConversation { id, opening, head: state.head(&self.system.settings.policy) };
        self.system.log.open(new).await.map_err(|error| {
            tracing::warn!(%error, "a conversation could not be opened");
            match error {
                StoreError::Unavailable(_) => busy("the store takes nothing just now"),
                StoreError::Unknown(_) => Refusal::new(ErrorCode::Unknown, "the outcome is not known: ask again"),
                StoreError::Refused(_) | StoreError::Corrupt(_) => {
                    Refusal::new(ErrorCode::Internal, "the conversation cannot be stored")
                }
            }
        })
    }

    /// Sends a command and waits for its outcome.
    pub async fn request(
        &self,
        conversation: ConversationId,
        request: Request,
        traceparent: Option<String>,
    ) -> Result<Ack, Refusal> {
        let (reply, outcome) = Reply::to_caller(conversation, &request);
        self.submit(conversation, Command { request, traceparent, reply });
        outcome.await.unwrap_or_else(|_| Err(Refusal::new(ErrorCode::Unknown, "the outcome is not known")))
    }

    /// Sends a command; its outcome goes to its reply.
    pub(crate) fn submit(&self, conversation: ConversationId, command: Command) {
        self.system.directory.dispatch(&self.system, conversation, command);
    }

    /// Takes a link from another node of the cluster, which holds sockets and asks. A node that is alone has none.
    #[must_use]
    pub fn accept_edge(&self, edge: Incarnation) -> Arc<EdgeLink> {
        let link = EdgeLink::new(edge, &self.system);
        if let Some(peers) = &self.system.peers {
            peers.accept(&link);
            self.system.directory.tell_wished(&self.system, &self.system.directory.all());
        }
        link
    }

    /// Connects a customer's socket to one conversation and brings it up to date.
    pub async fn connect_customer(
        &self,
        who: Person,
        conversation: ConversationId,
        cursor: Option<Cursor>,
    ) -> Result<CustomerConnection, Refusal> {
        CustomerConnection::connect(self.clone(), who, conversation, cursor).await
    }

    /// Connects a socket of staff; it is shown the queue. Both go on record first.
    pub async fn connect_staff(&self, who: Person) -> Result<StaffConnection, Refusal> {
        let now = self.system.clock.now();
        let acts = vec![act(now, (who.id, role_name(who.role)), LOGGED_IN), Looked::AtQueue.act(now, &who)];
        self.system.recorder.store(acts).await.map_err(not_on_record)?;
        Ok(StaffConnection::connect(self.clone(), who))
    }

    /// Everybody who waits for a person, first to be served first.
    pub async fn waiting(&self, who: &Person) -> Result<Vec<Waiting>, Refusal> {
        self.looks(who, Looked::AtQueue).await?;
        Ok(self.system.desk.show().await)
    }

    /// A fresh name for a stretch of time in which an agent has a conversation.
    #[must_use]
    pub fn new_assignment(&self) -> AssignmentId {
        AssignmentId(self.system.random.uuid())
    }

    /// How many conversations are live or have readers here.
    #[must_use]
    pub fn tracked_conversations(&self) -> usize {
        self.system.directory.len()
    }

    /// Makes the conversation's actor panic.
    #[cfg(feature = "testing")]
    pub fn crash(&self, conversation: ConversationId) {
        if let Ok(handle) = self.system.directory.activate(&self.system, conversation) {
            let _ = handle.actor.cast(Message::Crash);
        }
    }

    /// Resolves when a part that everything needs has crashed and the process should end.
    pub async fn failed(&mut self) {
        // The sender lives as long as the root; its end is a failure as well.
        let _ = self.failed.wait_for(|failed| *failed).await;
    }

    /// Shuts down in order: no new work, replies in progress finish within their limit, batches are flushed,
    /// ownership is given up, sockets are closed. Sockets are told when the shutdown begins. In a cluster the other nodes
    /// are told first, and commands and readers go to them as conversations do.
    pub async fn drain(&self) {
        let system = &self.system;
        if let Some(peers) = &system.peers {
            match tokio::time::timeout(TELL_LIMIT, peers.membership().drain()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the other nodes could not be told of the shutdown"),
                Err(_) => tracing::warn!("the other nodes could not be told of the shutdown in time"),
            }
        }
        system.start_draining();
        system.registry.say_goaway(system.settings.goaway_spread_ms, &*system.random);
        system.live_actors.close();
        system.directory.tell_all(|| Message::Drain);
        if let Some(peers) = &system.peers {
            system.directory.set_adrift(system, peers);
        }
        let limit = Duration::from_millis(system.settings.drain_reply_limit_ms);
        if tokio::time::timeout(limit, system.live_actors.wait()).await.is_err() {
            tracing::warn!("replies in progress are abandoned; they run again at the next owner");
            system.directory.tell_all(|| Message::AbandonReply);
            system.live_actors.wait().await;
        }
        if system.peers.as_ref().is_some_and(Peers::has_heir) {
            // Each has its moment to come back elsewhere, and closes this one then.
            let spread = Duration::from_millis(system.settings.goaway_spread_ms) + SOCKETS_LEAVE_LIMIT;
            let _ = tokio::time::timeout(spread, system.registry.emptied()).await;
        }
        if let Err(error) = system.log.retire().await {
            tracing::warn!(%error, "this process could not be marked as ended; the next start under its name does it");
        }
        system.registry.close_all(CloseCode::Shutdown);
        if let Some(peers) = &system.peers {
            peers.end();
        }
        system.recorder.close();
        self.root.stop(None);
        system.tasks.close();
        if tokio::time::timeout(TASKS_END_LIMIT, system.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
    }
}
