//! The queue of customers who wait for a person, and taking one of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use onya_core::conversation::Action;
use onya_protocol::QueueEntry;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::commands::{Sender, Stored, submit};
use super::responses::{CommandErrors, ListErrors};
use crate::edge::Edge;
use crate::edge::error::Failure;
use crate::edge::identity::{Body, CommandHeader, Conversation, Staff};

/// Entries that are shown.
const SHOWN: usize = 200;

/// Everybody who waits.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct QueueView {
    /// First to be served first; the first 200.
    #[schema(schema_with = super::description::queue_entries)]
    entries: Vec<QueueEntry>,
    /// How many wait.
    waiting: usize,
}

/// What the sender has seen.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct Seen {
    /// The version of control that the sender has seen.
    control_version: u64,
}

/// Who waits for a person (staff)
#[utoipa::path(get, path = "/v1/queue", tag = "desk",
    responses((status = 200, body = QueueView, description = "the queue now"), ListErrors))]
pub(in crate::edge) async fn show(
    State(edge): State<Arc<Edge>>,
    Staff(who): Staff,
) -> Result<Json<QueueView>, Failure> {
    let waiting = edge.sessions.waiting(&who).await?;
    let entries = waiting.iter().take(SHOWN).map(Into::into).collect();
    Ok(Json(QueueView { entries, waiting: waiting.len() }))
}

/// Take a conversation from the queue (staff)
#[utoipa::path(post, path = "/v1/conversations/{id}/claim", tag = "desk", request_body = Seen,
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header, description = "1 to 64 printable characters")),
    responses((status = 200, body = Stored, description = "it is yours"), CommandErrors))]
pub(in crate::edge) async fn claim(
    State(edge): State<Arc<Edge>>,
    Staff(who): Staff,
    Conversation(conversation): Conversation,
    header: CommandHeader,
    Body(seen): Body<Seen>,
) -> Result<Json<Stored>, Failure> {
    let assignment = edge.sessions.new_assignment();
    let action = Action::Claim { control_version: seen.control_version, assignment };
    submit(&edge, Sender { who, conversation, header }, action).await
}

/// Take a conversation from the assistant or, as a supervisor, from an agent (staff)
#[utoipa::path(post, path = "/v1/conversations/{id}/take-over", tag = "desk", request_body = Seen,
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header, description = "1 to 64 printable characters")),
    responses((status = 200, body = Stored, description = "it is yours"), CommandErrors))]
pub(in crate::edge) async fn take_over(
    State(edge): State<Arc<Edge>>,
    Staff(who): Staff,
    Conversation(conversation): Conversation,
    header: CommandHeader,
    Body(seen): Body<Seen>,
) -> Result<Json<Stored>, Failure> {
    let assignment = edge.sessions.new_assignment();
    let action = Action::TakeOver { control_version: seen.control_version, assignment };
    submit(&edge, Sender { who, conversation, header }, action).await
}
