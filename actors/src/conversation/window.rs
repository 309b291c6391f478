//! The end of the log, held in memory: readers resume from it, and the model is shown it.

use std::collections::VecDeque;

use onya_core::conversation::Entry;

use crate::ports::TailLimit;

/// The newest entries of a conversation, contiguous, bounded by number and by bytes of text.
#[derive(Debug)]
pub(crate) struct Window {
    entries: VecDeque<Entry>,
    bytes: usize,
    limit: TailLimit,
}

impl Window {
    pub(crate) fn new(entries: Vec<Entry>, limit: TailLimit) -> Self {
        let mut window = Self { entries: VecDeque::new(), bytes: 0, limit };
        window.extend(entries.iter());
        window
    }

    pub(crate) fn extend<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) {
        for entry in entries {
            self.bytes += text_bytes(entry);
            self.entries.push_back(entry.clone());
        }
        while self.entries.len() > self.limit.entries || (self.bytes > self.limit.bytes && self.entries.len() > 1) {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= text_bytes(&oldest);
            }
        }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> + Clone {
        self.entries.iter()
    }
}

fn text_bytes(entry: &Entry) -> usize {
    entry.event.said().len()
}
