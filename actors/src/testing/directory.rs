//! A directory full of rows and nothing else, to see what they take.

use std::sync::{Arc, Weak};

use onya_core::conversation::View;
use onya_core::{ConversationId, Incarnation, ParticipantId};
use uuid::Uuid;

use crate::connection::{SendQueue, SendQueueLimits, Subscriber};
use crate::directory::Directory;
use crate::relay::EdgeLink;

/// What a node knows of a conversation that has no actor on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// A customer of this node reads it; another node owns and shows it.
    ReadHereOwnedElsewhere,
    /// A customer of this node reads it, and this node owns it: its actor has left memory.
    ReadHereOwnedHere,
    /// This node owns it and shows it to another one: its actor has left memory.
    ShownElsewhereOwnedHere,
    /// Nobody reads it. It was known here: owned and left memory, given up, or somewhere else.
    Unread,
}

/// Rows that are held until this is dropped.
#[derive(Debug, Default)]
pub struct HeldRows(Directory);

impl HeldRows {
    /// A directory that so many conversations have passed through.
    #[must_use]
    pub fn fill(remembered: Remembered, count: u32) -> Self {
        let held = Self::default();
        let (me, other) = (Incarnation(Uuid::from_u128(1)), Incarnation(Uuid::from_u128(2)));
        // A socket has its queue whether it reads or not.
        let queue = Arc::new(SendQueue::new(SendQueueLimits { frames: 1, bytes: 1 }));
        let edge = EdgeLink::of(other, Weak::new());
        for number in 0..count {
            let conversation = ConversationId(Uuid::from_u128(u128::from(number) << 64 | u128::from(number)));
            match remembered {
                Remembered::ReadHereOwnedElsewhere => held.read(conversation, &queue, other),
                Remembered::ReadHereOwnedHere => held.read(conversation, &queue, me),
                Remembered::ShownElsewhereOwnedHere => held.0.row(conversation).watched_by(&edge, View::Customer),
                Remembered::Unread => held.0.row(conversation).course().get_or_insert_default().heard(Some(other)),
            }
            held.0.tidy(conversation);
        }
        held
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Looks at every row for an actor that should be elsewhere, as each node does once a second; how many there are.
    #[must_use]
    pub fn look_through(&self) -> usize {
        self.0.all().into_iter().filter(|row| row.lives_for().is_some()).count()
    }

    fn read(&self, conversation: ConversationId, queue: &Arc<SendQueue>, owner: Incarnation) {
        let reader = ParticipantId(conversation.0);
        let subscriber = Subscriber::new(conversation, reader, View::Customer, Arc::clone(queue));
        let (row, _) = self.0.register(&subscriber);
        let mut course = row.course();
        let course = course.get_or_insert_default();
        course.heard(Some(owner));
        course.attach(Some(owner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_while_somebody_reads_and_no_longer() {
        for remembered in
            [Remembered::ReadHereOwnedElsewhere, Remembered::ReadHereOwnedHere, Remembered::ShownElsewhereOwnedHere]
        {
            assert_eq!(HeldRows::fill(remembered, 10).count(), 10, "{remembered:?}");
        }
        assert_eq!(HeldRows::fill(Remembered::Unread, 10).count(), 0);
    }
}
