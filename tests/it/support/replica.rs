//! A reader's copy of one conversation, kept by the rules of docs/PROTOCOL.md. A broken promise ends the test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onya_core::conversation::Outcome;
use onya_core::{ConversationId, Seq};
use onya_protocol::{Control, Cursor, Delta, EntryBody, LiveTurn, LogEntry, Reset, ServerFrame, Synced};
use uuid::Uuid;

/// A copy of a log, and of the reply in progress.
#[derive(Debug)]
pub struct Replica {
    pub conversation: ConversationId,
    pub entries: BTreeMap<Seq, Arc<LogEntry>>,
    pub control: Control,
    pub control_version: u64,
    /// The reply in progress.
    pub live: Option<LiveTurn>,
    /// How the last synchronisation began.
    pub recovered: Option<bool>,
    history_epoch: Uuid,
    cursor: Seq,
    ended: BTreeSet<Seq>,
    /// Frames of a reply in progress that were applied, to tell a stream from one piece.
    pub deltas: usize,
}

impl Replica {
    pub fn new(conversation: ConversationId) -> Self {
        Self {
            conversation,
            entries: BTreeMap::new(),
            control: Control::Assistant,
            control_version: 0,
            live: None,
            recovered: None,
            history_epoch: Uuid::nil(),
            cursor: 0,
            ended: BTreeSet::new(),
            deltas: 0,
        }
    }

    /// Where the copy ends; `None` before the first synchronisation.
    pub fn cursor(&self) -> Option<Cursor> {
        self.recovered.map(|_| Cursor { history_epoch: self.history_epoch, seq: self.cursor })
    }

