//! The store as one process reaches it: the log and the members in memory, over a way that is long and may be cut.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use onya_actors::ports::{
    Append, AppendOutcome, Claim, Closed, CustomerConversation, Due, Erasure, EventLog, Fence, Forsaken, Hit,
    LegalHold, Load, Look, Member, Members, NewConversation, Opening, Page, Pulse, Search, StoreError, Summary, Tail,
    TailLimit,
};
use onya_actors::testing::{MemoryCluster, MemoryLog, MemoryMember};
use onya_core::cluster::{Evidence, Standing, View};
use onya_core::conversation::{Entry, KnownKey};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, Incarnation, ParticipantId, Timestamp};
use uuid::Uuid;

use crate::record::{Rare, Record, Taking};
use crate::way::Way;

/// What all processes share.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) cluster: MemoryCluster,
    /// The newest start of each node.
    names: Arc<Mutex<BTreeMap<String, Incarnation>>>,
    record: Record,
}

impl Store {
    pub(crate) fn new(cluster: MemoryCluster, record: &Record) -> Self {
        let record = record.clone();
        Self { log: Arc::new(MemoryLog::default()), cluster, names: Arc::default(), record }
    }

    /// The store as one start of a process reaches it.
    pub(crate) fn reached_by(&self, me: Incarnation, way: &Way) -> Arc<Reached> {
        let log = Arc::new(self.log.another());
        Arc::new(Reached { me, log, member: Arc::new(self.cluster.member(me)), store: self.clone(), way: way.clone() })
    }

    fn bury(&self, member: Incarnation) {
        self.cluster.bury(member);
        self.log.bury(member);
    }

    /// Registers a start, after which an earlier one under its name is dead.
    fn register(&self, member: &Member) {
        let me = Incarnation(member.incarnation);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = names.insert(member.name.clone(), me).filter(|before| *before != me) {
            self.bury(before);
        }
        let _ = self.cluster.register(onya_core::cluster::Member {
            incarnation: me,
            name: member.name.clone(),
            address: member.address.clone(),
            role: member.role,
            standing: Standing::Joining,
            release: member.release.clone(),
        });
    }

    /// A claim, and how it went.
    async fn claim(
        &self,
        (log, me): (&MemoryLog, Incarnation),
        call: impl Future<Output = Result<Claim, StoreError>>,
        id: ConversationId,
    ) -> Result<Claim, StoreError> {
        let before = log.owner(id).filter(|before| *before != me);
        let outcome = call.await;
        if let Ok(Claim::Owned(owned)) = &outcome {
            let robbed = before.filter(|before| !self.cluster.is_dead(*before));
            let (epoch, read) = (owned.fence.epoch, owned.state.seq);
            self.record
                .note("store", &format_args!("{id} is {me}'s from {read} on, epoch {epoch}, and was {before:?}'s"));
            if before.is_some() && owned.state.turn.is_some() {
                self.record.hit(Rare::TakenInTurn);
            }
            self.record.story().takings.push(Taking { conversation: id, epoch, owner: me, robbed, read });
        }
        outcome
    }

    /// An append, and how it went.
    async fn append(&self, log: &MemoryLog, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
        let outcomes = log.append(batch).await?;
        for (append, outcome) in batch.iter().zip(&outcomes) {
            self.appended(append, outcome);
        }
        Ok(outcomes)
    }

    fn appended(&self, append: &Append, outcome: &AppendOutcome) {
        let (id, epoch) = (append.conversation, append.fence.epoch);
        let kinds: Vec<_> = append.entries.iter().map(|entry| entry.event.kind()).collect();
        self.record
            .note("store", &format_args!("{id} {kinds:?} at {} of epoch {epoch}: {outcome:?}", append.expected_seq));
        match outcome {
            AppendOutcome::Accepted(_) => {
                let mut story = self.record.story();
                story.epochs.extend(append.entries.iter().map(|entry| ((id, entry.seq), epoch)));
            }
            AppendOutcome::Fenced => self.record.hit(Rare::Fenced),
            AppendOutcome::Repeated(_) | AppendOutcome::Locked | AppendOutcome::Poisoned | AppendOutcome::OnHold => {}
        }
    }
}

/// The store as one start of a process reaches it.
pub(crate) struct Reached {
    me: Incarnation,
    log: Arc<MemoryLog>,
    member: Arc<MemoryMember>,
    store: Store,
    way: Way,
}

/// Has the store do this: what it needs is handed over.
macro_rules! ask {
    ($self:ident.$part:ident.$call:ident($($argument:expr),*)) => {{
        let part = Arc::clone(&$self.$part);
        $self.way.call(stringify!($call), async move { part.$call($($argument),*).await }).await
    }};
}

#[async_trait]
impl EventLog for Reached {
    async fn register(&self, member: &Member) -> Result<(), StoreError> {
        let (store, log, member) = (self.store.clone(), Arc::clone(&self.log), member.clone());
        let register = async move {
            store.register(&member);
            log.register(&member).await
        };
        self.way.call("register", register).await
    }

    async fn history_epoch(&self) -> Result<Uuid, StoreError> {
        ask!(self.log.history_epoch())
    }

    async fn open(&self, new: NewConversation) -> Result<Opening, StoreError> {
        ask!(self.log.open(new))
    }

    async fn claim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError> {
        let (store, log, me) = (self.store.clone(), Arc::clone(&self.log), self.me);
        let claim = async move { store.claim((&log, me), log.claim(conversation, tail), conversation).await };
        self.way.call("claim", claim).await
    }

