//! Control: assistant, queue, one agent, or closed. Every change is one entry and one step of the version.
//!
//! A change that happens while a reply runs ends the turn first: the cut text stands in the log before the entry
//! that names who answers now, and nothing of the reply after it.

use super::command::{Actor, ReturnTo, Role};
use super::delivery::Key;
use super::draft::{Asked, Draft};
use super::event::{Cause, Control, EscalationReason, Event, Outcome, Priority};
use super::rejection::Rejection;
use super::state::State;
use super::turn::{check_text, only_customer, open_turn};
use crate::{AssignmentId, ParticipantId};

impl State {
    pub(super) fn ask_for_person(
        &self,
        draft: &mut Draft<'_>,
        asked: Asked<'_>,
        summary: Option<&str>,
    ) -> Result<(), Rejection> {
        only_customer(asked.by)?;
        if let Some(summary) = summary {
            check_text(summary, draft.context.policy.max_comment_bytes)?;
        }
        if self.control != Control::Assistant {
            return Err(Rejection::NothingToDo("a person is already asked for"));
        }
        if let Some(turn) = &self.turn {
            self.end_turn(draft, turn, Outcome::Escalated, None);
        }
        let details = (summary.map(str::to_owned), Priority::Normal);
        self.queue_for_person(draft, EscalationReason::CustomerAsked, details, Some(asked));
        Ok(())
    }

    pub(super) fn claim(
        &self,
        draft: &mut Draft<'_>,
        asked: Asked<'_>,
        seen: u64,
        assignment: AssignmentId,
    ) -> Result<(), Rejection> {
        only_staff(asked.by)?;
        self.check_seen(seen)?;
        if self.control != Control::Queue {
            return Err(Rejection::NothingToDo("the conversation does not wait in the queue"));
        }
        self.assign(draft, asked, Cause::Claimed { assignment });
        Ok(())
    }

    pub(super) fn take_over(
        &self,
        draft: &mut Draft<'_>,
        asked: Asked<'_>,
        seen: u64,
        assignment: AssignmentId,
    ) -> Result<(), Rejection> {
        only_staff(asked.by)?;
        self.check_seen(seen)?;
        if let Control::Agent { id } = self.control {
            if id == asked.by.id {
                return Err(Rejection::NothingToDo("the conversation is already yours"));
            }
            if asked.by.role != Role::Supervisor {
                return Err(Rejection::Forbidden);
            }
        }
        if let Some(turn) = &self.turn {
            self.end_turn(draft, turn, Outcome::TakenOver, None);
        }
        self.assign(draft, asked, Cause::TakenOver { assignment });
        Ok(())
    }

    pub(super) fn hand_back(
        &self,
        draft: &mut Draft<'_>,
        asked: Asked<'_>,
        seen: u64,
        to: ReturnTo,
    ) -> Result<(), Rejection> {
        self.check_seen(seen)?;
        let (control, cause) = match (self.control, asked.by.role, to) {
            (Control::Queue, Role::Customer, ReturnTo::Assistant) => {
                self.check_room(draft)?;
                (Control::Assistant, Cause::AssistantChosen)
            }
            (_, Role::Customer, _) => return Err(Rejection::Forbidden),
            (Control::Agent { id }, Role::Agent, _) if id != asked.by.id => return Err(Rejection::Forbidden),
            (Control::Agent { .. }, _, ReturnTo::Assistant) => (Control::Assistant, Cause::HandedBack),
            (Control::Agent { .. }, _, ReturnTo::Queue) => (Control::Queue, Cause::HandedBack),
            (Control::Queue, Role::Supervisor, ReturnTo::Assistant) => (Control::Assistant, Cause::HandedBack),
            _ => return Err(Rejection::NothingToDo("no person has the conversation")),
        };
        self.change_control(draft, (control, cause), Some(asked.by), Some(asked.key));
        if control == Control::Assistant && self.unanswered {
            open_turn(draft, self.last_said, None, None);
        }
        Ok(())
    }

    pub(super) fn close(&self, draft: &mut Draft<'_>, asked: Asked<'_>, seen: Option<u64>) -> Result<(), Rejection> {
        match seen {
            Some(seen) => self.check_seen(seen)?,
            None if asked.by.role == Role::Customer => {}
            None => return Err(Rejection::ControlChanged { current: self.control_version }),
        }
        if asked.by.role == Role::Agent && self.control != (Control::Agent { id: asked.by.id }) {
            return Err(Rejection::Forbidden);
        }
        if let Some(turn) = &self.turn {
            self.end_turn(draft, turn, Outcome::Closed, None);
        }
        self.change_control(draft, (Control::Closed, Cause::Closed), Some(asked.by), Some(asked.key));
        Ok(())
    }

    /// Puts the customer into the queue, at the customer's wish (`asked`) or the server's.
    pub(super) fn queue_for_person(
        &self,
        draft: &mut Draft<'_>,
        reason: EscalationReason,
        (summary, priority): (Option<String>, Priority),
        asked: Option<Asked<'_>>,
    ) {
        let (by, key) = asked.map_or((None, None), |asked| (Some(asked.by), Some(asked.key)));
        self.change_control(draft, (Control::Queue, Cause::Escalated { reason, summary, priority }), by, key);
    }

    /// The wait goes on where it began, for whoever claims it.
    pub(super) fn agent_lost(&self, draft: &mut Draft<'_>, agent: ParticipantId) {
        if self.owed_by() == Some(agent) {
            self.return_to_queue(draft);
        }
    }

    /// Without anybody's wish.
    pub(super) fn return_to_queue(&self, draft: &mut Draft<'_>) {
        self.change_control(draft, (Control::Queue, Cause::HandedBack), None, None);
    }

    fn assign(&self, draft: &mut Draft<'_>, asked: Asked<'_>, cause: Cause) {
        self.change_control(draft, (Control::Agent { id: asked.by.id }, cause), Some(asked.by), Some(asked.key));
    }

    pub(super) fn change_control(
        &self,
        draft: &mut Draft<'_>,
        (control, cause): (Control, Cause),
        by: Option<&Actor>,
        key: Option<Key>,
    ) {
        let version = self.control_version + 1;
        draft.push(Event::ControlChanged { control, version, cause, by: by.map(Into::into) }, key);
    }

    fn check_seen(&self, seen: u64) -> Result<(), Rejection> {
        if seen == self.control_version {
            Ok(())
        } else {
            Err(Rejection::ControlChanged { current: self.control_version })
        }
    }
}

fn only_staff(by: &Actor) -> Result<(), Rejection> {
    if by.role.is_staff() { Ok(()) } else { Err(Rejection::Forbidden) }
}
