//! The life of the process: load, handle messages, passivate, drain.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use onya_core::conversation::{Signal, View};
use onya_core::{ConversationId, ParticipantId, Seq, Timestamp};
use onya_protocol::{Cursor, ErrorCode, LiveTurn, Refusal, Reset};
use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorProcessingErr, ActorRef, MessagingErr};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::departure::Departure;
use super::handle::{Admission, Submission};
use super::live::{Live, Looked, cuts};
use super::window::Window;
use crate::connection::{Published, Standing, Viewer, synced};
use crate::directory::Row;
use crate::persistence::OnOutcome;
use crate::planted::{self, Fault};
use crate::ports::{AppendOutcome, Claim, ModelEnd, Owned, StoreError};
use crate::system::System;

/// Crashes in the window of the durable counter after which a conversation is withdrawn from the model.
const CRASHES_TO_QUARANTINE: u32 = 2;

/// Longest time until a timer looks at the clock again: the clock by which it was set may have been wrong.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What a conversation's actor is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// The claim came back.
    Loaded(Result<Claim, StoreError>),
    /// A command, admitted.
    Submit(Box<Submission>),
    /// A reader wants to be brought up to date.
    Synchronise { viewer: Viewer, cursor: Option<Cursor>, done: Synchronised },
    /// The store answered about older commands.
    Looked(Looked),
    /// The outcome of the append in flight.
    Appended(Result<AppendOutcome, StoreError>),
    /// The model ended.
    ReplyEnded { turn: Seq, attempt: u32, end: ModelEnd },
    /// An agent has not been connected anywhere for too long.
    AgentLost(ParticipantId),
    /// A timer.
    Wake,
    /// Another node should own the conversation: leave it to that one, unless something is under way.
    HandOver,
    /// Finish what is under way, then leave.
    Drain,
    /// Leave without waiting for the reply in progress; its turn is run again by the next owner.
    AbandonReply,
    /// Panic. For tests of the restart policy.
    #[cfg(feature = "testing")]
    Crash,
}

/// The actor; its state is [`Conversation`].
pub(crate) struct ConversationActor;

/// What an actor starts with.
pub(crate) struct Arguments {
    pub(crate) system: Arc<System>,
    pub(crate) row: Arc<Row>,
    pub(crate) admission: Arc<Admission>,
}

/// The state of a conversation's actor.
pub(crate) struct Conversation {
    pub(super) system: Arc<System>,
    pub(super) row: Arc<Row>,
    pub(super) admission: Arc<Admission>,
    pub(super) myself: ActorRef<Message>,
    /// `None` while the claim is awaited. Boxed: the actor's task keeps room for this struct several times over.
    pub(super) live: Option<Box<Live>>,
    /// Commands in the order of their arrival.
    pub(super) inbox: VecDeque<Box<Submission>>,
    pub(super) leaving: bool,
    /// It goes to another node as soon as nothing is under way.
    pub(super) departing: Option<Departure>,
    draining: bool,
    pub(super) synchronising: Vec<(Viewer, Option<Cursor>, Synchronised)>,
    /// An agent who is gone, until that is decided on.
    pub(super) lost: Option<ParticipantId>,
    timer: Option<(Timestamp, Timer)>,
    _counted: Counted,
}

/// Tells a reader that it is up to date, or why it is not shown anything.
type Synchronised = oneshot::Sender<Result<(), Refusal>>;
type Timer = JoinHandle<Result<(), MessagingErr<Message>>>;

