//! Which form is wanted, and writing a document in it.

use axum::http::{HeaderMap, header};
use onya_actors::ports::Summary;
use onya_protocol::{ErrorCode, LogEntry};
use uuid::Uuid;

use super::super::conversations::ConversationView;
use super::{html, text};
use crate::edge::error::Failure;

/// A form of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
    Html,
}

impl Format {
    const ALL: [Self; 3] = [Self::Json, Self::Text, Self::Html];

    /// The form that is named, or else the one that `Accept` prefers.
    pub(super) fn wanted(named: Option<&str>, headers: &HeaderMap) -> Result<Self, Failure> {
        let Some(named) = named else {
            let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
            return Ok(accept.map_or(Self::Json, preferred));
        };
        let unknown = || Failure::new(ErrorCode::BadRequest, "format must be json, text or html");
        Self::ALL.into_iter().find(|format| format.name() == named).ok_or_else(unknown)
    }

    /// As it is asked for.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Html => "html",
        }
    }

    /// Of a file that holds it.
    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json | Self::Html => self.name(),
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain",
            Self::Html => "text/html",
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

/// The form that an `Accept` header gives the highest weight, the first in our order among equals. A header that takes
/// none of them is passed over, as if it were not there.
fn preferred(accept: &str) -> Format {
    let mut best = (Format::Json, 0);
    for format in Format::ALL {
        let weight = accept.split(',').filter_map(|range| weight_of(range, format)).max_by_key(|(exact, _)| *exact);
        if let Some((_, weight)) = weight.filter(|(_, weight)| *weight > best.1) {
            best = (format, weight);
        }
    }
    best.0
}

/// How exactly a media range names a form, and the weight it gives it, in thousandths.
fn weight_of(range: &str, format: Format) -> Option<(u8, u32)> {
    let mut parts = range.split(';').map(str::trim);
    let (kind, any) = (format.media_type(), format.media_type().split('/').next()?);
    let exact = match parts.next()?.to_ascii_lowercase() {
        range if range == kind => 2,
        range if range.strip_suffix("/*") == Some(any) => 1,
        range if range == "*/*" => 0,
        _ => return None,
    };
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
    Some((exact, (weight.clamp(0.0, 1.0) * 1_000.0) as u32))
}

/// A document that is being written.
pub(super) struct Document {
    format: Format,
    /// Names the one style that the HTML may have.
    nonce: String,
    begun: bool,
}

impl Document {
    pub(super) fn new(format: Format, nonce: Uuid) -> Self {
        Self { format, nonce: nonce.simple().to_string(), begun: false }
    }

    /// What a page that shows the document may do; data may do nothing anyway.
    pub(super) fn policy(&self) -> Option<String> {
        (self.format == Format::Html).then(|| html::header_policy(&self.nonce))
    }

    pub(super) fn begin(&self, out: &mut String, summary: &Summary) {
        match self.format {
            Format::Json => {
                let about = serde_json::to_string(&ConversationView::from(summary.clone())).unwrap_or_default();
                out.push_str(about.strip_suffix('}').unwrap_or_default());
                out.push_str(",\"entries\":[");
            }
            Format::Text => text::begin(out, summary),
            Format::Html => html::begin(out, summary, &self.nonce),
        }
    }

    pub(super) fn entries(&mut self, out: &mut String, entries: &[&LogEntry]) {
        for entry in entries {
            match self.format {
                Format::Json => {
                    out.push_str(if self.begun { ",\n" } else { "\n" });
                    out.push_str(&serde_json::to_string(entry).unwrap_or_default());
                }
                Format::Text => text::entry(out, entry),
                Format::Html => html::entry(out, entry),
            }
            self.begun = true;
        }
    }

    pub(super) fn end(&self, out: &mut String) {
        match self.format {
            Format::Json => out.push_str("\n]}\n"),
            Format::Text => text::end(out),
            Format::Html => html::end(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_is_accepted_most_is_taken() {
        let table = [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("application/json", Format::Json),
            ("text/html", Format::Html),
            ("text/*", Format::Text),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Html),
            ("text/html;q=0.2, text/plain;q=0.5", Format::Text),
            ("text/html;q=0, */*", Format::Json),
            ("TEXT/HTML", Format::Html),
            ("image/png", Format::Json),
            ("text/plain; q=x", Format::Json),
            (";;,,=", Format::Json),
        ];
        for (accept, format) in table {
            assert_eq!(preferred(accept), format, "{accept}");
        }
    }
}
