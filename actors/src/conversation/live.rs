//! A loaded conversation: its state, what it waits for, and what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;

use onya_core::conversation::{Ack, Action, Command, Effect, Entry, KnownKey, Overlap, Policy, Signal, State};
use onya_core::{Seq, Timestamp};
use tokio::time::Instant;

use super::handle::Submission;
use super::reply::LiveReply;
use super::window::Window;
use crate::persistence::OnOutcome;
use crate::ports::{Fence, Link};

/// What an actor holds once its claim succeeded.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) fence: Fence,
    /// Where the chain of entries ends.
    pub(crate) link: Link,
    pub(crate) state: State,
    pub(crate) window: Window,
    /// Tells the actor the outcome of an append.
    pub(crate) on_outcome: OnOutcome,
    /// The append whose outcome is awaited. Nothing is decided meanwhile.
    pub(crate) in_flight: Option<Box<InFlight>>,
    /// The command that waits for an answer of the store on older commands.
    pub(crate) looking_up: Option<Box<Submission>>,
    pub(crate) reply: Option<LiveReply>,
    /// Commands of the server itself that wait.
    pub(crate) signals: VecDeque<Signal>,
    /// Commands on their way that would cut the reply. The gate is closed while there are any.
    pub(crate) cutting: usize,
    pub(crate) snapshot_seq: Seq,
    /// Trace context of the newest command, for the model call it leads to.
    pub(crate) traceparent: Option<String>,
    pub(crate) last_active: Timestamp,
    /// When to try a signal again that the store did not take.
    pub(crate) retry_at: Option<Instant>,
    /// The customer is on hold: no deadline of a closed conversation is looked at before this.
    pub(crate) held_until: Option<Timestamp>,
    /// The conversation crashes its actor: no model any more.
    pub(crate) quarantined: bool,
}

/// An append whose outcome is awaited.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) next: State,
    pub(crate) entries: Arc<[Entry]>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) ack: Option<Ack>,
    pub(crate) origin: Origin,
}

/// What a decision answers.
#[derive(Debug)]
pub(crate) enum Origin {
    Request(Box<Submission>),
    Signal(Signal),
}

impl Origin {
    pub(crate) fn command(&self) -> Command {
        match self {
            Self::Request(submission) => Command::Request(submission.request.clone()),
            Self::Signal(signal) => Command::Signal(signal.clone()),
        }
    }
}

impl Live {
    /// Whether an answer of the store is awaited.
    pub(crate) const fn waits_for_store(&self) -> bool {
        self.in_flight.is_some() || self.looking_up.is_some()
    }

    /// Whether something is under way that a passivation would interrupt.
    pub(crate) fn is_busy(&self) -> bool {
        self.waits_for_store() || self.reply.is_some() || !self.signals.is_empty() || self.state.turn.is_some()
    }

    /// When the server has to look at the conversation again.
    pub(crate) fn next_deadline(&self, policy: &Policy) -> Option<Timestamp> {
        let deadline = self.state.next_deadline(policy)?;
        Some(self.held_until.map_or(deadline, |until| deadline.max(until)))
    }

    /// Whether text of the reply may be handed out: nothing that would cut it waits or is being stored.
    pub(crate) fn gate_is_open(&self) -> bool {
        let cancels = |effect: &Effect| matches!(effect, Effect::CancelCompletion { .. });
        let being_cut = self.in_flight.as_ref().is_some_and(|sent| sent.effects.iter().any(cancels));
        self.cutting == 0 && !being_cut
    }

    /// Opens the gate of the reply in progress if its text may be handed out, and closes it if not. An actor that leaves
    /// may have cut the reply without knowing: it shows nothing more of it.
    pub(crate) fn move_gate(&self, leaving: bool) {
        match &self.reply {
            Some(reply) if !leaving && self.gate_is_open() => reply.gate.open(),
            Some(reply) => drop(reply.gate.close()),
            None => {}
        }
    }

    /// The end of the reply in progress as a signal, if the model has ended and no cut comes before it.
    pub(crate) fn finished_reply(&self) -> Option<Signal> {
        let reply = self.reply.as_ref().filter(|_| self.gate_is_open())?;
        Some(Signal::FinishReply { turn: reply.turn, attempt: reply.attempt, ending: reply.ending()? })
    }
}

/// Whether a command ends a reply in progress if it is accepted.
pub(crate) const fn cuts(action: &Action) -> bool {
    matches!(
        action,
        Action::Stop { .. }
            | Action::TakeOver { .. }
            | Action::Escalate { .. }
            | Action::Close { .. }
            | Action::Erase
            | Action::Regenerate { .. }
            | Action::Say { overlap: Overlap::Interrupt, .. }
    )
}

/// What the store answered about older commands.
pub(crate) type Looked = Result<Vec<KnownKey>, crate::ports::StoreError>;
