//! What membership rests on: the store, where it is decided who belongs to the cluster, and the leases, which only hint at
//! it.

use async_trait::async_trait;
use onya_core::cluster::{Evidence, Lease, Standing, View};
use onya_core::{Incarnation, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

use super::StoreError;

/// The store's side of membership, as one incarnation uses it. Every change of the members gives their view a higher
/// version, in the same transaction. What fails has no effect, or one that is as good the second time.
#[async_trait]
pub trait Members: Send + Sync + 'static {
    /// This incarnation serves from now on, unless it drains already.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Nothing new is placed on this incarnation from now on.
    async fn drain(&self) -> Result<(), StoreError>;

    /// A heartbeat, and what this incarnation carries. `None`: it is dead, or its name has been taken over.
    async fn beat(&self, load: Load) -> Result<Option<Pulse>, StoreError>;

    /// How this incarnation and some others do; changes nothing.
    async fn look(&self, at: &[Incarnation]) -> Result<Look, StoreError>;

    /// Everybody who is not dead.
    async fn view(&self) -> Result<View, StoreError>;

    /// Tells that a member seems to be dead. It counts for a moment, as one of two.
    async fn accuse(&self, suspect: Incarnation) -> Result<(), StoreError>;

    /// Finds a member dead, if the store agrees: its heartbeat is stale and this incarnation may judge by heartbeats, or its
    /// heartbeat is late and two accuse it. Whether it was this call that did it.
    async fn convict(&self, suspect: Incarnation, evidence: Evidence) -> Result<bool, StoreError>;

    /// Ends what a dead incarnation is in the middle of changing in the store, as far as that is allowed: it may stand still
    /// there and keep others out. How much there was.
    async fn end_sessions(&self, of: Incarnation) -> Result<u64, StoreError>;
}

/// What a member carries, for people to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Open sockets.
    pub sockets: u64,
    /// Conversations that are live or have readers.
    pub conversations: u64,
}

/// How an incarnation stands, as the store says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Its own standing.
    pub standing: Standing,
    /// Of the newest view.
    pub version: u64,
    /// By the store's clock.
    pub at: Timestamp,
}

/// What a look at the members shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// This incarnation; `None` if it is dead.
    pub pulse: Option<Pulse>,
    /// Age of the newest heartbeat of each of the others that is not dead, in ms by the store's clock.
    pub ages: Vec<(Incarnation, u64)>,
}

/// The leases: this incarnation's, which is renewed as long as its process works, and those of others.
pub trait Leases: Send + Sync + 'static {
    /// From now on, looks at these.
    fn watch(&self, others: Vec<Incarnation>);

    /// What was seen last, and every later look. Without an answer there is none.
    fn sightings(&self) -> watch::Receiver<Option<Sighting>>;
}

/// One look at the leases.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// When they were asked for.
    pub asked_at: Instant,
    /// For so many ms before it there was always an answer, and this incarnation's own lease.
    pub steady_ms: u64,
    /// The leases of those watched.
    pub leases: Vec<(Incarnation, Lease)>,
}
