//! What has happened: the only thing that is stored.

use serde::{Deserialize, Serialize};

use super::delivery::Key;
use super::{Role, delivery};
use crate::{AssignmentId, ParticipantId, Seq, Timestamp};

/// One position of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position: the entry before it plus 1.
    pub seq: Seq,
    /// Position of the newest earlier entry that a customer may see; 0 if there is none.
    pub customer_prev: Seq,
    /// When it was decided.
    pub at: Timestamp,
    /// The command it answers for, if a participant sent one and this is the entry that acknowledges it.
    pub key: Option<Key>,
    /// What happened.
    pub event: Event,
    /// Whether what people said here was erased: the event is what [`Event::redacted`] left of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// Whose eyes a log is read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// The customer: no attempts, no routing details.
    Customer,
    /// Agents and supervisors: everything.
    Staff,
}

impl Entry {
    /// Whether a reader with this view is shown the entry.
    #[must_use]
    pub const fn visible_to(&self, view: View) -> bool {
        match view {
            View::Staff => true,
            View::Customer => self.event.customer_sees(),
        }
    }

    /// Position of the entry before this one in a view; 0 if there is none.
    #[must_use]
    pub const fn prev(&self, view: View) -> Seq {
        match view {
            View::Staff => self.seq.saturating_sub(1),
            View::Customer => self.customer_prev,
        }
    }

    /// The entry without what people said or are; its place, its time and its command stay.
    #[must_use]
    pub fn redacted(&self) -> Self {
        Self { event: self.event.redacted(), erased: true, ..self.clone() }
    }
}

/// Who wrote something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The participant.
    pub id: ParticipantId,
    /// In which role it acted.
    pub role: Role,
    /// The name to show, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Author {
    fn redact(&mut self) {
        if self.role == Role::Customer {
            self.name = None;
        }
    }
}

/// Who answers the customer: exactly one at any position of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Control {
    /// The model answers.
    Assistant,
    /// Nobody yet: the customer waits for a person.
    Queue,
    /// This person answers.
    Agent {
        /// The person.
        id: ParticipantId,
    },
    /// The conversation is over.
    Closed,
}

/// Why control changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Cause {
    /// A person is asked for.
    Escalated {
        /// What led to it.
        reason: EscalationReason,
        /// What the person should know, for staff only.
        summary: Option<String>,
        /// How urgent it is, for staff only.
        priority: Priority,
    },
    /// An agent took the conversation from the queue.
    Claimed {
        /// The stretch that begins.
        assignment: AssignmentId,
    },
    /// An agent took the conversation from the assistant, or a supervisor from an agent.
    TakenOver {
        /// The stretch that begins.
        assignment: AssignmentId,
    },
    /// The person returned the conversation to the assistant or to the queue.
    HandedBack,
    /// The customer, waiting in the queue, chose to go on with the assistant.
    AssistantChosen,
    /// Somebody closed the conversation.
    Closed,
    /// Nothing was said for too long.
    IdledOut,
}

/// What led to asking for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationReason {
    /// The customer asked.
    CustomerAsked,
    /// The model asked, through its tool.
    AssistantAsked,
    /// A reply failed, or the model cannot be reached.
    ReplyFailed,
    /// The conversation was withdrawn from the model after repeated failures.
    Quarantined,
    /// An agent who had it without a wait before returned it to the queue.
    AgentReturned,
}

/// How urgently a person is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Can wait.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// Before the others.
    High,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The model completed its answer.
    Final,
    /// The customer stopped it; the text is what had been shown.
    Stopped,
    /// It could not be completed; the text is what had been shown.
    Failed,
    /// Another turn replaces it.
    Superseded,
    /// A person took the conversation while it ran.
    TakenOver,
    /// A person was asked for while it ran.
    Escalated,
    /// The conversation was closed while it ran.
    Closed,
}

impl Outcome {
    /// The name, as it is stored and sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::TakenOver => "taken_over",
            Self::Escalated => "escalated",
            Self::Closed => "closed",
        }
    }
}

/// Why a turn failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The model could not be reached or refused before it said anything.
    ModelUnavailable,
    /// The model's reply was cut before its end.
    ReplyCut,
    /// The model's reply is longer than this server accepts.
    ReplyTooLong,
    /// The model refused the content.
    ContentRefused,
    /// The turn's time ran out.
    TimedOut,
    /// Each attempt ended with the server that ran it.
    AttemptsExhausted,
    /// The conversation is withdrawn from the model.
    Quarantined,
}

