//! What can be read without an owner: rows and pages of the store, in the view of who asks.

use std::sync::Arc;

use onya_core::ConversationId;
use onya_core::conversation::{Actor as Person, View};
use onya_protocol::{ErrorCode, LogEntry, Refusal, convert};

use crate::Sessions;
use crate::conversation::busy;
use crate::ports::{Hit, Page, PageFrom, Search, StoreError, Summary};

/// Part of a log, in one view.
#[derive(Clone, Debug)]
pub struct EntriesPage {
    /// The entries, oldest first.
    pub entries: Vec<Arc<LogEntry>>,
    /// Whether the log goes on in the direction of the page. After a page that ends with the newest visible entry this
    /// can be true as well: the next page is empty then.
    pub has_more: bool,
}

impl Sessions {
    /// A conversation's row. A conversation of somebody else is as unknown as one that does not exist.
    pub async fn summary(&self, who: &Person, conversation: ConversationId) -> Result<Summary, Refusal> {
        let summary = self.system.log.summary(conversation).await.map_err(not_read)?;
        summary
            .filter(|summary| who.role.is_staff() || summary.customer == who.id)
            .ok_or_else(|| Refusal::new(ErrorCode::NotFound, "no such conversation"))
    }

    /// Entries of a conversation, at most `limit` (1 to 200).
    pub async fn entries(
        &self,
        who: &Person,
        conversation: ConversationId,
        (from, limit): (PageFrom, usize),
    ) -> Result<EntriesPage, Refusal> {
        let summary = self.summary(who, conversation).await?;
        let view = if who.role.is_staff() { View::Staff } else { View::Customer };
        let page = Page { view, from, limit };
        let stored = self.system.log.page(conversation, page).await.map_err(not_read)?;
        let has_more = match from {
            PageFrom::After(_) => {
                stored.len() >= limit && stored.last().is_some_and(|entry| entry.seq < summary.last_seq)
            }
            PageFrom::Before(_) | PageFrom::End => stored.first().is_some_and(|entry| entry.prev(view) > 0),
        };
        let notices = &self.system.settings.notices;
        let show = |entry| convert::log_entry(entry, view, &summary.language, notices);
        Ok(EntriesPage { entries: stored.iter().filter_map(show).collect(), has_more })
    }

    /// What was said and holds all words of a query, newest first, for staff.
    pub async fn search(&self, who: &Person, search: &Search) -> Result<Vec<Hit>, Refusal> {
        if !who.role.is_staff() {
            return Err(Refusal::new(ErrorCode::Forbidden, "only staff may search"));
        }
        self.system.log.search(search).await.map_err(|error| match error {
            StoreError::Refused(why) => Refusal::new(ErrorCode::BadRequest, why),
            error => not_read(error),
        })
    }

    /// Conversations that are not closed, newest first, at most `limit` (1 to 200).
    pub async fn open_conversations(
        &self,
        before: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Summary>, Refusal> {
        self.system.log.open_conversations(before, limit).await.map_err(not_read)
    }
}

/// A read that failed changed nothing, so it may simply be repeated.
pub(crate) fn not_read(error: StoreError) -> Refusal {
    tracing::warn!(%error, "a read failed");
    if error.is_transient() {
        busy("storage cannot be read now")
    } else {
        Refusal::new(ErrorCode::Internal, "storage cannot be read")
    }
}
