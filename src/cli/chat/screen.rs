//! What is printed: each entry once, and the reply in progress as it comes.
//!
//! A terminal cannot take back what it has shown. When the committed text differs from what was streamed, or an attempt
//! starts again, the screen says so and prints the text that counts.

use std::collections::HashSet;
use std::io::{self, Write};

use onya_core::conversation::Role;
use onya_core::{ClientMsgId, ParticipantId, Seq};
use onya_protocol::{Author, Control, EntryBody, LogEntry};

use super::Manner;
use super::conversation::{Conversation, Rank, Reply};
use super::words::{cause_text, control_text, outcome_text, reason_text, role_name};

/// Prints a conversation to `out`.
pub(super) struct Screen<W> {
    out: W,
    manner: Manner,
    me: Option<ParticipantId>,
    staff: bool,
    typed: HashSet<ClientMsgId>,
    printed: Seq,
    shown: Option<Shown>,
    /// The last line has no end yet.
    mid_line: bool,
}

/// What has been printed of a reply in progress.
struct Shown {
    rank: Rank,
    text: String,
}

impl<W: Write> Screen<W> {
    pub(super) fn new(out: W, manner: Manner) -> Self {
        Self { out, manner, me: None, staff: false, typed: HashSet::new(), printed: 0, shown: None, mid_line: false }
    }

    /// Who we are, once the server has said it.
    pub(super) fn set_identity(&mut self, me: ParticipantId, role: Role) {
        self.me = Some(me);
        self.staff = role.is_staff();
    }

    /// This command was typed here: a terminal shows it already.
    pub(super) fn typed(&mut self, id: ClientMsgId) {
        self.typed.insert(id);
    }

    /// Another conversation is drawn from here on.
    pub(super) fn start_over(&mut self) {
        self.printed = 0;
        self.shown = None;
    }

