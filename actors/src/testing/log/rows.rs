//! What is stored, without the faults: rows of conversations, and what becomes of them. The outcomes are those of the
//! statements of the real stores, which the tests of those compare with these.

use std::collections::{BTreeMap, BTreeSet};

use onya_core::conversation::{Control, Entry, Event, Head, Key, KnownKey, State};
use onya_core::{ConversationId, Incarnation, ParticipantId, Seq, Timestamp};
use uuid::Uuid;

use crate::ports::{
    Append, AppendOutcome, Claim, Due, Fence, Forsaken, LegalHold, Link, Member, NewConversation, Opening, Owned,
    StoreError, Summary, TailLimit,
};

/// All that is stored.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) history_epoch: Uuid,
    /// The names of all that have registered.
    members: BTreeMap<Incarnation, String>,
    pub(super) dead: BTreeSet<Incarnation>,
    /// Who of the staff is connected to a member that has said so.
    agents: BTreeMap<Incarnation, Vec<ParticipantId>>,
    pub(super) conversations: BTreeMap<ConversationId, Row>,
    pub(super) crashes: BTreeMap<ConversationId, Vec<Timestamp>>,
    pub(super) holds: BTreeMap<ParticipantId, LegalHold>,
    /// Nonces and links that were given out.
    drawn: u128,
}

/// A conversation.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) entries: Vec<Entry>,
    pub(super) head: Head,
    pub(super) owner: Option<Incarnation>,
    pub(super) epoch: u64,
    /// Of the newest claim, until it is released.
    pub(super) nonce: Option<Uuid>,
    pub(super) link: Link,
    /// The turns that are open, and their attempts.
    turns: BTreeMap<Seq, u32>,
    pub(super) closed_at: Option<Timestamp>,
}

impl Rows {
    /// A start ends the one before under its name.
    pub(super) fn register(&mut self, member: &Member) -> Result<(), StoreError> {
        let incarnation = Incarnation(member.incarnation);
        if self.members.contains_key(&incarnation) {
            return refused("this incarnation has registered before");
        }
        let namesakes = self.members.iter().filter(|(_, name)| **name == member.name);
        self.dead.extend(namesakes.map(|(namesake, _)| *namesake));
        self.members.insert(incarnation, member.name.clone());
        Ok(())
    }

    pub(super) fn open(&mut self, new: NewConversation) -> Result<Opening, StoreError> {
        let Event::Opened { customer, language, .. } = &new.opening.event else {
            return refused("the first entry is no opening");
        };
        if language.contains('\0') {
            return refused("the language holds NUL");
        }
        if let Some(open) = self.open_of(*customer) {
            return Ok(Opening::Existing(open));
        }
        if let Some(row) = self.conversations.get(&new.id) {
            return if row.head.customer == *customer {
                Ok(Opening::Existing(new.id))
            } else {
                refused("the identifier belongs to another customer's conversation")
            };
        }
        let row = Row {
            entries: vec![new.opening],
            head: new.head,
            owner: None,
            epoch: 0,
            nonce: None,
            link: self.next_link(),
            turns: BTreeMap::new(),
            closed_at: None,
        };
        self.conversations.insert(new.id, row);
        Ok(Opening::Created(new.id))
    }

    pub(super) fn open_of(&self, customer: ParticipantId) -> Option<ConversationId> {
        let open = |row: &Row| row.head.customer == customer && row.closed_at.is_none();
        self.conversations.iter().find(|(_, row)| open(row)).map(|(id, _)| *id)
    }

    pub(super) fn claim(
        &mut self,
        member: Option<Incarnation>,
        (id, only_own): (ConversationId, bool),
        limit: TailLimit,
    ) -> Result<Claim, StoreError> {
        let Some(owner) = self.conversations.get(&id).map(|row| row.owner) else { return Ok(Claim::NotFound) };
        if member.is_some_and(|member| self.dead.contains(&member)) {
            return refused("this incarnation is not a live member");
        }
        match owner.filter(|owner| Some(*owner) != member) {
            Some(other) if only_own || !self.dead.contains(&other) => return Ok(Claim::OwnedByOther(other)),
            None if only_own && owner != member => return Ok(Claim::Free),
            _ => {}
        }
        let (nonce, crashes) = (Uuid::from_u128(self.draw()), self.crashes.get(&id).map_or(0, Vec::len));
        let Some(row) = self.conversations.get_mut(&id) else { return Ok(Claim::NotFound) };
        let fence = Fence { epoch: row.epoch + 1, nonce };
        (row.owner, row.epoch, row.nonce) = (member, fence.epoch, Some(nonce));
        let recent_crashes = u32::try_from(crashes).unwrap_or(u32::MAX);
        let owned = Owned { fence, state: row.state(id)?, tail: row.tail(limit), link: row.link, recent_crashes };
        Ok(Claim::Owned(Box::new(owned)))
    }

