//! One conversation as a reader holds it, and the rules by which frames change it.
//!
//! Pure: no socket, no clock. Committed entries follow the cursor. The reply in progress is provisional: it is ordered
//! by (turn, epoch, attempt), its offsets count bytes of UTF-8, and the entry that ends its turn replaces it.
//! `web/embedded/conversation.js` holds the same rules for the desk's page and `web/client` for the customer's app; all are
//! tested with the same cases.

use std::sync::Arc;

use onya_core::conversation::Role;
use onya_core::{ConversationId, Seq};
use onya_protocol::{Control, Cursor, Delta, EntryBody, LiveTurn, LogEntry, Position, Reset, ServerFrame, Synced};
use uuid::Uuid;

/// What a reader holds of a conversation.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub(super) id: ConversationId,
    pub(super) entries: Vec<Arc<LogEntry>>,
    /// `None` before the first `synced`.
    pub(super) control: Option<Control>,
    pub(super) control_version: u64,
    /// The reply in progress; `None` if no turn is open.
    pub(super) live: Option<Reply>,
    /// Something is missing: ask for it with `resume`.
    pub(super) needs_resume: bool,
    /// The customer's place in the queue, from 1.
    pub(super) queue_position: Option<usize>,
    history_epoch: Option<Uuid>,
    cursor: Seq,
    ended_turn: Seq,
}

/// A reply in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) rank: Rank,
    pub(super) text: String,
}

/// What orders the texts of replies: a higher rank starts from empty text, a lower one is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) turn: Seq,
    epoch: u64,
    attempt: u32,
}

impl Reply {
    const fn empty(rank: Rank) -> Self {
        Self { rank, text: String::new() }
    }
}

impl Conversation {
    pub(super) const fn new(id: ConversationId) -> Self {
        Self {
            id,
            entries: Vec::new(),
            control: None,
            control_version: 0,
            live: None,
            needs_resume: false,
            queue_position: None,
            history_epoch: None,
            cursor: 0,
            ended_turn: 0,
        }
    }

