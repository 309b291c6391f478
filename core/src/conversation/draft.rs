//! A decision being written: entries are numbered as they are added, and the acknowledgement follows from them.

use super::command::{Actor, Context};
use super::delivery::Key;
use super::effect::{Ack, Decision, Effect};
use super::event::{Entry, Event};
use super::state::State;
use crate::Seq;

/// A request that was admitted: who asks, and the key that the entry answering for it carries.
pub(super) struct Asked<'a> {
    pub(super) by: &'a Actor,
    pub(super) key: Key,
}

pub(super) struct Draft<'a> {
    pub(super) context: &'a Context<'a>,
    seq: Seq,
    customer_seq: Seq,
    entries: Vec<Entry>,
    effects: Vec<Effect>,
    answer: Option<Seq>,
    cut_at: Option<u64>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &State, context: &'a Context<'a>) -> Self {
        Self {
            context,
            seq: state.seq,
            customer_seq: state.customer_seq,
            entries: Vec::new(),
            effects: Vec::new(),
            answer: None,
            cut_at: None,
        }
    }

    /// Adds an entry; the one with a key answers for the request.
    pub(super) fn push(&mut self, event: Event, key: Option<Key>) -> Seq {
        self.seq += 1;
        let customer_prev = self.customer_seq;
        if event.customer_sees() {
            self.customer_seq = self.seq;
        }
        if key.is_some() {
            self.answer = Some(self.seq);
        }
        self.entries.push(Entry { seq: self.seq, customer_prev, at: self.context.now, key, event, erased: false });
        self.seq
    }

    /// Nothing of what was added so far is kept but its structure.
    pub(super) fn redact(&mut self) {
        self.entries.iter_mut().for_each(|entry| *entry = entry.redacted());
    }

    /// Notes for the acknowledgement where the reply in progress was cut.
    pub(super) fn cut(&mut self, at_bytes: usize) {
        self.cut_at = Some(at_bytes as u64);
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn finish(self) -> Decision {
        let ack = self.answer.map(|seq| Ack { seq, cut_at: self.cut_at, repeated: false });
        Decision { entries: self.entries, effects: self.effects, ack }
    }
}
