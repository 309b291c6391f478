//! The state of a conversation: what the rules need to know of its log.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::command::Signal;
use super::delivery::{KnownKey, Salt};
use super::event::{Author, Control, Entry, EscalationReason, Event, Priority};
use super::policy::Policy;
use crate::{AssignmentId, ConversationId, ParticipantId, Seq, Timestamp};

/// What the log of one conversation amounts to. Bounded: it does not grow with the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The conversation.
    pub id: ConversationId,
    /// Its customer.
    pub customer: ParticipantId,
    /// The customer's language, a BCP 47 tag.
    pub language: String,
    /// Position of the newest entry.
    pub seq: Seq,
    /// Position of the newest entry that the customer may see.
    pub customer_seq: Seq,
    /// When the newest entry was decided.
    pub last_at: Timestamp,
    /// Who answers.
    pub control: Control,
    /// Number of changes of control.
    pub control_version: u64,
    /// The answer that the assistant owes, if it owes one.
    pub turn: Option<Turn>,
    /// The wait for a person; set exactly while control is [`Control::Queue`].
    pub queued: Option<Queued>,
    /// The person's stretch; set exactly while control is [`Control::Agent`].
    pub assignment: Option<Assignment>,
    /// Position of the customer's newest message; 0 if there is none.
    pub last_said: Seq,
    /// Whether that message still waits for its answer: neither a reply nor a person's word ended the wait, or the
    /// customer asked for another reply to it.
    pub unanswered: bool,
    /// Position of the end of the newest turn, unless somebody has said something since: the one reply that can
    /// be regenerated while no turn is open.
    pub last_end: Option<Seq>,
    /// When it was closed; `None` while it is not, and where a state from before this was noted says closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Whether what people said was erased. Such a state holds no text, no summary and no salt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    pub(super) salt: Salt,
    pub(super) recent_keys: VecDeque<KnownKey>,
    pub(super) forgot_keys: bool,
}

/// An answer owed by the assistant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Position of the entry that opened it: its name.
    pub turn: Seq,
    /// The attempt that runs, from 1.
    pub attempt: u32,
    /// The newest customer message that it answers.
    pub answers: Seq,
    /// When the attempt began.
    pub attempt_at: Timestamp,
}

/// A wait for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Since when. Kept when an agent returns the conversation to the queue.
    pub since: Timestamp,
    /// What led to it.
    pub reason: EscalationReason,
    /// How urgent it is.
    pub priority: Priority,
    /// What the person should know.
    pub summary: Option<String>,
    /// How often the customer was told that the wait goes on, since it (again) began.
    pub notices: u32,
    /// When the wait (again) began, or the newest notice of it was decided: the next notice counts from here.
    pub noticed_at: Timestamp,
}

/// A stretch of time in which one agent has the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its name.
    pub id: AssignmentId,
    /// The agent.
    pub agent: Author,
    /// What the conversation waited for before, so that it can go back to its place in the queue.
    pub queued: Option<Queued>,
}

/// A stored state: with the entries after it, the whole state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Form of the snapshot; a reader that does not know it applies the log from the start instead.
    pub version: u32,
    /// The state.
    pub state: State,
}

impl Snapshot {
    /// The form that this version writes.
    pub const VERSION: u32 = 1;
}

/// What the store keeps beside the log, to find conversations without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Position of the newest entry.
    pub last_seq: Seq,
    /// The customer.
    pub customer: ParticipantId,
    /// Who answers.
    pub control: Control,
    /// Number of changes of control.
    pub control_version: u64,
    /// The open turn.
    pub turn: Option<Turn>,
    /// The wait for a person.
    pub queued: Option<Queued>,
    /// The agent who owes the customer an answer.
    pub owed_by: Option<ParticipantId>,
    /// When the next timer is due.
    pub next_deadline: Option<Timestamp>,
}

impl State {
    /// The first entry of a conversation.
    #[must_use]
    pub fn opening(customer: ParticipantId, language: String, salt: [u8; 16], now: Timestamp) -> Entry {
        Entry {
            seq: 1,
            customer_prev: 0,
            at: now,
            key: None,
            event: Event::Opened { customer, language, salt: Salt(salt) },
            erased: false,
        }
    }

    /// The state after the first entry; `None` if that is no [`Event::Opened`] at position 1.
    #[must_use]
    pub fn open(id: ConversationId, entry: &Entry) -> Option<Self> {
        let Event::Opened { customer, language, salt } = &entry.event else { return None };
        (entry.seq == 1).then(|| Self {
            id,
            customer: *customer,
            language: language.clone(),
            seq: 1,
            customer_seq: 1,
            last_at: entry.at,
            control: Control::Assistant,
            control_version: 0,
            turn: None,
            queued: None,
            assignment: None,
            last_said: 0,
            unanswered: false,
            last_end: None,
            closed_at: None,
            erased: false,
            salt: *salt,
            recent_keys: VecDeque::new(),
            forgot_keys: false,
        })
    }

    /// What the store keeps beside the log.
    #[must_use]
    pub fn head(&self, policy: &Policy) -> Head {
        Head {
            last_seq: self.seq,
            customer: self.customer,
            control: self.control,
            control_version: self.control_version,
            turn: self.turn,
            queued: self.queued.clone(),
            owed_by: self.owed_by(),
            next_deadline: self.next_deadline(policy),
        }
    }

    /// The agent who owes the customer an answer, if one does.
    #[must_use]
    pub const fn owed_by(&self) -> Option<ParticipantId> {
        match self.control {
            Control::Agent { id } if self.unanswered => Some(id),
            _ => None,
        }
    }

    /// The signal to send first after the state was loaded from the store, if an attempt died with its server.
    #[must_use]
    pub fn recovery(&self) -> Option<Signal> {
        self.turn.is_some().then_some(Signal::ResumeTurn)
    }

    /// What the store keeps so that a load need not apply the whole log.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { version: Snapshot::VERSION, state: self.clone() }
    }
}
