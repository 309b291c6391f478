//! What is stored: conversations in which questions and the ends of their replies alternate, made by the real rules.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use onya_actors::ports::{Append, Claim, EventLog, Fence, Link, NewConversation, TailLimit};
use onya_core::conversation::{
    Action, Actor, Command, Context, Entry, Head, Overlap, Policy, ReplyEnding, Request, Role, Signal, State,
};
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Timestamp};
use uuid::Uuid;

/// Conversations that are made side by side.
const MAKERS: usize = 8;
const QUESTION: &str = "My order has not arrived yet, and the page says that it was delivered yesterday.";
const REPLY: &str = "I am sorry to hear that. The carrier says that the parcel was handed over on Tuesday at 10:42. \
                     Could you look whether a neighbour took it in? If nobody has it, I will open a claim with the \
                     carrier and send you a second parcel today, which should be with you on Friday.";

/// A conversation that this process owns.
pub(crate) struct Talk {
    pub(crate) id: ConversationId,
    fence: Fence,
    /// After all steps that were prepared.
    state: State,
    /// After the steps that are stored.
    pub(crate) link: Link,
}

/// One append, but for the end of the chain before it.
pub(crate) struct Step {
    expected_seq: u64,
    entries: Arc<[Entry]>,
    head: Head,
}

impl Step {
    pub(crate) fn rows(&self) -> usize {
        self.entries.len()
    }
}

impl Talk {
    pub(crate) fn append(&self, step: &Step) -> Append {
        Append {
            conversation: self.id,
            fence: self.fence,
            expected_seq: step.expected_seq,
            previous: self.link,
            entries: Arc::clone(&step.entries),
            head: step.head.clone(),
            snapshot: None,
        }
    }

    fn step(&mut self, policy: &Policy) -> Result<Step> {
        let expected_seq = self.state.seq;
        let context = Context { now: self.state.last_at.plus_ms(1_000), policy, reply: None, known: &[] };
        let Ok(decision) = self.state.decide(&context, &self.next()?) else { bail!("the rules refuse a step") };
        let entries: Arc<[Entry]> = decision.entries.into();
        entries.iter().for_each(|entry| self.state.apply(entry));
        Ok(Step { expected_seq, entries, head: self.state.head(policy) })
    }

    fn next(&self) -> Result<Command> {
        if let Some(turn) = &self.state.turn {
            let ending = ReplyEnding::Complete { text: REPLY.to_owned() };
            return Ok(Command::Signal(Signal::FinishReply { turn: turn.turn, attempt: turn.attempt, ending }));
        }
        let by = Actor { id: self.state.customer, role: Role::Customer, name: None };
        let action = Action::Say { text: QUESTION.to_owned(), overlap: Overlap::Queue };
        let client_msg_id = ClientMsgId::new(format!("question-{}", self.state.seq))?;
        Ok(Command::Request(Request { by, client_msg_id, after: None, action }))
    }
}

/// Creates and claims conversations.
pub(crate) async fn open(log: &Arc<dyn EventLog>, count: usize) -> Result<Vec<Talk>> {
    futures::stream::iter((0..count).map(|_| open_one(log))).buffer_unordered(MAKERS).try_collect().await
}

async fn open_one(log: &Arc<dyn EventLog>) -> Result<Talk> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?.as_millis();
    let id = ConversationId(Uuid::now_v7());
    let now = Timestamp(i64::try_from(now)?);
    let opening = State::opening(ParticipantId(Uuid::now_v7()), "en".to_owned(), *Uuid::now_v7().as_bytes(), now);
    let state = State::open(id, &opening).context("a conversation that does not begin with an opening")?;
    log.open(NewConversation { id, opening, head: state.head(&Policy::default()) }).await?;
    match log.claim(id, TailLimit { entries: 10, bytes: 10_000 }).await? {
        Claim::Owned(owned) => Ok(Talk { id, fence: owned.fence, state: owned.state, link: owned.link }),
        other => bail!("a conversation that was just made cannot be claimed: {other:?}"),
    }
}

/// The steps of each conversation. They are made in the order in which they are submitted, and so lie in memory: a server's
/// entries were just made when they are stored, and need not be fetched from far.
pub(crate) type Script = Vec<VecDeque<Box<Step>>>;

/// `appends` steps, or a few more, equally many of each conversation, which must be stored in this order.
pub(crate) fn write(talks: &mut [Talk], appends: usize) -> Result<Script> {
    let (policy, each) = (Policy::default(), appends.div_ceil(talks.len()).max(1));
    let mut script: Script = talks.iter().map(|_| VecDeque::with_capacity(each)).collect();
    for _ in 0..each {
        for (talk, steps) in talks.iter_mut().zip(&mut script) {
            steps.push_back(Box::new(talk.step(&policy)?));
        }
    }
    Ok(script)
}

/// One step of every second conversation: from then on, batches hold questions and ends of replies.
pub(crate) fn write_mixing(talks: &mut [Talk]) -> Result<Script> {
    let policy = Policy::default();
    let steps =
        |(number, talk): (usize, &mut Talk)| (0..number % 2).map(|_| talk.step(&policy).map(Box::new)).collect();
    talks.iter_mut().enumerate().map(steps).collect()
}
