//! What can be read without an owner: rows and pages of the store, in the view of who asks.

use std::sync::Arc;

use onya_core::conversation::{Actor as Person, Role, View};
use onya_core::{ConversationId, ParticipantId};
use onya_protocol::{ErrorCode, LogEntry, Refusal, convert};

use crate::Sessions;
use crate::conversation::busy;
use crate::ports::{Page, PageFrom, StoreError, Summary};
use crate::record::{Looked, Refused, TOKEN_MADE, act, role_name};

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
        let summary = self.find(who, conversation).await?;
        self.looks(who, Looked::AtConversation(conversation)).await?;
        Ok(summary)
    }

    async fn find(&self, who: &Person, conversation: ConversationId) -> Result<Summary, Refusal> {
        let summary = self.system.log.summary(conversation).await.map_err(not_read)?;
        let unknown = || Refusal::new(ErrorCode::NotFound, "no such conversation");
        let summary = summary.ok_or_else(unknown)?;
        if !who.role.is_staff() && summary.customer != who.id {
            self.system.note_stranger(who.id, conversation);
            return Err(unknown());
        }
        Ok(summary)
    }

    /// Entries of a conversation, at most `limit` (1 to 200).
    pub async fn entries(
        &self,
        who: &Person,
        conversation: ConversationId,
        (from, limit): (PageFrom, usize),
    ) -> Result<EntriesPage, Refusal> {
        let summary = self.find(who, conversation).await?;
        let view = if who.role.is_staff() { View::Staff } else { View::Customer };
        let page = Page { view, from, limit };
        let stored = self.system.log.page(conversation, page).await.map_err(not_read)?;
        let has_more = match from {
            PageFrom::After(_) => {
                stored.len() >= limit && stored.last().is_some_and(|entry| entry.seq < summary.last_seq)
            }
            PageFrom::Before(_) | PageFrom::End => stored.first().is_some_and(|entry| entry.prev(view) > 0),
        };
        if let (Some(first), Some(last)) = (stored.first(), stored.last()) {
            self.looks(who, Looked::AtEntries(conversation, first.seq, last.seq)).await?;
        }
        let notices = &self.system.settings.notices;
        let show = |entry| convert::log_entry(entry, view, &summary.language, notices);
        Ok(EntriesPage { entries: stored.iter().filter_map(show).collect(), has_more })
    }

    /// Conversations that are not closed, newest first, at most `limit` (1 to 200).
    pub async fn open_conversations(
        &self,
        who: &Person,
        (before, limit): (Option<ConversationId>, usize),
    ) -> Result<Vec<Summary>, Refusal> {
        let open = self.system.log.open_conversations(before, limit).await.map_err(not_read)?;
        self.looks(who, Looked::AtList(open.len())).await?;
        Ok(open)
    }

    /// Puts on record that somebody of the staff looks at something. It may be shown once this returns.
    pub async fn looks(&self, who: &Person, at: Looked) -> Result<(), Refusal> {
        if !who.role.is_staff() {
            return Ok(());
        }
        let act = at.act(self.system.clock.now(), who);
        self.system.recorder.store(vec![act]).await.map_err(not_on_record)
    }

    /// Lets a refusal go on record.
    pub fn note_refusal(&self, refused: Refused<'_>) {
        self.system.recorder.note(refused.act(self.system.clock.now()));
    }

    /// Lets it go on record that a token was made for somebody.
    pub fn note_token(&self, who: ParticipantId, role: Role) {
        self.system.recorder.note(act(self.system.clock.now(), (who, role_name(role)), TOKEN_MADE));
    }
}

/// What is not on record is not shown.
pub(crate) fn not_on_record(error: StoreError) -> Refusal {
    tracing::warn!(%error, "a read by staff is refused: it cannot be put on record");
    busy("what staff read is put on record, and that cannot be done now")
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
