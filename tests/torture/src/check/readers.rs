//! What readers were shown, held against the log as it is now.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Check;
use crate::history::{Event, Shown};
use crate::tables::Entry;

/// A reader's place: the view, and the newest position that it was brought to.
struct Place {
    staff: bool,
    seq: u64,
}

impl Check<'_> {
    pub(super) fn readers(&mut self) {
        let mut places: BTreeMap<(u64, Uuid), Place> = BTreeMap::new();
        for event in self.history {
            match event {
                Event::Synced { socket, conversation, staff, cursor, recovered, position, entries } => {
                    let first = entries.first().map_or(*position, |entry| entry.prev);
                    let from = if *recovered { cursor.unwrap_or_default() } else { first };
                    let promise = if *recovered { 10 } else { 3 };
                    let until = self.slice((*conversation, promise), (*staff, from), entries);
                    let missed = self.next(*conversation, *staff, until).filter(|entry| entry.seq <= *position);
                    if let Some(missed) = missed.map(|entry| entry.seq) {
                        self.report(promise, format!("{conversation}: brought to {position} without {missed}"));
                    }
                    places.insert((*socket, *conversation), Place { staff: *staff, seq: (*position).max(until) });
                }
                Event::Shown { socket, conversation, entry } => {
                    let Some(place) = places.get_mut(&(*socket, *conversation)) else {
                        self.report(3, format!("{conversation}: shown {} before it was synchronised", entry.seq));
                        continue;
                    };
                    let until = (place.staff, place.seq);
                    place.seq = self.slice((*conversation, 3), until, std::slice::from_ref(entry));
                }
                _ => {}
            }
        }
    }

    /// What is shown continues what was, entry by entry, and is what is stored. The position it comes to.
    fn slice(&mut self, (conversation, promise): (Uuid, u8), (staff, mut seq): (bool, u64), shown: &[Shown]) -> u64 {
        for entry in shown {
            match self.next(conversation, staff, seq).cloned() {
                Some(stored) if stored.seq == entry.seq => {
                    if !same(&stored, entry) {
                        self.report(3, format!("{conversation}: shown {entry:?}, stored {stored:?}"));
                    }
                }
                Some(stored) => {
                    let text = format!("{conversation}: after {seq} came {}, not {}", entry.seq, stored.seq);
                    self.report(promise, text);
                }
                None => self.report(3, format!("{conversation}: shown {}, which is not stored", entry.seq)),
            }
            seq = seq.max(entry.seq);
        }
        seq
    }

    /// The first entry of a view after a position.
    fn next(&self, conversation: Uuid, staff: bool, seq: u64) -> Option<&Entry> {
        let entries = self.entries(conversation);
        let start = entries.partition_point(|entry| entry.seq <= seq);
        entries[start..].iter().find(|entry| staff || entry.customer_sees)
    }
}

fn same(stored: &Entry, shown: &Shown) -> bool {
    let text = stored.body["text"].as_str();
    stored.kind == shown.kind && stored.id == shown.id && (shown.text.is_none() || shown.text.as_deref() == text)
}
