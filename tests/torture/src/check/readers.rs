//! What readers were shown, held against the log as it is now and against what they were shown before.

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

/// What each reader has been shown or told last, on whatever node. A conversation has one customer, who is nil here.
#[derive(Default)]
struct Seen {
    staff: BTreeMap<u64, Uuid>,
    newest: BTreeMap<(Uuid, Uuid), u64>,
}

impl Seen {
    fn reader(&self, socket: u64) -> Uuid {
        self.staff.get(&socket).copied().unwrap_or_default()
    }

    fn note(&mut self, reader: Uuid, conversation: Uuid, seq: u64) {
        let newest = self.newest.entry((reader, conversation)).or_default();
        *newest = seq.max(*newest);
    }
}

impl Check<'_> {
    pub(super) fn readers(&mut self) {
        let (mut places, mut seen) = (BTreeMap::<(u64, Uuid), Place>::new(), Seen::default());
        let mut namesakes = false;
        for event in self.history {
            match event {
                Event::Fault { name } if name == "namesake" => namesakes = true,
                Event::FaultEnded { name } if name == "namesake" => namesakes = false,
                Event::LoggedIn { socket, who } => drop(seen.staff.insert(*socket, *who)),
                Event::Acked { who, conversation, seq, .. } => {
                    let reader = if seen.staff.values().any(|staff| staff == who) { *who } else { Uuid::nil() };
                    seen.note(reader, *conversation, *seq);
                }
                Event::Synced { socket, conversation, position, .. } => {
                    // On the same socket an acknowledgement may overtake.
                    let place = places.get(&(*socket, *conversation)).map(|place| place.seq);
                    let reader = (seen.reader(*socket), *conversation);
                    let before = place.or_else(|| seen.newest.get(&reader).copied()).unwrap_or_default();
                    // Whose name another server has taken does not know until its next heartbeat.
                    if *position < before && !namesakes {
                        self.report(12, format!("{conversation}: brought to {position} after {before}"));
                    }
                    let place = self.synced(event, place);
                    seen.note(reader.0, *conversation, place.seq);
                    places.insert((*socket, *conversation), place);
                }
                Event::Shown { socket, conversation, entry } => {
                    let Some(place) = places.get_mut(&(*socket, *conversation)) else {
                        self.report(3, format!("{conversation}: shown {} before it was synchronised", entry.seq));
                        continue;
                    };
                    let until = (place.staff, place.seq);
                    place.seq = self.slice((*conversation, 3), until, std::slice::from_ref(entry));
                    seen.note(seen.reader(*socket), *conversation, place.seq);
                }
                _ => {}
            }
        }
    }

    /// What somebody was brought up to date with, from a place or from nothing; where that leads.
    fn synced(&mut self, event: &Event, place: Option<u64>) -> Place {
        let Event::Synced { conversation, staff, cursor, recovered, position, entries, .. } = event else {
            return Place { staff: false, seq: 0 };
        };
        let first = entries.first().map_or(*position, |entry| entry.prev);
        let from = if *recovered { cursor.or(place).unwrap_or_default() } else { first };
        let promise = if *recovered { 10 } else { 3 };
        let until = self.slice((*conversation, promise), (*staff, from), entries);
        let missed = self.next(*conversation, *staff, until).filter(|entry| entry.seq <= *position);
        if let Some(missed) = missed.map(|entry| entry.seq) {
            self.report(promise, format!("{conversation}: brought to {position} without {missed}"));
        }
        Place { staff: *staff, seq: (*position).max(until) }
    }

    /// Of a reply, no socket is shown an older attempt after a newer one.
    pub(super) fn replies(&mut self) {
        let mut reached: BTreeMap<(u64, Uuid, u64), (u64, u64)> = BTreeMap::new();
        for event in self.history {
            let Event::Reply { socket, conversation, turn, epoch, attempt } = event else { continue };
            let newest = reached.entry((*socket, *conversation, *turn)).or_default();
            if (*epoch, *attempt) < *newest {
                let text = format!("{conversation}: turn {turn} shows {:?} after {newest:?}", (epoch, attempt));
                self.report(8, text);
            }
            *newest = (*epoch, *attempt).max(*newest);
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
