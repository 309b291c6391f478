//! Conversations: create one, list those that are open, look at one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use onya_actors::ports::{Opening, Summary};
use onya_core::{ConversationId, Seq, Timestamp};
use onya_protocol::{Control, ErrorCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::responses::{ListErrors, OpenErrors, ReadErrors};
use crate::edge::Edge;
use crate::edge::error::Failure;
use crate::edge::identity::{Body, Caller, Conversation, Customer, Fields, Staff};

/// Longest language tag, in bytes; RFC 5646, section 4.4.1, asks for 35.
const MAX_LANGUAGE_BYTES: usize = 35;
/// Conversations in one list.
const LIST_LIMIT: usize = 100;

/// What a new conversation should be like.
#[derive(Deserialize, ToSchema)]
pub(in crate::edge) struct NewConversation {
    /// The customer's language, a BCP 47 tag; notices come in it where there are texts for it. Default: `en`.
    #[schema(example = "fr-CA", max_length = 35)]
    language: Option<String>,
}

/// The customer's conversation.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct Opened {
    /// The conversation.
    id: Uuid,
    /// Whether it is new; otherwise it is the one that was open.
    created: bool,
}

/// A conversation, without its log.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct ConversationView {
    /// The conversation.
    id: Uuid,
    /// Whose it is.
    customer: Uuid,
    /// The customer's language.
    language: String,
    /// When it was opened, in ms since 1970.
    #[schema(value_type = i64)]
    opened_at: Timestamp,
    /// Position of the newest entry.
    #[schema(value_type = u64)]
    last_seq: Seq,
    /// Who answers.
    #[schema(schema_with = super::description::control)]
    control: Control,
    /// Number of changes of control.
    control_version: u64,
}

/// Open conversations, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct ConversationList {
    conversations: Vec<ConversationView>,
    /// Whether there are older ones: ask again with `before`, the last one's `id`.
    has_more: bool,
}

/// Which conversations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct ListFields {
    /// Only `open` is served.
    state: Option<String>,
    /// Continue with those opened before this one.
    #[param(value_type = Option<Uuid>)]
    before: Option<ConversationId>,
}

impl From<Summary> for ConversationView {
    fn from(summary: Summary) -> Self {
        Self {
            id: summary.id.0,
            customer: summary.customer.0,
            language: summary.language,
            opened_at: summary.opened_at,
            last_seq: summary.last_seq,
            control: summary.control.into(),
            control_version: summary.control_version,
        }
    }
}

/// Open a conversation
///
/// A customer has one open conversation at a time: this creates it, or finds it. Repeat it as often as you like.
#[utoipa::path(post, path = "/v1/conversations", tag = "conversations", request_body = NewConversation,
    responses((status = 201, body = Opened, description = "created"),
        (status = 200, body = Opened, description = "the customer has one open"), OpenErrors))]
pub(in crate::edge) async fn create(
    State(edge): State<Arc<Edge>>,
    Customer(who): Customer,
    Body(new): Body<NewConversation>,
) -> Result<(StatusCode, Json<Opened>), Failure> {
    let language = new.language.unwrap_or_else(|| "en".to_owned());
    if !is_language(&language) {
        return Err(Failure::new(ErrorCode::BadRequest, "language must be a tag such as en or fr-CA"));
    }
    let opening = edge.sessions.open(who.id, &language).await?;
    let (status, created) = match opening {
        Opening::Created(_) => (StatusCode::CREATED, true),
        Opening::Existing(_) => (StatusCode::OK, false),
    };
    Ok((status, Json(Opened { id: opening.id().0, created })))
}

/// List open conversations (staff)
#[utoipa::path(get, path = "/v1/conversations", tag = "conversations", params(ListFields),
    responses((status = 200, body = ConversationList, description = "newest first, at most 100"), ListErrors))]
pub(in crate::edge) async fn list(
    State(edge): State<Arc<Edge>>,
    Staff(who): Staff,
    Fields(fields): Fields<ListFields>,
) -> Result<Json<ConversationList>, Failure> {
    if fields.state.is_some_and(|state| state != "open") {
        return Err(Failure::new(ErrorCode::BadRequest, "state must be open"));
    }
    let open = edge.sessions.open_conversations(&who, (fields.before, LIST_LIMIT)).await?;
    let has_more = open.len() == LIST_LIMIT;
    Ok(Json(ConversationList { conversations: open.into_iter().map(Into::into).collect(), has_more }))
}

/// Look at a conversation
#[utoipa::path(get, path = "/v1/conversations/{id}", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 200, body = ConversationView, description = "as it stands in storage"), ReadErrors))]
pub(in crate::edge) async fn show(
    State(edge): State<Arc<Edge>>,
    Caller(who): Caller,
    Conversation(id): Conversation,
) -> Result<Json<ConversationView>, Failure> {
    Ok(Json(edge.sessions.summary(&who, id).await?.into()))
}

fn is_language(tag: &str) -> bool {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    tag.len() <= MAX_LANGUAGE_BYTES && tag.split('-').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_a_tag() {
        for good in ["en", "fr-CA", "zh-Hant-TW", "x-klingon"] {
            assert!(is_language(good), "{good}");
        }
        for bad in ["", "-", "en_US", "français", "en-", "toolongapart", "en US", &"a-".repeat(40)] {
            assert!(!is_language(bad), "{bad}");
        }
    }
}
