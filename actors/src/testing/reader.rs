//! A reader that follows the protocol's rules to the letter and panics at any frame that breaks them.

#![expect(clippy::panic, reason = "whoever reads is a test")]

use std::collections::BTreeMap;

use onya_core::conversation::Outcome;
use onya_protocol::{Control, Cursor, Delta, EntryBody, ErrorCode, LogEntry, ServerFrame, Synced};
use uuid::Uuid;

/// What a reader has been shown.
#[derive(Debug, Default)]
pub struct StrictReader {
    history_epoch: Uuid,
    seq: u64,
    /// Every committed entry it was shown, by position.
    pub entries: BTreeMap<u64, LogEntry>,
    /// The reply in progress: (turn, epoch, attempt) and its text.
    live: Option<((u64, u64, u32), String)>,
    /// Where each turn ended.
    ended: BTreeMap<u64, u64>,
    assistant_in_control: bool,
    /// Positions of commands that were acknowledged.
    pub acked: BTreeMap<String, u64>,
    /// Why commands were refused, the newest reason of each.
    pub refused: BTreeMap<String, ErrorCode>,
    /// Whether a node that showed text may die unheard of: then a standing may bring the end of another attempt.
    nodes_die: bool,
}

impl StrictReader {
    /// A reader of a cluster whose nodes die.
    #[must_use]
    pub fn of_a_cluster() -> Self {
        Self { nodes_die: true, ..Self::default() }
    }

    /// Where its copy of the log ends; `None` if it has none.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        (self.seq > 0).then_some(Cursor { history_epoch: self.history_epoch, seq: self.seq })
    }

    /// Takes what came, whatever it is.
    pub fn take(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Synced(synced) => self.synced(synced),
            ServerFrame::Entry { entry, .. } => {
                assert!(entry.seq > self.seq, "an entry twice: {entry:?} at {}", self.seq);
                assert!(entry.prev <= self.seq, "a gap before {entry:?} at {}", self.seq);
                self.seq = entry.seq;
                self.keep(&entry);
            }
            ServerFrame::Delta(delta) => self.delta(&delta),
            ServerFrame::Reset(reset) => {
                self.live = Some(((reset.turn, reset.epoch, reset.attempt), String::new()));
            }
            ServerFrame::Ack(ack) => {
                let before = self.acked.insert(ack.client_msg_id.to_string(), ack.seq);
                assert!(before.is_none_or(|seq| seq == ack.seq), "two positions for {ack:?}");
            }
            ServerFrame::Refused(refusal) => {
                if let Some(id) = refusal.client_msg_id {
                    self.refused.insert(id.to_string(), refusal.code);
                }
            }
            _ => {}
        }
    }

    fn synced(&mut self, synced: Synced) {
        if !synced.recovered {
            self.entries.clear();
        }
        if self.nodes_die {
            self.live = None;
        }
        self.history_epoch = synced.history_epoch;
        for entry in &synced.entries {
            assert!(entry.seq > self.seq || !synced.recovered, "an entry twice: {entry:?} at {}", self.seq);
            self.keep(entry);
        }
        assert!(synced.position >= self.seq || !synced.recovered, "the log went back");
        self.seq = synced.position;
        self.assistant_in_control = synced.control == Control::Assistant;
        self.live = synced.turn.map(|turn| {
            assert!(!self.ended.contains_key(&turn.turn), "an ended turn goes on: {turn:?}");
            ((turn.turn, turn.epoch, turn.attempt), turn.text)
        });
    }

    fn keep(&mut self, entry: &LogEntry) {
        match &entry.body {
            EntryBody::TurnOpened { .. } => self.assistant_in_control = true,
            EntryBody::TurnEnded { turn, outcome, text, .. } => {
                let shown = self.live.take().filter(|((live, ..), _)| live == turn).map(|(_, text)| text);
                // A failed turn may have lost its text with its server, or because it could not be stored.
                if let (Some(shown), false) = (&shown, *outcome == Outcome::Failed) {
                    assert!(text.starts_with(shown.as_str()), "shown {shown:?}, committed {text:?}");
                }
                let before = self.ended.insert(*turn, entry.seq);
                assert!(before.is_none_or(|seq| seq == entry.seq), "a turn ended twice");
            }
            EntryBody::ControlChanged { control, .. } => self.assistant_in_control = *control == Control::Assistant,
            _ => {}
        }
        let before = self.entries.insert(entry.seq, entry.clone());
        assert!(before.is_none_or(|before| before == *entry), "an entry changed");
    }

    fn delta(&mut self, delta: &Delta) {
        assert!(!self.ended.contains_key(&delta.turn), "text after the end of its turn: {delta:?}");
        assert!(self.assistant_in_control, "text of the assistant after control changed: {delta:?}");
        let order = (delta.turn, delta.epoch, delta.attempt);
        match &mut self.live {
            Some((live, text)) if *live == order => {
                let held = text.len() as u64;
                assert!(delta.offset <= held, "a gap in the text: {delta:?} with {held} bytes held");
                let known = usize::try_from(held - delta.offset).unwrap_or(usize::MAX);
                if known < delta.text.len() {
                    text.push_str(&delta.text[known..]);
                }
            }
            Some((live, _)) if *live > order => panic!("text of an older attempt: {delta:?} after {live:?}"),
            live => {
                assert_eq!(delta.offset, 0, "a new attempt starts in the middle");
                *live = Some((order, delta.text.clone()));
            }
        }
    }
}