    /// Takes the conversation from its owner, for nobody.
    pub(super) fn rob(&mut self, id: ConversationId) {
        let nonce = Uuid::from_u128(self.draw());
        if let Some(row) = self.conversations.get_mut(&id) {
            (row.owner, row.epoch, row.nonce) = (None, row.epoch + 1, Some(nonce));
        }
    }

    pub(super) fn append(&mut self, append: &Append) -> AppendOutcome {
        if !has_a_form(append) {
            return AppendOutcome::Poisoned;
        }
        let link = self.next_link();
        match self.conversations.get_mut(&append.conversation) {
            Some(row) => row.append(append, link),
            None => AppendOutcome::Fenced,
        }
    }

    pub(super) fn due(&self, member: Option<Incarnation>, now: Timestamp, limit: usize) -> Vec<Due> {
        let free = |row: &Row| row.owner.is_none_or(|owner| self.dead.contains(&owner));
        let due = |row: &Row| {
            let abandoned = row.head.turn.is_some() && member.is_some() && free(row);
            let timer = row.head.next_deadline.is_some_and(|at| at <= now);
            abandoned || (timer && (free(row) || row.owner == member))
        };
        let mut due: Vec<_> = self.conversations.iter().filter(|(_, row)| due(row)).collect();
        due.sort_by_key(|(id, row)| (row.head.next_deadline.is_none(), row.head.next_deadline, **id));
        let due = due.into_iter().map(|(id, row)| (*id, member.is_some() && row.owner == member));
        due.map(|(conversation, owned)| Due { conversation, owned }).take(limit).collect()
    }

    pub(super) fn forsaken(
        &mut self,
        member: Option<Incarnation>,
        agents: &[ParticipantId],
        limit: usize,
    ) -> Vec<Forsaken> {
        if let Some(member) = member.filter(|member| !self.dead.contains(member)) {
            self.agents.insert(member, agents.to_vec());
        }
        let free = |row: &Row| row.owner.is_none_or(|owner| self.dead.contains(&owner));
        let others = || self.members.keys().filter(|other| Some(**other) != member && !self.dead.contains(other));
        let may_have = |other: &Incarnation, agent| self.agents.get(other).is_none_or(|theirs| theirs.contains(&agent));
        let is_away = |agent| !agents.contains(&agent) && !others().any(|other| may_have(other, agent));
        let owed = self.conversations.iter().filter(|(_, row)| free(row) || row.owner == member);
        let owed =
            owed.filter_map(|(id, row)| Some((*id, row.head.owed_by.filter(|agent| is_away(*agent))?, row.owner)));
        let forsaken = owed.map(|(conversation, agent, owner)| Forsaken {
            conversation,
            agent,
            owned: member.is_some() && owner == member,
        });
        forsaken.take(limit).collect()
    }

    fn draw(&mut self) -> u128 {
        self.drawn += 1;
        self.drawn
    }

    /// Stands for the end of a chain: no two are alike.
    fn next_link(&mut self) -> Link {
        let mut link = Link::default();
        link.0[..16].copy_from_slice(&self.draw().to_be_bytes());
        link
    }
}

impl Row {
    fn append(&mut self, append: &Append, link: Link) -> AppendOutcome {
        let follows = (self.head.last_seq, self.link) == (append.expected_seq, append.previous);
        if !self.is_held_with(append.fence) || !follows {
            return AppendOutcome::Fenced;
        }
        if let Some(known) = append.entries.iter().find_map(|entry| self.known(entry.key.as_ref()?)) {
            return AppendOutcome::Repeated(known);
        }
        let Some(turns) = self.turns_after(&append.entries).filter(|_| is_allowed(&append.entries)) else {
            return AppendOutcome::Poisoned;
        };
        self.entries.extend(append.entries.iter().cloned());
        (self.turns, self.head, self.link) = (turns, append.head.clone(), link);
        if self.head.control == Control::Closed && self.closed_at.is_none() {
            self.closed_at = append.entries.last().map(|entry| entry.at);
        }
        AppendOutcome::Accepted(link)
    }

