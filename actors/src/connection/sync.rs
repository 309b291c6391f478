//! Where a conversation stands, for a reader who comes with a cursor or without one.

use std::sync::Arc;

use onya_core::conversation::{Control, Entry, View};
use onya_core::{ConversationId, Seq};
use onya_protocol::{Cursor, LiveTurn, LogEntry, NotRecovered, Notices, Synced, convert};
use uuid::Uuid;

/// What a conversation looks like at one position.
#[derive(Clone, Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) conversation: ConversationId,
    pub(crate) history_epoch: Uuid,
    pub(crate) position: Seq,
    pub(crate) control: Control,
    pub(crate) control_version: u64,
    pub(crate) language: &'a str,
    /// The newest entries, contiguous up to `position`.
    pub(crate) entries: Vec<&'a Entry>,
    pub(crate) turn: Option<LiveTurn>,
}

/// The frame that brings a reader up to date: what it missed if its cursor reaches into `entries`, else the newest
/// `snapshot_entries` visible ones.
pub(crate) fn synced(
    standing: Standing<'_>,
    cursor: Option<Cursor>,
    view: View,
    (notices, snapshot_entries): (&Notices, usize),
) -> Synced {
    let show = |entry: &&Entry| convert::log_entry(entry, view, standing.language, notices);
    let reason = not_recovered(&standing, cursor);
    let (entries, has_older) = match (reason, cursor) {
        (None, Some(cursor)) => {
            (standing.entries.iter().filter(|entry| entry.seq > cursor.seq).filter_map(show).collect(), false)
        }
        _ => newest(standing.entries.iter().filter_map(show).collect(), snapshot_entries),
    };
    Synced {
        conversation: standing.conversation,
        history_epoch: standing.history_epoch,
        position: standing.position,
        recovered: reason.is_none(),
        reason,
        entries,
        has_older,
        control: standing.control.into(),
        control_version: standing.control_version,
        turn: standing.turn,
    }
}

fn not_recovered(standing: &Standing<'_>, cursor: Option<Cursor>) -> Option<NotRecovered> {
    let Some(cursor) = cursor else { return Some(NotRecovered::New) };
    if cursor.history_epoch != standing.history_epoch {
        return Some(NotRecovered::OtherEpoch);
    }
    if cursor.seq > standing.position {
        return Some(NotRecovered::Future);
    }
    let reaches_from = standing.entries.first().map_or(standing.position + 1, |entry| entry.seq);
    (cursor.seq + 1 < reaches_from).then_some(NotRecovered::TooOld)
}

fn newest(mut entries: Vec<Arc<LogEntry>>, keep: usize) -> (Vec<Arc<LogEntry>>, bool) {
    let surplus = entries.len().saturating_sub(keep);
    entries.drain(..surplus);
    let has_older = entries.first().is_some_and(|entry| entry.prev > 0);
    (entries, has_older)
}
