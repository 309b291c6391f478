//! Erasing all that a customer said, and the legal holds that stand against it.
//!
//! Each conversation is erased by its owner, as a command like any other. So an erasure of a customer is many commands with
//! one name: repeated, it finds what is done already and does the rest.

use onya_core::conversation::{Action, Actor as Person, Request, Role};
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Seq};
use onya_protocol::{ErrorCode, Refusal};

use crate::Sessions;
use crate::conversation::busy;
use crate::ports::{Act, CustomerConversation, LegalHold, StoreError};
use crate::reading::not_read;
use crate::record::{act, role_name};

/// Acts as they stand on record.
const HOLD_PLACED: &str = "hold_placed";
const HOLD_LIFTED: &str = "hold_lifted";
/// Conversations of a customer that are read at a time.
const PAGE: usize = 200;
/// Longest reason of a hold, in bytes of UTF-8.
const MAX_REASON_BYTES: usize = 2_000;

/// What became of one conversation of a customer who is to be erased.
#[derive(Clone, Debug)]
pub struct ErasedConversation {
    /// The conversation.
    pub conversation: ConversationId,
    /// Where the log says that it is erased, or why it is not.
    pub outcome: Result<Seq, Refusal>,
}

impl Sessions {
    /// Erases all conversations of a customer, one after the other, oldest first. `by` is a supervisor. Not atomic, and
    /// repeatable: what is erased already counts as done. While the customer is on hold nothing is.
    pub async fn erase_customer(
        &self,
        by: &Person,
        customer: ParticipantId,
        client_msg_id: &ClientMsgId,
    ) -> Result<Vec<ErasedConversation>, Refusal> {
        only_supervisor(by)?;
        if self.hold(by, customer).await?.is_some() {
            return Err(Refusal::new(ErrorCode::OnHold, "the customer is on legal hold: nothing is erased"));
        }
        let mut erased: Vec<ErasedConversation> = Vec::new();
        loop {
            let after = erased.last().map(|before| before.conversation);
            let page = self.system.log.conversations_of(customer, after, PAGE).await.map_err(not_read)?;
            for of_customer in &page {
                let outcome = self.erase(by, of_customer, client_msg_id).await;
                erased.push(ErasedConversation { conversation: of_customer.conversation, outcome });
            }
            if page.len() < PAGE {
                return Ok(erased);
            }
        }
    }

    async fn erase(
        &self,
        by: &Person,
        of_customer: &CustomerConversation,
        client_msg_id: &ClientMsgId,
    ) -> Result<Seq, Refusal> {
        if of_customer.erased {
            return Ok(of_customer.last_seq);
        }
        let conversation = of_customer.conversation;
        let (by, client_msg_id) = (by.clone(), client_msg_id.clone());
        let request = Request { by, client_msg_id, after: None, action: Action::Erase };
        match self.request(conversation, request, None).await {
            Ok(ack) => Ok(ack.seq),
            // Somebody else was faster: the newest entry says so.
            Err(refusal) if refusal.code == ErrorCode::NothingToDo => {
                let summary = self.system.log.summary(conversation).await.map_err(not_read)?;
                summary.map(|summary| summary.last_seq).ok_or(refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Puts a customer on hold, as a supervisor, or changes the reason: nothing of the customer's is erased any more.
    pub async fn place_hold(&self, by: &Person, customer: ParticipantId, reason: String) -> Result<LegalHold, Refusal> {
        only_supervisor(by)?;
        if reason.trim().is_empty() || reason.contains('\0') || reason.len() > MAX_REASON_BYTES {
            let why = format!("a reason is needed: 1 to {MAX_REASON_BYTES} bytes without NUL");
            return Err(Refusal::new(ErrorCode::BadRequest, why));
        }
        let hold = LegalHold { customer, reason, placed_by: by.id, placed_at: self.system.clock.now() };
        self.goes_on_record(by, customer, HOLD_PLACED).await?;
        self.system.log.place_hold(hold.clone()).await.map_err(not_written)?;
        Ok(hold)
    }

    /// Ends a hold, as a supervisor. Ending one that there is not is no failure.
    pub async fn lift_hold(&self, by: &Person, customer: ParticipantId) -> Result<(), Refusal> {
        only_supervisor(by)?;
        self.goes_on_record(by, customer, HOLD_LIFTED).await?;
        self.system.log.lift_hold(customer).await.map_err(not_written)?;
        Ok(())
    }

    /// Before it is done: what cannot be put on record is not done.
    async fn goes_on_record(&self, by: &Person, customer: ParticipantId, what: &'static str) -> Result<(), Refusal> {
        let act = act(self.system.clock.now(), (by.id, role_name(by.role)), what);
        let act = Act { detail: format!(r#"{{"customer":"{customer}"}}"#), ..act };
        self.system.recorder.store(vec![act]).await.map_err(not_written)
    }

    /// The hold that a customer is on; for supervisors.
    pub async fn hold(&self, by: &Person, customer: ParticipantId) -> Result<Option<LegalHold>, Refusal> {
        only_supervisor(by)?;
        self.system.log.hold(customer).await.map_err(not_read)
    }
}

fn only_supervisor(by: &Person) -> Result<(), Refusal> {
    if by.role == Role::Supervisor {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::Forbidden, "only a supervisor may do that"))
    }
}

fn not_written(error: StoreError) -> Refusal {
    tracing::warn!(%error, "a legal hold could not be stored");
    match error {
        StoreError::Unavailable(_) => busy("the store takes nothing just now"),
        StoreError::Unknown(_) => Refusal::new(ErrorCode::Unknown, "the outcome is not known: do it again"),
        StoreError::Refused(_) | StoreError::Corrupt(_) => {
            Refusal::new(ErrorCode::Internal, "the hold cannot be stored")
        }
    }
}
