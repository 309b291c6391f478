//! What can be asked of a conversation.

use serde::{Deserialize, Serialize};

use super::delivery::KnownKey;
use super::event::{Author, EscalationReason, Failure, Priority, Score};
use super::policy::Policy;
use crate::{AssignmentId, ClientMsgId, ParticipantId, Seq, Timestamp};

/// In which role somebody takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asks.
    Customer,
    /// Answers.
    Agent,
    /// Answers, and may take a conversation from an agent.
    Supervisor,
}

impl Role {
    /// Whether this role answers customers.
    #[must_use]
    pub const fn is_staff(self) -> bool {
        matches!(self, Self::Agent | Self::Supervisor)
    }
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The participant.
    pub id: ParticipantId,
    /// The role its token grants.
    pub role: Role,
    /// The name to show, if one is known.
    pub name: Option<String>,
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        Self { id: actor.id, role: actor.role, name: actor.name.clone() }
    }
}

/// Something asked of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// By a participant.
    Request(Request),
    /// By the server itself.
    Signal(Signal),
}

/// A participant's command; all of them write, so all of them carry a `client_msg_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub by: Actor,
    /// The sender's name for this command; a repeat is answered with the outcome of the first.
    pub client_msg_id: ClientMsgId,
    /// The sender's newest earlier command without an outcome, if there is one.
    pub after: Option<ClientMsgId>,
    /// What is asked.
    pub action: Action,
}

/// What a new customer message does to a reply in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Nothing: it is answered after that reply.
    #[default]
    Queue,
    /// It ends that reply as superseded and is answered at once.
    Interrupt,
}

/// Where a person returns a conversation to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnTo {
    /// To the assistant.
    #[default]
    Assistant,
    /// To the queue, for another person.
    Queue,
}

/// What a participant asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Say something: the customer any time, an agent while in control.
    Say {
        /// The message, UTF-8 without NUL.
        text: String,
        /// What happens to a reply in progress.
        overlap: Overlap,
    },
    /// End the reply in progress where it is.
    Stop {
        /// The turn meant; any open turn if `None`.
        turn: Option<Seq>,
    },
    /// Answer the same question again. Replaces the reply in progress, or the newest one if nothing was said since.
    Regenerate {
        /// The reply that is replaced: the open turn, or the end of a turn that is over. Whichever it is if `None`.
        reply: Option<Seq>,
    },
    /// Judge a reply or the conversation.
    Rate {
        /// The end of the turn whose reply is judged; `None` for the conversation.
        reply: Option<Seq>,
        /// The verdict.
        score: Score,
        /// In the customer's words.
        comment: Option<String>,
    },
    /// Ask for a person, while the assistant is in control.
    Escalate {
        /// What the person should know.
        summary: Option<String>,
    },
    /// Take the conversation from the queue.
    Claim {
        /// The version of control that the sender has seen.
        control_version: u64,
        /// Names the stretch that begins.
        assignment: AssignmentId,
    },
    /// Take the conversation from the assistant or the queue, or, as a supervisor, from an agent.
    TakeOver {
        /// The version of control that the sender has seen.
        control_version: u64,
        /// Names the stretch that begins.
        assignment: AssignmentId,
    },
    /// Return the conversation.
    HandBack {
        /// The version of control that the sender has seen.
        control_version: u64,
        /// To whom.
        to: ReturnTo,
    },
    /// End the conversation.
    Close {
        /// The version of control that the sender has seen; staff must say it, customers need not.
        control_version: Option<u64>,
    },
    /// Erase what people said, as a supervisor; a conversation that is not closed is closed with it.
    Erase,
}

/// A command of the server itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The attempt at a turn is over.
    FinishReply {
        /// The turn.
        turn: Seq,
        /// The attempt.
        attempt: u32,
        /// How it ended.
        ending: ReplyEnding,
    },
    /// The conversation was loaded with an open turn whose attempt died with its server.
    ResumeTurn,
    /// The deadline of [`super::State::next_deadline`] has passed.
    DeadlineReached,
    /// The agent has not been connected anywhere for too long: a customer who waits for an answer goes back to the queue.
    AgentLost {
        /// The agent.
        agent: ParticipantId,
    },
    /// The conversation brings its server down: the open turn is withdrawn from the model, a person is asked for.
    Quarantine,
}

/// How an attempt at a reply ended. Its texts are what the customer was shown, byte for byte, and free of NUL: the shell
/// sees to that before it shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyEnding {
    /// With its last word.
    Complete {
        /// The whole reply.
        text: String,
    },
    /// Before it.
    Failed {
        /// Why.
        failure: Failure,
        /// What had been shown.
        text: String,
    },
    /// With a call of the tool that asks for a person.
    Escalated {
        /// What had been shown.
        text: String,
        /// What the person should know, in the model's words; cut to [`Policy::max_comment_bytes`].
        summary: Option<String>,
        /// How urgent it is, in the model's view.
        priority: Priority,
    },
}

/// What the shell knows when it asks for a decision.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Now.
    pub now: Timestamp,
    /// Times and sizes in force.
    pub policy: &'a Policy,
    /// What the customer has been shown of the reply in progress.
    pub reply: Option<&'a PartialReply>,
    /// Commands that the store knows and [`super::State::unknown_keys`] asked for.
    pub known: &'a [KnownKey],
}

/// What has been handed out of a reply in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialReply {
    /// The turn.
    pub turn: Seq,
    /// The attempt.
    pub attempt: u32,
    /// The text.
    pub text: String,
}

/// The reason that stands in the log for an escalation of this kind.
impl From<&Failure> for EscalationReason {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Quarantined | Failure::AttemptsExhausted => Self::Quarantined,
            _ => Self::ReplyFailed,
        }
    }
}
