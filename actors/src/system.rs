//! What all running parts share: the ports, the settings, and each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use onya_core::conversation::Role;
use onya_core::{ConversationId, ParticipantId};
use onya_protocol::ErrorCode;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::connection::Registry;
use crate::conversation::WaitingText;
use crate::desk::Desk;
use crate::directory::Directory;
use crate::persistence::Persistence;
use crate::ports::{Clock, EventLog, Fence, Model, Random};
use crate::record::{Recorder, Refused, role_name};
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
    /// Every task that is not an actor. Waited for at shutdown.
    pub(crate) tasks: TaskTracker,
    /// One token for each live conversation.
    pub(crate) live_actors: TaskTracker,
    draining: AtomicBool,
    to_release: Mutex<Vec<(ConversationId, Fence)>>,
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
            settings,
            history_epoch,
            persistence,
            desk,
            directory: Directory::default(),
            registry,
            recorder,
            tasks,
            live_actors: TaskTracker::new(),
            draining: AtomicBool::new(false),
            to_release: Mutex::default(),
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

    /// Notes that this ownership is to be given up when the batches are flushed.
    pub(crate) fn release_later(&self, conversation: ConversationId, fence: Fence) {
        self.to_release.lock().unwrap_or_else(PoisonError::into_inner).push((conversation, fence));
    }

    pub(crate) fn take_releases(&self) -> Vec<(ConversationId, Fence)> {
        std::mem::take(&mut self.to_release.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
