//! One of the two stores: it is asked in its own names, and answers in numbers.

use std::sync::Arc;

use onya_actors::ports::{Append, AppendOutcome, Claim, EventLog, Fence, Link, Member, StoreError};
use onya_core::{ConversationId, Timestamp};
use uuid::Uuid;

use super::operation::{Answer, Asked, Draft, Operation, Outcome, Owned, Read, Right, Write, answer, incarnation};

/// How often what is locked is sent again.
const PATIENCE: usize = 10_000;

pub(super) struct Side {
    /// The store as each start of a node uses it.
    logs: Vec<Arc<dyn EventLog>>,
    nonces: Vec<Uuid>,
    links: Vec<Link>,
}

impl Side {
    pub(super) fn new(logs: Vec<Arc<dyn EventLog>>) -> Self {
        Self { logs, nonces: vec![Uuid::nil()], links: vec![Link::default()] }
    }

    pub(super) async fn ask(&mut self, asked: &Asked) -> Answer {
        match &asked.what {
            Operation::Write(write) => self.write(asked.by, write).await,
            Operation::Read(read) => self.read(asked.by, read).await,
        }
    }

    async fn write(&mut self, by: usize, write: &Write) -> Answer {
        let log = Arc::clone(&self.logs[by]);
        let done = |()| Answer::Done;
        match write {
            Write::Register { name } => {
                answer(log.register(&Member::alone(incarnation(by), name, Timestamp(1))).await, done)
            }
            Write::Open(new) => answer(log.open(new.clone()).await, Answer::Opening),
            Write::Claim(id, tail) => answer(log.claim(*id, *tail).await, |claim| self.claimed(claim)),
            Write::Reclaim(id, tail) => answer(log.reclaim(*id, *tail).await, |claim| self.claimed(claim)),
            Write::Release(held) => answer(log.release(&self.held(held)).await, done),
            Write::ReleaseIdle(id) => answer(log.release_idle(*id).await, done),
            Write::Retire => answer(log.retire().await, done),
            Write::Append(batch) => {
                let batch: Vec<_> = batch.iter().map(|draft| self.append(draft)).collect();
                answer(append(&*log, &batch).await, |outcomes| self.outcomes(outcomes))
            }
            Write::Erase(draft) => {
                answer(erase(&*log, &self.append(draft)).await, |outcome| self.outcomes(vec![outcome]))
            }
            Write::RecordCrash(id, now, window) => answer(log.record_crash(*id, *now, *window).await, Answer::Count),
            Write::PlaceHold(hold) => answer(log.place_hold(hold.clone()).await, done),
            Write::LiftHold(customer) => answer(log.lift_hold(*customer).await, Answer::Whether),
            Write::ScheduleRetention(kept, after, limit) => {
                answer(log.schedule_retention(*kept, *after, *limit).await, Answer::Closed)
            }
        }
    }

    /// What comes in no order that anybody promised is sorted.
    async fn read(&self, by: usize, read: &Read) -> Answer {
        let log = &self.logs[by];
        match read {
            Read::KnownKeys(id, participant, ids) => {
                answer(log.known_keys(*id, *participant, ids).await, |mut known| {
                    known.sort_by_key(|known| known.seq);
                    Answer::Keys(known)
                })
            }
            Read::Tail(id, limit) => answer(log.tail(*id, *limit).await, Answer::Tail),
            Read::Page(id, page) => answer(log.page(*id, *page).await, Answer::Entries),
            Read::Summary(id) => answer(log.summary(*id).await, Answer::Summary),
            Read::OpenConversationOf(customer) => {
                answer(log.open_conversation_of(*customer).await, Answer::Conversation)
            }
            Read::OpenConversations(before, limit) => {
                answer(log.open_conversations(*before, *limit).await, Answer::Summaries)
            }
            Read::Due(now, limit) => answer(log.due(*now, *limit).await, Answer::Due),
            Read::Forsaken(agents, limit) => answer(log.forsaken(agents, *limit).await, Answer::Forsaken),
            Read::Waiting => answer(log.waiting().await, |mut waiting| {
                waiting.sort_by_key(|waiting| waiting.conversation);
                Answer::Waiting(waiting)
            }),
            Read::ConversationsOf(customer, after, limit) => {
                answer(log.conversations_of(*customer, *after, *limit).await, Answer::Conversations)
            }
            Read::Hold(customer) => answer(log.hold(*customer).await, Answer::Hold),
        }
    }

    fn claimed(&mut self, claim: Claim) -> Answer {
        match claim {
            Claim::Owned(owned) => Answer::Owned(Box::new(Owned {
                right: Right { epoch: owned.fence.epoch, nonce: number(&mut self.nonces, owned.fence.nonce) },
                link: number(&mut self.links, owned.link),
                state: owned.state,
                tail: owned.tail,
                recent_crashes: owned.recent_crashes,
            })),
            Claim::OwnedByOther(owner) => Answer::OwnedByOther(owner.0),
            Claim::Free => Answer::Free,
            Claim::NotFound => Answer::NotFound,
        }
    }

    fn outcomes(&mut self, outcomes: Vec<AppendOutcome>) -> Answer {
        let outcomes = outcomes.into_iter().map(|outcome| match outcome {
            AppendOutcome::Accepted(link) => Outcome::Accepted(number(&mut self.links, link)),
            AppendOutcome::Fenced => Outcome::Fenced,
            AppendOutcome::Repeated(known) => Outcome::Repeated(known),
            AppendOutcome::Locked => Outcome::Locked,
            AppendOutcome::Poisoned => Outcome::Poisoned,
            AppendOutcome::OnHold => Outcome::OnHold,
        });
        Answer::Outcomes(outcomes.collect())
    }

    fn held(&self, held: &[(ConversationId, Right)]) -> Vec<(ConversationId, Fence)> {
        held.iter().map(|(id, right)| (*id, self.fence(*right))).collect()
    }

    fn fence(&self, right: Right) -> Fence {
        Fence { epoch: right.epoch, nonce: self.nonces[right.nonce] }
    }

    fn append(&self, draft: &Draft) -> Append {
        Append {
            conversation: draft.conversation,
            fence: self.fence(draft.right),
            expected_seq: draft.expected_seq,
            previous: self.links[draft.previous],
            entries: draft.entries.clone().into(),
            head: draft.head.clone(),
            snapshot: draft.snapshot.clone(),
        }
    }
}

/// What is locked by somebody else just now is sent again, as the outcome says: a claim that was refused lets go of its row
/// only when the database notices that its connection is closed.
async fn append(log: &dyn EventLog, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
    let mut outcomes = log.append(batch).await?;
    for (at, append) in batch.iter().enumerate() {
        let first = batch[..at].iter().all(|earlier| earlier.conversation != append.conversation);
        for _ in 0..if first { PATIENCE } else { 0 } {
            if outcomes[at] != AppendOutcome::Locked {
                break;
            }
            outcomes[at] = log.append(std::slice::from_ref(append)).await?.remove(0);
        }
    }
    Ok(outcomes)
}

async fn erase(log: &dyn EventLog, append: &Append) -> Result<AppendOutcome, StoreError> {
    let mut outcome = log.erase(append.clone()).await?;
    for _ in 0..PATIENCE {
        if outcome != AppendOutcome::Locked {
            break;
        }
        outcome = log.erase(append.clone()).await?;
    }
    Ok(outcome)
}

/// As the so-manieth, a name was first seen.
fn number<T: PartialEq>(seen: &mut Vec<T>, name: T) -> usize {
    seen.iter().position(|seen| *seen == name).unwrap_or_else(|| {
        seen.push(name);
        seen.len() - 1
    })
}
