//! A store in memory, with the outcomes of a real one and faults on request.
//!
//! [`rows`] is the store, and what is compared with the real ones, operation by operation; here are the ways in, and what
//! a test may have go wrong. There is no clock: crashes count at a claim until a later crash prunes them.

mod erasure;
mod rows;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use onya_core::conversation::{Entry, KnownKey, State};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, Incarnation, ParticipantId, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

use self::rows::Rows;
use crate::ports::{
    Append, AppendOutcome, Claim, Due, EventLog, Fence, Forsaken, Hit, Member, NewConversation, Opening, Page,
    PageFrom, Search, StoreError, Summary, Tail, TailLimit,
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

/// A store in memory, as one process uses it. One that never registers is taken for the only one there is: it claims
/// what nobody else owns, and nobody is told that it does.
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
    rows: Rows,
    faults: VecDeque<Fault>,
    claims_fail: usize,
}

impl Default for MemoryLog {
    fn default() -> Self {
        let mut inner = Inner::default();
        inner.rows.history_epoch = Uuid::from_u128(7);
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
        self.lock().rows.dead.insert(member);
    }

    /// Who owns a conversation.
    #[must_use]
    pub fn owner(&self, conversation: ConversationId) -> Option<Incarnation> {
        self.lock().rows.conversations.get(&conversation)?.owner
    }

    /// How often a conversation was claimed.
    #[must_use]
    pub fn claims(&self, conversation: ConversationId) -> u64 {
        self.lock().rows.conversations.get(&conversation).map_or(0, |row| row.epoch)
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

    /// The state that a conversation's log leads to; `None` if there is no such log.
    #[must_use]
    pub fn state(&self, conversation: ConversationId) -> Option<State> {
        self.lock().rows.conversations.get(&conversation)?.state(conversation).ok()
    }

    /// The whole log of a conversation.
    #[must_use]
    pub fn entries(&self, conversation: ConversationId) -> Vec<Entry> {
        self.lock().rows.conversations.get(&conversation).map(|row| row.entries.clone()).unwrap_or_default()
    }

    /// Another owner takes the conversation: what was claimed before is fenced.
    pub fn rob(&self, conversation: ConversationId) {
        self.lock().rows.rob(conversation);
    }

    /// The store was restored: positions count in another history.
    pub fn renew_history(&self) {
        let mut inner = self.lock();
        inner.rows.history_epoch = Uuid::from_u128(inner.rows.history_epoch.as_u128() + 1);
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
        inner.rows.claim(member, (conversation, only_own), tail)
    }

    /// Stores a batch, unless it is asked to fail. Of a conversation that stands in it twice, only the first.
    async fn write(
        &self,
        batch: &[Append],
        store: fn(&mut Rows, &Append) -> AppendOutcome,
    ) -> Result<Vec<AppendOutcome>, StoreError> {
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
        let (poisoned, mut seen) = (usize::from(fault == Some(Fault::Poisoned)), BTreeSet::new());
        let outcomes = batch.iter().enumerate().map(|(at, append)| match seen.insert(append.conversation) {
            _ if at < poisoned => AppendOutcome::Poisoned,
            true => store(&mut inner.rows, append),
            false => AppendOutcome::Locked,
        });
        let outcomes = outcomes.collect();
        if fault == Some(Fault::UnknownDone) {
            return Err(StoreError::Unknown("asked to fail".to_owned()));
        }
        Ok(outcomes)
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn register(&self, member: &Member) -> Result<(), StoreError> {
        self.lock().rows.register(member)?;
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = Some(Incarnation(member.incarnation));
        Ok(())
    }

    async fn history_epoch(&self) -> Result<Uuid, StoreError> {
        Ok(self.lock().rows.history_epoch)
    }

    async fn open(&self, new: NewConversation) -> Result<Opening, StoreError> {
        self.lock().rows.open(new)
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
            if let Some(row) = inner.rows.conversations.get_mut(id).filter(|row| row.is_held_with(*fence)) {
                (row.owner, row.nonce) = (None, None);
            }
        }
        Ok(())
    }

    async fn release_idle(&self, conversation: ConversationId) -> Result<(), StoreError> {
        let (mut inner, member) = (self.lock(), self.member());
        if let Some(row) = inner.rows.conversations.get_mut(&conversation).filter(|row| row.owner == member) {
            row.owner = None;
        }
        Ok(())
    }

    async fn retire(&self) -> Result<(), StoreError> {
        let (mut inner, member) = (self.lock(), self.member());
        inner.rows.dead.extend(member);
        Ok(())
    }

    async fn append(&self, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
        self.write(batch, Rows::append).await
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
        let row = inner.rows.conversations.get(&conversation);
        Ok(row.map(|row| Tail { summary: row.summary(conversation), entries: row.tail(limit) }))
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
        Ok(self.lock().rows.conversations.get(&conversation).map(|row| row.summary(conversation)))
    }

    async fn open_conversation_of(&self, customer: ParticipantId) -> Result<Option<ConversationId>, StoreError> {
        Ok(self.lock().rows.open_of(customer))
    }

    async fn open_conversations(
        &self,
        before: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        let inner = self.lock();
        let open = inner.rows.conversations.iter().filter(|(_, row)| row.closed_at.is_none());
        let open = open.filter(|(id, _)| before.is_none_or(|before| **id < before));
        let mut open: Vec<_> = open.map(|(id, row)| row.summary(*id)).collect();
        open.sort_by_key(|summary| std::cmp::Reverse(summary.id));
        open.truncate(limit);
        Ok(open)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
        let (inner, member) = (self.lock(), self.member());
        Ok(inner.rows.due(member, now, limit))
    }

    async fn forsaken(&self, agents: &[ParticipantId], limit: usize) -> Result<Vec<Forsaken>, StoreError> {
        let (mut inner, member) = (self.lock(), self.member());
        Ok(inner.rows.forsaken(member, agents, limit))
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        let inner = self.lock();
        let waiting = inner.rows.conversations.iter().filter_map(|(id, row)| {
            let queued = row.head.queued.clone()?;
            Some(Waiting { conversation: *id, control_version: row.head.control_version, queued })
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
        let crashes = inner.rows.crashes.entry(conversation).or_default();
        crashes.retain(|at| at.0 > now.0.saturating_sub_unsigned(window_ms));
        crashes.push(now);
        Ok(u32::try_from(crashes.len()).unwrap_or(u32::MAX))
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

fn last(entries: Vec<Entry>, limit: usize) -> Vec<Entry> {
    entries[entries.len().saturating_sub(limit)..].to_vec()
}
