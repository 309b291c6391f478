//! Counts what the members ask of the store, by kind and by second.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use onya_actors::ports::{Load, Look, Members, Pulse, StoreError};
use onya_actors::testing::MemoryMember;
use onya_core::Incarnation;
use onya_core::cluster::{Evidence, MemberRole, View};
use tokio::time::Instant;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Beat,
    Look,
    View,
    Accuse,
    Convict,
    /// Of those before, each is a statement; what follows is not.
    EndSessions,
    LookRow,
    ViewRow,
    Convicted,
}

const KINDS: usize = 9;
const STATEMENTS: usize = Kind::EndSessions as usize + 1;

/// Counts since it was told to begin.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    began: Option<Instant>,
    seconds: Vec<[u64; KINDS]>,
    last_view: Option<Instant>,
}

impl Tally {
    pub(super) fn begin(&self) {
        *self.lock() = Counts { began: Some(Instant::now()), ..Counts::default() };
    }

    pub(super) fn count(&self, kind: Kind) -> u64 {
        self.lock().seconds.iter().map(|second| second[kind as usize]).sum()
    }

    pub(super) fn statements(&self) -> u64 {
        self.lock().seconds.iter().flat_map(|second| &second[..STATEMENTS]).sum()
    }

    /// The most statements in one second.
    pub(super) fn busiest_second(&self) -> u64 {
        self.lock().seconds.iter().map(|second| second[..STATEMENTS].iter().sum()).max().unwrap_or(0)
    }

    /// When somebody read the whole view for the last time.
    pub(super) fn last_view(&self) -> Option<Instant> {
        self.lock().last_view
    }

    fn add(&self, kind: Kind, count: u64) {
        let mut counts = self.lock();
        let Some(began) = counts.began else { return };
        let second = usize::try_from(began.elapsed().as_secs()).unwrap_or(usize::MAX);
        if counts.seconds.len() <= second {
            counts.seconds.resize(second + 1, [0; KINDS]);
        }
        counts.seconds[second][kind as usize] += count;
        if kind == Kind::View {
            counts.last_view = Some(Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The members in memory, counted.
pub(super) struct Counted {
    members: MemoryMember,
    tally: Arc<Tally>,
}

impl Counted {
    pub(super) fn new(members: MemoryMember, tally: &Arc<Tally>) -> Self {
        Self { members, tally: Arc::clone(tally) }
    }
}

#[async_trait]
impl Members for Counted {
    async fn ready(&self) -> Result<(), StoreError> {
        self.members.ready().await
    }

    async fn drain(&self) -> Result<(), StoreError> {
        self.members.drain().await
    }

    async fn beat(&self, load: Load) -> Result<Option<Pulse>, StoreError> {
        self.tally.add(Kind::Beat, 1);
        self.members.beat(load).await
    }

    async fn look(&self, at: &[Incarnation]) -> Result<Look, StoreError> {
        let look = self.members.look(at).await?;
        self.tally.add(Kind::Look, 1);
        // One at least: that of the member itself.
        self.tally.add(Kind::LookRow, look.ages.len().max(1) as u64);
        Ok(look)
    }

    async fn view(&self) -> Result<View, StoreError> {
        let mut view = self.members.view().await?;
        self.tally.add(Kind::View, 1);
        self.tally.add(Kind::ViewRow, view.members.len() as u64);
        view.members.iter_mut().for_each(|member| member.role = MemberRole::Edge);
        Ok(view)
    }

    async fn accuse(&self, suspect: Incarnation) -> Result<(), StoreError> {
        self.tally.add(Kind::Accuse, 1);
        self.members.accuse(suspect).await
    }

    async fn convict(&self, suspect: Incarnation, evidence: Evidence) -> Result<bool, StoreError> {
        self.tally.add(Kind::Convict, 1);
        let convicted = self.members.convict(suspect, evidence).await?;
        self.tally.add(Kind::Convicted, u64::from(convicted));
        Ok(convicted)
    }

    async fn end_sessions(&self, of: Incarnation) -> Result<u64, StoreError> {
        self.tally.add(Kind::EndSessions, 1);
        self.members.end_sessions(of).await
    }
}
