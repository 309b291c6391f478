//! Appends: what the rules make of commands, commands that are stored already, and all of it spoiled in one way or another.

use onya_core::conversation::{
    Action, Actor, Command, Context, Entry, Event, Failure, Outcome, Overlap, Policy, Priority, ReplyEnding, Request,
    ReturnTo, Role, Score, Signal, State,
};
use onya_core::{AssignmentId, ClientMsgId, ParticipantId};
use uuid::Uuid;

use super::operation::{Draft, Right};
use super::story::{Belief, Story};

impl Story {
    /// Two in three are as an owner would send them, as far as it knows.
    pub(super) fn draft(&mut self) -> Option<Draft> {
        let at = self.believed()?;
        if self.below(6) == 0 {
            return self.repeated(at);
        }
        let entries = self.decided(at)?;
        let mut draft = self.drafted(at, entries);
        if self.below(4) == 0 {
            draft.spoiled =
                if self.below(2) == 0 { self.spoil_place(&mut draft) } else { self.spoil_entries(&mut draft) };
            draft.snapshot = None;
        }
        Some(draft)
    }

    /// What erases a conversation, at once or when its deadline is over.
    pub(super) fn erasure(&mut self) -> Option<Draft> {
        let at = self.believed()?;
        let supervisor = Actor { id: ParticipantId(Uuid::from_u128(902)), role: Role::Supervisor, name: None };
        let command = self.request(supervisor, Action::Erase);
        let mut entries = decide(&self.beliefs[at].state, &command)?;
        let later_ms = [0, 2 * Policy::default().idle_close_ms][self.below(2)];
        entries.iter_mut().for_each(|entry| entry.at = entry.at.plus_ms(later_ms));
        let mut draft = self.drafted(at, entries);
        if self.below(3) == 0 {
            draft.spoiled = self.spoil_place(&mut draft);
        }
        Some(draft)
    }

    fn decided(&mut self, at: usize) -> Option<Vec<Entry>> {
        let state = self.beliefs[at].state.clone();
        let command = if self.below(3) == 0 { self.signal(&state) } else { self.action(&state) };
        decide(&state, &command).or_else(|| {
            let customer = Actor { id: state.customer, role: Role::Customer, name: None };
            let say = self.request(customer, say());
            decide(&state, &say)
        })
    }

    fn action(&mut self, state: &State) -> Command {
        let customer = Actor { id: state.customer, role: Role::Customer, name: None };
        let agent = Actor { id: ParticipantId(Uuid::from_u128(901)), role: Role::Agent, name: Some("Ada".to_owned()) };
        let control_version = state.control_version;
        let assignment = AssignmentId(Uuid::from_u128(7));
        let (by, action) = match self.below(14) {
            0..5 => (customer, say()),
            5 => (customer, Action::Stop { turn: None }),
            6 => (customer, Action::Regenerate { reply: None }),
            7 => (customer, Action::Rate { reply: None, score: Score::Up, comment: Some("comment".to_owned()) }),
            8 => (customer, Action::Escalate { summary: Some("summary".to_owned()) }),
            9 => (agent, Action::Claim { control_version, assignment }),
            10 => (agent, Action::TakeOver { control_version, assignment }),
            11 => {
                let to = [ReturnTo::Assistant, ReturnTo::Queue][self.below(2)];
                (agent, Action::HandBack { control_version, to })
            }
            12 => (agent, say()),
            _ => (customer, Action::Close { control_version: None }),
        };
        self.request(by, action)
    }

    fn request(&mut self, by: Actor, action: Action) -> Command {
        self.commands += 1;
        let client_msg_id = ClientMsgId::new(format!("c{}", self.commands)).unwrap();
        Command::Request(Request { by, client_msg_id, after: None, action })
    }

    fn signal(&self, state: &State) -> Command {
        let text = "reply".to_owned();
        let ending = match self.below(4) {
            0 => ReplyEnding::Failed { failure: Failure::ReplyCut, text },
            1 => ReplyEnding::Escalated { text, summary: None, priority: Priority::High },
            _ => ReplyEnding::Complete { text },
        };
        Command::Signal(match (self.below(8), state.turn) {
            (0, _) => Signal::Quarantine,
            (1 | 2, _) => Signal::DeadlineReached,
            (3 | 4, _) => Signal::ResumeTurn,
            (5, None) => Signal::AgentLost { agent: ParticipantId(Uuid::from_u128(901)) },
            (_, Some(open)) => Signal::FinishReply { turn: open.turn, attempt: open.attempt, ending },
            (_, None) => Signal::DeadlineReached,
        })
    }

