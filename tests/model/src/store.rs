//! The store: one conversation's row and log, the members, and what a statement does to them.
//!
//! A statement is sent, carried out at some later time, and its answer heard at some later time still, or never. An
//! append is one step: the row is locked for no longer. A claim is two, because it is a transaction of several
//! statements: it takes the lock and looks at the members, then reads, writes and commits.

use std::sync::Arc;

use crate::log::{self, Attempt, Entry, Fence, Key, Log, Seq};
use crate::planted::Planted;

/// Pods in the model.
pub const PODS: usize = 2;

/// One start of one pod's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// Which pod.
    pub pod: usize,
    /// The how manieth start, from 1.
    pub start: u8,
}

/// What the members' table says of an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// It may claim.
    Live,
    /// It claims nothing any more, and owns what it owns.
    Draining,
    /// Whatever it owned is free.
    Dead,
}

/// What all pods share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// The owner's incarnation.
    pub owner: Option<Incarnation>,
    /// The number of claims.
    pub epoch: u8,
    /// That of the newest claim, until it is released.
    pub nonce: Option<u8>,
    /// Position of the newest entry, as the row says.
    pub last_seq: Seq,
    /// Whether a claim holds the row's lock.
    pub locked: bool,
    /// The entries.
    pub log: Log,
    /// The newest incarnation of each pod and its state. Earlier ones are dead: registering a new one makes them so.
    pub members: [(u8, Member); PODS],
}

/// Something that the store is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statement {
    /// Who asks.
    pub by: Incarnation,
    /// For what.
    pub what: What,
    /// How far it has come.
    pub stage: Stage,
}

/// What the store can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Ownership, and all that is stored.
    Claim,
    /// To store these entries.
    Append(Append),
    /// To take ownership back.
    Release(Fence),
}

/// Entries, and under which condition they are to be stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Append {
    /// The claim under which they were decided.
    pub fence: Fence,
    /// The position that they follow.
    pub expected: Seq,
    /// All of them are stored or none.
    pub entries: Vec<Entry>,
    /// The command that they answer, if it is one.
    pub origin: Option<Key>,
    /// What the model is asked for once they are stored.
    pub start: Option<Attempt>,
}

/// How far a statement has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// On its way, or waiting for the row's lock.
    Sent,
    /// A claim that holds the row's lock and was found to be allowed.
    Locked,
    /// Has looked without a lock, which only planted faults do: a claim at this log.
    Looked(Option<Log>),
    /// Done.
    Answered(Answer),
}

/// What the store answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// The claim succeeded, and this is what is stored.
    Owned(Fence, Log),
    /// Another lives and owns it.
    OwnedByOther,
    /// Who asks is not a live member.
    NotLive,
    /// Stored.
    Accepted,
    /// Nothing was done, and may be tried again.
    NotNow,
    /// Not stored: the row says something else than expected.
    Fenced,
    /// Not stored: a command among them stands at this position.
    Repeated(Seq),
    /// The right to write is given up, or was gone already.
    Released,
}

impl Store {
    /// A conversation that nobody owns, and pods that have just started.
    #[must_use]
    pub fn new() -> Self {
        Self {
            owner: None,
            epoch: 0,
            nonce: None,
            last_seq: 1,
            locked: false,
            log: log::opened(),
            members: [(1, Member::Live); PODS],
        }
    }

    /// The state of an incarnation.
    #[must_use]
    pub fn member(&self, who: Incarnation) -> Member {
        let (newest, state) = self.members[who.pod];
        if newest == who.start { state } else { Member::Dead }
    }

    /// Whether this is the claim that may write.
    #[must_use]
    pub fn is_fence(&self, fence: Fence) -> bool {
        self.epoch == fence.epoch && self.nonce == Some(fence.nonce)
    }

    /// Whether nobody else lives who owns the conversation: what the sweeper and the directory look at before they start
    /// an actor.
    #[must_use]
    pub fn is_free_for(&self, who: Incarnation) -> bool {
        self.owner.is_none_or(|owner| owner == who || self.member(owner) == Member::Dead)
    }

