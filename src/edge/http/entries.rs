//! The log of a conversation, page by page, in the view of who reads it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use onya_actors::ports::PageFrom;
use onya_core::Seq;
use onya_protocol::{ErrorCode, LogEntry};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::responses::ReadErrors;
use crate::edge::Edge;
use crate::edge::error::Failure;
use crate::edge::identity::{Conversation, Fields, Reader};

/// Entries in a page when nothing else is asked for.
const DEFAULT_LIMIT: usize = 50;
/// Most entries in a page.
const MAX_LIMIT: usize = 200;

/// Which part of the log.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct PageFields {
    /// The entries after this position. At most one of `after` and `before`; without either, the newest entries.
    #[param(value_type = Option<u64>)]
    after: Option<Seq>,
    /// The entries before this position.
    #[param(value_type = Option<u64>)]
    before: Option<Seq>,
    /// At most so many: 1 to 200, default 50.
    #[param(value_type = Option<u16>)]
    limit: Option<usize>,
}

/// Part of a log.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct EntriesView {
    /// The entries, oldest first.
    #[schema(schema_with = super::description::entries)]
    entries: Vec<Arc<LogEntry>>,
    /// Whether the log goes on in the direction of the page: newer entries with `after`, older ones otherwise.
    has_more: bool,
}

/// Read the log
#[utoipa::path(get, path = "/v1/conversations/{id}/entries", tag = "conversations",
    params(("id" = Uuid, Path), PageFields),
    responses((status = 200, body = EntriesView, description = "entries that the caller may see"), ReadErrors))]
pub(in crate::edge) async fn page(
    State(edge): State<Arc<Edge>>,
    Reader(who): Reader,
    Conversation(id): Conversation,
    Fields(fields): Fields<PageFields>,
) -> Result<Json<EntriesView>, Failure> {
    let refuse = |why| Err(Failure::new(ErrorCode::BadRequest, why));
    let from = match (fields.after, fields.before) {
        (Some(_), Some(_)) => return refuse("after and before exclude each other"),
        (Some(after), None) => PageFrom::After(after),
        (None, Some(before)) => PageFrom::Before(before),
        (None, None) => PageFrom::End,
    };
    let limit = fields.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) || [fields.after, fields.before].iter().flatten().any(|seq| !is_seq(*seq)) {
        return refuse("limit must be 1 to 200, a position at most 9223372036854775807");
    }
    let page = edge.sessions.entries(&who, id, (from, limit)).await?;
    Ok(Json(EntriesView { entries: page.entries, has_more: page.has_more }))
}

/// Databases count in signed numbers.
fn is_seq(seq: Seq) -> bool {
    i64::try_from(seq).is_ok()
}
