//! Turns: what the assistant owes, and how it ends.
//!
//! A turn opens in the same commit as the customer's message when none is open and the assistant is in control. It
//! ends exactly once. The commit that ends it opens the next one if the customer has said more in the meantime and
//! the assistant still is in control. A turn that fails asks for a person in the same commit, so that every question
//! ends in an answer or with a person.

use super::command::{Actor, Overlap, ReplyEnding, Role};
use super::delivery::Key;
use super::draft::{Asked, Draft};
use super::effect::Effect;
use super::event::{Cause, Control, EscalationReason, Event, Failure, Outcome, Priority, Score};
use super::policy::Policy;
use super::rejection::Rejection;
use super::state::{State, Turn};
use crate::Seq;

impl State {
    pub(super) fn say(
        &self,
        draft: &mut Draft<'_>,
        asked: Asked<'_>,
        text: &str,
        overlap: Overlap,
    ) -> Result<(), Rejection> {
        check_text(text, draft.context.policy.max_message_bytes)?;
        self.check_room(draft)?;
        let said = Event::MessageSaid { author: asked.by.into(), text: text.to_owned() };
        if asked.by.role.is_staff() {
            if self.control != (Control::Agent { id: asked.by.id }) {
                return Err(Rejection::ControlChanged { current: self.control_version });
            }
            draft.push(said, Some(asked.key));
            return Ok(());
        }
        let running = self.turn.as_ref();
        if let (Some(turn), Overlap::Interrupt) = (running, overlap) {
            self.end_turn(draft, turn, Outcome::Superseded, None);
        }
        let seq = draft.push(said, Some(asked.key));
        let answered_now = running.is_none() || overlap == Overlap::Interrupt;
        if self.control == Control::Assistant && answered_now {
            open_turn(draft, seq, None, None);
        }
        Ok(())
    }

    pub(super) fn stop(&self, draft: &mut Draft<'_>, asked: Asked<'_>, wanted: Option<Seq>) -> Result<(), Rejection> {
        only_customer(asked.by)?;
        let turn = self
            .turn
            .as_ref()
            .filter(|turn| wanted.is_none_or(|wanted| wanted == turn.turn))
            .ok_or(Rejection::NothingToDo("no such reply is in progress"))?;
        self.end_turn(draft, turn, Outcome::Stopped, Some(asked.key));
        self.open_next(draft, turn);
        Ok(())
    }

    pub(super) fn regenerate(
        &self,
        draft: &mut Draft<'_>,
        asked: Asked<'_>,
        reply: Option<Seq>,
    ) -> Result<(), Rejection> {
        only_customer(asked.by)?;
        self.check_room(draft)?;
        if let Control::Agent { .. } = self.control {
            return Err(Rejection::NothingToDo("a person is in control"));
        }
        let replaces = match &self.turn {
            Some(turn) if reply.is_none_or(|reply| reply == turn.turn) => {
                self.end_turn(draft, turn, Outcome::Superseded, None)
            }
            Some(_) => return Err(Rejection::NothingToDo("another reply is in progress")),
            None => self
                .last_end
                .filter(|end| reply.is_none_or(|reply| reply == *end))
                .ok_or(Rejection::NothingToDo("only the newest reply can be regenerated"))?,
        };
        if self.control == Control::Queue {
            self.change_control(draft, (Control::Assistant, Cause::AssistantChosen), Some(asked.by), None);
        }
        open_turn(draft, self.last_said, Some(replaces), Some(asked.key));
        Ok(())
    }

    pub(super) fn rate(
        &self,
        draft: &mut Draft<'_>,
        asked: Asked<'_>,
        reply: Option<Seq>,
        (score, comment): (Score, Option<&str>),
    ) -> Result<(), Rejection> {
        only_customer(asked.by)?;
        self.check_room(draft)?;
        if let Some(comment) = comment {
            check_text(comment, draft.context.policy.max_comment_bytes)?;
        }
        if reply.is_some_and(|reply| reply == 0 || reply > self.seq) {
            return Err(Rejection::NothingToDo("there is no such entry"));
        }
        draft.push(Event::Rated { reply, score, comment: comment.map(str::to_owned) }, Some(asked.key));
        Ok(())
    }

