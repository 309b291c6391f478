//! The log as the model keeps it: what the core decides, without texts, times and names.

use std::sync::Arc;

use onya_core::conversation::Outcome;

/// A position, from 1.
pub type Seq = u8;

/// A log, or as much of it as somebody knows. Shared, because most of the model's states differ elsewhere.
pub type Log = Arc<Vec<Entry>>;

/// What a claim hands out and an append is compared with: `epoch` counts claims, and `nonce` is never drawn twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence {
    /// Goes back when the store is restored.
    pub epoch: u8,
    /// Never goes back.
    pub nonce: u8,
}

/// The name of a command, as its sender chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which command it is: its place in [`crate::scenario::Scenario::commands`]. Not known to the server.
    pub command: u8,
    /// The `client_msg_id`: 0, unless a planted fault has the command renamed.
    pub name: u8,
}

/// One position of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The entry before it plus 1.
    pub seq: Seq,
    /// Under which claim it was written.
    pub fence: Fence,
    /// The command it answers for.
    pub key: Option<Key>,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// Whether this is what a command led to.
    #[must_use]
    pub fn answers(&self, command: usize) -> bool {
        self.key.is_some_and(|key| usize::from(key.command) == command)
    }
}

/// One attempt at a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// The entry that opened the turn.
    pub turn: Seq,
    /// From 1.
    pub attempt: u8,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Control {
    /// The model.
    Assistant,
    /// Nobody yet.
    Queue,
    /// The agent.
    Agent,
    /// Nobody any more.
    Closed,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The conversation began.
    Opened,
    /// The customer said something.
    Said,
    /// A turn opened, for the message at this position.
    TurnOpened(Seq),
    /// A later attempt began.
    AttemptStarted(Attempt),
    /// A turn ended.
    TurnEnded(Attempt, Outcome),
    /// Control changed: to whom, and the number of changes so far.
    ControlChanged(Control, u8),
    /// Something that no scenario asks for.
    Other,
}

/// The log of a conversation that has just begun.
#[must_use]
pub fn opened() -> Log {
    Arc::new(vec![Entry { seq: 1, fence: Fence::default(), key: None, event: Event::Opened }])
}

/// Position of the newest entry.
#[must_use]
pub fn last_seq(log: &[Entry]) -> Seq {
    log.last().map_or(0, |entry| entry.seq)
}

/// The entry at a position.
#[must_use]
pub fn at(log: &[Entry], seq: Seq) -> Option<&Entry> {
    log.iter().find(|entry| entry.seq == seq)
}

/// The turn that is open at the end of a log.
#[must_use]
pub fn open_turn(log: &[Entry]) -> Option<Seq> {
    let newest = log.iter().rev().find(|entry| matches!(entry.event, Event::TurnOpened(_) | Event::TurnEnded(..)))?;
    matches!(newest.event, Event::TurnOpened(_)).then_some(newest.seq)
}

/// Who answers at the end of a log.
#[must_use]
pub fn control(log: &[Entry]) -> Control {
    let changed = |entry: &Entry| match entry.event {
        Event::ControlChanged(control, _) => Some(control),
        _ => None,
    };
    log.iter().rev().find_map(changed).unwrap_or(Control::Assistant)
}
