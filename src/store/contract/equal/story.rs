//! Draws what is asked next, and learns from the answers what owners believe.

use onya_actors::ports::{Closed, LegalHold, NewConversation, Opening, Page, PageFrom, Random as _, TailLimit};
use onya_actors::testing::SeededRandom;
use onya_core::conversation::{Entry, Event, Notice, Policy, State, View};
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Timestamp};
use uuid::Uuid;

use super::operation::{Answer, Asked, Draft, Operation, Outcome, Read, Right, Write};
use super::{NODES, STARTS};
use crate::store::clock::now_ms;

/// More than there is of anything.
const ALL: usize = 1_000;
const CUSTOMERS: u64 = 4;

/// What a claim was told, and what its owner has made of it since.
pub(super) struct Belief {
    pub(super) by: usize,
    pub(super) right: Right,
    pub(super) link: usize,
    pub(super) state: State,
}

pub(super) struct Story {
    random: SeededRandom,
    /// How often each node has started.
    starts: [usize; NODES],
    retired: Vec<usize>,
    pub(super) conversations: Vec<ConversationId>,
    pub(super) beliefs: Vec<Belief>,
    /// Entries that answer for a command, and are stored.
    pub(super) keyed: Vec<(ConversationId, Entry)>,
    /// Commands so far: the number is the name of the next.
    pub(super) commands: u64,
    deadlines: Vec<Timestamp>,
    /// When crashes begin: of these a claim counts the recent ones by the adapter's own clock.
    began: i64,
}

