//! What happened, as the people, the store and the nemesis saw it: for the checks, for the trace, and to count what was hit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onya_core::{ConversationId, Incarnation, ParticipantId, Seq};
use serde::{Deserialize, Serialize};

use crate::clock::elapsed;

/// Rare events that a run may hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rare {
    /// An append of an owner that was one no more.
    Fenced,
    /// A call of the store whose outcome its caller did not learn, though it was carried out.
    UnknownDone,
    /// The same, and it was not.
    UnknownLost,
    /// A command that was sent again and had been stored before.
    Repeated,
    /// A conversation taken from a dead owner in the middle of a turn.
    TakenInTurn,
    /// A second attempt at a turn, seen by a reader.
    Reset,
    /// A member found dead by the others.
    Verdict,
    /// A drain in the middle of a turn.
    DrainedInTurn,
    /// A command refused because somebody else had changed control before.
    LostRace,
    /// A command refused as busy.
    Busy,
    /// A command whose sender was told that its outcome is unknown.
    ToldUnknown,
    /// A reader who had missed too much to be continued where it was.
    NotRecovered,
    /// A process that was killed.
    /// A link between two nodes that fell silent.
    Crash,
}

impl Rare {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Fenced,
        Self::UnknownDone,
        Self::UnknownLost,
        Self::Repeated,
        Self::TakenInTurn,
        Self::Reset,
        Self::Verdict,
        Self::DrainedInTurn,
        Self::LostRace,
        Self::Busy,
        Self::ToldUnknown,
        Self::NotRecovered,
        Self::Crash,
    ];
}

/// Whose command it is, and its name.
pub(crate) type Name = (ParticipantId, String);

/// What a sender did with a command, and was told.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    pub(crate) conversation: ConversationId,
    /// What is said, if something is.
    pub(crate) text: Option<String>,
    /// The sender's command that it must not overtake.
    pub(crate) after: Option<String>,
    pub(crate) sent: usize,
    /// Answers that said that nothing was stored.
    pub(crate) refused: usize,
    pub(crate) acked: Option<Seq>,
    /// Whether it was answered, in whatever way.
    pub(crate) answered: bool,
}

/// A change of owner.
#[derive(Clone, Debug)]
pub(crate) struct Taking {
    pub(crate) conversation: ConversationId,
    pub(crate) epoch: u64,
    pub(crate) owner: Incarnation,
    /// Who had it and was not dead.
    pub(crate) robbed: Option<Incarnation>,
    /// The newest position that the claim has read.
    pub(crate) read: Seq,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) fates: BTreeMap<Name, Fate>,
    pub(crate) takings: Vec<Taking>,
    pub(crate) conversations: BTreeSet<ConversationId>,
    /// Under which epoch each entry was stored.
    pub(crate) epochs: BTreeMap<(ConversationId, Seq), u64>,
    pub(crate) rare: BTreeMap<Rare, usize>,
    pub(crate) faults: usize,
    pub(crate) frames: usize,
    /// What broke a promise while it went on.
    pub(crate) broken: Vec<String>,
}

/// The record of one run. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Record(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    story: Mutex<Story>,
    trace: Mutex<DefaultHasher>,
    /// Whether each line is printed.
    loud: bool,
}

impl Record {
    pub(crate) fn new(loud: bool) -> Self {
        Self(Arc::new(Shared { story: Mutex::default(), trace: Mutex::default(), loud }))
    }

    /// A line of the trace: who, and what.
    pub(crate) fn note(&self, who: &str, what: &dyn Debug) {
        let line = format!("{:>9.3} {who} {what:?}", elapsed().as_secs_f64());
        line.hash(&mut *self.0.trace.lock().unwrap_or_else(PoisonError::into_inner));
        if self.0.loud {
            crate::output::say(&line);
        }
    }

    pub(crate) fn hit(&self, rare: Rare) {
        *self.story().rare.entry(rare).or_default() += 1;
    }

    pub(crate) fn story(&self) -> MutexGuard<'_, Story> {
        self.0.story.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The digest of the trace so far.
    pub(crate) fn digest(&self) -> u64 {
        self.0.trace.lock().unwrap_or_else(PoisonError::into_inner).finish()
    }
}
