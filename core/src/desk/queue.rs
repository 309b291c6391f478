//! The queue: higher priority first, then the longest wait.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::conversation::{Priority, Queued};
use crate::{ConversationId, Timestamp};

/// A customer who waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The conversation.
    pub conversation: ConversationId,
    /// The version of control to claim it with.
    pub control_version: u64,
    /// Since when, why and how urgently.
    pub queued: Queued,
}

type Rank = (Reverse<Priority>, Timestamp, ConversationId);

/// All customers who wait, in order.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    order: BTreeSet<Rank>,
    waiting: BTreeMap<ConversationId, Waiting>,
}

impl Queue {
    /// Adds a customer, or replaces what is known of one; whether that is anything new.
    pub fn insert(&mut self, waiting: Waiting) -> bool {
        if self.waiting.get(&waiting.conversation) == Some(&waiting) {
            return false;
        }
        self.remove(waiting.conversation);
        self.order.insert(rank(&waiting));
        self.waiting.insert(waiting.conversation, waiting);
        true
    }

    /// Takes a customer out; whether it was in.
    pub fn remove(&mut self, conversation: ConversationId) -> bool {
        let Some(waiting) = self.waiting.remove(&conversation) else { return false };
        self.order.remove(&rank(&waiting))
    }

    /// Makes these the customers who wait; whether that is anything new.
    pub fn replace(&mut self, waiting: Vec<Waiting>) -> bool {
        let waiting: BTreeMap<_, _> = waiting.into_iter().map(|waiting| (waiting.conversation, waiting)).collect();
        if waiting == self.waiting {
            return false;
        }
        self.order = waiting.values().map(rank).collect();
        self.waiting = waiting;
        true
    }

    /// The customer's place, from 1.
    #[must_use]
    pub fn position(&self, conversation: ConversationId) -> Option<usize> {
        let waiting = self.waiting.get(&conversation)?;
        Some(self.order.range(..=rank(waiting)).count())
    }

    /// Everybody who waits, first to be served first.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.order.iter().filter_map(|(_, _, conversation)| self.waiting.get(conversation))
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

fn rank(waiting: &Waiting) -> Rank {
    (Reverse(waiting.queued.priority), waiting.queued.since, waiting.conversation)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::conversation::EscalationReason;

    fn waiting(number: u128, priority: Priority, since: i64) -> Waiting {
        Waiting {
            conversation: ConversationId(Uuid::from_u128(number)),
            control_version: 1,
            queued: Queued {
                since: Timestamp(since),
                reason: EscalationReason::CustomerAsked,
                priority,
                summary: None,
                notices: 0,
                noticed_at: Timestamp(since),
            },
        }
    }

    #[test]
    fn the_most_urgent_come_first_and_then_the_longest_wait() {
        let mut queue = Queue::default();
        queue.insert(waiting(1, Priority::Normal, 20));
        queue.insert(waiting(2, Priority::Normal, 10));
        queue.insert(waiting(3, Priority::High, 30));
        let order: Vec<_> = queue.iter().map(|waiting| waiting.conversation.0.as_u128()).collect();
        assert_eq!(order, [3, 2, 1]);
        assert_eq!(queue.position(ConversationId(Uuid::from_u128(1))), Some(3));
    }

    #[test]
    fn the_whole_queue_can_be_replaced() {
        let mut queue = Queue::default();
        queue.insert(waiting(1, Priority::Normal, 20));
        queue.insert(waiting(2, Priority::Normal, 10));
        assert!(queue.replace(vec![waiting(3, Priority::Normal, 5), waiting(1, Priority::High, 20)]));
        let order: Vec<_> = queue.iter().map(|waiting| waiting.conversation.0.as_u128()).collect();
        assert_eq!(order, [1, 3]);
        assert!(!queue.replace(vec![waiting(1, Priority::High, 20), waiting(3, Priority::Normal, 5)]));
    }

    #[test]
    fn a_customer_waits_in_one_place_only() {
        let mut queue = Queue::default();
        queue.insert(waiting(1, Priority::Normal, 10));
        queue.insert(waiting(1, Priority::High, 10));
        assert_eq!(queue.len(), 1);
        assert!(queue.remove(ConversationId(Uuid::from_u128(1))));
        assert!(queue.is_empty());
        assert!(!queue.remove(ConversationId(Uuid::from_u128(1))));
    }
}
