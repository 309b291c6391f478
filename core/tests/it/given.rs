//! `Given::conversation().said("…").when(command).then(events)`.

use onya_core::conversation::{
    Action, Actor, Command, Context, Decision, Effect, Entry, Event, Failure, KnownKey, PartialReply, Policy,
    Rejection, ReplyEnding, Request, ReturnTo, Signal, State,
};
use onya_core::{ConversationId, Seq, Timestamp};
use uuid::Uuid;

use crate::events::{self, anna, customer};

pub const START: Timestamp = Timestamp(1_000_000);

/// A conversation with a past.
#[derive(Clone)]
pub struct Given {
    pub state: State,
    pub log: Vec<Entry>,
    pub policy: Policy,
    pub now: Timestamp,
    shown: Option<PartialReply>,
    known: Vec<KnownKey>,
    commands: u32,
}

impl Given {
    /// An open conversation in which nobody has said anything.
    pub fn conversation() -> Self {
        let opening = State::opening(customer().id, "en".to_owned(), [7; 16], START);
        let state = State::open(ConversationId(Uuid::from_u128(1000)), &opening).unwrap();
        Self {
            state,
            log: vec![opening],
            policy: Policy::default(),
            now: START,
            shown: None,
            known: Vec::new(),
            commands: 0,
        }
    }

    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    /// Time passes.
    pub fn after_ms(mut self, span_ms: u64) -> Self {
        self.now = self.now.plus_ms(span_ms);
        self
    }

    /// The customer says something.
    pub fn said(self, text: &str) -> Self {
        self.did(customer(), events::say(text))
    }

    /// The open turn's reply ends with its last word.
    pub fn answered(self, text: &str) -> Self {
        let turn = self.state.turn.unwrap();
        self.had(events::complete(turn.turn, turn.attempt, text))
    }

    /// The open turn fails.
    pub fn failed(self, failure: Failure) -> Self {
        let turn = self.state.turn.unwrap();
        self.had(events::fail(turn.turn, turn.attempt, failure, ""))
    }

    /// So much of the reply in progress has been shown.
    pub fn shown(mut self, text: &str) -> Self {
        let turn = self.state.turn.unwrap();
        self.shown = Some(PartialReply { turn: turn.turn, attempt: turn.attempt, text: text.to_owned() });
        self
    }

    /// The customer asks for a person.
    pub fn escalated(self) -> Self {
        self.did(customer(), events::escalate())
    }

    /// Anna takes the conversation, wherever it is.
    pub fn taken_by_anna(self) -> Self {
        let version = self.state.control_version;
        self.did(anna(), events::take_over(version))
    }

    /// Anna returns it.
    pub fn handed_back(self, to: ReturnTo) -> Self {
        let version = self.state.control_version;
        self.did(anna(), events::hand_back(version, to))
    }

    /// The customer closes it.
    pub fn closed(self) -> Self {
        self.did(customer(), events::close(None))
    }

    pub fn did(mut self, by: Actor, action: Action) -> Self {
        self.commands += 1;
        let client_msg_id = format!("past-{}", self.commands);
        self.had(events::request(by, &client_msg_id, action))
    }

    pub fn had(self, command: Command) -> Self {
        self.when(command).accepted()
    }

    /// What the store is said to know beside the memory.
    pub fn known(mut self, known: Vec<KnownKey>) -> Self {
        self.known = known;
        self
    }

    pub fn when(self, command: Command) -> Then {
        let context = Context { now: self.now, policy: &self.policy, reply: self.shown.as_ref(), known: &self.known };
        let result = self.state.decide(&context, &command);
        Then { given: self, result }
    }

    /// When a participant asks, under a new `client_msg_id`.
    pub fn asks(self, by: Actor, action: Action) -> Then {
        self.when(events::request(by, "now", action))
    }

    pub fn asks_after(self, by: Actor, after: &str, action: Action) -> Then {
        let (client_msg_id, after) = (events::id("now"), Some(events::id(after)));
        self.when(Command::Request(Request { by, client_msg_id, after, action }))
    }

    pub fn deadline(self) -> Then {
        self.when(Command::Signal(Signal::DeadlineReached))
    }

    pub fn turn_ends(self, ending: ReplyEnding) -> Then {
        let turn = self.state.turn.unwrap();
        self.when(events::finish(turn.turn, turn.attempt, ending))
    }

    /// The state that the log alone gives.
    pub fn replayed(&self) -> State {
        let mut state = State::open(self.state.id, &self.log[0]).unwrap();
        self.log[1..].iter().for_each(|entry| state.apply(entry));
        state
    }
}

/// What came of a command.
pub struct Then {
    given: Given,
    pub result: Result<Decision, Rejection>,
}

impl Then {
    /// These events follow, in this order, and no other.
    pub fn then(self, expected: impl IntoIterator<Item = Event>) -> Self {
        let events: Vec<_> = self.decision().entries.iter().map(|entry| entry.event.clone()).collect();
        assert_eq!(events, expected.into_iter().collect::<Vec<_>>());
        self
    }

    pub fn nothing(self) -> Self {
        assert_eq!(self.decision(), &Decision::default());
        self
    }

    pub fn effects(self, expected: impl IntoIterator<Item = Effect>) -> Self {
        assert_eq!(self.decision().effects, expected.into_iter().collect::<Vec<_>>());
        self
    }

    /// The command is acknowledged as new, with this entry.
    pub fn acked(self, seq: Seq) -> Self {
        let ack = self.decision().ack.unwrap();
        assert_eq!((ack.seq, ack.repeated), (seq, false));
        self
    }

    pub fn cut_at(self, bytes: u64) -> Self {
        assert_eq!(self.decision().ack.unwrap().cut_at, Some(bytes));
        self
    }

    /// The command is recognised: its first entry is named, and nothing is added.
    pub fn repeated(self, seq: Seq) -> Self {
        let decision = self.decision();
        assert!(decision.entries.is_empty() && decision.effects.is_empty(), "{decision:?}");
        let ack = decision.ack.unwrap();
        assert_eq!((ack.seq, ack.repeated), (seq, true));
        self
    }

    pub fn refused(self, rejection: Rejection) -> Given {
        assert_eq!(self.result, Err(rejection));
        self.given
    }

    pub fn nothing_to_do(self) -> Given {
        assert!(matches!(self.result, Err(Rejection::NothingToDo(_))), "{:?}", self.result);
        self.given
    }

    /// Stored and applied.
    pub fn accepted(self) -> Given {
        let Self { mut given, result } = self;
        let decision = result.unwrap_or_else(|rejection| panic!("refused: {rejection}"));
        decision.entries.iter().for_each(|entry| given.state.apply(entry));
        given.log.extend(decision.entries);
        given
    }

    fn decision(&self) -> &Decision {
        self.result.as_ref().unwrap_or_else(|rejection| panic!("refused: {rejection}"))
    }
}
