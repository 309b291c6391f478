//! From a conversation's id to its live actor and its readers.
//!
//! A row holds the readers and, while there is one, the actor. Interest belongs to the row, not to the actor: readers
//! stay when an idle actor leaves memory, and hear of what the next one commits. Actors are started on demand, linked
//! to the directory's own actor, which sees them end: one that crashed is counted in the store and started again, after
//! a pause that doubles.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use onya_core::ConversationId;
use onya_core::conversation::View;
use onya_protocol::{Cursor, Delta, ErrorCode, Refusal};
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};
use tokio::sync::oneshot;

use crate::connection::{Published, Standing, Subscriber, synced};
use crate::conversation::{Admission, ConversationActor, Handle, Message};
use crate::ports::TailLimit;
use crate::reading::not_read;
use crate::system::System;

/// Crashes are counted over this time, in ms.
pub(crate) const CRASH_WINDOW_MS: u64 = 600_000;

/// Times that a reader is brought up to date by another actor because the one before it left, and the first pause.
const SYNCHRONISE_ATTEMPTS: u32 = 5;
const SYNCHRONISE_PAUSE: Duration = Duration::from_millis(20);

const FIRST_RETURN_MS: u64 = 100;
const MAX_RETURN_DOUBLINGS: u32 = 6;

/// All conversations that are live or have readers on this node.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    rows: DashMap<ConversationId, Arc<Row>>,
    /// Locked over a start, so that an actor which ends at once is known when its end is heard of.
    by_actor: Mutex<HashMap<ActorId, ConversationId>>,
    supervisor: OnceLock<ActorCell>,
}

/// One conversation: its readers and its actor.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: ConversationId,
    readers: Mutex<Vec<Arc<Subscriber>>>,
    live: Mutex<Option<Handle>>,
    return_wanted: AtomicBool,
    /// Times in a row that an actor ended before it had stored anything.
    failures: AtomicU32,
}

impl Row {
    fn new(id: ConversationId) -> Arc<Self> {
        Arc::new(Self {
            id,
            readers: Mutex::default(),
            live: Mutex::default(),
            return_wanted: AtomicBool::new(false),
            failures: AtomicU32::new(0),
        })
    }

    pub(crate) fn has_readers(&self) -> bool {
        !lock(&self.readers).is_empty()
    }

    pub(crate) fn publish(&self, published: &Published) {
        for reader in lock(&self.readers).iter() {
            reader.publish(published.clone());
        }
    }

    pub(crate) fn publish_delta(&self, delta: Delta) {
        let readers = lock(&self.readers);
        if let Some((last, others)) = readers.split_last() {
            others.iter().for_each(|reader| reader.publish(Published::Delta(delta.clone())));
            last.publish(Published::Delta(delta));
        }
    }

