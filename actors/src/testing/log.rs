//! A store in memory, with the outcomes of a real one and faults on request.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use onya_core::conversation::{Control, Entry, Event, Head, KnownKey, State};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, Incarnation, ParticipantId, Seq, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

use crate::ports::{
    Append, AppendOutcome, Claim, Closed, CustomerConversation, Due, Erasure, EventLog, Fence, HOLD_POSTPONES_MS, Hit,
    LegalHold, Link, Member, NewConversation, Opening, Owned, Page, PageFrom, Search, StoreError, Summary, Tail,
    TailLimit,
};

/// Something that goes wrong with the next call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The append is not done, and the caller knows.
    Unavailable,
    /// The append is done, and the caller does not learn of it.
    UnknownDone,
    /// The append is not done, and the caller does not know.
    UnknownLost,
    /// Every conversation of the append is locked.
    Locked,
    /// The first conversation of the append cannot be stored.
    Poisoned,
    /// The adapter panics.
    Panic,
}

/// A store in memory, as one process uses it.
#[derive(Debug)]
pub struct MemoryLog {
    store: Arc<Store>,
    member: Mutex<Option<Incarnation>>,
}

/// What all processes share.
#[derive(Debug)]
struct Store {
    inner: Mutex<Inner>,
    open: watch::Sender<bool>,
    tails_open: watch::Sender<bool>,
    claims_open: watch::Sender<bool>,
    claims_asked: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    history_epoch: Uuid,
    dead: BTreeSet<Incarnation>,
    conversations: BTreeMap<ConversationId, Stored>,
    faults: VecDeque<Fault>,
    claims_fail: usize,
    holds: BTreeMap<ParticipantId, LegalHold>,
    nonce: u128,
}

#[derive(Clone, Debug)]
struct Stored {
    entries: Vec<Entry>,
    head: Head,
    owner: Option<Incarnation>,
    fence: Fence,
    link: Link,
    crashes: Vec<Timestamp>,
    closed_at: Option<Timestamp>,
}

impl Default for MemoryLog {
    fn default() -> Self {
        let inner = Inner { history_epoch: Uuid::from_u128(7), ..Inner::default() };
        let store = Store {
            inner: Mutex::new(inner),
            open: watch::Sender::new(true),
            tails_open: watch::Sender::new(true),
            claims_open: watch::Sender::new(true),
            claims_asked: AtomicUsize::new(0),
        };
        Self { store: Arc::new(store), member: Mutex::default() }
    }
}

