//! What somebody has been shown of conversations, held against the protocol as it comes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onya_actors::testing::StrictReader;
use onya_core::ConversationId;
use onya_core::conversation::View;
use onya_protocol::{ServerFrame, Synced};

use crate::record::Record;

/// One person's readers, by conversation. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readers {
    pub(crate) name: String,
    pub(crate) view: View,
    by_conversation: Arc<Mutex<BTreeMap<ConversationId, StrictReader>>>,
    record: Record,
}

impl Readers {
    pub(crate) fn new(name: &str, view: View, record: &Record) -> Self {
        Self { name: name.to_owned(), view, by_conversation: Arc::default(), record: record.clone() }
    }

    pub(crate) fn take(&self, conversation: ConversationId, frame: ServerFrame) {
        let mut all = self.all();
        let reader = all.entry(conversation).or_insert_with(StrictReader::of_a_cluster);
        if let ServerFrame::Synced(Synced { position, .. }) = &frame
            && let Some(before) = reader.cursor().filter(|before| *position < before.seq)
        {
            let text = format!("{conversation}: {} was brought to {position} after {}", self.name, before.seq);
            self.record.story().broken.push(text);
        }
        reader.take(frame);
    }

    /// Something of the reader of a conversation, if there is one.
    pub(crate) fn of<T>(&self, conversation: ConversationId, what: impl Fn(&StrictReader) -> Option<T>) -> Option<T> {
        self.all().get(&conversation).and_then(what)
    }

    pub(crate) fn all(&self) -> MutexGuard<'_, BTreeMap<ConversationId, StrictReader>> {
        self.by_conversation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
