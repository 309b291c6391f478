//! What a verification found.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

use super::source::Kind;

/// Broken chains that are named; of more, only the number is told.
const NAMED: usize = 1_000;

/// The outcome of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was looked at.
    pub checked: Checked,
    /// The first fault of each chain that has one; at most 1,000 are named.
    pub broken: Vec<Broken>,
    /// How many chains and anchors have a fault.
    pub broken_total: u64,
    /// What lies after the last anchor: it fits together, but nobody has signed it.
    pub unproven: Unproven,
    /// What was stored before there were chains: nothing is known of it.
    pub before_chain: BeforeChain,
    /// What is gone on record.
    pub gone: Gone,
    /// What a reader of this report should know.
    pub notes: Vec<String>,
}

/// How much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Conversations.
    pub conversations: u64,
    /// Their entries.
    pub entries: u64,
    /// Chains of acts.
    pub audit_chains: u64,
    /// Their acts.
    pub acts: u64,
    /// Anchors.
    pub anchors: u64,
    /// When the newest of them was made, in ms since 1970.
    pub last_anchor_at: Option<i64>,
}

/// What no anchor covers yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unproven {
    /// Conversations that have such entries.
    pub conversations: u64,
    /// Such entries.
    pub entries: u64,
    /// Such acts.
    pub acts: u64,
    /// When the oldest of all these was stored, in ms since 1970.
    pub oldest_at: Option<i64>,
}

/// What has no links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BeforeChain {
    /// Conversations that have such entries, at their beginning.
    pub conversations: u64,
    /// Such entries.
    pub entries: u64,
}

/// What was erased or removed, with an act that says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Entries whose body was erased.
    pub erased_entries: u64,
    /// Conversations that were removed as a whole.
    pub removed_conversations: u64,
}

/// The first fault of a chain, or a fault of an anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Where.
    #[serde(rename = "in")]
    pub place: Place,
    /// What is wrong there.
    pub fault: Fault,
}

/// Where a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In a conversation, or in the acts of a process.
    Chain {
        /// Which of the two.
        kind: Kind,
        /// The conversation, or the process's start.
        chain: Uuid,
        /// The position of the entry, the number of the act.
        position: i64,
    },
    /// In the file of anchors.
    Anchor {
        /// The anchor's number, as its place in the file has it.
        anchor: i64,
    },
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A position without its entry or act, though later ones are there.
    #[error("it is missing")]
    Missing,
    /// Some column is not as it was written, or the one before it is not.
    #[error("it is not what was stored")]
    Changed,
    /// The text is not the one that was committed to.
    #[error("its body is not the one that was stored")]
    BodyChanged,
    /// There is no link, though the chain had begun.
    #[error("it has no link, though the chain had begun")]
    Unlinked,
    /// Salts are gone, and no erasure on record matches what is left.
    #[error("its body was erased, and no erasure on record fits what is left")]
    ErasedWithoutRecord,
    /// The link differs from the one that was anchored.
    #[error("its link is not the one that was anchored")]
    NotAsAnchored,
    /// The chain ends before a position that was anchored, or that its head names.
    #[error("the chain ends before it")]
    TailCut,
    /// The row of the conversation names another end.
    #[error("the conversation's row names another end")]
    HeadDiffers,
    /// All of the chain is gone, and no removal is on record.
    #[error("all of it is gone, and no removal is on record")]
    ChainGone,
    /// Entries of a conversation that has no row.
    #[error("the conversation has entries and no row")]
    HeadGone,
    /// The line is no anchor.
    #[error("the line cannot be read")]
    AnchorUnreadable,
    /// It does not follow the anchor before it.
    #[error("it does not follow the anchor before it")]
    AnchorOrder,
    /// The signature is not by a key that is known.
    #[error("its signature is not by the key given")]
    AnchorSignature,
    /// The leaves in the database are not those that were signed.
    #[error("the database's heads for it are not those that were signed")]
    AnchorHeads,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.broken_total == 0
    }

    pub(super) fn add(&mut self, place: Place, fault: Fault) {
        self.broken_total += 1;
        if self.broken.len() < NAMED {
            self.broken.push(Broken { place, fault });
        }
    }
}

impl Unproven {
    pub(super) fn note(&mut self, oldest_at: Option<i64>) {
        self.oldest_at = [self.oldest_at, oldest_at].into_iter().flatten().min();
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Chain { kind: Kind::Conversation, chain, position } => {
                write!(f, "conversation {chain}, entry {position}: {}", self.fault)
            }
            Place::Chain { kind: Kind::Audit, chain, position } => {
                write!(f, "audit chain {chain}, act {position}: {}", self.fault)
            }
            Place::Anchor { anchor } => write!(f, "anchor {anchor}: {}", self.fault),
        }
    }
}
