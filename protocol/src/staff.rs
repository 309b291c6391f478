//! Frames from an agent or a supervisor. One socket, the queue and any number of conversations.

use onya_core::conversation::ReturnTo;
use onya_core::{ClientMsgId, ConversationId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::server::Cursor;

/// What an agent or a supervisor sends. Fields that the server does not know are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StaffFrame {
    /// The first frame of a socket.
    Hello {
        /// The protocol versions that the client speaks.
        versions: Vec<u16>,
        /// The token, unless the `Authorization` header of the upgrade brought it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// Follow a conversation, or synchronise it again.
    Watch {
        /// The conversation.
        #[schemars(with = "uuid::Uuid")]
        conversation: ConversationId,
        /// Where the client's copy of the log ends; absent if it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
    },
    /// Follow it no longer.
    Unwatch {
        /// The conversation.
        #[schemars(with = "uuid::Uuid")]
        conversation: ConversationId,
    },
    /// Take a conversation from the queue.
    Claim {
        /// The conversation.
        #[schemars(with = "uuid::Uuid")]
        conversation: ConversationId,
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The version of control that the sender has seen.
        control_version: u64,
    },
    /// Take a conversation from the assistant or, as a supervisor, from an agent.
    TakeOver {
        /// The conversation.
        #[schemars(with = "uuid::Uuid")]
        conversation: ConversationId,
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The version of control that the sender has seen.
        control_version: u64,
    },
    /// Return a conversation.
    HandBack {
        /// The conversation.
        #[schemars(with = "uuid::Uuid")]
        conversation: ConversationId,
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The version of control that the sender has seen.
        control_version: u64,
        /// To whom: `assistant` (default) or `queue`.
        #[serde(default)]
        #[schemars(with = "schema::ReturnTo")]
        to: ReturnTo,
    },
    /// Say something to the customer.
    Say {
        /// The conversation.
        #[schemars(with = "uuid::Uuid")]
        conversation: ConversationId,
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The sender's newest earlier command without an outcome.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<schema::ClientMsgId>")]
        after: Option<ClientMsgId>,
        /// The message.
        text: String,
        /// W3C trace context to continue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// End the conversation.
    Close {
        /// The conversation.
        #[schemars(with = "uuid::Uuid")]
        conversation: ConversationId,
        /// The sender's name for this command.
        #[schemars(with = "schema::ClientMsgId")]
        client_msg_id: ClientMsgId,
        /// The version of control that the sender has seen.
        control_version: u64,
    },
    /// The agent is writing, or stopped.
    Typing {
        /// The conversation.
        #[schemars(with = "uuid::Uuid")]
        conversation: ConversationId,
        /// Whether.
        active: bool,
    },
    /// Answered with `pong`.
    Ping {},
    /// The answer to the server's `ping`.
    Pong {},
}
