//! Frames from a customer. The socket's path names the conversation.

use onya_core::conversation::{Overlap, Score};
use onya_core::{ClientMsgId, Seq};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::server::Cursor;

/// What a customer sends. Fields that the server does not know are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CustomerFrame {
    /// The first frame of a socket.
    Hello {
        /// The protocol versions that the client speaks.
        versions: Vec<u16>,
        /// The token, unless the `Authorization` header of the upgrade brought it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Where the client's copy of the log ends; absent if it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
    },
    /// Say something.
    Say {
        /// The sender's name for this command: 1 to 64 printable ASCII characters.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The sender's newest earlier command without an outcome.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::ClientMsgId>")]
        after: Option<ClientMsgId>,
        /// The message.
        text: String,
        /// What happens to a reply in progress: `queue` (default) or `interrupt`.
        #[serde(default)]
        #[schemars(with = "schema::Overlap")]
        overlap: Overlap,
        /// Not served: anything but an empty list is refused with `unsupported`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<serde_json::Value>,
        /// W3C trace context to continue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// End the reply in progress where it is.
    Stop {
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The sender's newest earlier command without an outcome.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::ClientMsgId>")]
        after: Option<ClientMsgId>,
        /// The turn meant; any open one if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<Seq>,
    },
    /// Answer the same question again.
    Regenerate {
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The sender's newest earlier command without an outcome.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::ClientMsgId>")]
        after: Option<ClientMsgId>,
        /// The `turn_ended` entry that is replaced; the newest if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply: Option<Seq>,
    },
    /// Judge a reply or, without `reply`, the conversation.
    Rate {
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The sender's newest earlier command without an outcome.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::ClientMsgId>")]
        after: Option<ClientMsgId>,
        /// The `turn_ended` entry that is judged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply: Option<Seq>,
        /// `up` or `down`.
        #[schemars(with = "schema::Score")]
        score: Score,
        /// In the customer's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Ask for a person.
    Escalate {
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The sender's newest earlier command without an outcome.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::ClientMsgId>")]
        after: Option<ClientMsgId>,
        /// What the person should know.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
    },
    /// Leave the queue and go on with the assistant.
    HandBack {
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The sender's newest earlier command without an outcome.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::ClientMsgId>")]
        after: Option<ClientMsgId>,
        /// The version of control that the sender has seen.
        control_version: u64,
    },
    /// End the conversation.
    Close {
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The sender's newest earlier command without an outcome.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::ClientMsgId>")]
        after: Option<ClientMsgId>,
    },
    /// The customer is writing, or stopped.
    Typing {
        /// Whether.
        active: bool,
    },
    /// Synchronise again on this socket, after a gap was seen.
    Resume {
        /// Where the client's copy of the log ends.
        cursor: Cursor,
    },
    /// Answered with `pong`.
    Ping {},
    /// The answer to the server's `ping`.
    Pong {},
}