    fn drafted(&self, at: usize, entries: Vec<Entry>) -> Draft {
        let Belief { right, link, state, .. } = &self.beliefs[at];
        let mut after = state.clone();
        entries.iter().for_each(|entry| after.apply(entry));
        Draft {
            belief: at,
            spoiled: "",
            conversation: state.id,
            right: *right,
            expected_seq: state.seq,
            previous: *link,
            entries,
            head: after.head(&Policy::default()),
            snapshot: (self.below(6) == 0).then(|| Box::new(after.snapshot())),
        }
    }

    /// Two commands that are stored, behind a new one or not.
    fn repeated(&mut self, at: usize) -> Option<Draft> {
        let id = self.beliefs[at].state.id;
        let keyed: Vec<_> = self.keyed.iter().filter(|(of, _)| *of == id).map(|(_, entry)| entry.clone()).collect();
        let new = if self.below(2) == 0 { self.decided(at) } else { None };
        let mut entries = new.unwrap_or_default();
        entries.extend([self.one_of(&keyed)?, self.one_of(&keyed)?]);
        let state = &self.beliefs[at].state;
        let mut prev = state.customer_seq;
        for (entry, seq) in entries.iter_mut().zip(state.seq + 1..) {
            (entry.seq, entry.customer_prev, prev) = (seq, prev, seq);
        }
        Some(Draft { spoiled: "repeats", snapshot: None, ..self.drafted(at, entries) })
    }

    /// Not where the log ends, or not by its owner.
    fn spoil_place(&self, draft: &mut Draft) -> &'static str {
        match self.below(8) {
            0 => draft.right.epoch += 1,
            1 => draft.right.epoch = draft.right.epoch.saturating_sub(1),
            2 => draft.right = Right { epoch: 0, nonce: 0 },
            3 => draft.right.nonce = self.beliefs[self.below(self.beliefs.len())].right.nonce,
            4 => draft.previous = self.beliefs[self.below(self.beliefs.len())].link,
            5 => draft.conversation = self.conversation(self.beliefs[draft.belief].by),
            6 => shift(draft, 1),
            _ => shift(draft, -1),
        }
        "not its place"
    }

    /// What no store can hold.
    fn spoil_entries(&self, draft: &mut Draft) -> &'static str {
        let (first, last) = (draft.entries[0].clone(), draft.entries.len() - 1);
        match self.below(7) {
            0 => draft.entries.clear(),
            1 => draft.entries[0].customer_prev = first.seq,
            2 => draft.entries[0].customer_prev = u64::MAX,
            3 => draft.entries[last].seq += 1,
            4 => draft.head.last_seq += 1,
            5 => {
                let again = Entry { seq: draft.head.last_seq + 1, ..first };
                draft.head.last_seq = again.seq;
                draft.entries.push(again);
                return "a command twice";
            }
            _ => {
                let (turn, attempt, text) = (1 + self.below(6) as u64, 1, String::new());
                let ended = Event::TurnEnded { turn, attempt, outcome: Outcome::Final, failure: None, text };
                draft.entries[0].event = ended;
                return "an end of whatever turn";
            }
        }
        "no form"
    }
}

fn say() -> Action {
    Action::Say { text: "text".to_owned(), overlap: Overlap::Queue }
}

/// What the rules make of it, if they allow it and it does anything.
fn decide(state: &State, command: &Command) -> Option<Vec<Entry>> {
    let policy = Policy::default();
    let due = match command {
        Command::Signal(Signal::DeadlineReached) => state.next_deadline(&policy),
        _ => None,
    };
    let context =
        Context { now: due.unwrap_or_else(|| state.last_at.plus_ms(1_000)), policy: &policy, reply: None, known: &[] };
    let decision = state.decide(&context, command).ok()?;
    (!decision.entries.is_empty()).then_some(decision.entries)
}

/// As if the log were longer by so much.
fn shift(draft: &mut Draft, by: i64) {
    for entry in &mut draft.entries {
        entry.seq = entry.seq.saturating_add_signed(by);
    }
    draft.expected_seq = draft.expected_seq.saturating_add_signed(by);
    draft.head.last_seq = draft.head.last_seq.saturating_add_signed(by);
}
