//! From a conversation's id to its live actor and its readers.
//!
//! A [`Row`] holds the readers and, while there is one, the actor. Interest belongs to the row, not to the actor: readers
//! stay when an idle actor leaves memory, and hear of what the next one commits. Actors are started on demand, linked
//! to the directory's own actor, which sees them end: one that crashed is counted in the store and started again, after
//! a pause that doubles.
//!
//! In a cluster a conversation may be on another node: [`course`] keeps where its commands go, [`dispatch`] sends them
//! there, [`attach`] brings readers up to date from there, [`whereabouts`] sends them on when the members change.

mod attach;
mod course;
mod dispatch;
mod row;
mod whereabouts;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use onya_core::ConversationId;
use onya_protocol::{ErrorCode, Refusal, Typing};
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};
use tokio::time::Instant;

pub(crate) use self::row::Row;
use self::row::lock;
use crate::connection::{Attempt, Published, Subscriber};
use crate::conversation::{Admission, ConversationActor, Handle, Message};
use crate::order::SameOrder;
use crate::system::System;

/// Crashes are counted over this time, in ms.
pub(crate) const CRASH_WINDOW_MS: u64 = 600_000;

const FIRST_RETURN_MS: u64 = 100;
const MAX_RETURN_DOUBLINGS: u32 = 6;

/// All conversations that are live or have readers on this node.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    rows: DashMap<ConversationId, Arc<Row>, SameOrder>,
    /// Locked over a start, so that an actor which ends at once is known when its end is heard of.
    by_actor: Mutex<HashMap<ActorId, ConversationId>>,
    supervisor: OnceLock<ActorCell>,
}

impl Directory {
    /// How many conversations are live or have readers.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Shows something provisional to the readers of a conversation, live or not, on this node.
    pub(crate) fn show(&self, conversation: ConversationId, published: &Published) {
        if let Some(row) = self.find(conversation) {
            row.show(published);
        }
    }

    /// Shows that somebody on this node is writing to all who read, wherever they are.
    pub(crate) fn publish_typing(&self, system: &System, typing: Typing) {
        let Some(row) = self.find(typing.conversation) else { return };
        let attached = row.course().as_ref().and_then(|course| course.attached());
        let link = attached.and_then(|owner| system.peers.as_ref()?.owner_link(owner));
        if let Some(link) = link {
            link.typing(typing.clone());
        }
        row.publish(&Published::Typing(typing));
    }

    /// The conversation's actor, started if there is none.
    pub(crate) fn activate(&self, system: &Arc<System>, conversation: ConversationId) -> Result<Handle, Refusal> {
        let row = self.row(conversation);
        let mut live = lock(&row.live);
        if let Some(handle) = live.as_ref().filter(|handle| handle.admission.is_open()) {
            return Ok(handle.clone());
        }
        if system.is_draining() {
            return Err(crate::conversation::busy("this server is shutting down"));
        }
        let handle = self.start(system, &row)?;
        *live = Some(handle.clone());
        Ok(handle)
    }

    fn start(&self, system: &Arc<System>, row: &Arc<Row>) -> Result<Handle, Refusal> {
        let unavailable = || Refusal::new(ErrorCode::Internal, "the conversation cannot be started");
        let supervisor = self.supervisor.get().ok_or_else(unavailable)?;
        let settings = &system.settings;
        let admission = Admission::new(settings.inbox_commands, settings.inbox_bytes, &system.waiting_text);
        let arguments = crate::conversation::Arguments {
            system: Arc::clone(system),
            row: Arc::clone(row),
            admission: Arc::clone(&admission),
        };
        let mut by_actor = lock(&self.by_actor);
        let (actor, _) = ActorRuntime::spawn_linked_instant(None, ConversationActor, arguments, supervisor.clone())
            .map_err(|_| unavailable())?;
        by_actor.insert(actor.get_id(), row.id);
        drop(by_actor);
        Ok(Handle { actor, admission, since: Instant::now() })
    }

    pub(crate) fn register(&self, subscriber: &Arc<Subscriber>) -> (Arc<Row>, Attempt) {
        let attempt = subscriber.restart();
        // The row's entry stays locked until the reader is in, so that nobody tidies the row away.
        let row = self.rows.entry(subscriber.conversation).or_insert_with(|| Row::new(subscriber.conversation));
        let mut readers = row.readers();
        if !readers.iter().any(|reader| Arc::ptr_eq(reader, subscriber)) {
            readers.push(Arc::clone(subscriber));
        }
        drop(readers);
        (Arc::clone(row.value()), attempt)
    }

    /// From now on the reader is shown nothing.
    pub(crate) fn unsubscribe(&self, system: &System, subscriber: &Arc<Subscriber>) {
        subscriber.end();
        if let Some(row) = self.find(subscriber.conversation) {
            row.readers().retain(|reader| !Arc::ptr_eq(reader, subscriber));
            if !row.has_readers() {
                self.detach(system, &row);
            }
        }
        self.tidy(subscriber.conversation);
    }

    /// Every conversation with an actor, whether or not that still takes commands.
    pub(crate) fn live(&self) -> Vec<(Arc<Row>, Handle)> {
        let live = |row: Arc<Row>| {
            let handle = lock(&row.live).clone()?;
            Some((row, handle))
        };
        self.all().into_iter().filter_map(live).collect()
    }