/// A notice to the customer; its text comes from the configuration, in the customer's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Still waiting for a person.
    StillWaiting,
}

/// A verdict on a reply or on the whole conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Good.
    Up,
    /// Bad.
    Down,
}

/// Something that happened in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The conversation began; always the first entry, and only the first.
    Opened {
        /// Whose conversation it is.
        customer: ParticipantId,
        /// The customer's language, a BCP 47 tag.
        language: String,
        /// Secret that keeps the commitments of this conversation from being guessed.
        salt: delivery::Salt,
    },
    /// A customer or an agent said something.
    MessageSaid {
        /// Who.
        author: Author,
        /// What.
        text: String,
    },
    /// The assistant owes an answer; the first attempt begins. This entry's `seq` names the turn.
    TurnOpened {
        /// The newest customer message that it answers.
        answers: Seq,
        /// The end of the turn whose reply this one replaces, if it regenerates one.
        replaces: Option<Seq>,
    },
    /// A later attempt at an open turn begins; earlier text of it is withdrawn.
    AttemptStarted {
        /// The turn.
        turn: Seq,
        /// 2, 3 …
        attempt: u32,
    },
    /// The turn is over, once and for all.
    TurnEnded {
        /// The turn.
        turn: Seq,
        /// The attempt that ended it.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// Why, if it failed.
        failure: Option<Failure>,
        /// The whole reply, or as much of it as had been shown.
        text: String,
    },
    /// Somebody else answers from here on.
    ControlChanged {
        /// Who answers now.
        control: Control,
        /// The number of changes so far; commands that change control carry the version they have seen.
        version: u64,
        /// Why.
        cause: Cause,
        /// Who did it; `None` if it was the server.
        by: Option<Author>,
    },
    /// The customer judged a reply, or the conversation.
    Rated {
        /// The end of the turn whose reply is judged; `None` for the whole conversation.
        reply: Option<Seq>,
        /// The verdict.
        score: Score,
        /// In the customer's words.
        comment: Option<String>,
    },
    /// The customer was told something by the server.
    NoticePosted {
        /// What.
        notice: Notice,
    },
    /// What people said in this conversation was erased: of all earlier entries only the structure is left. Always the
    /// last entry.
    Erased {
        /// Who asked for it; `None` if the time for which it is kept was over.
        by: Option<Author>,
    },
}

impl Event {
    /// What somebody said by it; empty if nothing.
    #[must_use]
    pub fn said(&self) -> &str {
        match self {
            Self::MessageSaid { text, .. } | Self::TurnEnded { text, .. } => text,
            _ => "",
        }
    }

    /// Whether customers are shown it.
    #[must_use]
    pub const fn customer_sees(&self) -> bool {
        !matches!(self, Self::AttemptStarted { .. })
    }

    /// The name of its kind, as it is stored and sent.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::MessageSaid { .. } => "message_said",
            Self::TurnOpened { .. } => "turn_opened",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::TurnEnded { .. } => "turn_ended",
            Self::ControlChanged { .. } => "control_changed",
            Self::Rated { .. } => "rated",
            Self::NoticePosted { .. } => "notice_posted",
            Self::Erased { .. } => "erased",
        }
    }

    /// What is left when the conversation is erased: all that a replay needs, and nothing that people said or that says
    /// who the customer is. Names of staff stay: they are the company's record of who answered.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut event = self.clone();
        match &mut event {
            Self::Opened { salt, .. } => *salt = delivery::Salt::default(),
            Self::MessageSaid { author, text } => {
                author.redact();
                text.clear();
            }
            Self::TurnEnded { text, .. } => text.clear(),
            Self::ControlChanged { cause, by, .. } => {
                if let Cause::Escalated { summary, .. } = cause {
                    *summary = None;
                }
                by.iter_mut().for_each(Author::redact);
            }
            Self::Rated { comment, .. } => *comment = None,
            Self::TurnOpened { .. } | Self::AttemptStarted { .. } | Self::NoticePosted { .. } | Self::Erased { .. } => {
            }
        }
        event
    }
}