    /// Where this copy ends; `None` before the first `synced`.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.history_epoch.map(|history_epoch| Cursor { history_epoch, seq: self.cursor })
    }

    /// Takes a frame. Those of other conversations change nothing.
    pub(super) fn apply(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Ping { positions } => self.move_cursor(positions),
            ServerFrame::Synced(synced) if synced.conversation == self.id => self.apply_synced(synced),
            ServerFrame::Entry { conversation, entry } if *conversation == self.id => self.take(entry),
            ServerFrame::Delta(delta) if delta.conversation == self.id => self.apply_delta(delta),
            ServerFrame::Reset(reset) if reset.conversation == self.id => self.apply_reset(reset),
            ServerFrame::QueuePosition { conversation, position } if *conversation == self.id => {
                self.queue_position = Some(*position);
            }
            _ => {}
        }
    }

    /// Whether the assistant has something to answer: a turn is open, or will be once its entry is here.
    pub(super) fn owes_reply(&self) -> bool {
        let answered = self.entries.iter().rev().find_map(|entry| match entry.body {
            EntryBody::TurnOpened { answers, .. } => Some(answers),
            _ => None,
        });
        let asked = self.entries.iter().rev().find_map(|entry| match &entry.body {
            EntryBody::MessageSaid { author, .. } => Some((author.role == Role::Customer).then_some(entry.seq)),
            _ => None,
        });
        let waits = matches!((asked.flatten(), answered), (Some(asked), answered) if answered < Some(asked));
        self.live.is_some() || (waits && self.control == Some(Control::Assistant))
    }

    fn move_cursor(&mut self, positions: &[Position]) {
        // While something is missing, jumping ahead would hide it for good.
        if self.needs_resume {
            return;
        }
        for position in positions.iter().filter(|position| position.conversation == self.id) {
            self.cursor = self.cursor.max(position.seq);
        }
    }

    fn apply_synced(&mut self, synced: &Synced) {
        if !synced.recovered {
            *self = Self::new(self.id);
            self.cursor = synced.entries.first().map_or(0, |entry| entry.prev);
        }
        self.needs_resume = false;
        for entry in &synced.entries {
            self.take(entry);
        }
        if self.needs_resume {
            return;
        }
        self.history_epoch = Some(synced.history_epoch);
        self.cursor = self.cursor.max(synced.position);
        self.set_control(synced.control, synced.control_version);
        // Of the turns up to here, only the one that is sent along can still be open.
        let over = synced.turn.as_ref().map_or(synced.position, |turn| turn.turn.saturating_sub(1));
        self.ended_turn = self.ended_turn.max(over);
        self.live = synced.turn.as_ref().filter(|turn| turn.turn > self.ended_turn).map(Reply::from);
    }

    fn take(&mut self, entry: &Arc<LogEntry>) {
        if entry.seq <= self.cursor {
            return;
        }
        if entry.prev > self.cursor {
            self.needs_resume = true;
            return;
        }
        self.cursor = entry.seq;
        self.entries.push(Arc::clone(entry));
        self.fold(entry);
    }

    fn fold(&mut self, entry: &LogEntry) {
        match &entry.body {
            EntryBody::TurnOpened { .. } => self.start(Rank { turn: entry.seq, epoch: 0, attempt: 0 }),
            EntryBody::AttemptStarted { turn, attempt } => {
                if let Some(live) = self.live.as_ref().filter(|live| live.rank.turn == *turn) {
                    let epoch = live.rank.epoch;
                    if live.rank.attempt < *attempt {
                        self.live = Some(Reply::empty(Rank { turn: *turn, epoch, attempt: *attempt }));
                    }
                }
            }
            EntryBody::TurnEnded { turn, .. } => {
                self.ended_turn = self.ended_turn.max(*turn);
                self.live.take_if(|live| live.rank.turn <= *turn);
            }
            EntryBody::ControlChanged { control, control_version, .. } => self.set_control(*control, *control_version),
            _ => {}
        }
    }

    fn set_control(&mut self, control: Control, version: u64) {
        self.control = Some(control);
        self.control_version = version;
        if control != Control::Queue {
            self.queue_position = None;
        }
    }

    fn apply_delta(&mut self, delta: &Delta) {
        let rank = Rank { turn: delta.turn, epoch: delta.epoch, attempt: delta.attempt };
        if rank.turn <= self.ended_turn || self.live.as_ref().is_some_and(|live| rank < live.rank) {
            return;
        }
        self.start(rank);
        let Some(live) = &mut self.live else { return };
        let offset = usize::try_from(delta.offset).unwrap_or(usize::MAX);
        let Some(known) = live.text.len().checked_sub(offset) else {
            self.needs_resume = true;
            return;
        };
        if known >= delta.text.len() {
            return;
        }
        match delta.text.get(known..) {
            Some(more) => live.text.push_str(more),
            None => self.needs_resume = true,
        }
    }

    fn apply_reset(&mut self, reset: &Reset) {
        let rank = Rank { turn: reset.turn, epoch: reset.epoch, attempt: reset.attempt };
        if rank.turn > self.ended_turn && self.live.as_ref().is_none_or(|live| rank >= live.rank) {
            self.live = Some(Reply::empty(rank));
        }
    }

    /// Starts from empty text, unless a text of this rank, or of a later turn, is there.
    fn start(&mut self, rank: Rank) {
        if self.live.as_ref().is_none_or(|live| rank > live.rank) {
            self.live = Some(Reply::empty(rank));
        }
    }
}

impl From<&LiveTurn> for Reply {
    fn from(turn: &LiveTurn) -> Self {
        Self { rank: Rank { turn: turn.turn, epoch: turn.epoch, attempt: turn.attempt }, text: turn.text.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        frames: Vec<ServerFrame>,
        expect: serde_json::Map<String, serde_json::Value>,
    }

    #[test]
    fn the_cases_shared_with_the_pages_hold() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../../web/embedded/test/cases.json")).unwrap();
        assert!(cases.len() > 25);
        for Case { name, frames, expect } in cases {
            let mut state = Conversation::new("0198c0de-0000-7000-8000-000000000001".parse().unwrap());
            frames.iter().for_each(|frame| state.apply(frame));
            let seqs: Vec<Seq> = state.entries.iter().map(|entry| entry.seq).collect();
            let text = state.live.as_ref().map(|live| &live.text);
            for (what, wanted) in expect {
                let held = match what.as_str() {
                    "seqs" => serde_json::json!(seqs),
                    "cursor" => serde_json::json!(state.cursor),
                    "needs" => serde_json::json!(state.needs_resume),
                    "text" => serde_json::json!(text),
                    _ => continue,
                };
                assert_eq!(held, wanted, "{name}: {what}");
            }
        }
    }
}