    pub(super) fn finish_reply(&self, draft: &mut Draft<'_>, (turn, attempt): (Seq, u32), ending: &ReplyEnding) {
        let Some(open) = self.turn.as_ref().filter(|open| (open.turn, open.attempt) == (turn, attempt)) else {
            return;
        };
        match ending {
            ReplyEnding::Complete { text } => {
                push_end(draft, open, (Outcome::Final, None, text.clone()), None);
                self.open_next(draft, open);
            }
            ReplyEnding::Failed { failure, text } => self.fail_turn(draft, open, *failure, text.clone()),
            ReplyEnding::Escalated { text, summary, priority } => {
                push_end(draft, open, (Outcome::Escalated, None, text.clone()), None);
                let summary = summary.as_deref().and_then(|summary| model_summary(summary, draft.context.policy));
                self.queue_for_person(draft, EscalationReason::AssistantAsked, (summary, *priority), None);
            }
        }
    }

    pub(super) fn resume_turn(&self, draft: &mut Draft<'_>) {
        let Some(open) = &self.turn else { return };
        if open.attempt >= draft.context.policy.max_attempts {
            self.fail_turn(draft, open, Failure::AttemptsExhausted, String::new());
            return;
        }
        let attempt = open.attempt + 1;
        draft.push(Event::AttemptStarted { turn: open.turn, attempt }, None);
        draft.effect(Effect::StartCompletion { turn: open.turn, attempt });
    }

    /// Withdraws the open turn from the model. Without one, nothing is owed, and nothing has to be withdrawn.
    pub(super) fn quarantine(&self, draft: &mut Draft<'_>) {
        let Some(open) = &self.turn else { return };
        self.give_up_turn(draft, open, Failure::Quarantined);
    }

    /// Fails a turn whose model may still be running: calls it off and keeps what the customer has been shown.
    pub(super) fn give_up_turn(&self, draft: &mut Draft<'_>, open: &Turn, failure: Failure) {
        draft.effect(Effect::CancelCompletion { turn: open.turn });
        let text = shown_text(draft, open);
        self.fail_turn(draft, open, failure, text);
    }

    /// Ends a turn as failed and asks for a person.
    fn fail_turn(&self, draft: &mut Draft<'_>, open: &Turn, failure: Failure, text: String) {
        push_end(draft, open, (Outcome::Failed, Some(failure), text), None);
        self.queue_for_person(draft, (&failure).into(), (None, Priority::Normal), None);
    }

    /// Ends a turn with what the customer has been shown of it, and calls off the model.
    pub(super) fn end_turn(&self, draft: &mut Draft<'_>, open: &Turn, outcome: Outcome, key: Option<Key>) -> Seq {
        draft.effect(Effect::CancelCompletion { turn: open.turn });
        let text = shown_text(draft, open);
        draft.cut(text.len());
        push_end(draft, open, (outcome, None, text), key)
    }

    fn open_next(&self, draft: &mut Draft<'_>, ended: &Turn) {
        if self.control == Control::Assistant && self.last_said > ended.answers {
            open_turn(draft, self.last_said, None, None);
        }
    }

    pub(super) fn check_room(&self, draft: &Draft<'_>) -> Result<(), Rejection> {
        if self.seq >= draft.context.policy.max_entries { Err(Rejection::Full) } else { Ok(()) }
    }
}

pub(super) fn open_turn(draft: &mut Draft<'_>, answers: Seq, replaces: Option<Seq>, key: Option<Key>) {
    let turn = draft.push(Event::TurnOpened { answers, replaces }, key);
    draft.effect(Effect::StartCompletion { turn, attempt: 1 });
}

fn push_end(
    draft: &mut Draft<'_>,
    open: &Turn,
    (outcome, failure, text): (Outcome, Option<Failure>, String),
    key: Option<Key>,
) -> Seq {
    draft.push(Event::TurnEnded { turn: open.turn, attempt: open.attempt, outcome, failure, text }, key)
}

/// What the customer has been shown of this attempt.
fn shown_text(draft: &Draft<'_>, open: &Turn) -> String {
    draft
        .context
        .reply
        .filter(|reply| (reply.turn, reply.attempt) == (open.turn, open.attempt))
        .map_or_else(String::new, |reply| reply.text.clone())
}

/// The model's summary, cut to the longest that a person may write; a summary is no reason to refuse a handoff.
fn model_summary(summary: &str, policy: &Policy) -> Option<String> {
    let cut = &summary[..summary.floor_char_boundary(policy.max_comment_bytes)];
    let clean = cut.replace('\0', "");
    (!clean.trim().is_empty()).then_some(clean)
}

pub(super) fn only_customer(by: &Actor) -> Result<(), Rejection> {
    if by.role == Role::Customer { Ok(()) } else { Err(Rejection::Forbidden) }
}

pub(super) fn check_text(text: &str, max_bytes: usize) -> Result<(), Rejection> {
    if text.len() > max_bytes {
        return Err(Rejection::TooLarge { max_bytes });
    }
    if text.trim().is_empty() || text.contains('\0') {
        return Err(Rejection::BadText);
    }
    Ok(())
}