impl Story {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: SeededRandom::new(seed),
            starts: [0; NODES],
            retired: Vec::new(),
            conversations: Vec::new(),
            beliefs: Vec::new(),
            keyed: Vec::new(),
            commands: 0,
            deadlines: Vec::new(),
            began: now_ms(),
        }
    }

    /// The first start of a node.
    pub(super) fn start(node: usize) -> Asked {
        register(node, 0)
    }

    pub(super) fn next(&mut self) -> Asked {
        let by = self.somebody();
        let write = match self.below(100) {
            _ if self.conversations.is_empty() => Write::Open(self.new_conversation()),
            0..4 => return self.start_again(by),
            4..12 => Write::Open(self.new_conversation()),
            12..28 => Write::Claim(self.conversation(by), self.tail_limit()),
            28..32 => Write::Reclaim(self.conversation(by), self.tail_limit()),
            32..36 => Write::Release((0..self.below(3)).filter_map(|_| self.held()).collect()),
            36..38 => Write::ReleaseIdle(self.conversation(by)),
            38 => Write::Retire,
            39..72 => Write::Append((0..=self.below(4)).filter_map(|_| self.draft()).collect()),
            72..76 => match self.erasure() {
                Some(draft) => Write::Erase(draft),
                None => return Asked { by, what: Operation::Read(Read::Waiting) },
            },
            76..80 => self.crash(by),
            80..87 => self.keep_or_not(),
            _ => return Asked { by, what: Operation::Read(self.read(by)) },
        };
        let by = match &write {
            // Who writes is nearly always who has claimed.
            Write::Append(batch) if self.below(8) > 0 => {
                batch.first().map_or(by, |draft| self.beliefs[draft.belief].by)
            }
            _ => by,
        };
        Asked { by, what: Operation::Write(Box::new(write)) }
    }

    /// All that can be read in the end.
    pub(super) fn everything(&self) -> Vec<Asked> {
        let page = |view| Page { view, from: PageFrom::After(0), limit: ALL };
        let mut reads = vec![Read::Waiting, Read::OpenConversations(None, ALL)];
        for id in &self.conversations {
            let pages = [View::Staff, View::Customer].map(|view| Read::Page(*id, page(view)));
            reads.extend(pages.into_iter().chain([Read::Summary(*id)]));
        }
        for customer in (0..CUSTOMERS).map(customer) {
            reads.extend([Read::ConversationsOf(customer, None, ALL), Read::Hold(customer)]);
        }
        let reads = reads.into_iter().map(|read| (0, read));
        let due = (0..NODES).map(|node| (self.newest(node), Read::Due(Timestamp(i64::MAX), ALL)));
        let times = self.deadlines.iter().map(|deadline| (self.newest(0), Read::Due(*deadline, ALL)));
        let forsaken = (0..NODES).map(|node| (self.newest(node), Read::Forsaken(Vec::new(), ALL)));
        reads
            .chain(forsaken)
            .chain(due)
            .chain(times)
            .map(|(by, read)| Asked { by, what: Operation::Read(read) })
            .collect()
    }

    pub(super) fn learn(&mut self, asked: Asked, answer: Answer) {
        let Operation::Write(write) = asked.what else { return };
        match (*write, answer) {
            (Write::Register { .. }, Answer::Done) => self.starts[asked.by / STARTS] += 1,
            (Write::Retire, _) => self.retired.push(asked.by),
            (Write::Open(new), Answer::Opening(Opening::Created(id))) => {
                self.conversations.push(id);
                self.deadlines.extend(new.head.next_deadline);
            }
            (Write::Claim(..) | Write::Reclaim(..), Answer::Owned(owned)) => {
                let (right, link, state) = (owned.right, owned.link, owned.state);
                self.beliefs.push(Belief { by: asked.by, right, link, state });
            }
            (Write::Append(batch), Answer::Outcomes(outcomes)) => {
                batch.into_iter().zip(outcomes).for_each(|(draft, outcome)| self.settle(draft, &outcome));
            }
            (Write::Erase(draft), Answer::Outcomes(outcomes)) => {
                outcomes.iter().for_each(|outcome| self.settle(draft.clone(), outcome));
            }
            _ => {}
        }
    }

    fn settle(&mut self, draft: Draft, outcome: &Outcome) {
        let Outcome::Accepted(link) = outcome else { return };
        let belief = &mut self.beliefs[draft.belief];
        belief.link = *link;
        draft.entries.iter().for_each(|entry| belief.state.apply(entry));
        self.deadlines.extend(draft.head.next_deadline);
        let keyed = draft.entries.into_iter().filter(|entry| entry.key.is_some());
        self.keyed.extend(keyed.map(|entry| (draft.conversation, entry)));
    }

    pub(super) fn below(&self, below: usize) -> usize {
        usize::try_from(self.random.below(below as u64)).unwrap()
    }

    pub(super) fn one_of<T: Clone>(&self, all: &[T]) -> Option<T> {
        all.get(self.below(all.len())).cloned()
    }

    fn newest(&self, node: usize) -> usize {
        node * STARTS + self.starts[node] - 1
    }

    /// Mostly somebody who lives; only who has registered.
    fn somebody(&self) -> usize {
        let node = self.below(NODES);
        if self.below(5) > 0 { self.newest(node) } else { node * STARTS + self.below(self.starts[node]) }
    }

    fn lives(&self, start: usize) -> bool {
        self.newest(start / STARTS) == start && !self.retired.contains(&start)
    }

    /// Sometimes one that there is not. Which of two reasons a dead node is told, that it is dead or that there is no such
    /// conversation, is not promised.
    pub(super) fn conversation(&self, by: usize) -> ConversationId {
        let unknown = ConversationId(Uuid::from_u128(5));
        let known = self.one_of(&self.conversations).unwrap_or(unknown);
        if self.lives(by) && self.below(12) == 0 { unknown } else { known }
    }

    fn start_again(&self, by: usize) -> Asked {
        let (node, starts) = (by / STARTS, self.starts[by / STARTS]);
        let nth = if starts < STARTS && self.below(4) > 0 { starts } else { by % STARTS };
        register(node, nth)
    }

    fn new_conversation(&self) -> NewConversation {
        let fresh = ConversationId(self.random.uuid());
        let id = if self.below(8) > 0 { fresh } else { self.one_of(&self.conversations).unwrap_or(fresh) };
        let language = if self.below(16) > 0 { "en" } else { "e\0n" };
        let mut opening = State::opening(self.customer(), language.to_owned(), self.random.salt(), Timestamp(1_000));
        let head = State::open(id, &opening).unwrap().head(&Policy::default());
        if self.below(16) == 0 {
            opening.event = Event::NoticePosted { notice: Notice::StillWaiting };
        }
        NewConversation { id, opening, head }
    }

    fn customer(&self) -> ParticipantId {
        customer(self.random.below(CUSTOMERS))
    }

    fn held(&self) -> Option<(ConversationId, Right)> {
        let belief = &self.beliefs[self.believed()?];
        let epoch = belief.right.epoch + u64::from(self.below(8) == 0);
        Some((belief.state.id, Right { epoch, ..belief.right }))
    }

    /// Mostly what the newest claim of a conversation believes.
    pub(super) fn believed(&self) -> Option<usize> {
        let conversation = self.one_of(&self.conversations);
        let newest = self.beliefs.iter().rposition(|belief| Some(belief.state.id) == conversation);
        let any = self.below(self.beliefs.len().max(1));
        newest.filter(|_| self.below(5) > 0).or_else(|| (any < self.beliefs.len()).then_some(any))
    }

    fn tail_limit(&self) -> TailLimit {
        TailLimit { entries: [0, 1, 3, ALL][self.below(4)], bytes: if self.below(4) > 0 { 1_000_000 } else { 0 } }
    }

    fn crash(&self, by: usize) -> Write {
        let at = Timestamp(self.began + i64::try_from(self.below(5)).unwrap() * 10_000);
        Write::RecordCrash(self.conversation(by), at, [1, 10_000, 20_000, 600_000][self.below(4)])
    }

    fn keep_or_not(&self) -> Write {
        let customer = self.customer();
        match self.below(4) {
            0 | 1 => {
                let (reason, placed_by) = (format!("reason {}", self.below(3)), ParticipantId(Uuid::from_u128(9)));
                Write::PlaceHold(LegalHold { customer, reason, placed_by, placed_at: Timestamp(1) })
            }
            2 => Write::LiftHold(customer),
            _ => {
                let at = Timestamp(i64::try_from(self.below(12)).unwrap() * 1_000);
                let after = self.one_of(&self.conversations).map(|conversation| Closed { at, conversation });
                let after = after.filter(|_| self.below(2) == 0);
                let kept_ms = [None, Some(0), Some(5_000)][self.below(3)];
                Write::ScheduleRetention(kept_ms, after, [1, 2, ALL][self.below(3)])
            }
        }
    }

    fn read(&self, by: usize) -> Read {
        let (id, limit) = (self.conversation(by), [1, 2, 3, ALL][self.below(4)]);
        let other = self.one_of(&self.conversations).filter(|_| self.below(2) == 0);
        match self.below(14) {
            0 => {
                let by = [self.customer(), ParticipantId(Uuid::from_u128(901))][self.below(2)];
                let name = |_| ClientMsgId::new(format!("c{}", self.random.below(self.commands + 1))).unwrap();
                Read::KnownKeys(id, by, (0..self.below(6)).map(name).collect())
            }
            1 | 2 => Read::Tail(id, self.tail_limit()),
            3 | 4 => {
                let seq = [self.below(12) as u64, u64::MAX][usize::from(self.below(8) == 0)];
                let from = [PageFrom::After(seq), PageFrom::Before(seq), PageFrom::End][self.below(3)];
                Read::Page(id, Page { view: [View::Customer, View::Staff][self.below(2)], from, limit })
            }
            5 => Read::Summary(id),
            6 => Read::OpenConversationOf(self.customer()),
            7 => Read::OpenConversations(other, limit),
            8 | 9 => {
                let deadline = self.one_of(&self.deadlines).unwrap_or(Timestamp(i64::MAX));
                let now = [deadline, Timestamp(deadline.0 - 1), Timestamp(i64::MAX), Timestamp(0)][self.below(4)];
                Read::Due(now, limit)
            }
            10 | 11 => {
                let agents: Vec<_> = [901, 903].map(|agent| ParticipantId(Uuid::from_u128(agent))).into();
                Read::Forsaken(agents[..self.below(3)].to_vec(), limit)
            }
            12 => Read::ConversationsOf(self.customer(), other, limit),
            _ => Read::Waiting,
        }
    }
}

fn register(node: usize, nth: usize) -> Asked {
    Asked {
        by: node * STARTS + nth,
        what: Operation::Write(Box::new(Write::Register { name: format!("node-{node}") })),
    }
}

fn customer(number: u64) -> ParticipantId {
    ParticipantId(Uuid::from_u128(101 + u128::from(number)))
}
