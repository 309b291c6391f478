//! A random walk: several participants, the model, the clock and a server that now and then dies.

use std::collections::BTreeMap;

use onya_core::conversation::{
    Action, Actor, Command, Context, Decision, Entry, Failure, KnownKey, Overlap, PartialReply, Policy, Priority,
    Rejection, ReplyEnding, Request, ReturnTo, Role, Score, Signal, State,
};
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use crate::events::{actor, anna, assignment, ben, customer, id, supervisor};
use crate::given::START;

/// One step of a walk.
#[derive(Clone, Debug)]
pub enum Step {
    Ask { who: usize, wish: Wish, client_msg_id: u8, after: Option<u8> },
    SendAgain(prop::sample::Index),
    Model { of_open_turn: bool, ending: ReplyEnding },
    Show(String),
    Wait { span_ms: u64 },
    WaitForDeadline,
    ClockGoesBack { span_ms: i64 },
    Quarantine,
    Restart,
}

/// An action without what only the walk knows.
#[derive(Clone, Debug)]
pub enum Wish {
    Say { text: String, overlap: Overlap },
    Stop { of_open_turn: bool },
    Regenerate { seq: Option<u64> },
    Rate { seq: Option<u64>, comment: Option<String> },
    Escalate { summary: Option<String> },
    Claim { stale: bool },
    TakeOver { stale: bool },
    HandBack { stale: bool, to: ReturnTo },
    Close { say_version: bool },
    Erase,
}

/// What a participant was told about a `client_msg_id`.
pub struct Sent {
    pub action: Action,
    pub seq: u64,
}

/// A conversation, its log, and what everybody was told.
pub struct Walk {
    pub state: State,
    pub log: Vec<Entry>,
    pub policy: Policy,
    pub now: Timestamp,
    pub shown: Option<PartialReply>,
    pub sent: BTreeMap<(ParticipantId, ClientMsgId), Sent>,
    pub rejections: Vec<Rejection>,
    pub repeats: usize,
}

/// What a step led to.
pub struct Stepped {
    pub before: State,
    pub shown: Option<PartialReply>,
    pub decision: Decision,
}

impl Walk {
    pub fn new(max_entries: u64) -> Self {
        let policy = Policy {
            max_entries,
            max_message_bytes: 64,
            max_comment_bytes: 32,
            max_attempts: 2,
            retention_ms: Some(86_400_000),
            ..Policy::default()
        };
        let opening = State::opening(customer().id, "en".to_owned(), [3; 16], START);
        let state = State::open(ConversationId(Uuid::from_u128(1)), &opening).unwrap();
        Self {
            state,
            log: vec![opening],
            policy,
            now: START,
            shown: None,
            sent: BTreeMap::new(),
            rejections: Vec::new(),
            repeats: 0,
        }
    }

    /// Takes the step; `None` if it was no command or the command was refused.
    pub fn take(&mut self, step: &Step) -> Option<Stepped> {
        let command = self.command(step)?;
        let known = self.known(&command);
        let context = Context { now: self.now, policy: &self.policy, reply: self.shown.as_ref(), known: &known };
        match self.state.decide(&context, &command) {
            Ok(decision) => Some(self.store(&command, decision)),
            Err(rejection) => {
                self.rejections.push(rejection);
                None
            }
        }
    }

    fn store(&mut self, command: &Command, decision: Decision) -> Stepped {
        let stepped = Stepped { before: self.state.clone(), shown: self.shown.clone(), decision };
        stepped.decision.entries.iter().for_each(|entry| self.state.apply(entry));
        if self.state.erased && !stepped.before.erased {
            self.log = self.log.iter().map(Entry::redacted).collect();
        }
        self.log.extend(stepped.decision.entries.iter().cloned());
        let running = |shown: &PartialReply| {
            self.state.turn.is_some_and(|turn| (turn.turn, turn.attempt) == (shown.turn, shown.attempt))
        };
        self.shown = self.shown.take().filter(running);
        if let (Command::Request(request), Some(ack)) = (command, stepped.decision.ack) {
            self.repeats += usize::from(ack.repeated);
            let name = (request.by.id, request.client_msg_id.clone());
            self.sent.entry(name).or_insert(Sent { action: request.action.clone(), seq: ack.seq });
        }
        stepped
    }

