//! Search in what was said, for staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use onya_actors::ports::{Hit, Piece, Place, Search};
use onya_core::{Seq, Timestamp};
use onya_protocol::{Author, ErrorCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::responses::ListErrors;
use crate::edge::Edge;
use crate::edge::error::Failure;
use crate::edge::identity::{Fields, StaffReader};

/// Longest query, in characters.
const MAX_QUERY_CHARS: usize = 200;
/// Hits in a page when nothing else is asked for.
const DEFAULT_LIMIT: usize = 20;
/// Most hits in a page.
const MAX_LIMIT: usize = 100;

/// What is looked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct SearchFields {
    /// Words, 1 to 200 characters: a text is found if it holds all of them, in any case, with or without accents.
    q: String,
    /// Go on after an earlier page: its `cursor`.
    cursor: Option<String>,
    /// At most so many: 1 to 100, default 20.
    #[param(value_type = Option<u16>)]
    limit: Option<usize>,
}

/// Messages and replies, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct SearchView {
    hits: Vec<HitView>,
    /// Whether there are older ones: ask again with `cursor`.
    has_more: bool,
    /// Where the next page goes on; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Something that was said.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct HitView {
    /// The conversation.
    conversation: Uuid,
    /// The entry's position in its log.
    #[schema(value_type = u64)]
    seq: Seq,
    /// When it was said, in ms since 1970.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// The entry's kind: `message_said`, or `turn_ended` for a reply of the assistant.
    #[schema(value_type = String)]
    kind: &'static str,
    /// Who said it; absent for a reply of the assistant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = super::description::author)]
    author: Option<Author>,
    /// The text around the first hit, in pieces.
    excerpt: Vec<PieceView>,
}

/// Part of an excerpt; text, never markup.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct PieceView {
    /// The text, as it was written.
    text: String,
    /// Whether it is what was looked for.
    hit: bool,
}

impl From<Hit> for HitView {
    fn from(hit: Hit) -> Self {
        let Hit { place, author, excerpt } = hit;
        let piece = |Piece { text, hit }| PieceView { text, hit };
        Self {
            conversation: place.conversation.0,
            seq: place.seq,
            at: place.at,
            kind: if author.is_some() { "message_said" } else { "turn_ended" },
            author: author.as_ref().map(Into::into),
            excerpt: excerpt.into_iter().map(piece).collect(),
        }
    }
}

/// Search in what was said (staff)
#[utoipa::path(get, path = "/v1/search", tag = "conversations", params(SearchFields),
    responses((status = 200, body = SearchView, description = "newest first"), ListErrors))]
pub(in crate::edge) async fn show(
    State(edge): State<Arc<Edge>>,
    StaffReader(who): StaffReader,
    Fields(fields): Fields<SearchFields>,
) -> Result<Json<SearchView>, Failure> {
    let refuse = |why| Err(Failure::new(ErrorCode::BadRequest, why));
    let limit = fields.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return refuse("limit must be 1 to 100");
    }
    if fields.q.chars().count() > MAX_QUERY_CHARS {
        return refuse("q must be 1 to 200 characters");
    }
    let before = match fields.cursor.as_deref().map(place) {
        Some(None) => return refuse("cursor must be one that a page came with"),
        before => before.flatten(),
    };
    let search = Search { query: fields.q, before, limit: limit + 1 };
    let mut hits = edge.sessions.search(&who, &search).await?;
    let has_more = hits.len() > limit;
    hits.truncate(limit);
    let cursor = hits.last().filter(|_| has_more).map(|hit| cursor(hit.place));
    Ok(Json(SearchView { hits: hits.into_iter().map(Into::into).collect(), has_more, cursor }))
}

fn cursor(Place { at, conversation, seq }: Place) -> String {
    format!("{}.{seq}.{conversation}", at.0)
}

fn place(cursor: &str) -> Option<Place> {
    let mut parts = cursor.splitn(3, '.');
    let place = Place {
        at: Timestamp(parts.next()?.parse().ok()?),
        seq: parts.next()?.parse().ok().filter(|seq| i64::try_from(*seq).is_ok())?,
        conversation: parts.next()?.parse().ok()?,
    };
    Some(place)
}

#[cfg(test)]
mod tests {
    use onya_core::ConversationId;

    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is() {
        let at = Place { at: Timestamp(1_767_225_601_000), conversation: ConversationId(Uuid::now_v7()), seq: 7 };
        assert_eq!(place(&cursor(at)), Some(at));
        for bad in ["", "1", "1.2", "1.2.x", "x.2.3", "1.-2.x", &format!("1.9223372036854775808.{}", Uuid::nil())] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
