//! Frames from the server, to customers and staff alike. Every frame about a conversation names it.

use std::sync::Arc;

use onya_core::conversation::{EscalationReason, Priority, Role};
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Seq, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entry::{Control, LogEntry};
use crate::error::ErrorCode;
use crate::schema;

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The answer to the client's `hello`.
    Hello {
        /// The protocol version of this socket.
        version: u16,
        /// Who the token says the client is.
        #[schemars(with = "Uuid")]
        participant: ParticipantId,
        /// Its role.
        #[schemars(with = "schema::Role")]
        role: Role,
        /// How often the server pings, in ms.
        ping_interval_ms: u64,
        /// How long a `pong` may take, in ms.
        pong_timeout_ms: u64,
        /// The longest message, in bytes of UTF-8.
        max_message_bytes: usize,
    },
    /// Where the conversation stands: what was missed, or a fresh start.
    Synced(Synced),
    /// Committed: an entry of the log.
    Entry {
        /// The conversation.
        #[schemars(with = "Uuid")]
        conversation: ConversationId,
        /// The entry.
        #[serde(flatten)]
        entry: Arc<LogEntry>,
    },
    /// Provisional: more of the reply in progress.
    Delta(Delta),
    /// Provisional: the text of the turn so far is withdrawn, a new attempt begins.
    Reset(Reset),
    /// The command is stored.
    Ack(Ack),
    /// The command, or the frame, is refused and nothing was stored.
    Refused(Refusal),
    /// Provisional: somebody is writing, or stopped.
    Typing(Typing),
    /// Staff only, provisional: everybody who waits, first to be served first.
    Queue {
        /// Who waits; the first 200 of them.
        entries: Vec<QueueEntry>,
        /// How many wait.
        waiting: usize,
    },
    /// Provisional: the customer's place in the queue.
    QueuePosition {
        /// The conversation.
        #[schemars(with = "Uuid")]
        conversation: ConversationId,
        /// From 1.
        position: usize,
    },
    /// The server asks for a sign of life: answer with `pong`. Moves the cursors of the conversations named.
    Ping {
        /// Where the log stands for each conversation of this socket.
        positions: Vec<Position>,
    },
    /// The answer to the client's `ping`.
    Pong {},
    /// This socket will be closed: open a new one after `retry_after_ms`, then close this one.
    Goaway {
        /// When to connect again, in ms from now.
        retry_after_ms: u64,
    },
}

/// Where a reader's copy of the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cursor {
    /// The history that `seq` counts in: changes when the store was restored from a backup.
    pub history_epoch: Uuid,
    /// The newest position that the reader has seen.
    pub seq: Seq,
}

/// Why entries could not be continued from the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotRecovered {
    /// The client sent no cursor.
    New,
    /// The cursor is ahead of the log.
    Future,
    /// The cursor belongs to another history.
    OtherEpoch,
    /// Too much was missed to send it in one go.
    TooOld,
}

/// Where a conversation stands.
///
/// With `recovered: true`, `entries` are those after the cursor: apply them in one go. With `recovered: false`,
/// `entries` are the newest visible ones and replace everything the client had; older ones are paged over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Synced {
    /// The conversation.
    #[schemars(with = "Uuid")]
    pub conversation: ConversationId,
    /// The history that positions count in.
    pub history_epoch: Uuid,
    /// The cursor after this frame.
    pub position: Seq,
    /// Whether `entries` continue the client's copy.
    pub recovered: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<NotRecovered>,
    /// What was missed, or the newest entries; oldest first.
    pub entries: Vec<Arc<LogEntry>>,
    /// Whether there are visible entries before the first one of `entries`; only with `recovered: false`.
    pub has_older: bool,
    /// Who answers.
    pub control: Control,
    /// Number of changes of control.
    pub control_version: u64,
    /// The reply in progress; absent if no turn is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<LiveTurn>,
}

/// A reply in progress: its text so far replaces what the client holds of it; deltas continue at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LiveTurn {
    /// The turn.
    pub turn: Seq,
    /// The owner's epoch.
    pub epoch: u64,
    /// The attempt.
    pub attempt: u32,
    /// The text so far.
    pub text: String,
}

/// More of the reply in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Delta {
    /// The conversation.
    #[schemars(with = "Uuid")]
    pub conversation: ConversationId,
    /// The turn.
    pub turn: Seq,
    /// The owner's epoch: a higher one starts from empty text.
    pub epoch: u64,
    /// The attempt: a higher one starts from empty text.
    pub attempt: u32,
    /// Where `text` starts in the reply, in bytes of UTF-8.
    pub offset: u64,
    /// The text.
    pub text: String,
}

/// The text of a turn so far is withdrawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reset {
    /// The conversation.
    #[schemars(with = "Uuid")]
    pub conversation: ConversationId,
    /// The turn.
    pub turn: Seq,
    /// The owner's epoch.
    pub epoch: u64,
    /// The attempt that begins.
    pub attempt: u32,
}

/// A command is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// The conversation.
    #[schemars(with = "Uuid")]
    pub conversation: ConversationId,
    /// The sender's name for the command.
    #[schemars(with = "schema::ClientMsgId")]
    pub client_msg_id: ClientMsgId,
    /// The entry that answers for it.
    pub seq: Seq,
    /// Where the reply in progress was cut, in bytes of UTF-8, if the command cut one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_at: Option<u64>,
    /// Whether it had been stored before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}

/// A command or a frame is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// The conversation, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Uuid>")]
    pub conversation: Option<ConversationId>,
    /// The sender's name for the command, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::ClientMsgId>")]
    pub client_msg_id: Option<ClientMsgId>,
    /// Why.
    pub code: ErrorCode,
    /// Why, for people.
    pub message: String,
    /// When to try again, in ms from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The version of control now, with `control_changed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_version: Option<u64>,
    /// Where the first command with this id stands, with `id_conflict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

impl Refusal {
    /// A refusal with a code and a message for people, about nothing in particular.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            conversation: None,
            client_msg_id: None,
            code,
            message: message.into(),
            retry_after_ms: None,
            control_version: None,
            seq: None,
        }
    }
}

/// Somebody is writing, or stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Typing {
    /// The conversation.
    #[schemars(with = "Uuid")]
    pub conversation: ConversationId,
    /// Who.
    #[schemars(with = "Uuid")]
    pub participant: ParticipantId,
    /// In which role.
    #[schemars(with = "schema::Role")]
    pub role: Role,
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether.
    pub active: bool,
}

/// Where the log of a conversation stands for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// The conversation.
    #[schemars(with = "Uuid")]
    pub conversation: ConversationId,
    /// The newest position.
    pub seq: Seq,
}

/// A customer who waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueEntry {
    /// The conversation.
    #[schemars(with = "Uuid")]
    pub conversation: ConversationId,
    /// The version to claim it with.
    pub control_version: u64,
    /// Since when, in ms since 1970.
    #[schemars(with = "i64")]
    pub since: Timestamp,
    /// How urgent it is.
    #[schemars(with = "schema::Priority")]
    pub priority: Priority,
    /// What led to it.
    #[schemars(with = "schema::EscalationReason")]
    pub reason: EscalationReason,
    /// What the person should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}
