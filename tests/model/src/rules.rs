//! The bridge to `onya-core`: what an owner decides in the model is what the core decides, on a state that was made from
//! the entries that the owner knows.

use onya_core::conversation as core;
use onya_core::{AssignmentId, ClientMsgId, ConversationId, InvalidClientMsgId, ParticipantId, Timestamp};
use uuid::Uuid;

use crate::client::MAX_NAMES;
use crate::log::{Attempt, Control, Entry, Event, Fence, Key, Seq};
use crate::planted::Planted;
use crate::scenario::{Command, Scenario};

const NOW: Timestamp = Timestamp(0);
/// So few, that giving a turn up is within reach.
const MAX_ATTEMPTS: u32 = 2;

/// What an owner decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A command.
    Request(Key),
    /// The model has ended.
    Finish(Attempt),
    /// The conversation was loaded with an open turn.
    Resume,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Nothing; a command is refused.
    Nothing,
    /// The command stands there already.
    Repeat(Seq),
    /// Entries to store, and the attempt to ask the model for once they are.
    Append(Vec<Entry>, Option<Attempt>),
}

/// The core, and what it is told from outside.
#[derive(Debug)]
pub(crate) struct Rules {
    scenario: Scenario,
    policy: core::Policy,
    opened: core::State,
    /// The keys that each command may have.
    keys: Vec<Vec<core::Key>>,
}

impl Rules {
    pub(crate) fn new(scenario: &Scenario) -> Result<Self, InvalidClientMsgId> {
        let opening = core::State::opening(actor(Command::Say).id, "en".to_owned(), [0; 16], NOW);
        let opened = core::State::open(ConversationId(Uuid::nil()), &opening).ok_or(InvalidClientMsgId)?;
        let key = |number: usize, command: Command, name: u8| {
            Ok(core::Key {
                participant: actor(command).id,
                client_msg_id: ClientMsgId::new(format!("{number}.{name}"))?,
                commitment: opened.commitment(&action(command)),
            })
        };
        let keys_of =
            |(number, command): (usize, &Command)| (0..MAX_NAMES).map(|name| key(number, *command, name)).collect();
        let keys = scenario.commands.iter().enumerate().map(keys_of).collect::<Result<_, _>>()?;
        let policy = core::Policy { max_attempts: MAX_ATTEMPTS, ..core::Policy::default() };
        Ok(Self { scenario: scenario.clone(), policy, opened, keys })
    }

    /// Decides as an owner that knows this much of the log. Keys that it has forgotten are looked up in `stored`.
    pub(crate) fn decide(&self, known: &[Entry], fence: Fence, asked: Asked, stored: Option<&[Entry]>) -> Decided {
        let state = self.state(known, asked);
        let looked_up: Vec<_> = stored.into_iter().flatten().filter_map(|entry| self.known_key(entry)).collect();
        let context = core::Context { now: NOW, policy: &self.policy, reply: None, known: &looked_up };
        let Ok(decision) = state.decide(&context, &self.command(asked)) else { return Decided::Nothing };
        if let Some(ack) = decision.ack.filter(|ack| ack.repeated) {
            return Decided::Repeat(narrow(ack.seq));
        }
        let key = match asked {
            Asked::Request(key) => Some(key),
            Asked::Finish(_) | Asked::Resume => None,
        };
        let entries: Vec<_> = decision.entries.iter().map(|entry| compact(entry, fence, key)).collect();
        let start = decision.effects.iter().find_map(|effect| match *effect {
            core::Effect::StartCompletion { turn, attempt } => Some(attempt_of(turn, attempt)),
            core::Effect::CancelCompletion { .. } => None,
        });
        if entries.is_empty() { Decided::Nothing } else { Decided::Append(entries, start) }
    }

    fn state(&self, known: &[Entry], asked: Asked) -> core::State {
        let mut state = self.opened.clone();
        known.iter().skip(1).for_each(|entry| state.apply(&self.expand(entry)));
        let takes_over = matches!(asked, Asked::Request(key) if self.asks_for(key) == Command::TakeOver);
        if takes_over && self.scenario.is(Planted::FinalWithoutControl) {
            state.turn = None;
        }
        state
    }

    fn asks_for(&self, key: Key) -> Command {
        self.scenario.commands[usize::from(key.command)]
    }

    fn key(&self, key: Key) -> core::Key {
        self.keys[usize::from(key.command)][usize::from(key.name)].clone()
    }

    fn known_key(&self, entry: &Entry) -> Option<core::KnownKey> {
        entry.key.map(|key| core::KnownKey { key: self.key(key), seq: u64::from(entry.seq) })
    }

    fn command(&self, asked: Asked) -> core::Command {
        match asked {
            Asked::Request(key) => {
                let (by, action) = (actor(self.asks_for(key)), action(self.asks_for(key)));
                core::Command::Request(core::Request {
                    by,
                    client_msg_id: self.key(key).client_msg_id,
                    after: None,
                    action,
                })
            }
            Asked::Finish(Attempt { turn, attempt }) => core::Command::Signal(core::Signal::FinishReply {
                turn: u64::from(turn),
                attempt: u32::from(attempt),
                ending: core::ReplyEnding::Complete { text: String::new() },
            }),
            Asked::Resume => core::Command::Signal(core::Signal::ResumeTurn),
        }
    }

