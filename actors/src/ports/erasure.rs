//! What a store does about erasure, beside the log itself: it erases, it keeps what is held, and it says when time is over.

use async_trait::async_trait;
use onya_core::{ConversationId, ParticipantId, Seq, Timestamp};

use super::{Append, AppendOutcome, StoreError};

/// Time by which a store puts off the end of a retention that a legal hold stands against, in ms: a day.
pub const HOLD_POSTPONES_MS: u64 = 86_400_000;

/// Erasure, legal holds and retention.
#[async_trait]
pub trait Erasure: Send + Sync + 'static {
    /// Appends as [`super::EventLog::append`] does, under the same fence, and erases with it, in one transaction: of every
    /// earlier entry of the conversation the redacted event is left, without its salt; its snapshot, its dead letters, its
    /// crashes and whatever was derived from its texts are gone. Positions and the chain stay as they are.
    ///
    /// While the customer is on hold nothing is appended and nothing is erased: [`AppendOutcome::OnHold`]. A deadline of
    /// a closed conversation that is due when the entries were decided is then put off by [`HOLD_POSTPONES_MS`].
    async fn erase(&self, append: Append) -> Result<AppendOutcome, StoreError>;

    /// All conversations of a customer, oldest first, those after `after`; at most `limit`, 1 to 1000.
    async fn conversations_of(
        &self,
        customer: ParticipantId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<CustomerConversation>, StoreError>;

    /// Puts a customer on hold, or changes the reason. Once this returns nothing of the customer's is erased: erasures
    /// that had begun are over.
    async fn place_hold(&self, hold: LegalHold) -> Result<(), StoreError>;

    /// Ends a hold; whether there was one.
    async fn lift_hold(&self, customer: ParticipantId) -> Result<bool, StoreError>;

    /// The hold that a customer is on.
    async fn hold(&self, customer: ParticipantId) -> Result<Option<LegalHold>, StoreError>;

    /// Sets the deadline of closed conversations to their end plus `retention_ms`, or takes it away: for those that were
    /// closed under another setting. Looks at `limit` of them after `after`, in the order of their ends; where to go on,
    /// or `None` if these were the last.
    async fn schedule_retention(
        &self,
        retention_ms: Option<u64>,
        after: Option<Closed>,
        limit: usize,
    ) -> Result<Option<Closed>, StoreError>;
}

/// A conversation of a customer, as far as its erasure is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomerConversation {
    /// The conversation.
    pub conversation: ConversationId,
    /// Position of the newest entry.
    pub last_seq: Seq,
    /// Whether it is erased; the newest entry says so then.
    pub erased: bool,
}

/// Why nothing of a customer's may be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegalHold {
    /// The customer.
    pub customer: ParticipantId,
    /// Why, for people.
    pub reason: String,
    /// Who placed it.
    pub placed_by: ParticipantId,
    /// When.
    pub placed_at: Timestamp,
}

/// A place among the closed conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When it was closed.
    pub at: Timestamp,
    /// Which.
    pub conversation: ConversationId,
}
