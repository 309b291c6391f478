//! What became of each command, as its sender was told and as it is stored.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Check;
use crate::history::Event;
use crate::tables::Entry;

/// A command, by conversation, sender and name.
type Name<'a> = (Uuid, Uuid, &'a str);

/// What its sender did and was told.
#[derive(Default)]
struct Fate<'a> {
    text: Option<&'a str>,
    sent: usize,
    /// Answers that said that nothing was stored.
    refused: usize,
    acked: Option<u64>,
}

impl Check<'_> {
    pub(super) fn commands(&mut self) {
        let mut fates: BTreeMap<Name<'_>, Fate<'_>> = BTreeMap::new();
        for event in self.history {
            match event {
                Event::Sent { who, conversation, id, after, text, .. } => {
                    let fate = fates.entry((*conversation, *who, id)).or_default();
                    (fate.text, fate.sent) = (text.as_deref(), fate.sent + 1);
                    if let (None, Some(after)) = (fate.acked, after) {
                        self.order((*conversation, *who), after, id);
                    }
                }
                Event::Acked { who, conversation, id, seq, .. } => {
                    let acked = &mut fates.entry((*conversation, *who, id)).or_default().acked;
                    if acked.is_some_and(|earlier| earlier != *seq) {
                        self.report(1, format!("{conversation} {id}: acknowledged at {acked:?} and at {seq}"));
                    }
                    *acked = Some(*seq);
                }
                Event::Refused { who, conversation, id, code } => {
                    let fate = fates.entry((*conversation, *who, id)).or_default();
                    fate.refused += usize::from(code != "unknown");
                }
                _ => {}
            }
        }
        for (name, fate) in fates {
            self.fate(name, &fate);
        }
        self.doubled();
    }

    fn fate(&mut self, name: Name<'_>, fate: &Fate<'_>) {
        let stored = self.by_command.get(&name).cloned().unwrap_or_default();
        let (conversation, _, id) = name;
        if stored.len() > 1 {
            self.report(2, format!("{conversation} {id}: stored {} times", stored.len()));
        }
        match (fate.acked, stored.first()) {
            (Some(seq), None) => self.report(1, format!("{conversation} {id}: acknowledged at {seq}, and not stored")),
            (Some(seq), Some(entry)) if entry.seq != seq => {
                self.report(1, format!("{conversation} {id}: acknowledged at {seq}, stored at {}", entry.seq));
            }
            (None, Some(entry)) if fate.sent == fate.refused => {
                self.report(2, format!("{conversation} {id}: refused each time, and stored at {}", entry.seq));
            }
            _ => {}
        }
        if let (Some(said), Some(entry)) = (fate.text, stored.first())
            && entry.body["text"] != said
        {
            self.report(1, format!("{conversation} {id}: said {said:?}, stored {}", entry.body["text"]));
        }
    }

    /// What was sent after another command stands after it.
    fn order(&mut self, (conversation, who): (Uuid, Uuid), before: &str, id: &str) {
        let seq = |id| self.by_command.get(&(conversation, who, id))?.first().map(|entry| entry.seq);
        if let (Some(first), Some(second)) = (seq(before), seq(id))
            && first > second
        {
            self.report(4, format!("{conversation}: {id} stands at {second}, and {before} before it at {first}"));
        }
    }

    /// The texts of customers name the command, so a text that stands twice is a command that was done twice.
    fn doubled(&mut self) {
        for (conversation, entries) in &self.tables.entries {
            let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
            for entry in entries {
                let Some(text) = unique_text(entry) else { continue };
                if let Some(before) = seen.insert(text, entry.seq) {
                    self.report(2, format!("{conversation}: the same message at {before} and at {}", entry.seq));
                }
            }
        }
    }
}

fn unique_text(entry: &Entry) -> Option<&str> {
    let text = entry.body["text"].as_str().filter(|_| entry.kind == "message_said")?;
    (!text.starts_with("/mock")).then_some(text)
}
