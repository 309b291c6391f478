//! Who is calling, taken from the request: the token in `Authorization`, the key in `Idempotency-Key`, the conversation
//! in the path. A token anywhere else, an address for example, is not looked at.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use onya_core::conversation::{Actor as Person, Role};
use onya_core::{ClientMsgId, ConversationId, ParticipantId};
use onya_protocol::ErrorCode;
use serde::de::DeserializeOwned;
use tracing::Span;

use super::error::Failure;
use super::{Edge, json};
use crate::auth::Principal;
use crate::telemetry::traceparent;

/// Names a command, so that it can be repeated without harm.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Somebody with a valid token.
pub(super) struct Holder(pub(super) Principal);

/// Somebody with a role in conversations.
pub(super) struct Caller(pub(super) Person);

/// A customer.
pub(super) struct Customer(pub(super) Person);

/// An agent or a supervisor.
pub(super) struct Staff(pub(super) Person);

/// A supervisor.
pub(super) struct Supervisor(pub(super) Person);

/// What every command brings in its header.
pub(super) struct CommandHeader {
    /// The sender's name for the command.
    pub(super) client_msg_id: ClientMsgId,
    /// The trace that the command belongs to.
    pub(super) traceparent: Option<String>,
}

/// The conversation that the path names.
pub(super) struct Conversation(pub(super) ConversationId);

/// The customer that the path names, whom nobody here may have seen.
pub(super) struct CustomerOfPath(pub(super) ParticipantId);

/// A body in JSON, within bounds. No body at all counts as an empty object.
pub(super) struct Body<T>(pub(super) T);

/// The fields of the query.
pub(super) struct Fields<T>(pub(super) T);

/// The token of an `Authorization: Bearer` header; `None` if there is no such header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<Result<&str, Failure>> {
    let value = headers.get(header::AUTHORIZATION)?;
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    Some(token.ok_or_else(|| Failure::new(ErrorCode::Unauthenticated, "Authorization must be: Bearer TOKEN")))
}

/// The person in conversations; programs and administrators take no part in them.
pub(super) fn person(principal: &Principal) -> Result<Person, Failure> {
    let role = principal.role.in_conversation().ok_or_else(|| forbidden().of(principal))?;
    Ok(Person { id: principal.participant, role, name: principal.display_name.as_deref().map(str::to_owned) })
}

pub(super) fn forbidden() -> Failure {
    Failure::new(ErrorCode::Forbidden, "this role may not do that")
}

impl FromRequestParts<Arc<Edge>> for Holder {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Failure> {
        let missing = || Failure::new(ErrorCode::Unauthenticated, "a token is needed: Authorization: Bearer TOKEN");
        let token = bearer(&parts.headers).ok_or_else(missing)??;
        Ok(Self(edge.verifier.verify(token)?))
    }
}

impl FromRequestParts<Arc<Edge>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Failure> {
        let Holder(principal) = Holder::from_request_parts(parts, edge).await?;
        person(&principal).map(Self)
    }
}

impl FromRequestParts<Arc<Edge>> for Customer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Failure> {
        let Holder(principal) = Holder::from_request_parts(parts, edge).await?;
        let person = person(&principal)?;
        if person.role == Role::Customer { Ok(Self(person)) } else { Err(forbidden().of(&principal)) }
    }
}

impl FromRequestParts<Arc<Edge>> for Staff {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Failure> {
        let Holder(principal) = Holder::from_request_parts(parts, edge).await?;
        let person = person(&principal)?;
        if person.role.is_staff() { Ok(Self(person)) } else { Err(forbidden().of(&principal)) }
    }
}

impl FromRequestParts<Arc<Edge>> for Supervisor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Failure> {
        let Caller(person) = Caller::from_request_parts(parts, edge).await?;
        if person.role == Role::Supervisor { Ok(Self(person)) } else { Err(forbidden()) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CustomerOfPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let unknown = || Failure::new(ErrorCode::NotFound, "no such customer");
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| unknown())?;
        text.parse().map(Self).map_err(|_| unknown())
    }
}

impl<S: Sync> FromRequestParts<S> for CommandHeader {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let missing = || Failure::new(ErrorCode::BadRequest, "a command needs the header Idempotency-Key");
        let key = parts.headers.get(IDEMPOTENCY_KEY).ok_or_else(missing)?;
        let malformed = || Failure::new(ErrorCode::BadRequest, "Idempotency-Key must be 1 to 64 printable characters");
        let client_msg_id = key.to_str().ok().and_then(|key| ClientMsgId::new(key).ok()).ok_or_else(malformed)?;
        let incoming = parts.headers.get(traceparent::HEADER).and_then(|value| value.to_str().ok());
        Ok(Self { client_msg_id, traceparent: traceparent::outgoing(&Span::current(), incoming) })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Conversation {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        // What is no identifier names no conversation.
        let unknown = || Failure::new(ErrorCode::NotFound, "no such conversation");
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| unknown())?;
        text.parse().map(Self).map_err(|_| unknown())
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let declared_json = request.headers().get(header::CONTENT_TYPE).is_none_or(is_json);
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Failure::new(ErrorCode::TooLarge, "the body is larger than allowed"),
                _ => Failure::new(ErrorCode::BadRequest, "the body could not be read"),
            }
        })?;
        if !declared_json {
            return Err(Failure::new(ErrorCode::BadRequest, "the body must be application/json"));
        }
        let text = if bytes.is_empty() { b"{}" } else { bytes.as_ref() };
        json::read(text).map(Self).map_err(|error| Failure::new(ErrorCode::BadRequest, format!("the body: {error}")))
    }
}

fn is_json(value: &axum::http::HeaderValue) -> bool {
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Fields<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Query(fields) = Query::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Failure::new(ErrorCode::BadRequest, rejection.body_text()))?;
        Ok(Self(fields))
    }
}