/// Counts live actors for as long as it lives.
struct Counted(#[expect(dead_code, reason = "released when dropped")] tokio_util::task::task_tracker::TaskTrackerToken);

impl Counted {
    fn new(system: &System) -> Self {
        metrics::gauge!("onya_conversations_active").increment(1.0);
        Self(system.live_actors.token())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("onya_conversations_active").decrement(1.0);
    }
}

impl Actor for ConversationActor {
    type Msg = Message;
    type State = Conversation;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: Arguments,
    ) -> Result<Conversation, ActorProcessingErr> {
        let Arguments { system, row, admission } = arguments;
        let (asking, id, loaded) = (Arc::clone(&system), row.id, myself.clone());
        system.tasks.spawn(async move {
            let _ = loaded.cast(Message::Loaded(asking.activations.claim(&asking, id).await));
        });
        let counted = Counted::new(&system);
        Ok(Conversation {
            system,
            row,
            admission,
            myself,
            live: None,
            inbox: VecDeque::new(),
            leaving: false,
            departing: None,
            draining: false,
            synchronising: Vec::new(),
            lost: None,
            timer: None,
            _counted: counted,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        conversation: &mut Conversation,
    ) -> Result<(), ActorProcessingErr> {
        conversation.receive(message);
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Message>, conversation: &mut Conversation) -> Result<(), ActorProcessingErr> {
        conversation.disarm();
        Ok(())
    }
}

impl Conversation {
    pub(super) fn id(&self) -> ConversationId {
        self.row.id
    }

    fn receive(&mut self, message: Message) {
        let answer = matches!(message, Message::Loaded(_) | Message::Looked(_) | Message::Appended(_));
        match message {
            Message::Loaded(claim) => self.loaded(claim),
            Message::Submit(submission) => self.submitted(submission),
            Message::Synchronise { viewer, cursor, done } => self.synchronise(viewer, cursor, done),
            Message::Looked(known) => self.looked(known),
            Message::Appended(outcome) => self.appended(outcome),
            Message::ReplyEnded { turn, attempt, end } => self.reply_ended((turn, attempt), end),
            Message::AgentLost(agent) => self.lost = Some(agent),
            Message::Wake => self.timer = None,
            Message::HandOver => self.hand_over(),
            Message::Drain => self.draining = true,
            Message::AbandonReply => {
                self.draining = true;
                if let Some(live) = &mut self.live {
                    live.reply = None;
                }
            }
            #[cfg(feature = "testing")]
            #[expect(clippy::panic, reason = "asked for by a test of the restart policy")]
            Message::Crash => panic!("crashed on request"),
        }
        self.depart_if_draining();
        self.advance();
        if let Some(live) = &self.live {
            live.move_gate(self.leaving);
        }
        self.settle();
        self.admission.handled(answer, self.asks_store());
    }

    /// Whether an answer of the store is awaited.
    fn asks_store(&self) -> bool {
        !self.leaving && self.live.as_ref().is_none_or(|live| live.waits_for_store())
    }

    fn loaded(&mut self, claim: Result<Claim, StoreError>) {
        match claim {
            Ok(Claim::Owned(owned)) => self.begin(*owned),
            Ok(Claim::NotFound) => {
                self.refuse_waiting(&Refusal::new(ErrorCode::NotFound, "no such conversation"));
                self.leave(false);
            }
            Ok(Claim::OwnedByOther(owner)) => {
                tracing::debug!(conversation = %self.id(), %owner, "another node owns the conversation");
                self.gone(Some(owner));
            }
            Ok(Claim::Free) => self.gone(None),
            Err(error) => {
                tracing::warn!(conversation = %self.id(), %error, "the conversation could not be loaded");
                self.leave(error.is_transient());
            }
        }
    }

    fn begin(&mut self, owned: Owned) {
        let Owned { fence, state, tail, link, recent_crashes } = owned;
        tracing::debug!(conversation = %self.id(), epoch = fence.epoch, seq = state.seq, "claimed");
        if let Some(peers) = &self.system.peers {
            // Also once it has left memory, and whoever should own it by then.
            self.row.course().get_or_insert_default().heard(Some(peers.me()));
        }
        // Entries whose outcome an earlier incarnation did not learn reach the readers now.
        self.publish_entries(&tail, &state.language);
        if let Some(turn) = state.turn {
            // What was shown of the reply was in the memory of the owner before: it may be kept by no end of the turn.
            let (conversation, epoch) = (self.row.id, fence.epoch);
            self.row.publish(&Published::Reset(Reset { conversation, turn: turn.turn, epoch, attempt: turn.attempt }));
        }
        let myself = self.myself.clone();
        let on_outcome = OnOutcome::new(move |outcome| {
            let _ = myself.cast(Message::Appended(outcome));
        });
        let quarantined = recent_crashes >= CRASHES_TO_QUARANTINE;
        let first = if quarantined { Some(Signal::Quarantine) } else { state.recovery() };
        self.live = Some(Box::new(Live {
            fence,
            link,
            window: Window::new(tail, self.system.settings.window),
            on_outcome,
            in_flight: None,
            looking_up: None,
            reply: None,
            signals: first.into_iter().collect(),
            cutting: self.inbox.iter().filter(|waits| cuts(&waits.request.action)).count(),
            snapshot_seq: state.seq,
            traceparent: None,
            last_active: self.system.clock.now(),
            retry_at: None,
            held_until: None,
            quarantined,
            state,
        }));
        // Nor did the desk, if the outcome of an escalation or a claim was lost.
        self.tell_desk();
        // The members may have changed since the claim was asked for.
        self.system.directory.tell_wished(&self.system, std::slice::from_ref(&self.row));
        self.synchronise_waiting();
    }

    pub(super) fn synchronise_waiting(&mut self) {
        for (viewer, cursor, done) in std::mem::take(&mut self.synchronising) {
            self.synchronise(viewer, cursor, done);
        }
    }

    fn submitted(&mut self, submission: Box<Submission>) {
        let waits_to_move = self.departing.is_some() || self.system.peers.is_some();
        if self.leaving || (self.is_draining() && !waits_to_move) {
            return submission.reply.busy("the conversation is moving");
        }
        if let Some(live) = &mut self.live {
            live.cutting += usize::from(cuts(&submission.request.action));
        }
        self.inbox.push_back(submission);
    }

    fn synchronise(&mut self, viewer: Viewer, cursor: Option<Cursor>, done: Synchronised) {
        // A reader may have been shown an entry by the store of which this owner has not heard yet that it is stored.
        let is_ahead = |live: &Live| {
            let knows_more = cursor.is_some_and(|cursor| cursor.seq > live.state.seq);
            knows_more && live.in_flight.is_some() && !planted::is(Fault::StaleRead)
        };
        let Some(live) = self.live.as_ref().filter(|live| !is_ahead(live)) else {
            self.synchronising.push((viewer, cursor, done));
            return;
        };
        if viewer.view() == View::Customer && viewer.reader() != live.state.customer {
            self.system.note_stranger(viewer.reader(), self.row.id);
            // The reader may have gone away meanwhile.
            let _ = done.send(Err(Refusal::new(ErrorCode::NotFound, "no such conversation")));
            return;
        }
        let standing = Standing {
            conversation: self.row.id,
            history_epoch: self.system.history_epoch,
            position: live.state.seq,
            control: live.state.control,
            control_version: live.state.control_version,
            language: &live.state.language,
            entries: live.window.iter().collect(),
            turn: self.live_turn(live),
        };
        viewer.begin(synced(standing, cursor, viewer.view(), self.system.settings.shown()), true);
        let _ = done.send(Ok(()));
    }

    fn live_turn(&self, live: &Live) -> Option<LiveTurn> {
        let turn = live.state.turn?;
        let epoch = live.fence.epoch;
        let in_progress = live.reply.as_ref().filter(|reply| reply.is(turn.turn, turn.attempt));
        Some(in_progress.map_or_else(
            || LiveTurn { turn: turn.turn, epoch, attempt: turn.attempt, text: String::new() },
            |reply| reply.gate.standing(),
        ))
    }

    fn reply_ended(&mut self, (turn, attempt): (Seq, u32), end: ModelEnd) {
        let reply = self.live.as_mut().and_then(|live| live.reply.as_mut());
        if let Some(reply) = reply.filter(|reply| reply.is(turn, attempt)) {
            reply.ended(end);
        }
    }

    /// Whether nothing new begins here: told so, or started while the system was already draining.
    pub(super) fn is_draining(&self) -> bool {
        self.draining || self.system.is_draining()
    }

    /// After every message: leave if there is nothing to do, else keep exactly one timer.
    fn settle(&mut self) {
        if self.leaving || self.depart_if_idle() {
            return;
        }
        let Some(live) = &self.live else {
            if self.is_draining() && self.system.peers.is_none() {
                self.leave(false);
            }
            return;
        };
        let waits_for_store = live.waits_for_store();
        if self.is_draining() && !waits_for_store && live.reply.is_none() && self.inbox.is_empty() {
            let fence = live.fence;
            self.release(fence, || {});
            return self.leave(false);
        }
        let now = self.system.clock.now();
        let passivate_at = live.last_active.plus_ms(self.system.settings.passivate_after_ms);
        let idle = !live.is_busy() && self.inbox.is_empty();
        if idle && now >= passivate_at && self.admission.close_if_idle() {
            return self.leave(false);
        }
        let decides = !waits_for_store && live.retry_at.is_none();
        let deadline = live.next_deadline(&self.system.settings.policy).filter(|_| decides);
        let retry_at = live.retry_at.map(|at| now.plus_ms(millis(at.saturating_duration_since(Instant::now()))));
        let wake = [deadline, retry_at, idle.then_some(passivate_at)].into_iter().flatten().min();
        if let Some(at) = wake {
            self.arm(at.max(now.plus_ms(1)), now);
        }
    }

    fn arm(&mut self, at: Timestamp, now: Timestamp) {
        if self.timer.as_ref().is_some_and(|(armed, _)| *armed <= at) {
            return;
        }
        self.disarm();
        let sleep = Duration::from_millis(at.since_ms(now)).min(LONGEST_SLEEP);
        let handle = self.myself.send_after(sleep, || Message::Wake);
        self.timer = Some((at, handle));
    }

    fn disarm(&mut self) {
        if let Some((_, timer)) = self.timer.take() {
            timer.abort();
        }
    }

    /// Stops the actor. With `return_wanted` the directory starts another one soon, for the readers and the open turn.
    pub(super) fn leave(&mut self, return_wanted: bool) {
        self.leaving = true;
        self.admission.close();
        self.refuse_waiting(&super::handle::busy("the conversation is being loaded again"));
        self.row.left(return_wanted && !self.is_draining());
        self.myself.stop(None);
    }

    fn refuse_waiting(&mut self, refusal: &Refusal) {
        for waiting in self.inbox.drain(..) {
            waiting.reply.refuse(refusal.clone());
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
