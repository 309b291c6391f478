//! From the log to the state. Total: every entry that the rules have written applies, live and in a replay alike.

use super::command::Role;
use super::delivery::Salt;
use super::event::{Author, Cause, Control, Entry, EscalationReason, Event, Outcome, Priority};
use super::state::{Assignment, Queued, State, Turn};
use crate::{Seq, Timestamp};

impl State {
    /// Extends the state by one entry. Total: live and replay use the same.
    pub fn apply(&mut self, entry: &Entry) {
        self.seq = entry.seq;
        self.last_at = entry.at;
        if entry.event.customer_sees() {
            self.customer_seq = entry.seq;
        }
        if let Some(key) = &entry.key {
            self.remember(key, entry.seq);
        }
        match &entry.event {
            Event::Opened { .. } | Event::Rated { .. } => {}
            Event::MessageSaid { author, .. } => self.apply_said(author, entry.seq),
            Event::TurnOpened { answers, .. } => {
                self.turn = Some(Turn { turn: entry.seq, attempt: 1, answers: *answers, attempt_at: entry.at });
                self.unanswered = true;
            }
            Event::AttemptStarted { turn, attempt } => {
                if let Some(open) = self.turn.as_mut().filter(|open| open.turn == *turn) {
                    open.attempt = *attempt;
                    open.attempt_at = entry.at;
                }
            }
            Event::TurnEnded { outcome, .. } => self.apply_turn_ended(*outcome, entry.seq),
            Event::ControlChanged { control, version, cause, by } => {
                self.apply_control(entry.at, *control, cause, by.as_ref());
                self.control_version = *version;
            }
            Event::NoticePosted { .. } => {
                if let Some(queued) = &mut self.queued {
                    queued.notices = queued.notices.saturating_add(1);
                    queued.noticed_at = entry.at;
                }
            }
            Event::Erased { .. } => {
                self.erased = true;
                self.salt = Salt::default();
                (self.turn, self.queued, self.assignment) = (None, None, None);
            }
        }
    }

    fn apply_said(&mut self, author: &Author, seq: Seq) {
        self.last_end = None;
        self.unanswered = author.role == Role::Customer;
        if self.unanswered {
            self.last_said = seq;
        }
    }

    fn apply_turn_ended(&mut self, outcome: Outcome, seq: Seq) {
        let ended = self.turn.take();
        self.last_end = Some(seq);
        if let (Some(ended), Outcome::Final | Outcome::Stopped) = (ended, outcome) {
            self.unanswered = self.last_said > ended.answers;
        }
    }

    fn apply_control(&mut self, at: Timestamp, control: Control, cause: &Cause, by: Option<&Author>) {
        self.control = control;
        self.closed_at = (control == Control::Closed).then_some(at);
        let queued = self.queued.take();
        let assignment = self.assignment.take();
        match (cause, by) {
            (Cause::Escalated { reason, summary, priority }, _) => {
                self.queued =
                    Some(Queued { priority: *priority, summary: summary.clone(), ..Queued::new(at, *reason) });
            }
            (Cause::Claimed { assignment: id } | Cause::TakenOver { assignment: id }, Some(agent)) => {
                let queued = queued.or_else(|| assignment.and_then(|before| before.queued));
                self.assignment = Some(Assignment { id: *id, agent: agent.clone(), queued });
            }
            (Cause::HandedBack, _) if control == Control::Queue => {
                let before = assignment.and_then(|assignment| assignment.queued);
                let place = before.unwrap_or_else(|| Queued::new(at, EscalationReason::AgentReturned));
                self.queued = Some(Queued { notices: 0, noticed_at: at, ..place });
            }
            _ => {}
        }
    }
}

impl Queued {
    const fn new(at: Timestamp, reason: EscalationReason) -> Self {
        Self { since: at, reason, priority: Priority::Normal, summary: None, notices: 0, noticed_at: at }
    }
}