    /// Whether a statement can come one stage further now.
    #[must_use]
    pub const fn can_advance(&self, statement: &Statement) -> bool {
        match statement.stage {
            Stage::Sent | Stage::Looked(_) => !self.locked,
            Stage::Locked => true,
            Stage::Answered(_) => false,
        }
    }

    /// Takes a statement one stage further. A claim that succeeds gets the given nonce.
    pub fn advance(&mut self, statement: &mut Statement, nonce: u8, planted: Option<Planted>) {
        statement.stage = match (&statement.what, &statement.stage) {
            (What::Claim, Stage::Sent) if planted == Some(Planted::ReadBeforeLock) => {
                Stage::Looked(Some(Arc::clone(&self.log)))
            }
            (What::Claim, Stage::Looked(Some(read))) => match self.lock(statement.by, planted) {
                Stage::Locked => self.commit_claim(statement.by, nonce, Arc::clone(read)),
                refused => refused,
            },
            (What::Claim, Stage::Locked) => self.commit_claim(statement.by, nonce, Arc::clone(&self.log)),
            (What::Claim, _) => self.lock(statement.by, planted),
            (What::Append(append), stage) => self.append(append, stage, planted),
            (What::Release(fence), _) => self.release(*fence),
        };
    }

    fn lock(&mut self, by: Incarnation, planted: Option<Planted>) -> Stage {
        if self.member(by) != Member::Live {
            return Stage::Answered(Answer::NotLive);
        }
        let taken_for_dead = |owner| match planted {
            Some(Planted::LiveOwnerRobbed) => true,
            Some(Planted::DrainingTakenForDead) => self.member(owner) != Member::Live,
            _ => false,
        };
        if self.is_free_for(by) || self.owner.is_some_and(taken_for_dead) {
            self.locked = true;
            Stage::Locked
        } else {
            Stage::Answered(Answer::OwnedByOther)
        }
    }

    fn commit_claim(&mut self, by: Incarnation, nonce: u8, read: Log) -> Stage {
        self.locked = false;
        self.owner = Some(by);
        self.epoch += 1;
        self.nonce = Some(nonce);
        Stage::Answered(Answer::Owned(Fence { epoch: self.epoch, nonce }, read))
    }

    fn append(&mut self, append: &Append, stage: &Stage, planted: Option<Planted>) -> Stage {
        let fits = match (planted, stage) {
            (Some(Planted::NoFence), _) => {
                Arc::make_mut(&mut self.log).retain(|entry| entry.seq <= append.expected);
                true
            }
            (Some(Planted::NoNonce), _) => self.epoch == append.fence.epoch && self.last_seq == append.expected,
            // The unique key of positions is all that is left.
            (_, Stage::Looked(_)) => log::last_seq(&self.log) == append.expected,
            _ => self.is_fence(append.fence) && self.last_seq == append.expected,
        };
        if !fits {
            return Stage::Answered(Answer::Fenced);
        }
        if planted == Some(Planted::FenceLookedAt) && *stage == Stage::Sent {
            return Stage::Looked(None);
        }
        let is_stored = |key: Key| self.log.iter().find(|stored| stored.key == Some(key)).map(|stored| stored.seq);
        let repeated = |entry: &Entry| entry.key.and_then(is_stored);
        if planted == Some(Planted::RepeatDropped) {
            let new: Vec<_> = append.entries.iter().filter(|entry| repeated(entry).is_none()).copied().collect();
            self.write(append, new);
        } else if let Some(seq) = append.entries.iter().find_map(repeated) {
            return Stage::Answered(Answer::Repeated(seq));
        } else {
            self.write(append, append.entries.clone());
        }
        Stage::Answered(Answer::Accepted)
    }

    fn write(&mut self, append: &Append, entries: Vec<Entry>) {
        self.last_seq = log::last_seq(&append.entries);
        Arc::make_mut(&mut self.log).extend(entries);
    }

    fn release(&mut self, fence: Fence) -> Stage {
        if self.is_fence(fence) {
            (self.owner, self.nonce) = (None, None);
        }
        Stage::Answered(Answer::Released)
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}
