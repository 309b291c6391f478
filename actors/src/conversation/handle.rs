//! How others reach a conversation: a handle that admits before the mailbox, and a reply that is always given.
//!
//! A mailbox has no bound, so the bounds stand before it: so many commands and so many bytes at a time for one
//! conversation, and so many bytes of text for all together. What ends or takes over a reply carries no text, and is
//! subject to the first bound only. A command that is admitted is answered once, whatever happens to the actor: a reply that is dropped answers `unknown`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use onya_core::conversation::{Ack, Action, Request};
use onya_core::{ClientMsgId, ConversationId, Incarnation};
use onya_protocol::peer::{Outcome, Tag, ToEdge};
use onya_protocol::{ErrorCode, Refusal, ServerFrame};
use ractor::ActorRef;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::actor::Message;
use crate::connection::SendQueue;
use crate::planted::{self, Fault};
use crate::relay::EdgeLink;

/// How long a sender should wait after `busy`, in ms.
pub(crate) const BUSY_RETRY_MS: u64 = 500;

/// Reaches one incarnation of a conversation's actor.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) actor: ActorRef<Message>,
    pub(crate) admission: Arc<Admission>,
    /// When it was started.
    pub(crate) since: Instant,
}

/// Something asked of a conversation, and where the answer goes.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) request: Request,
    pub(crate) traceparent: Option<String>,
    pub(crate) reply: Reply,
}

/// A command that did not get in, given back.
#[derive(Debug)]
pub(crate) struct NotAdmitted {
    pub(crate) command: Command,
    pub(crate) why: Refused,
}

/// Why a command did not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As much waits as may wait.
    Full,
    /// This incarnation is leaving: ask the directory for another.
    Closed,
}

impl Handle {
    /// Hands a command over, or gives it back.
    pub(crate) fn submit(&self, command: Command) -> Result<(), Box<NotAdmitted>> {
        let permit = match self.admission.admit(text_bytes(&command.request.action)) {
            Ok(permit) => permit,
            Err(why) => return Err(Box::new(NotAdmitted { command, why })),
        };
        let Command { request, traceparent, reply } = command;
        let request = if planted::is(Fault::NoDedupe) { under_another_name(request) } else { request };
        let submission = Submission { request, traceparent, reply, received_at: Instant::now(), permit };
        // A failed send drops the submission, and with it the reply answers.
        let _ = self.actor.cast(Message::Submit(Box::new(submission)));
        Ok(())
    }
}

/// For a planted fault.
fn under_another_name(request: Request) -> Request {
    let name = ClientMsgId::new(uuid::Uuid::now_v7().to_string());
    Request { client_msg_id: name.unwrap_or_else(|_| request.client_msg_id.clone()), after: None, ..request }
}

/// A command on its way to a decision.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) request: Request,
    pub(crate) traceparent: Option<String>,
    pub(crate) reply: Reply,
    pub(crate) received_at: Instant,
    #[expect(dead_code, reason = "gives its share of the admission back when dropped")]
    permit: Permit,
}

impl From<Submission> for Command {
    fn from(Submission { request, traceparent, reply, .. }: Submission) -> Self {
        Self { request, traceparent, reply }
    }
}

/// Bytes of text in a command.
pub(crate) fn text_bytes(action: &Action) -> usize {
    match action {
        Action::Say { text, .. } => text.len(),
        Action::Rate { comment: Some(text), .. } | Action::Escalate { summary: Some(text) } => text.len(),
        _ => 0,
    }
}

/// The way back to a sender.
#[derive(Debug)]
pub(crate) struct Reply {
    target: Option<Target>,
    conversation: ConversationId,
    request: onya_core::ClientMsgId,
    /// Whether another node may have stored the command: that it is not stored now cannot be said.
    doubtful: bool,
}

#[derive(Debug)]
enum Target {
    Socket(Arc<SendQueue>),
    Call(oneshot::Sender<Result<Ack, Refusal>>),
    Edge(Arc<EdgeLink>, Tag),
}

