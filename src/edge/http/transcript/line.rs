//! What an entry says to people: who, what they said, and what happened. The one place that decides it, for text and HTML.
//!
//! An entry whose text was erased has a remark in its place.

use onya_core::Timestamp;
use onya_core::conversation::{Failure, Outcome, Role, Score};
use onya_protocol::{Author, Cause, EntryBody, LogEntry};

/// A line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) at: Timestamp,
    pub(super) speaker: Speaker,
    /// The name that goes with the speaker.
    pub(super) name: Option<&'a str>,
    /// What was said, word by word.
    pub(super) said: Option<&'a str>,
    /// What happened, in our words; never holds what somebody wrote.
    pub(super) remark: Option<String>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    Customer,
    Agent,
    Assistant,
    /// The server itself: what happened, and its notices.
    Server,
}

impl Speaker {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Customer => "Customer",
            Self::Agent => "Agent",
            Self::Assistant => "Assistant",
            Self::Server => "Conversation",
        }
    }
}

impl From<Role> for Speaker {
    fn from(role: Role) -> Self {
        if role == Role::Customer { Self::Customer } else { Self::Agent }
    }
}

/// In place of a text that was erased.
const ERASED: &str = "[erased]";

/// The line of an entry; `None` for those that only matter to programs.
pub(super) fn line(entry: &LogEntry) -> Option<Line<'_>> {
    let line = whole_line(entry)?;
    let had_text = matches!(entry.body, EntryBody::MessageSaid { .. } | EntryBody::TurnEnded { .. });
    if !(entry.erased && had_text) {
        return Some(line);
    }
    let remark = line.remark.map_or_else(|| ERASED.to_owned(), |remark| format!("{ERASED} {remark}"));
    Some(Line { said: None, remark: Some(remark), ..line })
}

fn whole_line(entry: &LogEntry) -> Option<Line<'_>> {
    let silent = Line { at: entry.at, speaker: Speaker::Server, name: None, said: None, remark: None };
    Some(match &entry.body {
        EntryBody::Opened { .. } => Line { remark: Some("The conversation began.".to_owned()), ..silent },
        EntryBody::MessageSaid { author, text } => {
            Line { speaker: author.role.into(), name: author.name.as_deref(), said: Some(text), ..silent }
        }
        EntryBody::TurnOpened { .. } => return None,
        EntryBody::AttemptStarted { attempt, .. } => {
            Line { remark: Some(format!("Attempt {attempt} at the reply began.")), ..silent }
        }
        EntryBody::TurnEnded { outcome, failure, text, .. } => Line {
            speaker: Speaker::Assistant,
            said: Some(text.as_str()).filter(|text| !text.is_empty()),
            remark: ending(*outcome, *failure),
            ..silent
        },
        EntryBody::ControlChanged { cause, by, summary, notice, reason, .. } => {
            let asked = reason.map(|reason| format!(" ({})", onya_protocol::convert::reason_name(reason)));
            let remark = format!("{}{}", changed(*cause, by.as_ref()), asked.unwrap_or_default());
            let name = by.as_ref().and_then(|by| by.name.as_deref());
            Line { name, said: summary.as_deref().or(notice.as_deref()), remark: Some(remark), ..silent }
        }
        EntryBody::Rated { reply, score, comment } => {
            let what = if reply.is_some() { "a reply" } else { "the conversation" };
            let verdict = match score {
                Score::Up => "good",
                Score::Down => "bad",
            };
            Line { said: comment.as_deref(), remark: Some(format!("The customer found {what} {verdict}.")), ..silent }
        }
        EntryBody::NoticePosted { notice, .. } => Line { said: Some(notice), ..silent },
        EntryBody::Erased { .. } => {
            Line { remark: Some("The content of this conversation was erased.".to_owned()), ..silent }
        }
    })
}

fn ending(outcome: Outcome, failure: Option<Failure>) -> Option<String> {
    let words = match outcome {
        Outcome::Final => return None,
        Outcome::Stopped => "Stopped by the customer.",
        Outcome::Superseded => "Replaced by another reply.",
        Outcome::TakenOver => "Cut short: a person took over.",
        Outcome::Escalated => "Ended by asking for a person.",
        Outcome::Closed => "Cut short: the conversation was closed.",
        Outcome::Failed => "Not completed.",
    };
    let why = failure.map(|failure| format!(" ({})", onya_protocol::convert::failure_name(failure)));
    Some(format!("{words}{}", why.unwrap_or_default()))
}

fn changed(cause: Cause, by: Option<&Author>) -> String {
    let who = match by.map(|by| by.role) {
        Some(Role::Customer) => "the customer",
        Some(_) => "a person",
        None => "the server",
    };
    match cause {
        Cause::Escalated => format!("A person was asked for by {who}."),
        Cause::Claimed => "A person took the conversation from the queue.".to_owned(),
        Cause::TakenOver => "A person took over the conversation.".to_owned(),
        Cause::HandedBack => format!("The conversation was handed back by {who}."),
        Cause::AssistantChosen => "The customer went on with the assistant.".to_owned(),
        Cause::Closed => format!("The conversation was closed by {who}."),
        Cause::IdledOut => "The conversation was closed after a silence.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erased_text_leaves_a_remark_in_its_place() {
        let body = EntryBody::TurnEnded { turn: 2, outcome: Outcome::Stopped, failure: None, text: String::new() };
        let mut entry =
            LogEntry { seq: 4, prev: 3, at: Timestamp(0), client_msg_id: None, erased: false, body: body.clone() };
        assert_eq!(line(&entry).unwrap().remark.unwrap(), "Stopped by the customer.");
        entry.erased = true;
        let erased = line(&entry).unwrap();
        assert_eq!((erased.said, erased.remark.unwrap().as_str()), (None, "[erased] Stopped by the customer."));
        let entry = LogEntry { body: EntryBody::Erased { by: None }, ..entry };
        assert_eq!(line(&entry).unwrap().remark.unwrap(), "The content of this conversation was erased.");
    }
}