impl MemoryLog {
    /// The same store, as another process uses it.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { store: Arc::clone(&self.store), member: Mutex::default() }
    }

    /// This process is known to be dead: what it owns is free, and what it still sends is refused once somebody has it.
    pub fn bury(&self, member: Incarnation) {
        self.lock().dead.insert(member);
    }

    /// Who owns a conversation.
    #[must_use]
    pub fn owner(&self, conversation: ConversationId) -> Option<Incarnation> {
        self.lock().conversations.get(&conversation)?.owner
    }

    /// How often a conversation was claimed.
    #[must_use]
    pub fn claims(&self, conversation: ConversationId) -> u64 {
        self.lock().conversations.get(&conversation).map_or(0, |stored| stored.fence.epoch)
    }

    /// The next appends meet these faults, one each.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    /// The next claims find the store unavailable.
    pub fn fail_claims(&self, number: usize) {
        self.lock().claims_fail = number;
    }

    /// Appends wait until [`Self::resume`].
    pub fn hold(&self) {
        self.store.open.send_replace(false);
    }

    /// Appends go on.
    pub fn resume(&self) {
        self.store.open.send_replace(true);
    }

    /// Reads of a log's end wait until [`Self::resume_tails`].
    pub fn hold_tails(&self) {
        self.store.tails_open.send_replace(false);
    }

    /// Reads of a log's end go on.
    pub fn resume_tails(&self) {
        self.store.tails_open.send_replace(true);
    }

    /// Claims wait until [`Self::resume_claims`].
    pub fn hold_claims(&self) {
        self.store.claims_open.send_replace(false);
    }

    /// Claims go on.
    pub fn resume_claims(&self) {
        self.store.claims_open.send_replace(true);
    }

    /// How many claims have reached the store.
    #[must_use]
    pub fn claims_asked(&self) -> usize {
        self.store.claims_asked.load(Ordering::Relaxed)
    }

    /// The whole log of a conversation.
    #[must_use]
    pub fn entries(&self, conversation: ConversationId) -> Vec<Entry> {
        self.lock().conversations.get(&conversation).map(|stored| stored.entries.clone()).unwrap_or_default()
    }

    /// Another owner takes the conversation: what was claimed before is fenced.
    pub fn rob(&self, conversation: ConversationId) {
        let mut inner = self.lock();
        let fence = inner.next_fence(conversation);
        if let Some(stored) = inner.conversations.get_mut(&conversation) {
            stored.fence = fence;
            stored.owner = None;
        }
    }

    /// The store was restored: positions count in another history.
    pub fn renew_history(&self) {
        let mut inner = self.lock();
        inner.history_epoch = Uuid::from_u128(inner.history_epoch.as_u128() + 1);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.store.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn member(&self) -> Option<Incarnation> {
        *self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim_if(&self, conversation: ConversationId, tail: TailLimit, only_own: bool) -> Result<Claim, StoreError> {
        let (mut inner, member) = (self.lock(), self.member());
        if inner.claims_fail > 0 {
            inner.claims_fail -= 1;
            return Err(StoreError::Unavailable("asked to fail".to_owned()));
        }
        if member.is_some_and(|member| inner.dead.contains(&member)) {
            return Err(StoreError::Refused("this incarnation is not a live member".to_owned()));
        }
        let fence = inner.next_fence(conversation);
        let owner = inner.conversations.get(&conversation).map(|stored| stored.owner);
        let Some(owner) = owner else { return Ok(Claim::NotFound) };
        match owner.filter(|owner| Some(*owner) != member && !inner.dead.contains(owner)) {
            Some(other) => return Ok(Claim::OwnedByOther(other)),
            None if only_own && owner != member => return Ok(Claim::Free),
            None => {}
        }
        let Some(stored) = inner.conversations.get_mut(&conversation) else { return Ok(Claim::NotFound) };
        stored.fence = fence;
        stored.owner = member;
        let recent_crashes = u32::try_from(stored.crashes.len()).unwrap_or(u32::MAX);
        let (state, tail, link) = (stored.state(conversation)?, stored.tail(tail), stored.link);
        let owned = Owned { fence, state, tail, link, recent_crashes };
        Ok(Claim::Owned(Box::new(owned)))
    }
}

impl Inner {
    fn next_fence(&mut self, conversation: ConversationId) -> Fence {
        self.nonce += 1;
        let epoch = self.conversations.get(&conversation).map_or(0, |stored| stored.fence.epoch);
        Fence { epoch: epoch + 1, nonce: Uuid::from_u128(self.nonce) }
    }

    fn append(&mut self, append: &Append) -> AppendOutcome {
        let Some(stored) = self.conversations.get_mut(&append.conversation) else { return AppendOutcome::Fenced };
        let known = append.entries.iter().filter_map(|entry| entry.key.as_ref()).find_map(|key| {
            let same = |stored: &Entry| {
                stored.key.as_ref().is_some_and(|stored| {
                    (stored.participant, &stored.client_msg_id) == (key.participant, &key.client_msg_id)
                })
            };
            let entry = stored.entries.iter().find(|entry| same(entry))?;
            Some(KnownKey { key: entry.key.clone()?, seq: entry.seq })
        });
        let follows = (stored.head.last_seq, stored.link) == (append.expected_seq, append.previous);
        if stored.fence != append.fence || !follows {
            return AppendOutcome::Fenced;
        }
        if let Some(known) = known {
            return AppendOutcome::Repeated(known);
        }
        stored.entries.extend(append.entries.iter().cloned());
        stored.head = append.head.clone();
        stored.link = link_at(append.head.last_seq);
        if stored.head.control == Control::Closed && stored.closed_at.is_none() {
            stored.closed_at = append.entries.last().map(|entry| entry.at);
        }
        AppendOutcome::Accepted(stored.link)
    }
}

impl Stored {
    fn is_erased(&self) -> bool {
        matches!(self.entries.last(), Some(Entry { event: Event::Erased { .. }, .. }))
    }

    fn state(&self, id: ConversationId) -> Result<State, StoreError> {
        let corrupt = || StoreError::Corrupt("no opening".to_owned());
        let (first, rest) = self.entries.split_first().ok_or_else(corrupt)?;
        let mut state = State::open(id, first).ok_or_else(corrupt)?;
        rest.iter().for_each(|entry| state.apply(entry));
        Ok(state)
    }

    fn tail(&self, limit: TailLimit) -> Vec<Entry> {
        self.entries[self.entries.len().saturating_sub(limit.entries)..].to_vec()
    }

    fn summary(&self, id: ConversationId) -> Summary {
        let language = match &self.entries[0].event {
            Event::Opened { language, .. } => language.clone(),
            _ => String::new(),
        };
        Summary {
            id,
            customer: self.head.customer,
            language,
            opened_at: self.entries[0].at,
            last_seq: self.head.last_seq,
            control: self.head.control,
            control_version: self.head.control_version,
            owner: self.owner,
            epoch: self.fence.epoch,
            turn: self.head.turn.map(|turn| (turn.turn, turn.attempt)),
        }
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn register(&self, member: &Member) -> Result<(), StoreError> {
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = Some(Incarnation(member.incarnation));
        Ok(())
    }

    async fn history_epoch(&self) -> Result<Uuid, StoreError> {
        Ok(self.lock().history_epoch)
    }

    async fn open(&self, new: NewConversation) -> Result<Opening, StoreError> {
        let mut inner = self.lock();
        let open = inner
            .conversations
            .iter()
            .find(|(_, stored)| stored.head.customer == new.head.customer && stored.head.control != Control::Closed);
        if let Some((id, _)) = open {
            return Ok(Opening::Existing(*id));
        }
        let fence = Fence { epoch: 0, nonce: Uuid::nil() };
        let (entries, link) = (vec![new.opening], link_at(1));
        let stored = Stored { entries, head: new.head, owner: None, fence, link, crashes: Vec::new(), closed_at: None };
        inner.conversations.insert(new.id, stored);
        Ok(Opening::Created(new.id))
    }

    async fn claim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError> {
        self.store.claims_asked.fetch_add(1, Ordering::Relaxed);
        let mut open = self.store.claims_open.subscribe();
        // The sender lives as long as this log.
        let _ = open.wait_for(|open| *open).await;
        self.claim_if(conversation, tail, false)
    }

    async fn reclaim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError> {
        self.claim_if(conversation, tail, true)
    }

    async fn release(&self, held: &[(ConversationId, Fence)]) -> Result<(), StoreError> {
        let mut inner = self.lock();
        for (id, fence) in held {
            if let Some(stored) = inner.conversations.get_mut(id).filter(|stored| stored.fence == *fence) {
                stored.owner = None;
            }
        }
        Ok(())
    }

    async fn release_idle(&self, conversation: ConversationId) -> Result<(), StoreError> {
        let (mut inner, member) = (self.lock(), self.member());
        if let Some(stored) = inner.conversations.get_mut(&conversation).filter(|stored| stored.owner == member) {
            stored.owner = None;
        }
        Ok(())
    }

    async fn retire(&self) -> Result<(), StoreError> {
        let member = self.member.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut inner = self.lock();
        inner.conversations.values_mut().filter(|stored| stored.owner == member).for_each(|stored| stored.owner = None);
        Ok(())
    }

    async fn append(&self, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut open = self.store.open.subscribe();
        // The sender lives as long as this log.
        let _ = open.wait_for(|open| *open).await;
        let mut inner = self.lock();
        let fault = inner.faults.pop_front();
        match fault {
            #[expect(clippy::panic, reason = "asked for by a test")]
            Some(Fault::Panic) => panic!("asked to fail"),
            Some(Fault::Unavailable) => return Err(StoreError::Unavailable("asked to fail".to_owned())),
            Some(Fault::UnknownLost) => return Err(StoreError::Unknown("asked to fail".to_owned())),
            Some(Fault::Locked) => return Ok(vec![AppendOutcome::Locked; batch.len()]),
            _ => {}
        }
        let poisoned = usize::from(fault == Some(Fault::Poisoned));
        let outcomes = batch
            .iter()
            .enumerate()
            .map(|(at, append)| if at < poisoned { AppendOutcome::Poisoned } else { inner.append(append) })
            .collect();
        if fault == Some(Fault::UnknownDone) {
            return Err(StoreError::Unknown("asked to fail".to_owned()));
        }
        Ok(outcomes)
    }

    async fn known_keys(
        &self,
        conversation: ConversationId,
        participant: ParticipantId,
        ids: &[ClientMsgId],
    ) -> Result<Vec<KnownKey>, StoreError> {
        let known = self.entries(conversation).into_iter().filter_map(|entry| {
            let key = entry.key?;
            let wanted = key.participant == participant && ids.contains(&key.client_msg_id);
            wanted.then_some(KnownKey { key, seq: entry.seq })
        });
        Ok(known.collect())
    }

    async fn tail(&self, conversation: ConversationId, limit: TailLimit) -> Result<Option<Tail>, StoreError> {
        let mut open = self.store.tails_open.subscribe();
        // The sender lives as long as this log.
        let _ = open.wait_for(|open| *open).await;
        let inner = self.lock();
        let stored = inner.conversations.get(&conversation);
        Ok(stored.map(|stored| Tail { summary: stored.summary(conversation), entries: stored.tail(limit) }))
    }

    async fn page(&self, conversation: ConversationId, page: Page) -> Result<Vec<Entry>, StoreError> {
        let entries = self.entries(conversation);
        let visible = entries.into_iter().filter(|entry| entry.visible_to(page.view));
        Ok(match page.from {
            PageFrom::After(seq) => visible.filter(|entry| entry.seq > seq).take(page.limit).collect(),
            PageFrom::Before(seq) => last(visible.filter(|entry| entry.seq < seq).collect(), page.limit),
            PageFrom::End => last(visible.collect(), page.limit),
        })
    }

    async fn summary(&self, conversation: ConversationId) -> Result<Option<Summary>, StoreError> {
        Ok(self.lock().conversations.get(&conversation).map(|stored| stored.summary(conversation)))
    }

    async fn open_conversation_of(&self, customer: ParticipantId) -> Result<Option<ConversationId>, StoreError> {
        let inner = self.lock();
        let open = |stored: &Stored| stored.head.customer == customer && stored.head.control != Control::Closed;
        Ok(inner.conversations.iter().find(|(_, stored)| open(stored)).map(|(id, _)| *id))
    }

    async fn open_conversations(
        &self,
        before: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        let inner = self.lock();
        let open = |(id, stored): &(&ConversationId, &Stored)| {
            stored.head.control != Control::Closed && before.is_none_or(|before| **id < before)
        };
        let mut open: Vec<_> =
            inner.conversations.iter().filter(open).map(|(id, stored)| stored.summary(*id)).collect();
        open.sort_by_key(|summary| std::cmp::Reverse(summary.id));
        open.truncate(limit);
        Ok(open)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
        let (inner, member) = (self.lock(), self.member());
        let free = |stored: &Stored| stored.owner.is_none_or(|owner| inner.dead.contains(&owner));
        let due = |stored: &Stored| {
            let abandoned = stored.head.turn.is_some() && member.is_some() && free(stored);
            let timer = stored.head.next_deadline.is_some_and(|at| at <= now);
            abandoned || (timer && (free(stored) || stored.owner == member))
        };
        let due = inner.conversations.iter().filter(|(_, stored)| due(stored));
        let due = due.map(|(id, stored)| Due { conversation: *id, owned: member.is_some() && stored.owner == member });
        Ok(due.take(limit).collect())
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        let inner = self.lock();
        let waiting = inner.conversations.iter().filter_map(|(id, stored)| {
            let queued = stored.head.queued.clone()?;
            Some(Waiting { conversation: *id, control_version: stored.head.control_version, queued })
        });
        Ok(waiting.collect())
    }

    async fn record_crash(
        &self,
        conversation: ConversationId,
        now: Timestamp,
        window_ms: u64,
    ) -> Result<u32, StoreError> {
        let mut inner = self.lock();
        let Some(stored) = inner.conversations.get_mut(&conversation) else { return Ok(0) };
        stored.crashes.push(now);
        stored.crashes.retain(|at| now.since_ms(*at) <= window_ms);
        Ok(u32::try_from(stored.crashes.len()).unwrap_or(u32::MAX))
    }

    async fn search(&self, _: &Search) -> Result<Vec<Hit>, StoreError> {
        Err(StoreError::Refused("nothing is searched in memory".to_owned()))
    }

    async fn index_texts(&self) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn ping(&self) -> Result<String, StoreError> {
        Ok("memory".to_owned())
    }
}

#[async_trait]
impl Erasure for MemoryLog {
    async fn erase(&self, append: Append) -> Result<AppendOutcome, StoreError> {
        if let Some(decided) = append.entries.last().filter(|_| self.lock().holds.contains_key(&append.head.customer)) {
            let mut inner = self.lock();
            let stored = inner.conversations.get_mut(&append.conversation);
            let due = stored.and_then(|stored| stored.head.next_deadline.as_mut()).filter(|due| **due <= decided.at);
            if let Some(due) = due {
                *due = decided.at.plus_ms(HOLD_POSTPONES_MS);
            }
            return Ok(AppendOutcome::OnHold);
        }
        let outcome = self.append(std::slice::from_ref(&append)).await;
        let mut inner = self.lock();
        let stored = inner.conversations.get_mut(&append.conversation).filter(|stored| stored.is_erased());
        if let Some((_, earlier)) = stored.and_then(|stored| stored.entries.split_last_mut()) {
            earlier.iter_mut().for_each(|entry| *entry = entry.redacted());
        }
        drop(inner);
        outcome.and_then(|outcomes| {
            let lost = || StoreError::Unknown("no outcome".to_owned());
            outcomes.into_iter().next().ok_or_else(lost)
        })
    }

    async fn conversations_of(
        &self,
        customer: ParticipantId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<CustomerConversation>, StoreError> {
        let inner = self.lock();
        let of = inner
            .conversations
            .iter()
            .filter(|(id, stored)| stored.head.customer == customer && after.is_none_or(|after| **id > after));
        let of = of.map(|(id, stored)| CustomerConversation {
            conversation: *id,
            last_seq: stored.head.last_seq,
            erased: stored.is_erased(),
        });
        Ok(of.take(limit).collect())
    }

    async fn place_hold(&self, hold: LegalHold) -> Result<(), StoreError> {
        self.lock().holds.insert(hold.customer, hold);
        Ok(())
    }

    async fn lift_hold(&self, customer: ParticipantId) -> Result<bool, StoreError> {
        Ok(self.lock().holds.remove(&customer).is_some())
    }

    async fn hold(&self, customer: ParticipantId) -> Result<Option<LegalHold>, StoreError> {
        Ok(self.lock().holds.get(&customer).cloned())
    }

    async fn schedule_retention(
        &self,
        retention_ms: Option<u64>,
        after: Option<Closed>,
        limit: usize,
    ) -> Result<Option<Closed>, StoreError> {
        let mut inner = self.lock();
        let mut closed: Vec<Closed> = inner
            .conversations
            .iter()
            .filter(|(_, stored)| !stored.is_erased())
            .filter_map(|(id, stored)| Some(Closed { at: stored.closed_at?, conversation: *id }))
            .filter(|place| after.is_none_or(|after| (after.at, after.conversation) < (place.at, place.conversation)))
            .collect();
        closed.sort_by_key(|place| (place.at, place.conversation));
        closed.truncate(limit);
        for place in &closed {
            if let Some(stored) = inner.conversations.get_mut(&place.conversation) {
                stored.head.next_deadline = retention_ms.map(|kept_ms| place.at.plus_ms(kept_ms));
            }
        }
        Ok(closed.last().copied())
    }
}

/// Stands for a chain that ends at this position.
fn link_at(seq: Seq) -> Link {
    let mut link = Link::default();
    link.0[..8].copy_from_slice(&seq.to_be_bytes());
    link
}

fn last(entries: Vec<Entry>, limit: usize) -> Vec<Entry> {
    entries[entries.len().saturating_sub(limit)..].to_vec()
}
