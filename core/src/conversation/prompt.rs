//! What the model is shown of a conversation: the newest messages that fit, up to the question, which comes last.
//!
//! The order is that of the dialogue, not of the log: a reply stands where its turn was opened, before what the
//! customer said while it ran. Left out are replies that a later turn replaces, replies that failed, and what had been
//! shown of an earlier attempt to answer this very question. A person's messages are marked as such, and when the
//! assistant is back, one line says that the person is gone, so that the model does not go on announcing a handoff
//! that is over.

use std::collections::BTreeSet;

use super::command::Role;
use super::event::{Cause, Control, Entry, Event, Outcome};
use crate::Seq;

const NO_HUMAN: &str = "No human is in this conversation any more. You answer again.";

/// Who speaks in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The server, to the model.
    System,
    /// The customer.
    Customer,
    /// The model, or a person who spoke in its place.
    Assistant,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptMessage {
    /// Who speaks.
    pub speaker: Speaker,
    /// What.
    pub text: String,
}

/// What the model is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The messages, oldest first; the last one is the question.
    pub messages: Vec<PromptMessage>,
}

/// Builds the prompt for the open turn from the newest entries of the log, in at most `max_bytes` of text. The
/// question is always included, however long it is.
#[must_use]
pub fn build_prompt<'a>(entries: impl DoubleEndedIterator<Item = &'a Entry> + Clone, max_bytes: usize) -> Prompt {
    let question = entries.clone().rev().find_map(|entry| match entry.event {
        Event::TurnOpened { answers, .. } => Some(answers),
        _ => None,
    });
    let mut lines = lines(entries.clone());
    lines.retain(|(seq, _)| question.is_none_or(|question| *seq <= question));
    lines.sort_by_key(|(seq, _)| *seq);
    if let Some(returned) = entries.rev().find(|entry| returns_to_assistant(entry)) {
        let asked_from = lines.iter().rposition(|(_, line)| line.speaker != Speaker::Customer).map_or(0, |at| at + 1);
        let place = lines.partition_point(|(seq, _)| *seq < returned.seq).min(asked_from);
        lines.insert(place, (returned.seq, PromptMessage { speaker: Speaker::System, text: NO_HUMAN.to_owned() }));
    }
    Prompt { messages: newest_that_fit(lines, max_bytes) }
}

/// What was said, each with its place in the dialogue.
fn lines<'a>(entries: impl Iterator<Item = &'a Entry> + Clone) -> Vec<(Seq, PromptMessage)> {
    let replaced: BTreeSet<Seq> = entries
        .clone()
        .filter_map(|entry| match &entry.event {
            Event::TurnOpened { replaces, .. } => *replaces,
            _ => None,
        })
        .collect();
    entries.filter(|entry| !replaced.contains(&entry.seq)).filter_map(line).collect()
}

fn line(entry: &Entry) -> Option<(Seq, PromptMessage)> {
    let (place, speaker, text) = match &entry.event {
        Event::MessageSaid { author, text } if author.role == Role::Customer => {
            (entry.seq, Speaker::Customer, text.clone())
        }
        Event::MessageSaid { text, .. } => (entry.seq, Speaker::Assistant, format!("[a human colleague] {text}")),
        Event::TurnEnded { turn, outcome, text, .. } if !text.is_empty() && *outcome != Outcome::Failed => {
            (*turn, Speaker::Assistant, text.clone())
        }
        _ => return None,
    };
    Some((place, PromptMessage { speaker, text }))
}

const fn returns_to_assistant(entry: &Entry) -> bool {
    matches!(
        entry.event,
        Event::ControlChanged { control: Control::Assistant, cause: Cause::HandedBack | Cause::AssistantChosen, .. }
    )
}

fn newest_that_fit(lines: Vec<(Seq, PromptMessage)>, max_bytes: usize) -> Vec<PromptMessage> {
    let mut left_bytes = max_bytes;
    let mut messages = Vec::new();
    for (_, message) in lines.into_iter().rev() {
        if message.text.len() > left_bytes && !messages.is_empty() {
            break;
        }
        left_bytes = left_bytes.saturating_sub(message.text.len());
        messages.push(message);
    }
    messages.reverse();
    messages
}