    /// Applies a frame, if it concerns the copy.
    pub fn apply(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Synced(synced) => self.synchronise(synced),
            ServerFrame::Entry { entry, .. } => self.take_live(entry),
            ServerFrame::Delta(delta) => self.grow(delta),
            ServerFrame::Reset(reset) => self.reset(reset),
            ServerFrame::Ping { positions } => {
                for position in positions.iter().filter(|position| position.conversation == self.conversation) {
                    self.cursor = self.cursor.max(position.seq);
                }
            }
            _ => {}
        }
    }

    fn synchronise(&mut self, synced: &Synced) {
        assert_eq!(synced.recovered, synced.reason.is_none(), "{synced:?}");
        let (shown, seen_version) = (self.live.take(), self.control_version);
        if synced.recovered {
            assert_eq!(synced.history_epoch, self.history_epoch, "recovered in another history");
            assert!(synced.position >= self.cursor, "recovered to a position before the cursor");
        } else {
            if synced.history_epoch != self.history_epoch {
                (self.entries, self.ended) = Default::default();
            }
            self.cursor = synced.entries.first().map_or(synced.position, |entry| entry.prev);
            (self.control, self.control_version) = (Control::Assistant, 0);
        }
        self.history_epoch = synced.history_epoch;
        self.recovered = Some(synced.recovered);
        for entry in &synced.entries {
            assert!(entry.seq > self.cursor, "{} was sent again in a synchronisation", entry.seq);
            self.take(entry);
        }
        assert!(self.cursor <= synced.position, "entries beyond the position");
        self.cursor = synced.position;
        assert!(synced.control_version >= seen_version, "control went back");
        (self.control, self.control_version) = (synced.control, synced.control_version);
        self.live = shown;
        self.replace_live(synced.turn.clone());
    }

    /// What is sent of a reply in progress continues what was shown, unless the reply has begun again.
    fn replace_live(&mut self, turn: Option<LiveTurn>) {
        if let Some(new) = &turn {
            assert!(!self.ended.contains(&new.turn), "turn {} has ended, and is in progress", new.turn);
            if let Some(old) = self.live.as_ref().filter(|old| order(old) == order(new)) {
                assert!(new.text.starts_with(&old.text), "text that was shown changed: {old:?} {new:?}");
            }
        }
        self.live = turn;
    }

    fn take_live(&mut self, entry: &Arc<LogEntry>) {
        assert!(self.recovered.is_some(), "an entry before the first synchronisation");
        if entry.seq <= self.cursor {
            let held = self.entries.get(&entry.seq);
            assert!(held.is_none_or(|held| held == entry), "{} changed: {held:?} {entry:?}", entry.seq);
            return;
        }
        if let EntryBody::TurnEnded { turn, text, .. } = &entry.body
            && let Some(live) = self.live.take_if(|live| live.turn == *turn)
            && !entry.erased
        {
            assert!(text.starts_with(&live.text), "the committed text is not what was shown: {live:?} {text:?}");
        }
        self.take(entry);
    }

    fn take(&mut self, entry: &Arc<LogEntry>) {
        assert!(entry.prev <= self.cursor, "a gap: after {} came {} with prev {}", self.cursor, entry.seq, entry.prev);
        let held = self.entries.insert(entry.seq, Arc::clone(entry));
        assert!(held.as_ref().is_none_or(|held| held == entry), "{} changed: {held:?} {entry:?}", entry.seq);
        self.cursor = entry.seq;
        match &entry.body {
            EntryBody::TurnOpened { .. } => {
                assert_eq!(self.control, Control::Assistant, "a turn opened while somebody else answers");
            }
            EntryBody::TurnEnded { turn, .. } => self.end_turn(*turn),
            EntryBody::Erased { .. } => {
                self.entries.range_mut(..entry.seq).for_each(|(_, held)| *held = Arc::new(held.redacted()));
            }
            EntryBody::ControlChanged { control, control_version, .. } => {
                assert!(self.live.is_none(), "control changed while a reply was in progress");
                assert!(*control_version >= self.control_version, "control went back");
                (self.control, self.control_version) = (*control, *control_version);
            }
            _ => {}
        }
    }

    fn end_turn(&mut self, turn: Seq) {
        let ends = self.entries.values().filter(|entry| ends_turn(entry, turn)).count();
        assert!(self.ended.insert(turn) || ends == 1, "turn {turn} ended twice");
    }

    fn grow(&mut self, delta: &Delta) {
        assert!(!self.ended.contains(&delta.turn), "a piece of turn {} after its end", delta.turn);
        assert_eq!(self.control, Control::Assistant, "a piece of a reply while somebody else answers");
        let fresh = LiveTurn { turn: delta.turn, epoch: delta.epoch, attempt: delta.attempt, text: String::new() };
        let live = self.live.get_or_insert_with(|| fresh.clone());
        assert!(order(&fresh) >= order(live), "a piece of an attempt that was given up: {delta:?}");
        if order(&fresh) > order(live) {
            *live = fresh;
        }
        let (offset, held) = (usize::try_from(delta.offset).unwrap(), live.text.len());
        assert!(offset <= held, "a gap in the reply: {held} bytes held, next at {offset}");
        let known = (held - offset).min(delta.text.len());
        assert_eq!(live.text[offset..offset + known], delta.text[..known], "text that was shown changed");
        live.text.push_str(&delta.text[known..]);
        self.deltas += 1;
    }

    fn reset(&mut self, reset: &Reset) {
        assert!(!self.ended.contains(&reset.turn), "turn {} begins again after its end", reset.turn);
        let fresh = LiveTurn { turn: reset.turn, epoch: reset.epoch, attempt: reset.attempt, text: String::new() };
        if let Some(live) = &self.live {
            assert!(order(&fresh) >= order(live), "an attempt that was given up: {reset:?}");
        }
        self.live = Some(fresh);
    }

    /// Every text that was said, with its author's name or role.
    pub fn said(&self) -> Vec<(String, String)> {
        let author = |author: &onya_protocol::Author| {
            author.name.clone().unwrap_or_else(|| format!("{:?}", author.role).to_lowercase())
        };
        let said = |entry: &Arc<LogEntry>| match &entry.body {
            EntryBody::MessageSaid { author: by, text } => Some((author(by), text.clone())),
            EntryBody::TurnEnded { text, .. } if !text.is_empty() => Some(("assistant".to_owned(), text.clone())),
            _ => None,
        };
        self.entries.values().filter_map(said).collect()
    }

    /// How a turn ended, with its text.
    pub fn turn_end(&self, turn: Seq) -> Option<(Outcome, String)> {
        self.entries.values().find_map(|entry| match &entry.body {
            EntryBody::TurnEnded { turn: ended, outcome, text, .. } if *ended == turn => Some((*outcome, text.clone())),
            _ => None,
        })
    }

    /// Whether this turn was opened.
    pub fn turn_opened(&self, turn: Seq) -> bool {
        self.entries.get(&turn).is_some_and(|entry| matches!(entry.body, EntryBody::TurnOpened { .. }))
    }

    /// The turn that answers a message.
    pub fn turn_of(&self, message: Seq) -> Option<Seq> {
        self.entries.values().find_map(|entry| match entry.body {
            EntryBody::TurnOpened { answers, .. } if answers >= message => Some(entry.seq),
            _ => None,
        })
    }
}

fn order(live: &LiveTurn) -> (Seq, u64, u32) {
    (live.turn, live.epoch, live.attempt)
}

fn ends_turn(entry: &LogEntry, turn: Seq) -> bool {
    matches!(entry.body, EntryBody::TurnEnded { turn: ended, .. } if ended == turn)
}
