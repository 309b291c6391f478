//! Membership: this node among the others.
//!
//! A [`Roster`] keeps the node's own row in the store alive, watches a few others, and publishes the newest view with the
//! ring over it. What is to be concluded from what it sees is decided by [`onya_core::cluster::Observer`], who is dead by
//! the store; `rounds.rs` only carries questions and answers. Without the store the last view stands. The one thing that
//! ends a node from here is positive: the store says that its row is dead.

mod rounds;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use onya_core::Incarnation;
use onya_core::cluster::Times;
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::rounds::Rounds;
use crate::ports::{Leases, Load, Members, Membership, Placement, StoreError};

/// Who this node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// This start of the process.
    pub incarnation: Incarnation,
    /// The node's name.
    pub name: String,
}

/// Why this node is no member any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expelled {
    /// The others found it dead.
    FoundDead,
    /// Another process was started under its name.
    Replaced,
}

/// This node's place among the members. Cheap to clone.
#[derive(Clone)]
pub struct Roster(Arc<Shared>);

/// What is told from outside and what is told to the outside.
struct Shared {
    identity: Identity,
    times: Times,
    members: Arc<dyn Members>,
    placement: watch::Sender<Arc<Placement>>,
    expelled: watch::Sender<Option<Expelled>>,
    told_to_drain: watch::Sender<bool>,
    /// Whether this node has asked for its own drain.
    drains: AtomicBool,
    /// What the node carries.
    load: OnceLock<Box<dyn Fn() -> Load + Send + Sync>>,
    /// Members to look at besides those that are watched, and until when.
    visits: Mutex<BTreeMap<Incarnation, Instant>>,
    /// Until then no verdict is possible: the last heartbeat is late from then on.
    in_time_until: Mutex<Instant>,
    /// There is a reason to look now.
    wake: Notify,
}

impl Roster {
    /// Begins to beat and to watch. This incarnation must be registered.
    ///
    /// # Errors
    /// When the store does not tell the first view.
    pub async fn start(
        identity: Identity,
        (members, leases): (Arc<dyn Members>, Option<Arc<dyn Leases>>),
        times: Times,
        (tasks, stop): (&TaskTracker, CancellationToken),
    ) -> Result<Self, StoreError> {
        let view = members.view().await?;
        let roster = Self(Arc::new(Shared {
            identity,
            times,
            members,
            placement: watch::Sender::new(Arc::new(Placement::over(view))),
            expelled: watch::Sender::new(None),
            told_to_drain: watch::Sender::new(false),
            drains: AtomicBool::new(false),
            load: OnceLock::new(),
            visits: Mutex::default(),
            in_time_until: Mutex::new(Instant::now()),
            wake: Notify::new(),
        }));
        tasks.spawn(Rounds::new(Arc::clone(&roster.0), leases).run(stop));
        Ok(roster)
    }

    /// Lets the others know that this node serves.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.0.members.ready().await?;
        self.0.wake.notify_one();
        Ok(())
    }

    /// What the node carries from now on, for its heartbeats. The first one that is told counts.
    pub fn carries(&self, load: impl Fn() -> Load + Send + Sync + 'static) {
        let _ = self.0.load.set(Box::new(load));
    }

    /// Resolves when this node is no member any more: whatever it still did would be refused.
    pub async fn expelled(&self) -> Expelled {
        let mut expelled = self.0.expelled.subscribe();
        match expelled.wait_for(Option::is_some).await.map(|expelled| *expelled) {
            Ok(Some(why)) => why,
            // The sender lives as long as this.
            _ => std::future::pending().await,
        }
    }

    /// Resolves when somebody else has marked this node as draining.
    pub async fn told_to_drain(&self) {
        let mut told = self.0.told_to_drain.subscribe();
        if told.wait_for(|told| *told).await.is_err() {
            std::future::pending().await
        }
    }
}

#[async_trait]
impl Membership for Roster {
    fn me(&self) -> Incarnation {
        self.0.identity.incarnation
    }

    fn placement(&self) -> watch::Receiver<Arc<Placement>> {
        self.0.placement.subscribe()
    }

    fn is_in_time(&self) -> bool {
        Instant::now() < *self.0.in_time_until()
    }

    async fn drain(&self) -> Result<(), StoreError> {
        self.0.drains.store(true, Ordering::Relaxed);
        self.0.members.drain().await?;
        self.0.wake.notify_one();
        Ok(())
    }

    fn unreachable(&self, member: Incarnation) {
        let until = Instant::now() + Duration::from_millis(2 * self.0.times.stale_after_ms);
        self.0.visits().insert(member, until);
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn visits(&self) -> MutexGuard<'_, BTreeMap<Incarnation, Instant>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_time_until(&self) -> MutexGuard<'_, Instant> {
        self.in_time_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self) -> Load {
        self.load.get().map(|load| load()).unwrap_or_default()
    }
}
