//! Entries of the log as a reader is shown them.

use std::collections::BTreeMap;

use onya_core::conversation::{EscalationReason, Failure, Notice, Outcome, Priority, Role, Score};
use onya_core::{AssignmentId, ClientMsgId, ParticipantId, Seq, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// One entry in one view. Entries are in order when `prev` is at or below the reader's cursor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogEntry {
    /// Position in the log.
    pub seq: Seq,
    /// Position of the entry before it in this view; 0 if there is none.
    pub prev: Seq,
    /// When it was decided, in ms since 1970.
    #[schemars(with = "i64")]
    pub at: Timestamp,
    /// The sender's name for the command it answers for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::ClientMsgId>")]
    pub client_msg_id: Option<ClientMsgId>,
    /// Whether what people said here was erased; the texts are empty then. Absent: no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// What happened.
    #[serde(flatten)]
    pub body: EntryBody,
}

impl LogEntry {
    /// Bytes of what was said in it.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match &self.body {
            EntryBody::MessageSaid { text, .. } | EntryBody::TurnEnded { text, .. } => text.len(),
            _ => 0,
        }
    }

    /// The entry as it is shown once the conversation is erased.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut entry = Self { erased: true, ..self.clone() };
        match &mut entry.body {
            EntryBody::MessageSaid { author, text } => {
                author.redact();
                text.clear();
            }
            EntryBody::TurnEnded { text, .. } => text.clear(),
            EntryBody::ControlChanged { by, summary, .. } => {
                by.iter_mut().for_each(Author::redact);
                *summary = None;
            }
            EntryBody::Rated { comment, .. } => *comment = None,
            EntryBody::Opened { .. }
            | EntryBody::TurnOpened { .. }
            | EntryBody::AttemptStarted { .. }
            | EntryBody::NoticePosted { .. }
            | EntryBody::Erased { .. } => {}
        }
        entry
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EntryBody {
    /// The conversation began.
    Opened {
        /// The customer's language, a BCP 47 tag.
        language: String,
    },
    /// Somebody said something.
    MessageSaid {
        /// Who.
        author: Author,
        /// What.
        text: String,
    },
    /// The assistant owes an answer and is asked for it; this entry's `seq` names the turn.
    TurnOpened {
        /// The newest customer message that it answers.
        answers: Seq,
        /// The `turn_ended` entry whose reply this turn replaces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Seq>,
    },
    /// A later attempt begins; earlier text of the turn is withdrawn. Staff only.
    AttemptStarted {
        /// The turn.
        turn: Seq,
        /// 2, 3 …
        attempt: u32,
    },
    /// The turn is over; the text is the committed reply.
    TurnEnded {
        /// The turn.
        turn: Seq,
        /// How.
        #[schemars(with = "schema::Outcome")]
        outcome: Outcome,
        /// Why, if it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::Failure>")]
        failure: Option<Failure>,
        /// The whole reply, or as much of it as had been shown.
        text: String,
    },
    /// Somebody else answers from here on.
    ControlChanged {
        /// Who answers now.
        control: Control,
        /// Number of changes so far.
        control_version: u64,
        /// Why.
        cause: Cause,
        /// Who did it; absent if it was the server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Author>,
        /// The stretch that begins, with an agent. Staff only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<uuid::Uuid>")]
        assignment: Option<AssignmentId>,
        /// What led to asking for a person. Staff only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::EscalationReason>")]
        reason: Option<EscalationReason>,
        /// How urgent it is. Staff only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::Priority>")]
        priority: Option<Priority>,
        /// What the person should know. Staff only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
        /// What to tell the customer, in the customer's language.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
    },
    /// The customer judged a reply or the conversation.
    Rated {
        /// The `turn_ended` entry that is judged; absent for the conversation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply: Option<Seq>,
        /// The verdict.
        #[schemars(with = "schema::Score")]
        score: Score,
        /// In the customer's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// The server tells the customer something.
    NoticePosted {
        /// Which notice.
        #[schemars(with = "schema::Notice")]
        notice_key: Notice,
        /// Its text, in the customer's language.
        notice: String,
    },
    /// What people said in this conversation was erased: show none of the earlier texts any more. The last entry.
    Erased {
        /// Who asked for it; absent if the time for which it is kept was over. Staff only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Author>,
    },
}

/// Who wrote something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Author {
    /// The participant.
    #[schemars(with = "uuid::Uuid")]
    pub id: ParticipantId,
    /// In which role.
    #[schemars(with = "schema::Role")]
    pub role: Role,
    /// The name to show.
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

/// Who answers the customer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Control {
    /// The model.
    Assistant,
    /// Nobody yet.
    Queue,
    /// A person.
    Agent {
        /// Which.
        #[schemars(with = "uuid::Uuid")]
        id: ParticipantId,
    },
    /// The conversation is over.
    Closed,
}

/// Why control changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A person is asked for.
    Escalated,
    /// An agent took the conversation from the queue.
    Claimed,
    /// An agent took it from the assistant, or a supervisor from an agent.
    TakenOver,
    /// The person returned it.
    HandedBack,
    /// The customer left the queue.
    AssistantChosen,
    /// Somebody closed it.
    Closed,
    /// Nothing was said for too long.
    IdledOut,
}

/// The texts that customers are shown by the server itself: language → key → text. Keys: `queued`, `still_waiting`,
/// `reply_failed`, `agent_joined`, `assistant_back`, `closed`, `closed_idle`.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    /// language → key → text.
    pub texts: BTreeMap<String, BTreeMap<String, String>>,
    /// The language for customers whose own is not there.
    pub fallback_language: String,
}

impl Notices {
    /// The text for a key, in the language, its base language (`fr` for `fr-CA`) or the fallback.
    #[must_use]
    pub fn text(&self, language: &str, key: &str) -> Option<String> {
        let base = language.split('-').next().unwrap_or(language);
        [language, base, &self.fallback_language]
            .into_iter()
            .find_map(|language| self.texts.get(language)?.get(key))
            .cloned()
    }
}