    /// What the store knows of the names that the state asks for.
    fn known(&self, command: &Command) -> Vec<KnownKey> {
        let Command::Request(request) = command else { return Vec::new() };
        let asked = self.state.unknown_keys(request);
        let stored = |entry: &Entry| {
            let key = entry.key.clone()?;
            (key.participant == request.by.id && asked.contains(&key.client_msg_id))
                .then_some(KnownKey { key, seq: entry.seq })
        };
        self.log.iter().filter_map(stored).collect()
    }

    fn command(&mut self, step: &Step) -> Option<Command> {
        match step {
            Step::Ask { who, wish, client_msg_id, after } => {
                let by = people()[*who].clone();
                let name = |number: &u8| id(&format!("m{number}"));
                let request = Request {
                    by,
                    client_msg_id: name(client_msg_id),
                    after: after.as_ref().map(name),
                    action: self.action(wish),
                };
                return Some(Command::Request(request));
            }
            Step::SendAgain(which) => {
                let place = which.index(self.sent.len().max(1));
                let ((participant, client_msg_id), sent) = self.sent.iter().nth(place)?;
                return Some(repeat(*participant, client_msg_id, &sent.action));
            }
            Step::Model { of_open_turn, ending } => {
                let turn = self.state.turn.filter(|_| *of_open_turn);
                let (turn, attempt) = turn.map_or((3, 1), |turn| (turn.turn, turn.attempt));
                return Some(Command::Signal(Signal::FinishReply { turn, attempt, ending: ending.clone() }));
            }
            Step::Quarantine => return Some(Command::Signal(Signal::Quarantine)),
            Step::WaitForDeadline => {
                self.now = self.state.next_deadline(&self.policy)?.max(self.now);
                return Some(Command::Signal(Signal::DeadlineReached));
            }
            Step::Restart => {
                self.state = replay(&self.log, &self.state);
                self.shown = None;
                return self.state.recovery().map(Command::Signal);
            }
            Step::Show(text) => self.show(text),
            Step::Wait { span_ms } => self.now = self.now.plus_ms(*span_ms),
            Step::ClockGoesBack { span_ms } => self.now = Timestamp(self.now.0 - span_ms),
        }
        None
    }

    fn show(&mut self, text: &str) {
        let Some(turn) = self.state.turn else { return };
        let start = PartialReply { turn: turn.turn, attempt: turn.attempt, text: String::new() };
        self.shown.get_or_insert(start).text.push_str(text);
    }

    fn action(&self, wish: &Wish) -> Action {
        let version = |stale: bool| self.state.control_version.wrapping_sub(u64::from(stale));
        let assignment = assignment(u128::from(self.state.seq));
        match wish.clone() {
            Wish::Say { text, overlap } => Action::Say { text, overlap },
            Wish::Stop { of_open_turn } => {
                Action::Stop { turn: self.state.turn.filter(|_| of_open_turn).map(|turn| turn.turn) }
            }
            Wish::Regenerate { seq } => Action::Regenerate { reply: seq },
            Wish::Rate { seq, comment } => Action::Rate { reply: seq, score: Score::Up, comment },
            Wish::Escalate { summary } => Action::Escalate { summary },
            Wish::Claim { stale } => Action::Claim { control_version: version(stale), assignment },
            Wish::TakeOver { stale } => Action::TakeOver { control_version: version(stale), assignment },
            Wish::HandBack { stale, to } => Action::HandBack { control_version: version(stale), to },
            Wish::Erase => Action::Erase,
            Wish::Close { say_version } => Action::Close { control_version: say_version.then(|| version(false)) },
        }
    }
}

