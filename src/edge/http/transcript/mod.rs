//! A whole conversation as one document, for people and archives: JSON, plain text or HTML.
//!
//! The log is read page by page while the document is sent, so that its length costs time and no memory. It ends at the
//! position that was newest when it was asked for. A read that fails in the middle cuts the connection: a document that
//! arrives whole is whole. What an entry says to people is decided in `line.rs` for both text and HTML.

mod clock;
mod format;
mod html;
mod line;
mod text;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use onya_actors::Looked;
use onya_actors::ports::{PageFrom, Summary};
use onya_core::Seq;
use onya_core::conversation::Actor as Person;
use onya_protocol::LogEntry;
use serde::Deserialize;
use utoipa::IntoParams;

use self::format::{Document, Format};
use super::conversations::ConversationView;
use super::responses::ReadErrors;
use crate::edge::Edge;
use crate::edge::error::Failure;
use crate::edge::identity::{Conversation, Fields, Reader};

/// Entries that are in memory at a time.
const PAGE_ENTRIES: usize = 50;

/// How to write it down.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct TranscriptFields {
    /// `json`, `text` or `html`; without it, what `Accept` prefers, `json` if it says nothing.
    format: Option<String>,
}

/// Read a whole conversation as a document
#[utoipa::path(get, path = "/v1/conversations/{id}/transcript", tag = "conversations",
    params(("id" = Uuid, Path), TranscriptFields),
    responses((status = 200, description = "what the caller may see of the log, oldest first",
        content((ConversationView = "application/json"), (String = "text/plain"), (String = "text/html"))), ReadErrors))]
pub(in crate::edge) async fn show(
    State(edge): State<Arc<Edge>>,
    Reader(who): Reader,
    Conversation(id): Conversation,
    Fields(fields): Fields<TranscriptFields>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let format = Format::wanted(fields.format.as_deref(), &headers)?;
    let summary = edge.sessions.summary(&who, id).await?;
    edge.sessions.looks(&who, Looked::AtTranscript(id, format.name())).await?;
    let document = Document::new(format, edge.random.uuid());
    let mut response = Body::empty().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    let name = format!("attachment; filename=\"conversation-{id}.{}\"", format.extension());
    let lines = [(header::CONTENT_DISPOSITION, Some(name)), (header::CONTENT_SECURITY_POLICY, document.policy())];
    for (name, value) in lines {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    *response.body_mut() = Reading { edge, who, summary, document, at: Some(0) }.into_body();
    Ok(response)
}

/// A document that is being sent.
struct Reading {
    edge: Arc<Edge>,
    who: Person,
    /// The conversation as it stood at the beginning.
    summary: Summary,
    document: Document,
    /// The last position sent; `None` after the end.
    at: Option<Seq>,
}

impl Reading {
    fn into_body(self) -> Body {
        Body::from_stream(stream::try_unfold(self, |mut reading| async move {
            let Some(at) = reading.at else { return Ok(None) };
            reading.next(at).await.map(|piece| Some((piece, reading)))
        }))
    }

    /// The next piece of the document.
    async fn next(&mut self, at: Seq) -> Result<String, Interrupted> {
        let from = (PageFrom::After(at), PAGE_ENTRIES);
        let page = self.edge.sessions.entries(&self.who, self.summary.id, from).await.map_err(|_| Interrupted)?;
        let entries: Vec<&LogEntry> =
            page.entries.iter().map(AsRef::as_ref).filter(|entry| entry.seq <= self.summary.last_seq).collect();
        let last = page.entries.last().map_or(at, |entry| entry.seq);
        let more = page.has_more && last < self.summary.last_seq;
        self.at = more.then_some(last);
        let mut piece = String::new();
        if at == 0 {
            self.document.begin(&mut piece, &self.summary);
        }
        self.document.entries(&mut piece, &entries);
        if !more {
            self.document.end(&mut piece);
        }
        Ok(piece)
    }
}

/// The rest of the log could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the log could not be read to its end")]
struct Interrupted;