    /// An actor works again: it has stored something.
    pub(crate) fn settled(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    pub(crate) fn left(&self, return_wanted: bool) {
        self.return_wanted.store(return_wanted, Ordering::Relaxed);
    }

    fn is_unused(&self) -> bool {
        !self.has_readers() && lock(&self.live).is_none()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory {
    /// How many conversations are live or have readers.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Shows something provisional to the readers of a conversation, live or not.
    pub(crate) fn publish(&self, conversation: ConversationId, published: &Published) {
        if let Some(row) = self.rows.get(&conversation).map(|row| Arc::clone(row.value())) {
            row.publish(published);
        }
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
        Ok(Handle { actor, admission })
    }

    /// Registers the reader first, then brings it up to date: from the live actor, else by one read of the store's
    /// tail, without a claim. A conversation whose reply is in progress but whose actor is gone is activated.
    pub(crate) async fn subscribe(
        &self,
        system: &Arc<System>,
        subscriber: &Arc<Subscriber>,
        cursor: Option<Cursor>,
    ) -> Result<(), Refusal> {
        let row = self.register(subscriber);
        let outcome = self.bring_up_to_date(system, &row, subscriber, cursor).await;
        if outcome.is_err() {
            drop(row);
            self.unsubscribe(subscriber);
        }
        outcome
    }

    fn register(&self, subscriber: &Arc<Subscriber>) -> Arc<Row> {
        subscriber.restart();
        // The row's entry stays locked until the reader is in, so that nobody tidies the row away.
        let row = self.rows.entry(subscriber.conversation).or_insert_with(|| Row::new(subscriber.conversation));
        let mut readers = lock(&row.readers);
        if !readers.iter().any(|reader| Arc::ptr_eq(reader, subscriber)) {
            readers.push(Arc::clone(subscriber));
        }
        drop(readers);
        Arc::clone(row.value())
    }

    async fn bring_up_to_date(
        &self,
        system: &Arc<System>,
        row: &Arc<Row>,
        subscriber: &Arc<Subscriber>,
        cursor: Option<Cursor>,
    ) -> Result<(), Refusal> {
        for attempt in 0..SYNCHRONISE_ATTEMPTS {
            let live = lock(&row.live).clone().filter(|handle| handle.admission.is_open());
            let handle = match live {
                Some(handle) => handle,
                None if from_tail(system, subscriber, cursor).await? => return Ok(()),
                None => self.activate(system, row.id)?,
            };
            let (done, synchronised) = oneshot::channel();
            let message = Message::Synchronise { subscriber: Arc::clone(subscriber), cursor, done };
            // An actor that left before it got here has dropped `done`: start over.
            let _ = handle.actor.cast(message);
            // Holding the handle would keep a message alive that nobody reads any more.
            drop(handle);
            if let Ok(outcome) = synchronised.await {
                return outcome;
            }
            tokio::time::sleep(SYNCHRONISE_PAUSE * 2_u32.pow(attempt)).await;
        }
        Err(crate::conversation::busy("the conversation cannot be loaded now"))
    }

    pub(crate) fn unsubscribe(&self, subscriber: &Arc<Subscriber>) {
        if let Some(row) = self.rows.get(&subscriber.conversation) {
            lock(&row.readers).retain(|reader| !Arc::ptr_eq(reader, subscriber));
        }
        self.tidy(subscriber.conversation);
    }

    /// Tells every live actor something.
    pub(crate) fn tell_all(&self, message: impl Fn() -> Message) {
        for row in &self.rows {
            if let Some(handle) = lock(&row.live).as_ref() {
                let _ = handle.actor.cast(message());
            }
        }
    }

    fn row(&self, conversation: ConversationId) -> Arc<Row> {
        Arc::clone(self.rows.entry(conversation).or_insert_with(|| Row::new(conversation)).value())
    }

    fn tidy(&self, conversation: ConversationId) {
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
        let return_wanted = row.return_wanted.swap(false, Ordering::Relaxed);
        Some((row, return_wanted))
    }
}

/// Brings a reader up to date from the store; `false` if the conversation must be activated for it.
async fn from_tail(
    system: &Arc<System>,
    subscriber: &Arc<Subscriber>,
    cursor: Option<Cursor>,
) -> Result<bool, Refusal> {
    let limit: TailLimit = system.settings.window;
    let tail = system
        .log
        .tail(subscriber.conversation, limit)
        .await
        .map_err(not_read)?
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, "no such conversation"))?;
    if subscriber.view == View::Customer && tail.summary.customer != subscriber.reader {
        system.note_stranger(subscriber.reader, subscriber.conversation);
        return Err(Refusal::new(ErrorCode::NotFound, "no such conversation"));
    }
    if tail.summary.turn.is_some() {
        return Ok(false);
    }
    let standing = Standing {
        conversation: subscriber.conversation,
        history_epoch: system.history_epoch,
        position: tail.summary.last_seq,
        control: tail.summary.control,
        control_version: tail.summary.control_version,
        language: &tail.summary.language,
        entries: tail.entries.iter().collect(),
        turn: None,
    };
    let shown = (&system.settings.notices, system.settings.snapshot_entries);
    subscriber.begin(synced(standing, cursor, subscriber.view, shown));
    Ok(true)
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
