//! The way of a command through the rules: may it be asked at all, is it a repeat, then the rule for its action.

use super::command::{Action, Command, Context, Request, Role, Signal};
use super::delivery::Admission;
use super::draft::{Asked, Draft};
use super::effect::Decision;
use super::event::Control;
use super::rejection::Rejection;
use super::state::State;

impl State {
    /// Decides on a command and changes nothing. A signal is never refused: one that comes too late decides nothing.
    pub fn decide(&self, context: &Context<'_>, command: &Command) -> Result<Decision, Rejection> {
        match command {
            Command::Request(request) => self.decide_request(context, request),
            Command::Signal(signal) => Ok(self.decide_signal(context, signal)),
        }
    }

    fn decide_request(&self, context: &Context<'_>, request: &Request) -> Result<Decision, Rejection> {
        if request.by.role == Role::Customer && request.by.id != self.customer {
            return Err(Rejection::NotAParticipant);
        }
        let key = match self.admit(context, request)? {
            Admission::Repeat(ack) => return Ok(Decision { ack: Some(ack), ..Decision::default() }),
            Admission::New(key) => key,
        };
        let mut draft = Draft::new(self, context);
        self.decide_action(&mut draft, Asked { by: &request.by, key }, &request.action)?;
        Ok(draft.finish())
    }

    fn decide_action(&self, draft: &mut Draft<'_>, asked: Asked<'_>, action: &Action) -> Result<(), Rejection> {
        match action {
            Action::Erase => self.erase(draft, asked),
            Action::Rate { .. } if self.erased => Err(Rejection::Closed),
            Action::Rate { reply, score, comment } => self.rate(draft, asked, *reply, (*score, comment.as_deref())),
            _ if self.control == Control::Closed => Err(Rejection::Closed),
            Action::Say { text, overlap } => self.say(draft, asked, text, *overlap),
            Action::Stop { turn } => self.stop(draft, asked, *turn),
            Action::Regenerate { reply } => self.regenerate(draft, asked, *reply),
            Action::Escalate { summary } => self.ask_for_person(draft, asked, summary.as_deref()),
            Action::Claim { control_version, assignment } => self.claim(draft, asked, *control_version, *assignment),
            Action::TakeOver { control_version, assignment } => {
                self.take_over(draft, asked, *control_version, *assignment)
            }
            Action::HandBack { control_version, to } => self.hand_back(draft, asked, *control_version, *to),
            Action::Close { control_version } => self.close(draft, asked, *control_version),
        }
    }

    fn decide_signal(&self, context: &Context<'_>, signal: &Signal) -> Decision {
        let mut draft = Draft::new(self, context);
        match signal {
            Signal::DeadlineReached => self.deadline_reached(&mut draft),
            Signal::AgentLost { agent } => self.agent_lost(&mut draft, *agent),
            _ if self.control == Control::Closed => {}
            Signal::FinishReply { turn, attempt, ending } => self.finish_reply(&mut draft, (*turn, *attempt), ending),
            Signal::ResumeTurn => self.resume_turn(&mut draft),
            Signal::Quarantine => self.quarantine(&mut draft),
        }
        draft.finish()
    }
}