impl Reply {
    pub(crate) fn to_socket(conversation: ConversationId, request: &Request, queue: &Arc<SendQueue>) -> Self {
        let target = Some(Target::Socket(Arc::clone(queue)));
        Self { target, conversation, request: request.client_msg_id.clone(), doubtful: false }
    }

    pub(crate) fn to_caller(
        conversation: ConversationId,
        request: &Request,
    ) -> (Self, oneshot::Receiver<Result<Ack, Refusal>>) {
        let (sender, receiver) = oneshot::channel();
        let target = Some(Target::Call(sender));
        (Self { target, conversation, request: request.client_msg_id.clone(), doubtful: false }, receiver)
    }

    pub(crate) fn to_edge(conversation: ConversationId, request: &Request, (link, tag): (Arc<EdgeLink>, Tag)) -> Self {
        let target = Some(Target::Edge(link, tag));
        Self { target, conversation, request: request.client_msg_id.clone(), doubtful: false }
    }

    /// The command was not looked at, since the conversation is elsewhere: another node is told so, and sends it there
    /// itself; else the reply is given back.
    pub(crate) fn elsewhere(mut self, owner: Option<Incarnation>) -> Option<Self> {
        match self.target.take() {
            Some(Target::Edge(link, tag)) => {
                link.push(ToEdge::Elsewhere { tag, owner });
                None
            }
            target => {
                self.target = target;
                Some(self)
            }
        }
    }

    /// The command was sent to another node, and what became of it is not known.
    pub(crate) const fn doubt(&mut self) {
        self.doubtful = true;
    }

    pub(crate) fn ack(mut self, ack: Ack) {
        self.give(Ok(ack));
    }

    pub(crate) fn refuse(mut self, refusal: impl Into<Refusal>) {
        self.give(Err(refusal.into()));
    }

    /// Nothing was stored; the same command may succeed later.
    pub(crate) fn busy(self, why: &str) {
        self.refuse(busy(why));
    }

    fn give(&mut self, outcome: Result<Ack, Refusal>) {
        let Some(target) = self.target.take() else { return };
        let (conversation, client_msg_id) = (self.conversation, self.request.clone());
        let outcome = outcome.map_err(|refusal| if self.doubtful { doubted(refusal) } else { refusal });
        let outcome = outcome.map_err(|refusal| Refusal {
            conversation: Some(conversation),
            client_msg_id: Some(client_msg_id.clone()),
            ..refusal
        });
        match (target, outcome) {
            // Counted where the sender is.
            (Target::Edge(link, tag), outcome) => {
                let outcome = outcome.map_or_else(Outcome::Refused, Outcome::Stored);
                link.push(ToEdge::Outcome { tag, outcome });
            }
            (Target::Socket(queue), Ok(Ack { seq, cut_at, repeated })) => {
                queue.push(ServerFrame::Ack(onya_protocol::Ack { conversation, client_msg_id, seq, cut_at, repeated }));
            }
            (Target::Socket(queue), Err(refusal)) => queue.push(ServerFrame::Refused(counted(refusal))),
            // A caller that has gone away needs no answer.
            (Target::Call(sender), outcome) => drop(sender.send(outcome.map_err(counted))),
        }
    }
}

/// "Not now" says that nothing is stored, which only who has seen every attempt can say.
fn doubted(refusal: Refusal) -> Refusal {
    let code = if refusal.code == ErrorCode::Busy { ErrorCode::Unknown } else { refusal.code };
    Refusal { code, ..refusal }
}

fn counted(refusal: Refusal) -> Refusal {
    metrics::counter!("onya_rejections_total", "code" => refusal.code.as_str()).increment(1);
    refusal
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.give(Err(Refusal::new(ErrorCode::Unknown, "the outcome is not known: send it again with the same id")));
    }
}

/// The refusal for "not now".
pub(crate) fn busy(why: &str) -> Refusal {
    Refusal { retry_after_ms: Some(BUSY_RETRY_MS), ..Refusal::new(ErrorCode::Busy, why) }
}

