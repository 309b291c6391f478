//! `onya replay`: applies a conversation's log from its first entry, and says whether what is stored beside it agrees.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use onya_core::conversation::{Author, Cause, Control, Entry, Event, Role, State};
use onya_core::{ConversationId, Seq, Timestamp};
use serde_json::{Map, Value, json};

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::{self, Replayed};
use crate::telemetry::escape;

/// Prints one line per entry of a conversation's log: position, time, kind, who, and the state after it. Then whether the
/// stored head, queue entry, turns and snapshot are what the log says. Changes nothing; a server may be running.
///
/// Exit codes: 0 they agree, 1 they differ or cannot be read.
///
/// Example: onya replay 0198a1f0-0000-7000-8000-00000000c0de --until 40
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ReplayArgs {
    /// The conversation
    #[arg(value_name = "CONVERSATION")]
    conversation: ConversationId,
    /// Print entries up to this position only; the whole log is compared all the same
    #[arg(long, value_name = "SEQ", default_value_t = Seq::MAX, hide_default_value = true)]
    until: Seq,
    /// Print each state whole, as one JSON object a line, and the outcome as the last
    #[arg(long)]
    json: bool,
    /// Also print what was written: messages, replies, summaries and names
    #[arg(long)]
    texts: bool,
}

pub(super) fn run(args: &ReplayArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let (settings, policy) = (app::store_settings(config), app::policy(config));
    let mut printed = Ok(());
    let mut show = |entry: &Entry, state: &State| {
        if entry.seq <= args.until && printed.is_ok() {
            printed = output::result(&shown(args, (entry, state), state.next_deadline(&policy)));
        }
    };
    let replayed = runtime.block_on(Box::pin(store::replay(&settings, args.conversation, &policy, &mut show)))?;
    printed?;
    output::result(&if args.json { verdict_json(&replayed) } else { verdict(&replayed) })?;
    Ok(if replayed.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn shown(args: &ReplayArgs, (entry, state): (&Entry, &State), deadline: Option<Timestamp>) -> String {
    if args.json {
        return format!("{}\n", full(args.texts, (entry, state), deadline));
    }
    let mut line = format!("{:>6}  {}  {:<16}  {:<10}", entry.seq, entry.at, entry.event.kind(), who(&entry.event));
    // Writing to a string cannot fail.
    let _ = write!(line, "  {} v{}", control(state.control), state.control_version);
    if let Some(turn) = &state.turn {
        let _ = write!(line, "  turn {} attempt {}", turn.turn, turn.attempt);
    }
    if let Some(deadline) = deadline {
        let _ = write!(line, "  due {deadline}");
    }
    line.push('\n');
    if let Some(text) = text(&entry.event).filter(|text| args.texts && !text.is_empty()) {
        for row in text.lines() {
            let _ = writeln!(line, "        {}", escape::escape(row));
        }
    }
    line
}

/// The state whole. What was written, names, and what commitments could be guessed with are not printed.
fn full(texts: bool, (entry, state): (&Entry, &State), deadline: Option<Timestamp>) -> Value {
    let mut value = json!(state);
    for secret in ["salt", "recent_keys"] {
        value.as_object_mut().and_then(|state| state.remove(secret));
    }
    if !texts {
        for path in ["/queued/summary", "/assignment/queued/summary", "/assignment/agent/name"] {
            if let Some(written) = value.pointer_mut(path) {
                *written = Value::Null;
            }
        }
    }
    let mut line = Map::new();
    line.insert("seq".to_owned(), json!(entry.seq));
    line.insert("at".to_owned(), json!(entry.at));
    line.insert("kind".to_owned(), json!(entry.event.kind()));
    line.insert("by".to_owned(), json!(who(&entry.event)));
    if let Some(text) = text(&entry.event).filter(|_| texts) {
        line.insert("text".to_owned(), json!(text));
    }
    line.insert("next_deadline".to_owned(), json!(deadline));
    line.insert("state".to_owned(), value);
    Value::Object(line)
}

fn verdict_json(replayed: &Replayed) -> String {
    let Replayed { entries, differences, notes } = replayed;
    let equal = differences.is_empty();
    format!("{}\n", json!({"equal": equal, "entries": entries, "differences": differences, "notes": notes}))
}

fn verdict(replayed: &Replayed) -> String {
    let notes = replayed.notes.iter().map(|note| format!("note: {note}\n")).collect::<String>();
    let entries = replayed.entries;
    if replayed.differences.is_empty() {
        return format!("{notes}equal: {entries} entries lead to the stored head, queue entry, turns and snapshot\n");
    }
    let differences = replayed.differences.iter().map(|what| format!("different: {what}\n")).collect::<String>();
    format!("{notes}{differences}{entries} entries were applied: what is stored is not what they say\n")
}

/// In which role somebody caused the entry.
const fn who(event: &Event) -> &'static str {
    match event {
        Event::MessageSaid { author, .. } | Event::ControlChanged { by: Some(author), .. } => role(author),
        Event::Opened { .. } | Event::Rated { .. } => "customer",
        Event::TurnEnded { .. } => "assistant",
        _ => "server",
    }
}

const fn role(author: &Author) -> &'static str {
    match author.role {
        Role::Customer => "customer",
        Role::Agent => "agent",
        Role::Supervisor => "supervisor",
    }
}

fn control(control: Control) -> String {
    match control {
        Control::Assistant => "assistant".to_owned(),
        Control::Queue => "queue".to_owned(),
        Control::Agent { id } => format!("agent {id}"),
        Control::Closed => "closed".to_owned(),
    }
}

/// What somebody wrote.
fn text(event: &Event) -> Option<&str> {
    match event {
        Event::MessageSaid { text, .. } | Event::TurnEnded { text, .. } => Some(text),
        Event::ControlChanged { cause: Cause::Escalated { summary, .. }, .. } => summary.as_deref(),
        Event::Rated { comment, .. } => comment.as_deref(),
        _ => None,
    }
}
