//! Erasure, legal holds and retention in memory.

use async_trait::async_trait;
use onya_core::{ConversationId, ParticipantId};

use super::MemoryLog;
use super::rows::{Row, Rows, has_a_form};
use crate::ports::{
    Append, AppendOutcome, Closed, CustomerConversation, Erasure, HOLD_POSTPONES_MS, LegalHold, StoreError,
};

impl Rows {
    fn erase(&mut self, append: &Append) -> AppendOutcome {
        if has_a_form(append) && self.holds.contains_key(&append.head.customer) {
            self.postpone(append);
            return AppendOutcome::OnHold;
        }
        let outcome = self.append(append);
        let row = self.conversations.get_mut(&append.conversation).filter(|_| outcome.is_accepted());
        if let Some((_, earlier)) = row.and_then(|row| row.entries.split_last_mut()) {
            earlier.iter_mut().for_each(|entry| *entry = entry.redacted());
            self.crashes.remove(&append.conversation);
        }
        outcome
    }

    /// A closed conversation whose time is over is looked at again later.
    fn postpone(&mut self, append: &Append) {
        let Some(decided) = append.entries.last() else { return };
        let closed = |row: &&mut Row| row.closed_at.is_some() && row.is_held_with(append.fence);
        let row = self.conversations.get_mut(&append.conversation).filter(closed);
        let due = row.and_then(|row| row.head.next_deadline.as_mut()).filter(|due| **due <= decided.at);
        if let Some(due) = due {
            *due = decided.at.plus_ms(HOLD_POSTPONES_MS);
        }
    }
}

#[async_trait]
impl Erasure for MemoryLog {
    async fn erase(&self, append: Append) -> Result<AppendOutcome, StoreError> {
        let outcomes = self.write(std::slice::from_ref(&append), Rows::erase).await?;
        let lost = || StoreError::Unknown("no outcome".to_owned());
        outcomes.into_iter().next().ok_or_else(lost)
    }

    async fn conversations_of(
        &self,
        customer: ParticipantId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<CustomerConversation>, StoreError> {
        let inner = self.lock();
        let of = inner
            .rows
            .conversations
            .iter()
            .filter(|(id, row)| row.head.customer == customer && after.is_none_or(|after| **id > after));
        let of = of.map(|(id, row)| CustomerConversation {
            conversation: *id,
            last_seq: row.head.last_seq,
            erased: row.is_erased(),
        });
        Ok(of.take(limit).collect())
    }

    async fn place_hold(&self, hold: LegalHold) -> Result<(), StoreError> {
        self.lock().rows.holds.insert(hold.customer, hold);
        Ok(())
    }

    async fn lift_hold(&self, customer: ParticipantId) -> Result<bool, StoreError> {
        Ok(self.lock().rows.holds.remove(&customer).is_some())
    }

    async fn hold(&self, customer: ParticipantId) -> Result<Option<LegalHold>, StoreError> {
        Ok(self.lock().rows.holds.get(&customer).cloned())
    }

    async fn schedule_retention(
        &self,
        retention_ms: Option<u64>,
        after: Option<Closed>,
        limit: usize,
    ) -> Result<Option<Closed>, StoreError> {
        let mut inner = self.lock();
        let mut closed: Vec<Closed> = inner
            .rows
            .conversations
            .iter()
            .filter(|(_, row)| !row.is_erased())
            .filter_map(|(id, row)| Some(Closed { at: row.closed_at?, conversation: *id }))
            .filter(|place| after.is_none_or(|after| (after.at, after.conversation) < (place.at, place.conversation)))
            .collect();
        closed.sort_by_key(|place| (place.at, place.conversation));
        closed.truncate(limit);
        for place in &closed {
            if let Some(row) = inner.rows.conversations.get_mut(&place.conversation) {
                row.head.next_deadline = retention_ms.map(|kept_ms| place.at.plus_ms(kept_ms));
            }
        }
        Ok(closed.last().copied())
    }
}
