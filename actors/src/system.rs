//! What all running parts share: the ports, the settings, and each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onya_core::conversation::Role;
use onya_core::desk::Waiting;
use onya_core::{ConversationId, Incarnation, ParticipantId};
use onya_protocol::ErrorCode;
use onya_protocol::peer::ToEdge;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::activation::Activations;
use crate::connection::Registry;
use crate::conversation::WaitingText;
use crate::desk::Desk;
use crate::directory::{Directory, Row};
use crate::persistence::Persistence;
use crate::ports::{Clock, EventLog, Model, Random};
use crate::record::{Recorder, Refused, role_name};
use crate::relay::Peers;
use crate::release::Releases;
use crate::settings::Settings;

pub(crate) struct System {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Settings,
    pub(crate) history_epoch: Uuid,
    pub(crate) persistence: Persistence,
    /// What customers and agents have said and is not stored yet.
    pub(crate) waiting_text: Arc<WaitingText>,
    pub(crate) desk: Desk,
    pub(crate) directory: Directory,
    pub(crate) registry: Arc<Registry>,
    /// Puts acts on record.
    pub(crate) recorder: Recorder,
    /// Loads conversations.
    pub(crate) activations: Activations,
    /// Every task that is not an actor. Waited for at shutdown.
    pub(crate) tasks: TaskTracker,
    /// One token for each live conversation.
    pub(crate) live_actors: TaskTracker,
    /// The other nodes; none if this is the only one.
    pub(crate) peers: Option<Peers>,
    /// Gives up ownership.
    pub(crate) releases: Releases,
    draining: AtomicBool,
}

/// What a [`System`] is made of.
pub(crate) struct Parts {
    pub(crate) ports: crate::Ports,
    pub(crate) settings: Settings,
    pub(crate) history_epoch: Uuid,
    pub(crate) persistence: Persistence,
    pub(crate) desk: Desk,
    pub(crate) registry: Arc<Registry>,
    pub(crate) recorder: Recorder,
    pub(crate) tasks: TaskTracker,
}

impl System {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts { ports, settings, history_epoch, persistence, desk, registry, recorder, tasks } = parts;
        Arc::new(Self {
            log: ports.log,
            model: ports.model,
            clock: ports.clock,
            random: ports.random,
            waiting_text: WaitingText::new(settings.append_queue_bytes),
            activations: Activations::new(settings.activations),
            settings,
            history_epoch,
            persistence,
            desk,
            directory: Directory::default(),
            registry,
            recorder,
            tasks,
            live_actors: TaskTracker::new(),
            peers: ports.cluster.map(Peers::new),
            releases: Releases::default(),
            draining: AtomicBool::new(false),
        })
    }

    /// Lets it go on record that a customer asked for somebody else's conversation, and was told that there is none.
    pub(crate) fn note_stranger(&self, customer: ParticipantId, conversation: ConversationId) {
        let refused = Refused {
            who: Some((customer, role_name(Role::Customer))),
            route: "a conversation of somebody else",
            conversation: Some(conversation),
            code: ErrorCode::NotFound,
        };
        self.recorder.note(refused.act(self.clock.now()));
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Who should own the conversation, as far as is known; `None` if this is the only node.
    pub(crate) fn wished_owner(&self, conversation: ConversationId) -> Option<Incarnation> {
        self.peers.as_ref()?.placement().owner(conversation)
    }

    /// Whether this is this node.
    pub(crate) fn is_this(&self, member: Incarnation) -> bool {
        self.peers.as_ref().is_some_and(|peers| peers.me() == member)
    }

    /// Whether this node may claim the conversation if nobody owns it. Others do not: who reads has registered with the
    /// node that should.
    pub(crate) fn may_claim(&self, conversation: ConversationId) -> bool {
        self.peers.as_ref().is_none_or(|peers| peers.placement().owner(conversation) == Some(peers.me()))
    }

    /// How many due conversations to ask the store for, to find about so many of this node's own among them.
    pub(crate) fn due_limit(&self, own: usize) -> usize {
        const MOST_MEMBERS: usize = 50;
        let members = self.peers.as_ref().map_or(1, |peers| peers.placement().view.members.len());
        own * members.clamp(1, MOST_MEMBERS)
    }

    /// Lets every desk know that a customer waits.
    pub(crate) fn customer_waits(&self, waiting: Waiting) {
        if let Some(peers) = &self.peers {
            peers.tell_edges(&ToEdge::Waits(Box::new(waiting.clone())));
        }
        self.desk.waits(waiting);
    }

    /// Lets every desk know that a customer waits no more.
    pub(crate) fn customer_waits_no_more(&self, conversation: ConversationId) {
        if let Some(peers) = &self.peers {
            peers.tell_edges(&ToEdge::WaitsNoMore { conversation });
        }
        self.desk.waits_no_more(conversation);
    }

    /// Whether commands for the conversation go to another node from now on.
    pub(crate) fn hands_over(&self, row: &Row) -> bool {
        self.peers.is_some() && self.is_draining() && !row.is_live()
    }
}
