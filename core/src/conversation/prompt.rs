//! What the model is shown of a conversation: the newest messages that fit, oldest first.
//!
//! Replies that a later turn replaces are left out, and so is a reply that failed. A person's messages are marked as
//! such, and when the assistant is back, one line says that the person is gone, so that the model does not go on
//! announcing a handoff that is over.

use std::collections::BTreeSet;

use super::command::Role;
use super::event::{Cause, Control, Entry, Event, Outcome};
use crate::Seq;

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
    /// The messages, oldest first; the last one is the customer's.
    pub messages: Vec<PromptMessage>,
}

/// Builds the prompt for the open turn from the newest entries of the log, in at most `max_bytes` of text. The
/// newest message is always included.
#[must_use]
pub fn build_prompt<'a>(entries: impl DoubleEndedIterator<Item = &'a Entry> + Clone, max_bytes: usize) -> Prompt {
    let replaced: BTreeSet<Seq> = entries
        .clone()
        .filter_map(|entry| match &entry.event {
            Event::TurnOpened { replaces, .. } => *replaces,
            _ => None,
        })
        .collect();
    let mut left_bytes = max_bytes;
    let mut messages = Vec::new();
    for message in entries.rev().filter(|entry| !replaced.contains(&entry.seq)).filter_map(message) {
        if message.text.len() > left_bytes && !messages.is_empty() {
            break;
        }
        left_bytes = left_bytes.saturating_sub(message.text.len());
        messages.push(message);
    }
    messages.reverse();
    Prompt { messages }
}

fn message(entry: &Entry) -> Option<PromptMessage> {
    let (speaker, text) = match &entry.event {
        Event::MessageSaid { author, text } if author.role == Role::Customer => (Speaker::Customer, text.clone()),
        Event::MessageSaid { text, .. } => (Speaker::Assistant, format!("[a human colleague] {text}")),
        Event::TurnEnded { outcome, text, .. } if !text.is_empty() && *outcome != Outcome::Failed => {
            (Speaker::Assistant, text.clone())
        }
        Event::ControlChanged {
            control: Control::Assistant,
            cause: Cause::HandedBack | Cause::AssistantChosen,
            ..
        } => (Speaker::System, "No human is in this conversation any more. You answer again.".to_owned()),
        _ => return None,
    };
    Some(PromptMessage { speaker, text })
}