/// The same command again.
pub fn repeat(participant: ParticipantId, client_msg_id: &ClientMsgId, action: &Action) -> Command {
    let by = people().into_iter().find(|actor| actor.id == participant).unwrap();
    Command::Request(Request { by, client_msg_id: client_msg_id.clone(), after: None, action: action.clone() })
}

/// The state that a log alone gives.
pub fn replay(log: &[Entry], live: &State) -> State {
    let mut state = State::open(live.id, &log[0]).unwrap();
    log[1..].iter().for_each(|entry| state.apply(entry));
    state
}

pub fn people() -> [Actor; 5] {
    [customer(), anna(), ben(), supervisor(), actor(99, Role::Customer)]
}

/// Walks of up to so many steps.
pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..most)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..5_usize, wish(), any::<u8>(), prop::option::weighted(0.1, any::<u8>()))
            .prop_map(|(who, wish, client_msg_id, after)| Step::Ask { who, wish, client_msg_id, after }),
        8 => (any::<u8>(), text()).prop_map(|(client_msg_id, text)| Step::Ask {
            who: 0,
            wish: Wish::Say { text, overlap: Overlap::Queue },
            client_msg_id,
            after: None,
        }),
        6 => (prop::bool::weighted(0.9), ending())
            .prop_map(|(of_open_turn, ending)| Step::Model { of_open_turn, ending }),
        5 => text().prop_map(Step::Show),
        2 => (0..200_000_u64).prop_map(|span_ms| Step::Wait { span_ms }),
        2 => Just(Step::WaitForDeadline),
        1 => (0..200_000_i64).prop_map(|span_ms| Step::ClockGoesBack { span_ms }),
        2 => any::<prop::sample::Index>().prop_map(Step::SendAgain),
        1 => Just(Step::Quarantine),
        2 => Just(Step::Restart),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    let stale = || prop::bool::weighted(0.15);
    let to = prop_oneof![Just(ReturnTo::Assistant), Just(ReturnTo::Queue)];
    let seq = || prop::option::weighted(0.3, 0..20_u64);
    prop_oneof![
        6 => (text(), any::<bool>()).prop_map(|(text, interrupts)| Wish::Say {
            text,
            overlap: if interrupts { Overlap::Interrupt } else { Overlap::Queue },
        }),
        3 => any::<bool>().prop_map(|of_open_turn| Wish::Stop { of_open_turn }),
        3 => seq().prop_map(|seq| Wish::Regenerate { seq }),
        1 => (seq(), prop::option::of(text())).prop_map(|(seq, comment)| Wish::Rate { seq, comment }),
        3 => prop::option::of(text()).prop_map(|summary| Wish::Escalate { summary }),
        4 => stale().prop_map(|stale| Wish::Claim { stale }),
        4 => stale().prop_map(|stale| Wish::TakeOver { stale }),
        6 => (stale(), to).prop_map(|(stale, to)| Wish::HandBack { stale, to }),
        1 => any::<bool>().prop_map(|say_version| Wish::Close { say_version }),
        1 => Just(Wish::Erase),
    ]
}

fn ending() -> impl Strategy<Value = ReplyEnding> {
    let failure = prop_oneof![
        Just(Failure::ModelUnavailable),
        Just(Failure::ReplyCut),
        Just(Failure::ReplyTooLong),
        Just(Failure::ContentRefused),
    ];
    prop_oneof![
        6 => text().prop_map(|text| ReplyEnding::Complete { text }),
        1 => (failure, text()).prop_map(|(failure, text)| ReplyEnding::Failed { failure, text }),
        1 => (text(), prop::option::of(".{0,90}"))
            .prop_map(|(text, summary)| ReplyEnding::Escalated { text, summary, priority: Priority::High }),
    ]
}

/// Mostly words, sometimes anything.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[a-z\u{e4}\u{20ac}\u{1f600} ]{1,16}", 1 => any::<String>(), 1 => Just(String::new())]
}