    /// Gives up on an actor: it is killed, what waits in it is answered `unknown`, and another one loads the conversation
    /// from the store, which fences whatever the first one still has on its way.
    pub(crate) fn replace(&self, system: &Arc<System>, (row, handle): (&Arc<Row>, &Handle)) {
        handle.admission.close();
        lock(&row.live).take_if(|live| live.actor.get_id() == handle.actor.get_id());
        row.left(!system.is_draining());
        handle.actor.kill();
        // It may have been on its way to another node: what waits for that goes on.
        self.stay(system, row);
    }

    /// Tells every live actor something.
    pub(crate) fn tell_all(&self, message: impl Fn() -> Message) {
        for row in self.all() {
            if let Some(handle) = lock(&row.live).as_ref() {
                let _ = handle.actor.cast(message());
            }
        }
    }

    /// Everything known now. Whoever looks into a row holds no lock of the map.
    pub(crate) fn all(&self) -> Vec<Arc<Row>> {
        self.rows.iter().map(|row| Arc::clone(row.value())).collect()
    }

    /// A conversation that is live or has readers.
    pub(crate) fn find(&self, conversation: ConversationId) -> Option<Arc<Row>> {
        self.rows.get(&conversation).map(|row| Arc::clone(row.value()))
    }

    pub(crate) fn row(&self, conversation: ConversationId) -> Arc<Row> {
        Arc::clone(self.rows.entry(conversation).or_insert_with(|| Row::new(conversation)).value())
    }

    pub(crate) fn tidy(&self, conversation: ConversationId) {
        self.rows.remove_if(&conversation, |_, row| Arc::strong_count(row) == 1 && row.is_unused());
    }

    /// An actor has ended: forget it, and whether it should come back.
    fn ended(&self, actor: ActorId) -> Option<(Arc<Row>, bool)> {
        let conversation = lock(&self.by_actor).remove(&actor)?;
        let row = Arc::clone(self.rows.get(&conversation)?.value());
        let mut live = lock(&row.live);
        if live.as_ref().is_some_and(|handle| handle.actor.get_id() == actor) {
            *live = None;
        }
        drop(live);
        let return_wanted = row.take_return_wanted();
        Some((row, return_wanted))
    }
}

/// Watches the conversations' actors.
pub(crate) struct DirectoryActor;

/// What the directory's actor is told.
#[derive(Debug)]
pub(crate) enum DirectoryMessage {
    /// Start this conversation's actor again.
    Return(ConversationId),
}

impl Actor for DirectoryActor {
    type Msg = DirectoryMessage;
    type State = Arc<System>;
    type Arguments = Arc<System>;

    async fn pre_start(
        &self,
        myself: ActorRef<DirectoryMessage>,
        system: Arc<System>,
    ) -> Result<Arc<System>, ActorProcessingErr> {
        // Set once: the directory's actor is never replaced, its end is the end of the process.
        let _ = system.directory.supervisor.set(myself.get_cell());
        Ok(system)
    }

    async fn handle(
        &self,
        _: ActorRef<DirectoryMessage>,
        DirectoryMessage::Return(conversation): DirectoryMessage,
        system: &mut Arc<System>,
    ) -> Result<(), ActorProcessingErr> {
        // Refused only while draining, when nobody should return.
        let _ = system.directory.activate(system, conversation);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<DirectoryMessage>,
        event: SupervisionEvent,
        system: &mut Arc<System>,
    ) -> Result<(), ActorProcessingErr> {
        let (actor, crash) = match event {
            SupervisionEvent::ActorTerminated(actor, state, _) => {
                // It holds the row, which could not be tidied away.
                drop(state);
                (actor.get_id(), None)
            }
            SupervisionEvent::ActorFailed(actor, error) => (actor.get_id(), Some(error)),
            _ => return Ok(()),
        };
        let Some((row, return_wanted)) = system.directory.ended(actor) else { return Ok(()) };
        let id = row.id;
        if let Some(error) = &crash {
            tracing::error!(conversation = %id, %error, "a conversation's actor crashed");
            metrics::counter!("onya_crashes_total").increment(1);
            record_crash(system, id);
            // It may have been on its way to another node: what waits for that goes on.
            system.directory.stay(system, &row);
        }
        if return_wanted || crash.is_some() {
            let failures = row.failures.fetch_add(1, Ordering::Relaxed).min(MAX_RETURN_DOUBLINGS);
            let pause = Duration::from_millis(FIRST_RETURN_MS << failures);
            myself.send_after(pause, move || DirectoryMessage::Return(id));
        } else {
            drop(row);
            system.directory.tidy(id);
        }
        Ok(())
    }
}

fn record_crash(system: &Arc<System>, conversation: ConversationId) {
    let (log, now) = (Arc::clone(&system.log), system.clock.now());
    system.tasks.spawn(async move {
        if let Err(error) = log.record_crash(conversation, now, CRASH_WINDOW_MS).await {
            tracing::warn!(%conversation, %error, "a crash could not be counted");
        }
    });
}