    /// The entry as the core would read it from the store; without its key for an owner that forgets keys.
    fn expand(&self, entry: &Entry) -> core::Entry {
        let event = match entry.event {
            Event::Opened => core::Event::Opened {
                customer: self.opened.customer,
                language: String::new(),
                salt: core::Salt::default(),
            },
            Event::Said => core::Event::MessageSaid { author: (&actor(Command::Say)).into(), text: String::new() },
            Event::TurnOpened(answers) => core::Event::TurnOpened { answers: u64::from(answers), replaces: None },
            Event::AttemptStarted(Attempt { turn, attempt }) => {
                core::Event::AttemptStarted { turn: u64::from(turn), attempt: u32::from(attempt) }
            }
            Event::TurnEnded(Attempt { turn, attempt }, outcome) => core::Event::TurnEnded {
                turn: u64::from(turn),
                attempt: u32::from(attempt),
                outcome,
                failure: (outcome == core::Outcome::Failed).then_some(core::Failure::AttemptsExhausted),
                text: String::new(),
            },
            Event::ControlChanged(control, version) => control_changed(control, version),
            Event::Other => core::Event::NoticePosted { notice: core::Notice::StillWaiting },
        };
        let key = entry.key.filter(|_| !self.scenario.forgets).map(|key| self.key(key));
        core::Entry { seq: u64::from(entry.seq), customer_prev: 0, at: NOW, key, event, erased: false }
    }
}

/// The entry without what the model does not look at.
fn compact(entry: &core::Entry, fence: Fence, key: Option<Key>) -> Entry {
    let event = match &entry.event {
        core::Event::Opened { .. } => Event::Opened,
        core::Event::MessageSaid { .. } => Event::Said,
        core::Event::TurnOpened { answers, .. } => Event::TurnOpened(narrow(*answers)),
        core::Event::AttemptStarted { turn, attempt } => Event::AttemptStarted(attempt_of(*turn, *attempt)),
        core::Event::TurnEnded { turn, attempt, outcome, .. } => {
            Event::TurnEnded(attempt_of(*turn, *attempt), *outcome)
        }
        core::Event::ControlChanged { control, version, .. } => {
            let control = match control {
                core::Control::Assistant => Control::Assistant,
                core::Control::Queue => Control::Queue,
                core::Control::Agent { .. } => Control::Agent,
                core::Control::Closed => Control::Closed,
            };
            Event::ControlChanged(control, narrow(*version))
        }
        core::Event::Rated { .. } | core::Event::NoticePosted { .. } | core::Event::Erased { .. } => Event::Other,
    };
    Entry { seq: narrow(entry.seq), fence, key: key.filter(|_| entry.key.is_some()), event }
}

fn control_changed(control: Control, version: u8) -> core::Event {
    let agent = actor(Command::TakeOver);
    let (control, cause, by) = match control {
        Control::Assistant => (core::Control::Assistant, core::Cause::HandedBack, Some(agent)),
        Control::Queue => {
            let (reason, priority) = (core::EscalationReason::ReplyFailed, core::Priority::Normal);
            (core::Control::Queue, core::Cause::Escalated { reason, summary: None, priority }, None)
        }
        Control::Agent => {
            (core::Control::Agent { id: agent.id }, core::Cause::TakenOver { assignment: assignment() }, Some(agent))
        }
        Control::Closed => (core::Control::Closed, core::Cause::Closed, None),
    };
    core::Event::ControlChanged { control, version: u64::from(version), cause, by: by.as_ref().map(Into::into) }
}

/// What is asked, with the version of control that its sender has seen.
fn action(command: Command) -> core::Action {
    let say = |text: &str| core::Action::Say { text: text.to_owned(), overlap: core::Overlap::Queue };
    match command {
        Command::Say => say("a question"),
        Command::SayMore => say("another"),
        Command::TakeOver => core::Action::TakeOver { control_version: 0, assignment: assignment() },
        Command::HandBack => core::Action::HandBack { control_version: 1, to: core::ReturnTo::Assistant },
    }
}

fn actor(command: Command) -> core::Actor {
    let (id, role) = match command {
        Command::Say | Command::SayMore => (1, core::Role::Customer),
        Command::TakeOver | Command::HandBack => (2, core::Role::Agent),
    };
    core::Actor { id: ParticipantId(Uuid::from_u128(id)), role, name: None }
}

const fn assignment() -> AssignmentId {
    AssignmentId(Uuid::nil())
}

fn attempt_of(turn: u64, attempt: u32) -> Attempt {
    Attempt { turn: narrow(turn), attempt: narrow(u64::from(attempt)) }
}

fn narrow(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