    pub(super) fn is_held_with(&self, fence: Fence) -> bool {
        (self.epoch, self.nonce) == (fence.epoch, Some(fence.nonce))
    }

    fn known(&self, key: &Key) -> Option<KnownKey> {
        self.entries.iter().find_map(|entry| {
            let stored = entry.key.as_ref().filter(|stored| names_the_same(stored, key))?;
            Some(KnownKey { key: stored.clone(), seq: entry.seq })
        })
    }

    /// The turns that are open after these entries; `None` if one goes on or ends that is not open.
    fn turns_after(&self, entries: &[Entry]) -> Option<BTreeMap<Seq, u32>> {
        let mut turns = self.turns.clone();
        for entry in entries {
            let (turn, attempt, ended) = match &entry.event {
                Event::TurnOpened { .. } => {
                    turns.insert(entry.seq, 1);
                    continue;
                }
                Event::AttemptStarted { turn, attempt } => (turn, attempt, false),
                Event::TurnEnded { turn, attempt, .. } => (turn, attempt, true),
                _ => continue,
            };
            *turns.get_mut(turn).filter(|open| **open <= *attempt)? = *attempt;
            if ended {
                turns.remove(turn);
            }
        }
        Some(turns)
    }

    pub(super) fn is_erased(&self) -> bool {
        matches!(self.entries.last(), Some(Entry { event: Event::Erased { .. }, .. }))
    }

    pub(super) fn state(&self, id: ConversationId) -> Result<State, StoreError> {
        let corrupt = || StoreError::Corrupt("no opening".to_owned());
        let (first, rest) = self.entries.split_first().ok_or_else(corrupt)?;
        let mut state = State::open(id, first).ok_or_else(corrupt)?;
        rest.iter().for_each(|entry| state.apply(entry));
        Ok(state)
    }

    /// What an entry is made of beside its text counts as one byte.
    pub(super) fn tail(&self, limit: TailLimit) -> Vec<Entry> {
        let mut newer_bytes = 0;
        let fits = |entry: &&Entry| {
            let fits = newer_bytes <= limit.bytes;
            newer_bytes += 1 + entry.event.said().len();
            fits
        };
        let length = self.entries.iter().rev().take(limit.entries.max(1)).take_while(fits).count();
        self.entries[self.entries.len() - length..].to_vec()
    }

    pub(super) fn summary(&self, id: ConversationId) -> Summary {
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
            epoch: self.epoch,
            turn: self.head.turn.map(|turn| (turn.turn, turn.attempt)),
        }
    }
}

/// What cannot be written as rows is buried before anybody looks at the fence.
pub(super) fn has_a_form(append: &Append) -> bool {
    let (mut ended, mut goes_on) = (BTreeSet::new(), true);
    for entry in append.entries.iter() {
        goes_on &= match &entry.event {
            Event::TurnOpened { .. } => !ended.contains(&entry.seq),
            Event::AttemptStarted { turn, .. } => !ended.contains(turn),
            Event::TurnEnded { turn, .. } => ended.insert(*turn),
            _ => true,
        };
    }
    let contiguous = append.entries.iter().zip(append.expected_seq + 1..).all(|(entry, seq)| entry.seq == seq);
    let fits = append.entries.iter().all(|entry| i64::try_from(entry.customer_prev).is_ok());
    let ends = append.entries.last().is_some_and(|last| last.seq == append.head.last_seq);
    goes_on && contiguous && fits && ends
}

/// Whether the constraints of the tables hold.
fn is_allowed(entries: &[Entry]) -> bool {
    let mut keys = entries.iter().filter_map(|entry| entry.key.as_ref());
    let twice = std::iter::from_fn(|| keys.next().map(|key| (key, keys.clone())))
        .any(|(key, mut later)| later.any(|later| names_the_same(later, key)));
    !twice && entries.iter().all(|entry| entry.customer_prev < entry.seq)
}

fn names_the_same(one: &Key, other: &Key) -> bool {
    (one.participant, &one.client_msg_id) == (other.participant, &other.client_msg_id)
}

fn refused<T>(why: &str) -> Result<T, StoreError> {
    Err(StoreError::Refused(why.to_owned()))
}
