//! The gate of a reply in progress: its text goes from the model straight to the readers, past the actor's mailbox.
//!
//! Shared by two: the completion brings text, and the conversation's actor closes the gate before it decides on anything
//! and opens it again when nothing that cuts the reply is under way. Text is shown under the gate's lock, so once
//! [`Gate::close`] has returned, no more of it reaches a reader. What was handed out is what the customer may have seen:
//! the text that a stop or a takeover keeps. Text that comes while the gate is closed is held.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onya_core::Seq;
use onya_core::conversation::PartialReply;
use onya_protocol::{Delta, LiveTurn};
use tokio::time::Instant;

use crate::directory::Row;

/// The way of one attempt's text to the readers.
#[derive(Debug)]
pub(crate) struct Gate {
    row: Arc<Row>,
    epoch: u64,
    asked_at: Instant,
    passage: Mutex<Passage>,
}

/// What has passed the gate, and what waits before it.
#[derive(Debug)]
pub(crate) struct Passage {
    pub(crate) handed_out: PartialReply,
    held: String,
    open: bool,
}

impl Gate {
    /// A closed gate for the attempt that begins now.
    pub(crate) fn new(row: &Arc<Row>, epoch: u64, (turn, attempt): (Seq, u32)) -> Arc<Self> {
        let handed_out = PartialReply { turn, attempt, text: String::new() };
        let passage = Mutex::new(Passage { handed_out, held: String::new(), open: false });
        Arc::new(Self { row: Arc::clone(row), epoch, asked_at: Instant::now(), passage })
    }

    /// Shows text to the readers, or holds it while the gate is closed.
    pub(crate) fn pass(&self, text: String) {
        let mut passage = self.lock();
        if passage.open {
            self.hand_out(&mut passage, text);
        } else {
            passage.held.push_str(&text);
        }
    }

    /// From now on no text reaches a reader. What did is in the passage, which stays as it is while it is looked at.
    pub(crate) fn close(&self) -> MutexGuard<'_, Passage> {
        let mut passage = self.lock();
        passage.open = false;
        passage
    }

    /// Lets text through, first what was held.
    pub(crate) fn open(&self) {
        let mut passage = self.lock();
        passage.open = true;
        let held = std::mem::take(&mut passage.held);
        if !held.is_empty() {
            self.hand_out(&mut passage, held);
        }
    }

    /// What a reader who comes now is shown of the reply.
    pub(crate) fn standing(&self) -> LiveTurn {
        let PartialReply { turn, attempt, text } = self.lock().handed_out.clone();
        LiveTurn { turn, epoch: self.epoch, attempt, text }
    }

    /// Everything that the model has said.
    pub(crate) fn whole_text(&self) -> String {
        let passage = self.lock();
        format!("{}{}", passage.handed_out.text, passage.held)
    }

    fn hand_out(&self, passage: &mut Passage, text: String) {
        let reply = &mut passage.handed_out;
        if reply.text.is_empty() {
            metrics::histogram!("onya_time_to_first_token_seconds").record(self.asked_at.elapsed().as_secs_f64());
        }
        let (turn, attempt, offset) = (reply.turn, reply.attempt, reply.text.len() as u64);
        reply.text.push_str(&text);
        self.row.publish_delta(Delta { conversation: self.row.id, turn, epoch: self.epoch, attempt, offset, text });
    }

    fn lock(&self) -> MutexGuard<'_, Passage> {
        self.passage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
