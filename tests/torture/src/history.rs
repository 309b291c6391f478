//! What was done and seen, in its order, as JSON lines: the one thing that the checker is given besides the tables.
//!
//! A client that was not answered notes that a command is lost: its outcome is unknown, never failed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

/// One line of a history.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// The history begins, at this time of the machine.
    Began { unix_ms: u64 },
    /// A command was sent, for the first time or again.
    Sent {
        who: Uuid,
        conversation: Uuid,
        id: String,
        /// The sender's command that it must not overtake.
        after: Option<String>,
        /// What is said, if something is.
        text: Option<String>,
        /// The version of control that it is to change, if it is.
        saw: Option<u64>,
    },
    /// The server says that it is stored.
    Acked { who: Uuid, conversation: Uuid, id: String, seq: u64, repeated: bool },
    /// The server refuses it.
    Refused { who: Uuid, conversation: Uuid, id: String, code: String },
    /// The socket ended, or nothing was heard for too long, before an answer came.
    Lost { who: Uuid, conversation: Uuid, id: String },
    /// A reader was brought up to date.
    Synced {
        socket: u64,
        conversation: Uuid,
        staff: bool,
        /// Whether the reader has asked for it. A node that loses sight of a conversation does it by itself.
        asked: bool,
        cursor: Option<u64>,
        recovered: bool,
        position: u64,
        entries: Vec<Shown>,
    },
    /// A reader was shown a committed entry.
    Shown { socket: u64, conversation: Uuid, entry: Shown },
    /// A reader was shown something of a reply in progress, for the first time or of another attempt than before.
    Reply { socket: u64, conversation: Uuid, turn: u64, epoch: u64, attempt: u64 },
    /// Staff was let in on the desk's socket.
    LoggedIn { socket: u64, who: Uuid },
    /// A server of a node was ready.
    Started { node: String },
    /// A node came to another standing.
    Stands { node: String, standing: Standing },
    /// Nodes were killed, fewer than half of them or not, that owned these conversations under these epochs.
    Orphaned { minority: bool, conversations: Vec<(Uuid, u64)> },
    /// A node was told to drain in the middle of so many replies.
    Drained { node: String, open_turns: u64 },
    /// A server says what it had read when it became the owner.
    Claimed { conversation: Uuid, epoch: u64, seq: u64 },
    /// An agent is gone for good, and its customer has said the last word.
    Forsaken { conversation: Uuid },
    /// Such a customer is in the queue again.
    Queued { conversation: Uuid },
    /// From now on a wall clock is ahead of the machine's by so many seconds, or behind: a node's, or that of Redis.
    Jumped { of: String, ahead_s: i64 },
    /// From now on the lines of a node, or all links, are slow by so many milliseconds in each direction.
    Slowed { of: String, each_way_ms: u64 },
    /// For so long the database had answered nobody, or the machine had no time for the campaign.
    StoodStill { ms: u64 },
    /// The nemesis does something; what it did before may last.
    Fault { name: String },
    /// It has done it.
    FaultEnded { name: String },
}

/// How a node stands, as whoever starts and stops it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    Up,
    Frozen,
    Draining,
    Dead,
}

impl Standing {
    pub(crate) const ALL: [Self; 4] = [Self::Up, Self::Frozen, Self::Draining, Self::Dead];
}

/// A committed entry as a reader was shown it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub seq: u64,
    pub prev: u64,
    pub kind: String,
    pub id: Option<String>,
    pub text: Option<String>,
}

impl Shown {
    /// Reads an entry out of a frame.
    pub(crate) fn of(entry: &Value) -> Self {
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        let number = |name: &str| entry[name].as_u64().unwrap_or_default();
        Self {
            seq: number("seq"),
            prev: number("prev"),
            kind: text("kind").unwrap_or_default(),
            id: text("client_msg_id"),
            text: text("text"),
        }
    }
}

/// How much has happened, for those who wait for something to happen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub sent: usize,
    pub acked: usize,
    pub refused: usize,
    /// Those among them that may be tried again: the store takes nothing just now, or nobody knows.
    pub put_off: usize,
    pub lost: usize,
    pub faults: usize,
}

/// A history that is being written.
pub(crate) struct History {
    out: Mutex<BufWriter<File>>,
    counts: watch::Sender<Counts>,
    began: Instant,
}

/// A line, with the time since the history began.
#[derive(Serialize, Deserialize)]
struct Line<E> {
    at_ms: u64,
    #[serde(flatten)]
    event: E,
}

impl History {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        let out = Mutex::new(BufWriter::new(file));
        let history = Self { out, counts: watch::Sender::default(), began: Instant::now() };
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        history.note(&Event::Began { unix_ms: u64::try_from(unix.as_millis())? });
        Ok(history)
    }

    pub(crate) fn note(&self, event: &Event) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A history that cannot be written lacks its end, and what it lacks the checker finds missing.
        let line = Line { at_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), event };
        let _ =
            serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from).and_then(|()| out.write_all(b"\n"));
        drop(out);
        self.counts.send_modify(|counts| match event {
            Event::Sent { .. } => counts.sent += 1,
            Event::Acked { .. } => counts.acked += 1,
            Event::Refused { code, .. } => {
                counts.refused += 1;
                counts.put_off += usize::from(code == "busy" || code == "unknown");
            }
            Event::Lost { .. } => counts.lost += 1,
            Event::Fault { .. } => counts.faults += 1,
            _ => {}
        });
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, is_so: impl FnMut(&Counts) -> bool) {
        // The sender lives as long as this history.
        let _ = self.counts.subscribe().wait_for(is_so).await;
    }

    pub(crate) fn flush(&self) -> Result<()> {
        Ok(self.out.lock().unwrap_or_else(PoisonError::into_inner).flush()?)
    }
}

/// Reads a history back, each event with the milliseconds since the beginning.
pub(crate) fn read_timed(path: &Path) -> Result<Vec<(u64, Event)>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let line = |line: std::io::Result<String>| {
        let Line { at_ms, event } = serde_json::from_str::<Line<Event>>(&line?)?;
        Ok((at_ms, event))
    };
    BufReader::new(file).lines().map(line).collect()
}
