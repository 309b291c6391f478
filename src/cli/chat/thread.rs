//! A conversation together with what was sent to it: what to do when a frame arrives. Pure, but for the time it is given.

use onya_core::ConversationId;
use onya_protocol::{Cursor, LogEntry, Refusal, ServerFrame};
use tokio::time::Instant;

use super::conversation::Conversation;
use super::outbox::{Command, Outbox, Refused};

/// One conversation on a socket that somebody else owns.
#[derive(Debug)]
pub(super) struct Thread<F> {
    pub(super) conversation: Conversation,
    outbox: Outbox<F>,
    /// The socket is new and has not told where the log stands.
    awaiting_sync: bool,
    resuming: bool,
    retry_at: Option<Instant>,
}

/// A command that failed for good.
#[derive(Debug)]
pub(super) struct Failed<F> {
    pub(super) frame: F,
    pub(super) refusal: Refusal,
}

impl<F: Command> Thread<F> {
    pub(super) const fn new(id: ConversationId) -> Self {
        Self {
            conversation: Conversation::new(id),
            outbox: Outbox::new(),
            awaiting_sync: true,
            resuming: false,
            retry_at: None,
        }
    }

    pub(super) fn send(&mut self, frame: F) {
        self.outbox.add(frame);
    }

    /// A new socket takes over: once it has told where the log stands, what has no outcome goes out again.
    pub(super) fn reconnected(&mut self) {
        self.awaiting_sync = true;
        self.resuming = false;
        self.outbox.disconnected();
    }

    /// Takes a frame; a command that it refuses for good comes back.
    pub(super) fn receive(&mut self, frame: &ServerFrame, now: Instant) -> Option<Failed<F>> {
        self.conversation.apply(frame);
        let mut failed = None;
        match frame {
            ServerFrame::Synced(synced) if synced.conversation == self.conversation.id => {
                self.awaiting_sync = false;
                self.resuming = false;
                self.retry_at = None;
                synced.entries.iter().for_each(|entry| self.seen(entry));
            }
            ServerFrame::Entry { conversation, entry } if *conversation == self.conversation.id => self.seen(entry),
            ServerFrame::Ack(ack) => self.outbox.stored(&ack.client_msg_id, ack.seq),
            ServerFrame::Refused(refusal) => failed = self.refused(refusal, now),
            _ => {}
        }
        if let Some(cursor) = self.conversation.cursor() {
            self.outbox.reached(cursor.seq);
        }
        failed
    }

    /// The frames that should go out now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<F> {
        let too_early = match self.retry_at {
            Some(at) => now < at,
            None => false,
        };
        if self.awaiting_sync || too_early {
            return Vec::new();
        }
        self.retry_at = None;
        self.outbox.take()
    }

    /// When `due` will have something again, if that is a matter of time.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| self.outbox.is_blocked())
    }

    /// The cursor to resume from, once for each gap.
    pub(super) fn resume_from(&mut self) -> Option<Cursor> {
        if !self.conversation.needs_resume || self.resuming {
            return None;
        }
        self.resuming = true;
        self.conversation.cursor()
    }

    /// Whether everything sent has its outcome, which the log has reached.
    pub(super) const fn is_settled(&self) -> bool {
        self.outbox.is_empty() && !self.awaiting_sync
    }

    fn seen(&mut self, entry: &LogEntry) {
        if let Some(id) = &entry.client_msg_id {
            self.outbox.stored(id, entry.seq);
        }
    }

    fn refused(&mut self, refusal: &Refusal, now: Instant) -> Option<Failed<F>> {
        match self.outbox.refused(refusal) {
            Refused::Unknown => None,
            Refused::Again(pause) => {
                self.retry_at = self.retry_at.max(Some(now + pause));
                None
            }
            Refused::Failed(frame) => Some(Failed { frame, refusal: refusal.clone() }),
        }
    }
}
