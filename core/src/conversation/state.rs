//! The state of a conversation: what the rules need to know of its log.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::command::{Action, Command, Context, Request, Role, Signal};
use super::delivery::{KnownKey, Salt};
use super::effect::{Decision, Effect};
use super::event::{Author, Cause, Control, Entry, EscalationReason, Event, Outcome, Priority};
use super::policy::Policy;
use super::rejection::Rejection;
use crate::{AssignmentId, ConversationId, ParticipantId, Seq, Timestamp};

/// What the log of one conversation amounts to. Bounded: it does not grow with the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The conversation.
    pub id: ConversationId,
    /// Its customer.
    pub customer: ParticipantId,
    /// The customer's language, a BCP 47 tag.
    pub language: String,
    /// Position of the newest entry.
    pub seq: Seq,
    /// Position of the newest entry that the customer may see.
    pub customer_seq: Seq,
    /// When the newest entry was decided.
    pub last_at: Timestamp,
    /// Who answers.
    pub control: Control,
    /// Number of changes of control.
    pub control_version: u64,
    /// The answer that the assistant owes, if it owes one.
    pub turn: Option<Turn>,
    /// The wait for a person; set exactly while control is [`Control::Queue`].
    pub queued: Option<Queued>,
    /// The person's stretch; set exactly while control is [`Control::Agent`].
    pub assignment: Option<Assignment>,
    /// Position of the customer's newest message; 0 if there is none.
    pub last_said: Seq,
    /// Whether that message has neither a reply nor a person's answer yet.
    pub unanswered: bool,
    /// Position of the end of the newest turn that is over.
    pub last_end: Option<Seq>,
    pub(super) salt: Salt,
    pub(super) recent_keys: VecDeque<KnownKey>,
    pub(super) forgot_keys: bool,
}

/// An answer owed by the assistant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Position of the entry that opened it: its name.
    pub turn: Seq,
    /// The attempt that runs, from 1.
    pub attempt: u32,
    /// The newest customer message that it answers.
    pub answers: Seq,
    /// When the attempt began.
    pub attempt_at: Timestamp,
}

/// A wait for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Since when. Kept when an agent returns the conversation to the queue.
    pub since: Timestamp,
    /// What led to it.
    pub reason: EscalationReason,
    /// How urgent it is.
    pub priority: Priority,
    /// What the person should know.
    pub summary: Option<String>,
    /// How often the customer was told that the wait goes on.
    pub notices: u32,
    /// When the wait, or the newest notice of it, was decided.
    pub noticed_at: Timestamp,
}

/// A stretch of time in which one agent has the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its name.
    pub id: AssignmentId,
    /// The agent.
    pub agent: Author,
    /// What the conversation waited for before, so that it can go back to its place in the queue.
    pub queued: Option<Queued>,
}

/// A stored state: with the entries after it, the whole state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Form of the snapshot; a reader that does not know it applies the log from the start instead.
    pub version: u32,
    /// The state.
    pub state: State,
}

impl Snapshot {
    /// The form that this version writes.
    pub const VERSION: u32 = 1;
}

/// What the store keeps beside the log, to find conversations without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Position of the newest entry.
    pub last_seq: Seq,
    /// The customer.
    pub customer: ParticipantId,
    /// Who answers.
    pub control: Control,
    /// Number of changes of control.
    pub control_version: u64,
    /// The open turn.
    pub turn: Option<Turn>,
    /// The wait for a person.
    pub queued: Option<Queued>,
    /// When the next timer is due.
    pub next_deadline: Option<Timestamp>,
}

impl State {
    /// The first entry of a conversation.
    #[must_use]
    pub fn opening(customer: ParticipantId, language: String, salt: [u8; 16], now: Timestamp) -> Entry {
        Entry {
            seq: 1,
            customer_prev: 0,
            at: now,
            key: None,
            event: Event::Opened { customer, language, salt: Salt(salt) },
        }
    }

    /// The state after the first entry; `None` if that is no [`Event::Opened`] at position 1.
    #[must_use]
    pub fn open(id: ConversationId, entry: &Entry) -> Option<Self> {
        let Event::Opened { customer, language, salt } = &entry.event else { return None };
        (entry.seq == 1).then(|| Self {
            id,
            customer: *customer,
            language: language.clone(),
            seq: 1,
            customer_seq: 1,
            last_at: entry.at,
            control: Control::Assistant,
            control_version: 0,
            turn: None,
            queued: None,
            assignment: None,
            last_said: 0,
            unanswered: false,
            last_end: None,
            salt: *salt,
            recent_keys: VecDeque::new(),
            forgot_keys: false,
        })
    }

