//! What waits for a lane, divided into batches as it comes.
//!
//! It lies beside the lane's mailbox: a message to an actor costs more than an append should, so a lane is sent one only
//! when it has nothing to do. An append is moved once, to where the store will read it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::OutcomeReply;
use crate::planted::{self, Fault};
use crate::ports::Append;

/// An append that is to be stored.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) append: Append,
    pub(crate) ticket: Ticket,
}

/// What is kept of an append while the store has it.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Given back when it is answered.
    pub(crate) bytes: usize,
    pub(crate) reply: OutcomeReply,
    /// How often it was sent again because its row was locked.
    pub(crate) locked: u32,
}

/// What goes to the store at once, with the ticket of each append.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) appends: Vec<Append>,
    pub(crate) tickets: Vec<Ticket>,
    /// Of all appends.
    entries: usize,
}

impl Batch {
    fn has_room(&self, append: &Append, most_entries: usize) -> bool {
        // Such an owner does not wait for its outcome: one append after the other, as if it did.
        let early = planted::is(Fault::AckBeforeCommit);
        let again = early && self.appends.iter().any(|before| before.conversation == append.conversation);
        !again && (self.appends.is_empty() || self.entries + append.entries.len() <= most_entries)
    }
}

/// The depth is shown with each batch, and meanwhile whenever so many more wait: to show it costs as much as to push.
const SHOWN: usize = 16;

/// The queue of one lane.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    most_entries: usize,
    /// Looked up once, and not for every append.
    depth: metrics::Gauge,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    appends: usize,
    /// One that was answered: its room is used again.
    spare: Batch,
    /// The lane found nothing to do when it looked.
    idle: bool,
    closed: bool,
}

impl Queue {
    /// Of a lane that has not looked yet.
    pub(crate) fn new(most_entries: usize) -> Self {
        let waiting = Waiting { idle: true, ..Waiting::default() };
        let depth = metrics::gauge!("onya_queue_depth", "queue" => "append");
        Self { waiting: Mutex::new(waiting), most_entries, depth }
    }

    /// Whether the lane has to be woken. If it has ended the item is dropped, and its reply answers.
    pub(crate) fn push(&self, item: Item) -> bool {
        let mut waiting = self.lock();
        if waiting.closed {
            return false;
        }
        waiting.push(item, self.most_entries);
        if waiting.appends.is_multiple_of(SHOWN) {
            self.depth.set(waiting.appends as f64);
        }
        std::mem::take(&mut waiting.idle)
    }

    /// The next batch. Without one the lane is idle, and the next push wakes it.
    pub(crate) fn next(&self) -> Option<Batch> {
        let mut waiting = self.lock();
        let batch = waiting.batches.pop_front();
        waiting.appends -= batch.as_ref().map_or(0, |batch| batch.appends.len());
        waiting.idle = batch.is_none();
        self.depth.set(waiting.appends as f64);
        batch
    }

    /// Keeps the room of a batch that was answered.
    pub(crate) fn reuse(&self, mut batch: Batch) {
        batch.appends.clear();
        batch.tickets.clear();
        batch.entries = 0;
        self.lock().spare = batch;
    }

    /// Drops what waits and what comes: the replies answer.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let dropped = std::mem::take(&mut waiting.batches);
        drop(waiting);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, Item { append, ticket }: Item, most_entries: usize) {
        if !self.batches.back().is_some_and(|batch| batch.has_room(&append, most_entries)) {
            self.batches.push_back(std::mem::take(&mut self.spare));
        }
        if let Some(batch) = self.batches.back_mut() {
            batch.entries += append.entries.len();
            batch.appends.push(append);
            batch.tickets.push(ticket);
            self.appends += 1;
        }
    }
}