    /// Says something about the conversation, on a line of its own.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        let dim = if self.manner.colours { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        self.line(&format!("{}-- {}{}", dim.0, printable(text), dim.1))
    }

    /// Prints what is new.
    pub(super) fn draw(&mut self, conversation: &Conversation) -> io::Result<()> {
        if conversation.cursor().is_some_and(|cursor| cursor.seq < self.printed) {
            self.note("the server went back to an earlier history; it begins again here")?;
            self.start_over();
        }
        let printed = self.printed;
        for entry in conversation.entries.iter().filter(|entry| entry.seq > printed) {
            self.entry(entry)?;
            self.printed = entry.seq;
        }
        if let Some(reply) = &conversation.live {
            self.live(reply)?;
        }
        self.out.flush()
    }

    fn entry(&mut self, entry: &LogEntry) -> io::Result<()> {
        match &entry.body {
            EntryBody::MessageSaid { .. } | EntryBody::TurnEnded { .. } if entry.erased => {
                self.shown = None;
                self.end_line()
            }
            EntryBody::MessageSaid { author, text } => {
                let typed_here = entry.client_msg_id.as_ref().is_some_and(|id| self.typed.remove(id));
                if typed_here && self.manner.interactive {
                    return Ok(());
                }
                let name = self.name(author);
                self.said(&name, text)
            }
            EntryBody::TurnEnded { turn, outcome, failure, text } => {
                self.committed(*turn, text)?;
                let why = failure.map_or_else(String::new, |failure| {
                    format!(": {}", onya_protocol::convert::failure_name(failure).replace('_', " "))
                });
                match outcome_text(*outcome) {
                    Some(outcome) => self.note(&format!("{outcome}{why}")),
                    None => Ok(()),
                }
            }
            EntryBody::ControlChanged { .. } | EntryBody::NoticePosted { .. } | EntryBody::Rated { .. } => {
                match self.notice(&entry.body) {
                    Some(notice) => self.note(&notice),
                    None => Ok(()),
                }
            }
            EntryBody::Erased { .. } => self.note("the content of this conversation was erased"),
            EntryBody::Opened { .. } | EntryBody::TurnOpened { .. } | EntryBody::AttemptStarted { .. } => Ok(()),
        }
    }

    /// The committed text of a reply: what is missing of it, or all of it if something else was shown.
    fn committed(&mut self, turn: Seq, text: &str) -> io::Result<()> {
        let shown = self.shown.take().filter(|shown| shown.rank.turn == turn);
        match shown.map(|shown| text.strip_prefix(shown.text.as_str()).map(str::to_owned)) {
            Some(Some(rest)) => {
                self.streamed(&rest)?;
                self.end_line()
            }
            Some(None) => {
                self.note("what was shown is replaced by this:")?;
                self.said("assistant", text)
            }
            None if text.is_empty() => Ok(()),
            None => self.said("assistant", text),
        }
    }

    fn live(&mut self, reply: &Reply) -> io::Result<()> {
        match self.shown.take() {
            Some(shown) if shown.rank == reply.rank && shown.text.starts_with(&reply.text) => {
                self.shown = Some(shown);
                return Ok(());
            }
            Some(shown) if shown.rank == reply.rank && reply.text.starts_with(&shown.text) => {
                self.streamed(&reply.text[shown.text.len()..])?;
            }
            shown => {
                if shown.is_some_and(|shown| shown.rank.turn == reply.rank.turn) {
                    self.note("the reply starts again:")?;
                }
                if reply.text.is_empty() {
                    return Ok(());
                }
                self.end_line()?;
                write!(self.out, "{}{}", self.label("assistant"), printable(&reply.text))?;
                self.mid_line = true;
            }
        }
        self.shown = Some(Shown { rank: reply.rank, text: reply.text.clone() });
        Ok(())
    }

    fn streamed(&mut self, more: &str) -> io::Result<()> {
        if more.is_empty() {
            return Ok(());
        }
        if !self.mid_line {
            self.out.write_all("… ".as_bytes())?;
        }
        self.mid_line = true;
        self.out.write_all(printable(more).as_bytes())
    }

    fn said(&mut self, name: &str, text: &str) -> io::Result<()> {
        let line = format!("{}{}", self.label(name), printable(text));
        self.line(&line)
    }

    fn label(&self, name: &str) -> String {
        let name = printable(name);
        if self.manner.colours { format!("\x1b[1m{name}:\x1b[0m ") } else { format!("{name}: ") }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        self.end_line()?;
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    fn end_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.mid_line) { writeln!(self.out) } else { Ok(()) }
    }

    fn name(&self, author: &Author) -> String {
        if Some(author.id) == self.me {
            return "you".to_owned();
        }
        author.name.clone().unwrap_or_else(|| role_name(author.role).to_owned())
    }

    fn notice(&self, body: &EntryBody) -> Option<String> {
        match body {
            EntryBody::NoticePosted { notice, .. } => Some(notice.clone()),
            EntryBody::Rated { score, comment, .. } => {
                let score = format!("{score:?}").to_lowercase();
                Some(format!("rated {score}{}", comment.as_ref().map_or_else(String::new, |text| format!(": {text}"))))
            }
            EntryBody::ControlChanged { notice, by, control, .. } if !self.staff => {
                let name =
                    by.as_ref().and_then(|by| by.name.as_deref()).filter(|_| matches!(control, Control::Agent { .. }));
                let notice = notice.clone().unwrap_or_else(|| control_text(*control).to_owned());
                Some(name.map_or(notice.clone(), |name| format!("{notice} ({name})")))
            }
            EntryBody::ControlChanged { control, cause, by, reason, summary, .. } => {
                let by = by.as_ref().map_or_else(|| "the server".to_owned(), |by| self.name(by));
                let reason = reason.map_or_else(String::new, |reason| format!(" ({})", reason_text(reason)));
                let summary = summary.as_ref().map_or_else(String::new, |summary| format!(": {summary}"));
                Some(format!("{}, by {by}: {}{reason}{summary}", cause_text(*cause), control_text(*control)))
            }
            _ => None,
        }
    }
}

/// Text from elsewhere must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() && char != '\n' && char != '\t' { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests;