    /// Decides on a command and changes nothing.
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
            Ok(repeat) => return Ok(repeat),
            Err(key) => key,
        };
        let mut draft = Draft::new(self, context);
        let by = &request.by;
        match &request.action {
            Action::Rate { reply, score, comment } => self.rate(&mut draft, by, (*reply, *score, comment), key)?,
            _ if self.control == Control::Closed => return Err(Rejection::Closed),
            Action::Say { text, overlap } => self.say(&mut draft, by, (text, *overlap), key)?,
            Action::Stop { turn } => self.stop(&mut draft, by, *turn, key)?,
            Action::Regenerate { reply } => self.regenerate(&mut draft, by, *reply, key)?,
            Action::Escalate { summary } => self.ask_for_person(&mut draft, by, summary.as_ref(), key)?,
            Action::Claim { control_version, assignment } => {
                self.check_version(by, *control_version)?;
                self.claim(&mut draft, by, *assignment, key)?;
            }
            Action::TakeOver { control_version, assignment } => {
                self.check_version(by, *control_version)?;
                self.take_over(&mut draft, by, *assignment, key)?;
            }
            Action::HandBack { control_version, to } => self.hand_back(&mut draft, by, (*control_version, *to), key)?,
            Action::Close { control_version } => self.close(&mut draft, by, *control_version, key)?,
        }
        Ok(draft.finish())
    }

    fn decide_signal(&self, context: &Context<'_>, signal: &Signal) -> Decision {
        let mut draft = Draft::new(self, context);
        if self.control != Control::Closed {
            match signal {
                Signal::FinishReply { turn, attempt, ending } => {
                    self.finish_reply(&mut draft, (*turn, *attempt), ending)
                }
                Signal::ResumeTurn => self.resume_turn(&mut draft),
                Signal::DeadlineReached => self.deadline_reached(&mut draft),
                Signal::Quarantine => self.quarantine(&mut draft),
            }
        }
        draft.finish()
    }

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
                    queued.notices += 1;
                    queued.noticed_at = entry.at;
                }
            }
        }
    }

    fn apply_said(&mut self, author: &Author, seq: Seq) {
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
        let queued = self.queued.take();
        let assignment = self.assignment.take();
        match (cause, by) {
            (Cause::Escalated { reason, summary, priority }, _) => {
                self.queued = Some(Queued {
                    since: at,
                    reason: *reason,
                    priority: *priority,
                    summary: summary.clone(),
                    notices: 0,
                    noticed_at: at,
                });
            }
            (Cause::Claimed { assignment: id } | Cause::TakenOver { assignment: id }, Some(agent)) => {
                let queued = queued.or_else(|| assignment.and_then(|before| before.queued));
                self.assignment = Some(Assignment { id: *id, agent: agent.clone(), queued });
            }
            (Cause::HandedBack, _) if control == Control::Queue => {
                let before = assignment.and_then(|assignment| assignment.queued);
                self.queued = Some(before.unwrap_or(Queued {
                    since: at,
                    reason: EscalationReason::CustomerAsked,
                    priority: Priority::Normal,
                    summary: None,
                    notices: 0,
                    noticed_at: at,
                }));
            }
            _ => {}
        }
    }

    /// What the store keeps beside the log.
    #[must_use]
    pub fn head(&self, policy: &Policy) -> Head {
        Head {
            last_seq: self.seq,
            customer: self.customer,
            control: self.control,
            control_version: self.control_version,
            turn: self.turn,
            queued: self.queued.clone(),
            next_deadline: self.next_deadline(policy),
        }
    }

    /// The signal to send first after the state was loaded from the store, if an attempt died with its server.
    #[must_use]
    pub fn recovery(&self) -> Option<Signal> {
        self.turn.is_some().then_some(Signal::ResumeTurn)
    }

    /// What the store keeps so that a load need not apply the whole log.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { version: Snapshot::VERSION, state: self.clone() }
    }
}

/// A decision being written: numbers the entries as they are added.
pub(super) struct Draft<'a> {
    pub(super) context: &'a Context<'a>,
    decision: Decision,
    seq: Seq,
    customer_seq: Seq,
}

impl<'a> Draft<'a> {
    fn new(state: &State, context: &'a Context<'a>) -> Self {
        Self { context, decision: Decision::default(), seq: state.seq, customer_seq: state.customer_seq }
    }

    /// Adds an entry; one with a key acknowledges the command.
    pub(super) fn push(&mut self, event: Event, key: Option<super::Key>) -> Seq {
        self.seq += 1;
        let customer_prev = self.customer_seq;
        if event.customer_sees() {
            self.customer_seq = self.seq;
        }
        if key.is_some() {
            let cut_at = self.decision.ack.and_then(|ack| ack.cut_at);
            self.decision.ack = Some(super::Ack { seq: self.seq, cut_at, repeated: false });
        }
        self.decision.entries.push(Entry { seq: self.seq, customer_prev, at: self.context.now, key, event });
        self.seq
    }

    /// Notes where the reply in progress was cut, for the acknowledgement.
    pub(super) fn cut(&mut self, at_bytes: usize) {
        let seq = self.seq;
        let ack = self.decision.ack.get_or_insert(super::Ack { seq, cut_at: None, repeated: false });
        ack.cut_at = Some(at_bytes as u64);
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.decision.effects.push(effect);
    }

    fn finish(mut self) -> Decision {
        if !self.decision.entries.iter().any(|entry| entry.key.is_some()) {
            self.decision.ack = None;
        }
        self.decision
    }
}
