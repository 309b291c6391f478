//! Tokens for visitors: the first one, and the next before it ends.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use onya_core::conversation::Role;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::responses::{PublicErrors, RenewErrors};
use crate::auth::IssuedToken;
use crate::edge::Edge;
use crate::edge::error::Failure;
use crate::edge::identity::Holder;

/// A visitor's token.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct AnonymousToken {
    /// The token: send it as `Authorization: Bearer TOKEN`, or in the `hello` of a socket.
    token: String,
    /// Who the visitor is from now on.
    participant: Uuid,
    /// When the token ends, in ms since 1970.
    expires_at: u64,
}

/// A token for a visitor
///
/// Makes somebody new. Keep the token: it is all that connects the visitor with the conversation.
#[utoipa::path(post, path = "/v1/tokens/anonymous", tag = "tokens", security(()),
    responses((status = 201, body = AnonymousToken, description = "a new visitor"), PublicErrors))]
pub(in crate::edge) async fn anonymous(
    State(edge): State<Arc<Edge>>,
) -> Result<(StatusCode, Json<AnonymousToken>), Failure> {
    Ok(created(&edge, edge.issuer.anonymous_customer()?))
}

/// Another token for the same visitor
///
/// With a visitor's token that is still good. The new one begins its life now; the old one stays good until its own end.
#[utoipa::path(post, path = "/v1/tokens/renew", tag = "tokens",
    responses((status = 201, body = AnonymousToken, description = "the same visitor, with a later end"), RenewErrors))]
pub(in crate::edge) async fn renew(
    State(edge): State<Arc<Edge>>,
    Holder(holder): Holder,
) -> Result<(StatusCode, Json<AnonymousToken>), Failure> {
    Ok(created(&edge, edge.issuer.renew(&holder).map_err(|error| Failure::from(error).of(&holder))?))
}

fn created(edge: &Edge, issued: IssuedToken) -> (StatusCode, Json<AnonymousToken>) {
    edge.sessions.note_token(issued.participant, Role::Customer);
    let expires_at = issued.expires_at_s.saturating_mul(1_000);
    (StatusCode::CREATED, Json(AnonymousToken { token: issued.token, participant: issued.participant.0, expires_at }))
}
