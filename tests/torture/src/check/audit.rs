//! The chains, and what must be on record.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Check;
use crate::history::Event;
use crate::tables::Act;

/// What is on record: action, actor and what was looked at, on which conversation.
type Looks = BTreeMap<(String, String, Option<Uuid>), usize>;

impl Check<'_> {
    /// What is stored verifies to its anchored head, all of it.
    pub(super) fn chains(&mut self) {
        let verified = &self.tables.verified;
        if !verified.broken.is_empty() {
            // The rest of a broken chain is not looked at, so nothing follows from the numbers.
            return verified.broken.iter().for_each(|broken| self.report(11, format!("broken: {broken}")));
        }
        let entries: usize = self.tables.entries.values().map(Vec::len).sum();
        let whole = [("entries", verified.entries, entries), ("acts", verified.acts, self.tables.acts.len())];
        for (what, seen, stored) in whole {
            if seen != stored as u64 {
                self.report(11, format!("{seen} {what} were verified, {stored} are stored"));
            }
        }
        for (what, count) in [("are covered by no anchor", verified.unproven), ("have no link", verified.unlinked)] {
            if count > 0 {
                self.report(11, format!("{count} entries or acts {what}"));
            }
        }
        if verified.anchors == 0 {
            self.report(11, "there is no anchor".to_owned());
        }
    }

    /// What was shown to staff is on record, once for each time, and so is each start of a server. A visitor's token and a
    /// refusal may wait while others go on, and be lost with their process: nothing follows from their absence. An act
    /// without a witness is none too much: its witness may have been cut off.
    pub(super) fn record(&mut self) {
        let (mut owed, mut staff) = (Looks::new(), BTreeMap::new());
        let mut owe = |what: &str, who: String, conversation| {
            *owed.entry((what.to_owned(), who, conversation)).or_default() += 1;
        };
        for event in self.history {
            match event {
                Event::Started { .. } => owe("started", String::new(), None),
                Event::LoggedIn { socket, who } => {
                    staff.insert(*socket, *who);
                    owe("logged_in", who.to_string(), None);
                    owe("read queue", who.to_string(), None);
                }
                Event::Synced { socket, conversation, staff: true, asked: true, .. } => {
                    let who = staff.get(socket).map(Uuid::to_string).unwrap_or_default();
                    owe("read live", who, Some(*conversation));
                }
                _ => {}
            }
        }
        let mut stored = Looks::new();
        for act in &self.tables.acts {
            *stored.entry(kept(act)).or_default() += 1;
        }
        for (look, count) in owed {
            let found = stored.get(&look).copied().unwrap_or_default();
            if found < count {
                let (what, who, conversation) = look;
                let place = conversation.map(|id| format!(" of {id}")).unwrap_or_default();
                self.report(11, format!("{what}{place} by {who:?}: {count} times, {found} on record"));
            }
        }
    }
}

fn kept(act: &Act) -> (String, String, Option<Uuid>) {
    let what = act.detail["what"].as_str().map(|what| format!(" {what}")).unwrap_or_default();
    // Which server it was is not compared; staff are told apart.
    let actor = if act.role == "program" { String::new() } else { act.actor.clone() };
    (format!("{}{what}", act.action), actor, act.conversation)
}
