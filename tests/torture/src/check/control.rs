//! Who answers: one at a time, each hand-over lawful, and decided on what it had seen.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::Check;
use crate::history::Event;
use crate::tables::Entry;

/// Who is in control, by name and, for a person, by id; and the version that says so.
struct Held<'a> {
    state: &'a str,
    person: Option<&'a str>,
    version: u64,
}

impl Check<'_> {
    /// Assignments never overlap: one party is in control at a time, only whoever is speaks for the company, and each
    /// hand-over names the version that it changes.
    pub(super) fn control(&mut self) {
        let saw = versions_seen(self.history);
        for (conversation, entries) in &self.tables.entries {
            let mut held = Held { state: "assistant", person: None, version: 0 };
            for entry in entries {
                let at = format!("{conversation}: {}", entry.seq);
                if entry.kind == "message_said" && !held.lets_speak(&entry.body["author"]) {
                    let text =
                        format!("{at} was said by {}, {} is in control", entry.body["author"]["id"], held.name());
                    self.report(14, text);
                }
                let named = saw_by(&saw, *conversation, entry);
                if entry.kind != "control_changed" {
                    if named.is_some() {
                        self.report(14, format!("{at} is a {}, and was to change control", entry.kind));
                    }
                    continue;
                }
                let after = Held::after(entry);
                if after.version != held.version + 1 {
                    self.report(14, format!("{at} makes version {} of version {}", after.version, held.version));
                }
                if let Some(named) = named.filter(|named| *named != held.version) {
                    self.report(14, format!("{at} had seen version {named}, and changed {}", held.version));
                }
                if !held.lets_change(entry, &after) {
                    let text = format!("{at} gives control to {} by {}", after.name(), entry.body["cause"]);
                    self.report(14, format!("{text}, {} had it", held.name()));
                }
                held = after;
            }
        }
    }
}

/// The version of control that each command named which was to change it.
fn versions_seen(history: &[Event]) -> BTreeMap<(Uuid, Uuid, &str), u64> {
    let seen = history.iter().filter_map(|event| match event {
        Event::Sent { who, conversation, id, saw: Some(saw), .. } => Some(((*conversation, *who, id.as_str()), *saw)),
        _ => None,
    });
    seen.collect()
}

fn saw_by(saw: &BTreeMap<(Uuid, Uuid, &str), u64>, conversation: Uuid, entry: &Entry) -> Option<u64> {
    saw.get(&(conversation, entry.participant?, entry.id.as_deref()?)).copied()
}

impl<'a> Held<'a> {
    fn after(entry: &'a Entry) -> Self {
        let control = &entry.body["control"];
        Self {
            state: control["state"].as_str().unwrap_or_default(),
            person: control["id"].as_str(),
            version: entry.body["version"].as_u64().unwrap_or_default(),
        }
    }

    fn name(&self) -> String {
        self.person.map_or_else(|| self.state.to_owned(), |person| format!("{} {person}", self.state))
    }

    /// Staff speak only while they are in control; a customer always may.
    fn lets_speak(&self, author: &Value) -> bool {
        author["role"] == "customer" || self.is_with(author)
    }

    fn is_with(&self, who: &Value) -> bool {
        self.person.is_some() && self.person == who["id"].as_str()
    }

    /// Whether that cause may lead from here to there.
    fn lets_change(&self, entry: &Entry, after: &Held<'_>) -> bool {
        let (by, supervises) = (&entry.body["by"], entry.body["by"]["role"] == "supervisor");
        let takes = after.state == "agent" && after.is_with(by);
        match (entry.body["cause"]["type"].as_str().unwrap_or_default(), self.state, after.state) {
            ("escalated", "assistant", "queue") => true,
            ("claimed", "queue", _) | ("taken_over", "assistant" | "queue", _) => takes,
            ("taken_over", "agent", _) => takes && supervises && !self.is_with(by),
            // The server returns whom a person is silent with.
            ("handed_back", "agent", "queue") if by.is_null() => true,
            ("handed_back", "agent", "assistant" | "queue") => supervises || self.is_with(by),
            ("handed_back", "queue", "assistant") => supervises,
            ("assistant_chosen", "queue", "assistant") => by["role"] == "customer",
            ("closed" | "idled_out", _, "closed") => self.state != "closed",
            _ => false,
        }
    }
}
