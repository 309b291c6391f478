//! Commands of customers. Each is answered when it is stored, and can be repeated with the same `Idempotency-Key`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use onya_core::conversation::{Ack, Action, Actor as Person, Overlap, Request, ReturnTo, Score};
use onya_core::{ClientMsgId, ConversationId, Seq};
use onya_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::responses::CommandErrors;
use crate::edge::Edge;
use crate::edge::error::Failure;
use crate::edge::identity::{Body, Caller, CommandHeader, Conversation};

/// The command is stored.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct Stored {
    /// The entry that answers for it.
    seq: u64,
    /// Where the reply in progress was cut, in bytes of UTF-8, if the command cut one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut_at: Option<u64>,
    /// Whether it had been stored before.
    repeated: bool,
}

impl From<Ack> for Stored {
    fn from(ack: Ack) -> Self {
        Self { seq: ack.seq, cut_at: ack.cut_at, repeated: ack.repeated }
    }
}

/// A message.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct NewMessage {
    /// What to say.
    #[schema(example = "Where is my order?")]
    text: String,
    /// `queue` (default): it is answered after the reply in progress. `interrupt`: it ends that reply.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    overlap: Overlap,
    /// The sender's newest earlier command without an outcome.
    #[schema(value_type = Option<String>)]
    after: Option<ClientMsgId>,
    /// Not served: anything but an empty list is refused with `unsupported`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    attachments: Vec<serde::de::IgnoredAny>,
}

/// Which reply to stop.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct Stop {
    /// The turn meant; any open one if absent.
    #[schema(value_type = Option<u64>)]
    turn: Option<Seq>,
}

/// Which reply to replace.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct Regenerate {
    /// The `turn_ended` entry that is replaced; the newest if absent.
    #[schema(value_type = Option<u64>)]
    reply: Option<Seq>,
}

/// A verdict.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct Rating {
    /// The `turn_ended` entry that is judged; the conversation if absent.
    #[schema(value_type = Option<u64>)]
    reply: Option<Seq>,
    /// `up` or `down`.
    #[schema(value_type = String, example = "up")]
    score: Score,
    /// In the customer's words.
    comment: Option<String>,
}

/// What the person should know.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct Escalation {
    /// In the customer's words.
    summary: Option<String>,
}

/// The end of a conversation.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct Closing {
    /// The version of control that the sender has seen; staff must say it.
    control_version: Option<u64>,
}

/// To whom a conversation is returned.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct HandBack {
    /// The version of control that the sender has seen.
    control_version: u64,
    /// `assistant` (default) or `queue`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    to: ReturnTo,
}

/// Who sends a command to which conversation.
pub(super) struct Sender {
    pub(super) who: Person,
    pub(super) conversation: ConversationId,
    pub(super) header: CommandHeader,
}

/// Sends a command and waits until it is stored.
pub(super) async fn submit(edge: &Edge, sender: Sender, action: Action) -> Result<Json<Stored>, Failure> {
    submit_after(edge, sender, None, action).await
}

async fn submit_after(
    edge: &Edge,
    sender: Sender,
    after: Option<ClientMsgId>,
    action: Action,
) -> Result<Json<Stored>, Failure> {
    let Sender { who, conversation, header } = sender;
    let request = Request { by: who, client_msg_id: header.client_msg_id, after, action };
    Ok(Json(edge.sessions.request(conversation, request, header.traceparent).await?.into()))
}

/// Say something
#[utoipa::path(post, path = "/v1/conversations/{id}/messages", tag = "commands", request_body = NewMessage,
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header, description = "1 to 64 printable characters")),
    responses((status = 200, body = Stored, description = "stored"), CommandErrors))]
pub(in crate::edge) async fn say(
    State(edge): State<Arc<Edge>>,
    Caller(who): Caller,
    Conversation(conversation): Conversation,
    header: CommandHeader,
    Body(message): Body<NewMessage>,
) -> Result<Json<Stored>, Failure> {
    if !message.attachments.is_empty() {
        return Err(Failure::new(ErrorCode::Unsupported, "attachments are not served"));
    }
    let sender = Sender { who, conversation, header };
    let action = Action::Say { text: message.text, overlap: message.overlap };
    submit_after(&edge, sender, message.after, action).await
}

macro_rules! command {
    ($(#[doc = $doc:literal])* $name:ident, $path:literal, $body:ident, $action:expr) => {
        $(#[doc = $doc])*
        #[utoipa::path(post, path = $path, tag = "commands", request_body = $body,
            params(("id" = Uuid, Path),
                ("Idempotency-Key" = String, Header, description = "1 to 64 printable characters")),
            responses((status = 200, body = Stored, description = "stored"), CommandErrors))]
        pub(in crate::edge) async fn $name(
            State(edge): State<Arc<Edge>>,
            Caller(who): Caller,
            Conversation(conversation): Conversation,
            header: CommandHeader,
            Body(body): Body<$body>,
        ) -> Result<Json<Stored>, Failure> {
            let action: fn($body) -> Action = $action;
            submit(&edge, Sender { who, conversation, header }, action(body)).await
        }
    };
}

command! {
    /// Stop the reply in progress
    stop, "/v1/conversations/{id}/stop", Stop, |Stop { turn }| Action::Stop { turn }
}
command! {
    /// Answer the same question again
    regenerate, "/v1/conversations/{id}/regenerate", Regenerate, |Regenerate { reply }| Action::Regenerate { reply }
}
command! {
    /// Judge a reply or the conversation
    rate, "/v1/conversations/{id}/ratings", Rating,
    |Rating { reply, score, comment }| Action::Rate { reply, score, comment }
}
command! {
    /// Ask for a person
    escalate, "/v1/conversations/{id}/escalate", Escalation, |Escalation { summary }| Action::Escalate { summary }
}
command! {
    /// End the conversation
    close, "/v1/conversations/{id}/close", Closing, |Closing { control_version }| Action::Close { control_version }
}
command! {
    /// Return the conversation
    ///
    /// An agent returns it to the assistant or to the queue. A customer who waits in the queue goes on with the assistant.
    hand_back, "/v1/conversations/{id}/hand-back", HandBack,
    |HandBack { control_version, to }| Action::HandBack { control_version, to }
}
