//! A transcript as one HTML file that needs nothing else, and may do nothing: no script, no picture, no link.
//!
//! Whatever somebody wrote is text here, the model included: its Markdown is shown as it was written. The policy stands
//! in the header, and in the file for whoever opens it from a disk.

use std::fmt::Write as _;

use onya_actors::ports::Summary;
use onya_protocol::LogEntry;

use super::clock::utc;
use super::line::{Line, Speaker, line};

const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{max-width:48rem;margin:0 auto;padding:1.5rem}\
h1{font-size:1.25rem;margin:0}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem;margin:.5rem 0 1.5rem}\
dt,header,footer,.remark{color:GrayText}dd{margin:0;overflow-wrap:anywhere}\
article{margin:0 0 1rem;padding-inline-start:.75rem;border-inline-start:3px solid GrayText;break-inside:avoid-page}\
article.customer{border-color:#0b7a55}article.agent{border-color:#8a3ffc}article.assistant{border-color:#0f62fe}\
article header{font-size:.8125rem}article b{color:CanvasText}\
p{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:plaintext}\
@media print{:root{color-scheme:light;font-size:10pt}body{max-width:none;padding:0}}";

/// What the file may do: have this style.
fn policy(nonce: &str) -> String {
    format!("default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'")
}

/// The same as a header, which can say more.
pub(super) fn header_policy(nonce: &str) -> String {
    format!("{}; frame-ancestors 'none'; sandbox", policy(nonce))
}

pub(super) fn begin(out: &mut String, summary: &Summary, nonce: &str) {
    let (id, customer, opened) = (summary.id, summary.customer, summary.opened_at);
    // Writing to a string cannot fail; this holds for the whole file.
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <title>Conversation {id}</title>\n<style nonce=\"{nonce}\">{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Conversation</h1>\n<dl><dt>Identifier</dt><dd>{id}</dd><dt>Customer</dt><dd>{customer}</dd>\
         <dt>Opened</dt><dd><time datetime=\"{}\">{}</time></dd></dl>\n",
        policy(nonce),
        opened,
        utc(opened),
    );
}

pub(super) fn entry(out: &mut String, entry: &LogEntry) {
    let Some(line) = line(entry) else { return };
    let (seq, class) = (entry.seq, class(line.speaker));
    let _ = write!(out, "<article id=\"e{seq}\" class=\"{class}\">");
    header(out, &line);
    if let Some(said) = line.said {
        let _ = write!(out, "<p dir=\"auto\">{}</p>", escaped(said));
    }
    if let Some(remark) = &line.remark {
        let _ = write!(out, "<p class=\"remark\">{}</p>", escaped(remark));
    }
    out.push_str("</article>\n");
}

fn header(out: &mut String, line: &Line<'_>) {
    let _ = write!(out, "<header><b>{}</b>", line.speaker.label());
    if let Some(name) = line.name {
        let _ = write!(out, " <bdi>{}</bdi>", escaped(name));
    }
    let _ = write!(out, " · <time datetime=\"{}\">{}</time></header>", line.at, utc(line.at));
}

pub(super) fn end(out: &mut String) {
    out.push_str("</main>\n<footer>End of the transcript.</footer>\n</body>\n</html>\n");
}

const fn class(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Customer => "customer",
        Speaker::Agent => "agent",
        Speaker::Assistant => "assistant",
        Speaker::Server => "server",
    }
}

/// Text as HTML, good between tags and in a quoted attribute. Characters that HTML cannot hold are replaced.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' | '\t' => html.push(c),
            '\r' => {}
            c if c.is_control() => html.push(char::REPLACEMENT_CHARACTER),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use onya_core::conversation::{Outcome, Role};
    use onya_core::{ParticipantId, Timestamp};
    use onya_protocol::{Author, EntryBody};
    use uuid::Uuid;

    use super::*;

    /// The texts that the customer's page is tried with.
    fn corpus() -> Vec<String> {
        let corpus: serde_json::Value =
            serde_json::from_str(include_str!("../../../../web/customer/test/xss.json")).unwrap();
        let texts = corpus["texts"].as_array().unwrap();
        texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    fn logged(body: EntryBody) -> LogEntry {
        LogEntry { seq: 2, prev: 1, at: Timestamp(0), client_msg_id: None, erased: false, body }
    }

    /// Every tag of the text, without what stands between them.
    fn tags(html: &str) -> String {
        html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn no_text_of_anybody_becomes_a_tag_or_an_attribute() {
        let harmless = |text: &str| {
            let author = Author { id: ParticipantId(Uuid::nil()), role: Role::Agent, name: Some(text.to_owned()) };
            let reply = EntryBody::TurnEnded { turn: 1, outcome: Outcome::Final, failure: None, text: text.to_owned() };
            [EntryBody::MessageSaid { author, text: text.to_owned() }, reply].map(|body| {
                let mut html = String::new();
                entry(&mut html, &logged(body));
                html
            })
        };
        let expected = harmless("harmless").map(|html| tags(&html));
        let corpus = corpus();
        assert!(corpus.len() > 50);
        for text in corpus {
            assert_eq!(harmless(&text).map(|html| tags(&html)), expected, "{text}");
        }
    }

    #[test]
    fn the_file_holds_its_style_and_asks_for_nothing() {
        let mut html = String::new();
        let summary = Summary {
            id: onya_core::ConversationId(Uuid::nil()),
            customer: ParticipantId(Uuid::nil()),
            language: "ar".to_owned(),
            opened_at: Timestamp(0),
            last_seq: 1,
            control: onya_core::conversation::Control::Assistant,
            control_version: 0,
            owner: None,
            epoch: 0,
            turn: None,
        };
        begin(&mut html, &summary, "abc");
        end(&mut html);
        assert_eq!(html.matches("'nonce-abc'").count() + html.matches("nonce=\"abc\"").count(), 2);
        for asked in ["src=", "href=", "url(", "@import", "<script", "<link", "http://", "https://"] {
            assert!(!html.contains(asked), "{asked}");
        }
        assert!(!policy("abc").contains("unsafe"));
    }
}
