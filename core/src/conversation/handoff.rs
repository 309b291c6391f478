//! Control: assistant, queue, one agent, or closed. Every change is one entry and one step of the version.
//!
//! A change that happens while a reply runs ends the turn first: the cut text stands in the log before the entry
//! that names who answers now, and nothing of the reply after it.

use super::command::{Actor, ReturnTo, Role};
use super::delivery::Key;
use super::event::{Cause, Control, EscalationReason, Event, Outcome, Priority};
use super::rejection::Rejection;
use super::state::{Draft, State};
use super::turn::{check_text, only_customer, open_turn};
use crate::AssignmentId;

impl State {
    /// Staff only, and only with the newest version of control.
    pub(super) fn check_version(&self, by: &Actor, seen: u64) -> Result<(), Rejection> {
        if !by.role.is_staff() {
            return Err(Rejection::Forbidden);
        }
        self.check_seen(seen)
    }

    fn check_seen(&self, seen: u64) -> Result<(), Rejection> {
        if seen == self.control_version {
            Ok(())
        } else {
            Err(Rejection::ControlChanged { current: self.control_version })
        }
    }

    pub(super) fn ask_for_person(
        &self,
        draft: &mut Draft<'_>,
        by: &Actor,
        summary: Option<&String>,
        key: Key,
    ) -> Result<(), Rejection> {
        only_customer(by)?;
        if let Some(summary) = summary {
            check_text(summary, draft.context.policy.max_comment_bytes)?;
        }
        if self.control != Control::Assistant {
            return Err(Rejection::NothingToDo("a person is already asked for"));
        }
        if let Some(turn) = &self.turn {
            self.end_turn(draft, turn, Outcome::Escalated, None);
        }
        let details = (summary.cloned(), Priority::Normal);
        self.queue_for_person(draft, EscalationReason::CustomerAsked, details, Some((by, key)));
        Ok(())
    }

    pub(super) fn claim(
        &self,
        draft: &mut Draft<'_>,
        by: &Actor,
        assignment: AssignmentId,
        key: Key,
    ) -> Result<(), Rejection> {
        if self.control != Control::Queue {
            return Err(Rejection::NothingToDo("the conversation does not wait in the queue"));
        }
        self.change_control(draft, Control::Agent { id: by.id }, Cause::Claimed { assignment }, Some(by), Some(key));
        Ok(())
    }

    pub(super) fn take_over(
        &self,
        draft: &mut Draft<'_>,
        by: &Actor,
        assignment: AssignmentId,
        key: Key,
    ) -> Result<(), Rejection> {
        if let Control::Agent { id } = self.control {
            if id == by.id {
                return Err(Rejection::NothingToDo("the conversation is already yours"));
            }
            if by.role != Role::Supervisor {
                return Err(Rejection::Forbidden);
            }
        }
        if let Some(turn) = &self.turn {
            self.end_turn(draft, turn, Outcome::TakenOver, None);
        }
        self.change_control(draft, Control::Agent { id: by.id }, Cause::TakenOver { assignment }, Some(by), Some(key));
        Ok(())
    }

    pub(super) fn hand_back(
        &self,
        draft: &mut Draft<'_>,
        by: &Actor,
        (seen, to): (u64, ReturnTo),
        key: Key,
    ) -> Result<(), Rejection> {
        self.check_seen(seen)?;
        let (control, cause) = match (self.control, by.role, to) {
            (Control::Queue, Role::Customer, ReturnTo::Assistant) => (Control::Assistant, Cause::AssistantChosen),
            (_, Role::Customer, _) => return Err(Rejection::Forbidden),
            (Control::Agent { id }, Role::Agent, _) if id != by.id => return Err(Rejection::Forbidden),
            (Control::Agent { .. }, _, ReturnTo::Assistant) => (Control::Assistant, Cause::HandedBack),
            (Control::Agent { .. }, _, ReturnTo::Queue) => (Control::Queue, Cause::HandedBack),
            (Control::Queue, Role::Supervisor, ReturnTo::Assistant) => (Control::Assistant, Cause::HandedBack),
            _ => return Err(Rejection::NothingToDo("no person has the conversation")),
        };
        self.change_control(draft, control, cause, Some(by), Some(key));
        if control == Control::Assistant && self.unanswered {
            open_turn(draft, self.last_said, None, None);
        }
        Ok(())
    }

    pub(super) fn close(
        &self,
        draft: &mut Draft<'_>,
        by: &Actor,
        seen: Option<u64>,
        key: Key,
    ) -> Result<(), Rejection> {
        match (by.role, seen) {
            (Role::Customer, None) => {}
            (_, Some(seen)) => self.check_seen(seen)?,
            (_, None) => return Err(Rejection::ControlChanged { current: self.control_version }),
        }
        if by.role == Role::Agent && self.control != (Control::Agent { id: by.id }) {
            return Err(Rejection::Forbidden);
        }
        if let Some(turn) = &self.turn {
            self.end_turn(draft, turn, Outcome::Closed, None);
        }
        self.change_control(draft, Control::Closed, Cause::Closed, Some(by), Some(key));
        Ok(())
    }

    /// The entry that puts the customer into the queue.
    pub(super) fn queue_for_person(
        &self,
        draft: &mut Draft<'_>,
        reason: EscalationReason,
        (summary, priority): (Option<String>, Priority),
        asked: Option<(&Actor, Key)>,
    ) {
        let (by, key) = asked.map_or((None, None), |(by, key)| (Some(by), Some(key)));
        self.change_control(draft, Control::Queue, Cause::Escalated { reason, summary, priority }, by, key);
    }

    pub(super) fn change_control(
        &self,
        draft: &mut Draft<'_>,
        control: Control,
        cause: Cause,
        by: Option<&Actor>,
        key: Option<Key>,
    ) {
        let version = self.control_version + 1;
        draft.push(Event::ControlChanged { control, version, cause, by: by.map(Into::into) }, key);
    }
}
