//! Erasure: what people said goes, the structure of the log stays.
//!
//! The rules only say that it happens: the last entry of the log is [`Event::Erased`], and the state after it holds no
//! text. Whoever stores that entry replaces every earlier one by [`super::Entry::redacted`], in the same transaction. A
//! conversation that is not over ends with it, and nothing of a reply in progress is kept.

use super::command::Role;
use super::draft::{Asked, Draft};
use super::effect::Effect;
use super::event::{Cause, Control, Event, Outcome};
use super::policy::Policy;
use super::rejection::Rejection;
use super::state::State;
use crate::Timestamp;

impl State {
    pub(super) fn erase(&self, draft: &mut Draft<'_>, asked: Asked<'_>) -> Result<(), Rejection> {
        if asked.by.role != Role::Supervisor {
            return Err(Rejection::Forbidden);
        }
        if self.erased {
            return Err(Rejection::NothingToDo("the conversation is erased"));
        }
        self.erase_content(draft, Some(asked));
        Ok(())
    }

    /// Ends what is under way, and has everything erased that was said.
    pub(super) fn erase_content(&self, draft: &mut Draft<'_>, asked: Option<Asked<'_>>) {
        let (by, key) = asked.map_or((None, None), |asked| (Some(asked.by), Some(asked.key)));
        if let Some(open) = &self.turn {
            draft.effect(Effect::CancelCompletion { turn: open.turn });
            let (outcome, text) = (Outcome::Closed, String::new());
            let ended = Event::TurnEnded { turn: open.turn, attempt: open.attempt, outcome, failure: None, text };
            draft.push(ended, None);
        }
        if self.control != Control::Closed {
            self.change_control(draft, (Control::Closed, Cause::Closed), by, None);
        }
        draft.redact();
        draft.push(Event::Erased { by: by.map(Into::into) }, key);
    }

    /// When a closed conversation is to be erased. States that lack the time of their end were last written after it.
    pub(super) fn retention_ends(&self, policy: &Policy) -> Option<Timestamp> {
        let kept_ms = policy.retention_ms.filter(|_| !self.erased)?;
        Some(self.closed_at.unwrap_or(self.last_at).plus_ms(kept_ms))
    }
}