/// Text that waits to be stored in all conversations together: while the store takes nothing, this fills and not the
/// memory.
#[derive(Debug)]
pub(crate) struct WaitingText {
    bytes: AtomicUsize,
    max_bytes: usize,
}

impl WaitingText {
    pub(crate) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), max_bytes })
    }

    /// Makes room for a text; whether there is some.
    fn hold(&self, bytes: usize) -> bool {
        let held = |waiting: usize| waiting.checked_add(bytes).filter(|sum| *sum <= self.max_bytes);
        bytes == 0 || self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, held).is_ok()
    }

    fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// How much waits for one actor, and whether it still takes more.
#[derive(Debug)]
pub(crate) struct Admission {
    held: Mutex<Held>,
    max_commands: usize,
    max_bytes: usize,
    everywhere: Arc<WaitingText>,
}

#[derive(Debug)]
struct Held {
    commands: usize,
    bytes: usize,
    closed: bool,
    /// The actor waits for an answer of the store.
    asks_store: bool,
    /// When something was last done with, or, if nothing waited since, when the oldest of what waits began to.
    moved_at: Instant,
    /// It was said that nothing moves.
    told: bool,
}

impl Held {
    const fn waits(&self) -> bool {
        self.commands > 0 || self.asks_store
    }

    fn moved(&mut self) {
        (self.moved_at, self.told) = (Instant::now(), false);
    }
}

#[derive(Debug)]
struct Permit {
    admission: Arc<Admission>,
    bytes: usize,
}

impl Admission {
    pub(crate) fn new(max_commands: usize, max_bytes: usize, everywhere: &Arc<WaitingText>) -> Arc<Self> {
        // An actor begins by asking the store for its conversation.
        let (moved_at, asks_store) = (Instant::now(), true);
        let held = Held { commands: 0, bytes: 0, closed: false, asks_store, moved_at, told: false };
        Arc::new(Self { held: Mutex::new(held), max_commands, max_bytes, everywhere: Arc::clone(everywhere) })
    }

    fn admit(self: &Arc<Self>, bytes: usize) -> Result<Permit, Refused> {
        let mut held = self.lock();
        if held.closed {
            return Err(Refused::Closed);
        }
        if held.commands >= self.max_commands || (held.bytes + bytes > self.max_bytes && held.commands > 0) {
            return Err(Refused::Full);
        }
        if !self.everywhere.hold(bytes) {
            return Err(Refused::Full);
        }
        if !held.waits() {
            held.moved();
        }
        held.commands += 1;
        held.bytes += bytes;
        Ok(Permit { admission: Arc::clone(self), bytes })
    }

    /// Takes no more commands; whether none was under way.
    pub(crate) fn close_if_idle(&self) -> bool {
        let mut held = self.lock();
        if held.commands == 0 {
            held.closed = true;
        }
        held.closed
    }

    /// Takes no more commands.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    /// Commands that were admitted and are not answered.
    pub(crate) fn commands(&self) -> usize {
        self.lock().commands
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.lock().closed
    }

    /// The actor has handled a message: whether that was an answer of the store, and whether it waits for one now.
    pub(crate) fn handled(&self, answer: bool, asks_store: bool) {
        let mut held = self.lock();
        if answer || !held.waits() {
            held.moved();
        }
        held.asks_store = asks_store;
    }

    /// For how long something has waited while nothing was done with; zero if nothing waits.
    pub(crate) fn stands_still(&self) -> Duration {
        let held = self.lock();
        if held.waits() { held.moved_at.elapsed() } else { Duration::ZERO }
    }

    /// Whether it is said for the first time that nothing moves.
    pub(crate) fn tell(&self) -> bool {
        !std::mem::replace(&mut self.lock().told, true)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.admission.lock();
        held.moved();
        held.commands -= 1;
        held.bytes -= self.bytes;
        self.admission.everywhere.release(self.bytes);
    }
}
