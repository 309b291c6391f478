//! Short names for participants, commands and events.

use onya_core::conversation::{
    Action, Actor, Author, Cause, Command, Control, EscalationReason, Event, Failure, Outcome, Overlap, Priority,
    ReplyEnding, Request, ReturnTo, Role, Score, Signal,
};
use onya_core::{AssignmentId, ClientMsgId, ParticipantId, Seq};
use uuid::Uuid;

pub fn customer() -> Actor {
    actor(1, Role::Customer)
}

pub fn anna() -> Actor {
    actor(11, Role::Agent)
}

pub fn ben() -> Actor {
    actor(12, Role::Agent)
}

pub fn supervisor() -> Actor {
    actor(21, Role::Supervisor)
}

pub fn actor(number: u128, role: Role) -> Actor {
    Actor { id: ParticipantId(Uuid::from_u128(number)), role, name: None }
}

pub fn assignment(number: u128) -> AssignmentId {
    AssignmentId(Uuid::from_u128(number))
}

pub fn id(text: &str) -> ClientMsgId {
    ClientMsgId::new(text).unwrap()
}

pub fn request(by: Actor, client_msg_id: &str, action: Action) -> Command {
    Command::Request(Request { by, client_msg_id: id(client_msg_id), after: None, action })
}

pub fn say(text: &str) -> Action {
    Action::Say { text: text.to_owned(), overlap: Overlap::Queue }
}

pub fn interrupt(text: &str) -> Action {
    Action::Say { text: text.to_owned(), overlap: Overlap::Interrupt }
}

pub fn stop() -> Action {
    Action::Stop { turn: None }
}

pub fn regenerate(reply: Option<Seq>) -> Action {
    Action::Regenerate { reply }
}

pub fn rate(reply: Option<Seq>) -> Action {
    Action::Rate { reply, score: Score::Up, comment: None }
}

pub fn escalate() -> Action {
    Action::Escalate { summary: None }
}

pub fn claim(control_version: u64) -> Action {
    Action::Claim { control_version, assignment: assignment(100) }
}

pub fn take_over(control_version: u64) -> Action {
    Action::TakeOver { control_version, assignment: assignment(100) }
}

pub fn hand_back(control_version: u64, to: ReturnTo) -> Action {
    Action::HandBack { control_version, to }
}

pub fn close(control_version: Option<u64>) -> Action {
    Action::Close { control_version }
}

pub fn complete(turn: Seq, attempt: u32, text: &str) -> Command {
    finish(turn, attempt, ReplyEnding::Complete { text: text.to_owned() })
}

pub fn fail(turn: Seq, attempt: u32, failure: Failure, text: &str) -> Command {
    finish(turn, attempt, ReplyEnding::Failed { failure, text: text.to_owned() })
}

pub fn finish(turn: Seq, attempt: u32, ending: ReplyEnding) -> Command {
    Command::Signal(Signal::FinishReply { turn, attempt, ending })
}

pub fn lost(agent: &Actor) -> Command {
    Command::Signal(Signal::AgentLost { agent: agent.id })
}

pub fn said(by: &Actor, text: &str) -> Event {
    Event::MessageSaid { author: by.into(), text: text.to_owned() }
}

pub const fn turn_opened(answers: Seq) -> Event {
    Event::TurnOpened { answers, replaces: None }
}

pub const fn turn_reopened(answers: Seq, replaces: Seq) -> Event {
    Event::TurnOpened { answers, replaces: Some(replaces) }
}

pub fn turn_ended(turn: Seq, outcome: Outcome, text: &str) -> Event {
    Event::TurnEnded { turn, attempt: 1, outcome, failure: None, text: text.to_owned() }
}

pub fn turn_failed(turn: Seq, failure: Failure, text: &str) -> Event {
    Event::TurnEnded { turn, attempt: 1, outcome: Outcome::Failed, failure: Some(failure), text: text.to_owned() }
}

pub fn queued(version: u64, reason: EscalationReason, by: Option<&Actor>) -> Event {
    let cause = Cause::Escalated { reason, summary: None, priority: Priority::Normal };
    changed(Control::Queue, version, cause, by)
}

pub fn claimed(version: u64, by: &Actor) -> Event {
    changed(Control::Agent { id: by.id }, version, Cause::Claimed { assignment: assignment(100) }, Some(by))
}

pub fn taken_over(version: u64, by: &Actor) -> Event {
    changed(Control::Agent { id: by.id }, version, Cause::TakenOver { assignment: assignment(100) }, Some(by))
}

pub fn changed(control: Control, version: u64, cause: Cause, by: Option<&Actor>) -> Event {
    Event::ControlChanged { control, version, cause, by: by.map(Author::from) }
}