    async fn reclaim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError> {
        let (store, log, me) = (self.store.clone(), Arc::clone(&self.log), self.me);
        let claim = async move { store.claim((&log, me), log.reclaim(conversation, tail), conversation).await };
        self.way.call("reclaim", claim).await
    }

    async fn release(&self, held: &[(ConversationId, Fence)]) -> Result<(), StoreError> {
        let held = held.to_vec();
        ask!(self.log.release(&held))
    }

    async fn release_idle(&self, conversation: ConversationId) -> Result<(), StoreError> {
        ask!(self.log.release_idle(conversation))
    }

    async fn retire(&self) -> Result<(), StoreError> {
        let (store, log, me) = (self.store.clone(), Arc::clone(&self.log), self.me);
        let retire = async move {
            log.retire().await?;
            store.bury(me);
            Ok(())
        };
        self.way.call("retire", retire).await
    }

    async fn append(&self, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
        let (store, log, batch) = (self.store.clone(), Arc::clone(&self.log), batch.to_vec());
        self.way.call("append", async move { store.append(&log, &batch).await }).await
    }

    async fn known_keys(
        &self,
        conversation: ConversationId,
        participant: ParticipantId,
        ids: &[ClientMsgId],
    ) -> Result<Vec<KnownKey>, StoreError> {
        let ids = ids.to_vec();
        ask!(self.log.known_keys(conversation, participant, &ids))
    }

    async fn tail(&self, conversation: ConversationId, limit: TailLimit) -> Result<Option<Tail>, StoreError> {
        ask!(self.log.tail(conversation, limit))
    }

    async fn page(&self, conversation: ConversationId, page: Page) -> Result<Vec<Entry>, StoreError> {
        ask!(self.log.page(conversation, page))
    }

    async fn summary(&self, conversation: ConversationId) -> Result<Option<Summary>, StoreError> {
        ask!(self.log.summary(conversation))
    }

    async fn open_conversation_of(&self, customer: ParticipantId) -> Result<Option<ConversationId>, StoreError> {
        ask!(self.log.open_conversation_of(customer))
    }

    async fn open_conversations(
        &self,
        before: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        ask!(self.log.open_conversations(before, limit))
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
        ask!(self.log.due(now, limit))
    }

    async fn forsaken(&self, agents: &[ParticipantId], limit: usize) -> Result<Vec<Forsaken>, StoreError> {
        let agents = agents.to_vec();
        ask!(self.log.forsaken(&agents, limit))
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        ask!(self.log.waiting())
    }

    async fn record_crash(&self, id: ConversationId, now: Timestamp, window_ms: u64) -> Result<u32, StoreError> {
        ask!(self.log.record_crash(id, now, window_ms))
    }

    async fn search(&self, search: &Search) -> Result<Vec<Hit>, StoreError> {
        self.log.search(search).await
    }

    async fn index_texts(&self) -> Result<usize, StoreError> {
        ask!(self.log.index_texts())
    }

    async fn ping(&self) -> Result<String, StoreError> {
        ask!(self.log.ping())
    }
}

#[async_trait]
impl Erasure for Reached {
    async fn erase(&self, append: Append) -> Result<AppendOutcome, StoreError> {
        ask!(self.log.erase(append))
    }

    async fn conversations_of(
        &self,
        customer: ParticipantId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<CustomerConversation>, StoreError> {
        ask!(self.log.conversations_of(customer, after, limit))
    }

    async fn place_hold(&self, hold: LegalHold) -> Result<(), StoreError> {
        ask!(self.log.place_hold(hold))
    }

    async fn lift_hold(&self, customer: ParticipantId) -> Result<bool, StoreError> {
        ask!(self.log.lift_hold(customer))
    }

    async fn hold(&self, customer: ParticipantId) -> Result<Option<LegalHold>, StoreError> {
        let log = Arc::clone(&self.log);
        self.way.call("hold", async move { Erasure::hold(&*log, customer).await }).await
    }

    async fn schedule_retention(
        &self,
        retention_ms: Option<u64>,
        after: Option<Closed>,
        limit: usize,
    ) -> Result<Option<Closed>, StoreError> {
        ask!(self.log.schedule_retention(retention_ms, after, limit))
    }
}

#[async_trait]
impl Members for Reached {
    async fn ready(&self) -> Result<(), StoreError> {
        ask!(self.member.ready())
    }

    async fn drain(&self) -> Result<(), StoreError> {
        ask!(self.member.drain())
    }

    async fn beat(&self, load: Load) -> Result<Option<Pulse>, StoreError> {
        ask!(self.member.beat(load))
    }

    async fn look(&self, at: &[Incarnation]) -> Result<Look, StoreError> {
        let at = at.to_vec();
        ask!(self.member.look(&at))
    }

    async fn view(&self) -> Result<View, StoreError> {
        ask!(self.member.view())
    }

    async fn accuse(&self, suspect: Incarnation) -> Result<(), StoreError> {
        ask!(self.member.accuse(suspect))
    }

    async fn convict(&self, suspect: Incarnation, evidence: Evidence) -> Result<bool, StoreError> {
        let (store, member, me) = (self.store.clone(), Arc::clone(&self.member), self.me);
        let convict = async move {
            let convicted = member.convict(suspect, evidence).await?;
            if convicted {
                store.log.bury(suspect);
                store.record.hit(Rare::Verdict);
                store.record.note("store", &format_args!("{suspect} is found dead by {me}: {}", evidence.as_str()));
            }
            Ok(convicted)
        };
        self.way.call("convict", convict).await
    }

    async fn end_sessions(&self, of: Incarnation) -> Result<u64, StoreError> {
        ask!(self.member.end_sessions(of))
    }
}
