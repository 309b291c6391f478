//! Erasing what people said, and the legal holds that stand against it. For supervisors.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use onya_actors::ErasedConversation;
use onya_actors::ports::LegalHold;
use onya_core::Timestamp;
use onya_core::conversation::Action;
use onya_protocol::{ErrorCode, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::commands::{Sender, Stored, submit};
use super::responses::{CommandErrors, HoldErrors, ReadErrors};
use crate::edge::Edge;
use crate::edge::error::Failure;
use crate::edge::identity::{Body, CommandHeader, Conversation, CustomerOfPath, Supervisor};

/// What became of a customer's conversations.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct CustomerErasure {
    /// Whether all of them are erased.
    complete: bool,
    /// Oldest first.
    conversations: Vec<ConversationErasure>,
    /// Why the first that is not erased is not; absent if all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = super::description::refusal)]
    error: Option<Refusal>,
}

/// What became of one conversation.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct ConversationErasure {
    /// The conversation.
    conversation: Uuid,
    /// The entry that says that it is erased; absent if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// Why it is not, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    code: Option<ErrorCode>,
}

/// Why nothing of a customer's may be erased.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct NewHold {
    /// For people: the case, the order of a court.
    #[schema(min_length = 1, max_length = 2000)]
    reason: String,
}

/// A legal hold.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct HoldView {
    /// The customer.
    customer: Uuid,
    /// Why.
    reason: String,
    /// The supervisor who placed it.
    placed_by: Uuid,
    /// When, in ms since 1970.
    #[schema(value_type = i64)]
    placed_at: Timestamp,
}

/// Nothing that has to be said.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct Nothing {}

impl From<LegalHold> for HoldView {
    fn from(hold: LegalHold) -> Self {
        let LegalHold { customer, reason, placed_by, placed_at } = hold;
        Self { customer: customer.0, reason, placed_by: placed_by.0, placed_at }
    }
}

/// Erase a conversation (supervisors)
///
/// What people said in it is gone for good: texts, comments, summaries, the customer's name. Positions, times and who did
/// what stay. A conversation that is not closed is closed with it.
#[utoipa::path(post, path = "/v1/conversations/{id}/erase", tag = "erasure", request_body = Nothing,
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header, description = "1 to 64 printable characters")),
    responses((status = 200, body = Stored, description = "it is erased"), CommandErrors))]
pub(in crate::edge) async fn conversation(
    State(edge): State<Arc<Edge>>,
    Supervisor(who): Supervisor,
    Conversation(conversation): Conversation,
    header: CommandHeader,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Stored>, Failure> {
    submit(&edge, Sender { who, conversation, header }, Action::Erase).await
}

/// Erase a customer (supervisors)
///
/// Erases all conversations of the customer, one after the other. If some could not be erased now, the status is that of
/// the first failure and the body says which: ask again with the same key. A customer without conversations is erased.
#[utoipa::path(post, path = "/v1/customers/{id}/erase", tag = "erasure", request_body = Nothing,
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header, description = "1 to 64 printable characters")),
    responses((status = 200, body = CustomerErasure, description = "all of them are erased"), CommandErrors))]
pub(in crate::edge) async fn customer(
    State(edge): State<Arc<Edge>>,
    Supervisor(who): Supervisor,
    CustomerOfPath(customer): CustomerOfPath,
    header: CommandHeader,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Response, Failure> {
    let erased = edge.sessions.erase_customer(&who, customer, &header.client_msg_id).await?;
    Ok(answer(erased))
}

fn answer(erased: Vec<ErasedConversation>) -> Response {
    let error = erased.iter().find_map(|erased| erased.outcome.clone().err());
    let conversations = erased.into_iter().map(|erased| ConversationErasure {
        conversation: erased.conversation.0,
        seq: erased.outcome.as_ref().ok().copied(),
        code: erased.outcome.err().map(|refusal| refusal.code),
    });
    let code = error.as_ref().map(|error| error.code.http_status());
    let status = code.map_or(Ok(StatusCode::OK), StatusCode::from_u16).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let retry_after = error.as_ref().and_then(|error| error.retry_after_ms).map(|wait_ms| wait_ms.div_ceil(1_000));
    let body = CustomerErasure { complete: error.is_none(), conversations: conversations.collect(), error };
    let mut response = (status, Json(body)).into_response();
    if let Some(wait_s) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    }
    response
}

/// Look at a legal hold (supervisors)
#[utoipa::path(get, path = "/v1/customers/{id}/hold", tag = "erasure", params(("id" = Uuid, Path)),
    responses((status = 200, body = HoldView, description = "nothing of this customer's is erased"), ReadErrors))]
pub(in crate::edge) async fn hold(
    State(edge): State<Arc<Edge>>,
    Supervisor(who): Supervisor,
    CustomerOfPath(customer): CustomerOfPath,
) -> Result<Json<HoldView>, Failure> {
    let none = || Failure::new(ErrorCode::NotFound, "the customer is not on hold");
    edge.sessions.hold(&who, customer).await?.map(|hold| Json(hold.into())).ok_or_else(none)
}

/// Put a customer on legal hold (supervisors)
///
/// From then on nothing of this customer's is erased, neither by a command nor at the end of the retention. Placed again,
/// it gets the new reason.
#[utoipa::path(put, path = "/v1/customers/{id}/hold", tag = "erasure", request_body = NewHold,
    params(("id" = Uuid, Path)),
    responses((status = 200, body = HoldView, description = "the customer is on hold"), HoldErrors))]
pub(in crate::edge) async fn place_hold(
    State(edge): State<Arc<Edge>>,
    Supervisor(who): Supervisor,
    CustomerOfPath(customer): CustomerOfPath,
    Body(new): Body<NewHold>,
) -> Result<Json<HoldView>, Failure> {
    Ok(Json(edge.sessions.place_hold(&who, customer, new.reason).await?.into()))
}

/// Lift a legal hold (supervisors)
///
/// What was due in the meantime is erased within a day.
#[utoipa::path(delete, path = "/v1/customers/{id}/hold", tag = "erasure", params(("id" = Uuid, Path)),
    responses((status = 204, description = "the customer is not on hold"), HoldErrors))]
pub(in crate::edge) async fn lift_hold(
    State(edge): State<Arc<Edge>>,
    Supervisor(who): Supervisor,
    CustomerOfPath(customer): CustomerOfPath,
) -> Result<StatusCode, Failure> {
    edge.sessions.lift_hold(&who, customer).await?;
    Ok(StatusCode::NO_CONTENT)
}
