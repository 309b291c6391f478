//! Members and leases in memory, for several nodes in one process. There is one clock, the store's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use onya_core::cluster::{Evidence, Lease, Member, MemberRole, Renewal, Standing, Steadiness, Times, View};
use onya_core::{Incarnation, Timestamp};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep};

use super::world::PausedClock;
use crate::ports::{Clock, Leases, Load, Look, Members, Pulse, Sighting, StoreError};

/// What all nodes share: the rows of the members, and the leases.
#[derive(Clone)]
pub struct MemoryCluster(Arc<Mutex<Shared>>);

struct Shared {
    times: Times,
    clock: Arc<dyn Clock>,
    rows: BTreeMap<Incarnation, Row>,
    accused: BTreeMap<(Incarnation, Incarnation), Timestamp>,
    version: u64,
    store_is_down: bool,
    /// When each ends.
    leases: BTreeMap<Incarnation, Timestamp>,
    leases_are_down: bool,
    /// Whom the leases do not answer.
    cut_off: BTreeSet<Incarnation>,
    renewals: usize,
    views_read: usize,
    looks: BTreeMap<Incarnation, Vec<Incarnation>>,
}

struct Row {
    member: Member,
    beat: Timestamp,
    load: Load,
    dead: bool,
}

impl MemoryCluster {
    /// Without members, on tokio's clock.
    #[must_use]
    pub fn new(times: Times) -> Self {
        Self::by(times, Arc::new(PausedClock::default()))
    }

    /// The same by another clock.
    #[must_use]
    pub fn by(times: Times, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Mutex::new(Shared {
            times,
            clock,
            rows: BTreeMap::new(),
            accused: BTreeMap::new(),
            version: 0,
            store_is_down: false,
            leases: BTreeMap::new(),
            leases_are_down: false,
            cut_off: BTreeSet::new(),
            renewals: 0,
            views_read: 0,
            looks: BTreeMap::new(),
        })))
    }

    /// Registers a start of a node, which ends the one before under its name.
    #[must_use]
    pub fn join(&self, incarnation: Incarnation, name: &str) -> MemoryMember {
        self.register(Member {
            incarnation,
            name: name.to_owned(),
            address: String::new(),
            role: MemberRole::Both,
            standing: Standing::Joining,
            release: String::new(),
        })
    }

    /// The same with all that others may know of it.
    #[must_use]
    pub fn register(&self, member: Member) -> MemoryMember {
        let mut shared = self.lock();
        let incarnation = member.incarnation;
        shared.rows.values_mut().filter(|row| row.member.name == member.name).for_each(|row| row.dead = true);
        let row = Row { member, beat: shared.clock.now(), load: Load::default(), dead: false };
        shared.rows.insert(incarnation, row);
        shared.version += 1;
        self.member(incarnation)
    }

    /// The members as one that has joined before uses them.
    #[must_use]
    pub fn member(&self, me: Incarnation) -> MemoryMember {
        MemoryMember { cluster: self.clone(), me }
    }

    /// From now on the store answers nobody, or again.
    pub fn set_store_down(&self, down: bool) {
        self.lock().store_is_down = down;
    }

    /// From now on the leases answer nobody, or again.
    pub fn set_leases_down(&self, down: bool) {
        self.lock().leases_are_down = down;
    }

    /// From now on the leases do not answer this member, or again.
    pub fn cut_off_from_leases(&self, member: Incarnation, cut: bool) {
        let mut shared = self.lock();
        if cut {
            shared.cut_off.insert(member)
        } else {
            shared.cut_off.remove(&member)
        };
    }

    /// All leases are lost.
    pub fn lose_leases(&self) {
        self.lock().leases.clear();
    }

    /// Marks a member as draining, as another process does.
    pub fn drain(&self, member: Incarnation) {
        self.lock().stand(member, Standing::Draining);
    }

    /// A member has ended.
    pub fn bury(&self, member: Incarnation) {
        self.lock().bury(member);
    }

    /// Whether the store has found it dead.
    #[must_use]
    pub fn is_dead(&self, member: Incarnation) -> bool {
        self.lock().rows.get(&member).is_some_and(|row| row.dead)
    }

    /// What it told last that it carries.
    #[must_use]
    pub fn load(&self, member: Incarnation) -> Load {
        self.lock().rows.get(&member).map(|row| row.load).unwrap_or_default()
    }

    /// At whom it looked last.
    #[must_use]
    pub fn looked_at_by(&self, member: Incarnation) -> Vec<Incarnation> {
        self.lock().looks.get(&member).cloned().unwrap_or_default()
    }

    /// How often somebody has read the whole view.
    #[must_use]
    pub fn views_read(&self) -> usize {
        self.lock().views_read
    }

    /// How often somebody has asked for the leases, with an answer or without.
    #[must_use]
    pub fn renewals(&self) -> usize {
        self.lock().renewals
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn stand(&mut self, member: Incarnation, standing: Standing) {
        if let Some(row) = self.rows.get_mut(&member).filter(|row| !row.dead && row.member.standing != standing) {
            row.member.standing = standing;
            self.version += 1;
        }
    }

    fn pulse(&self, member: Incarnation) -> Option<Pulse> {
        let row = self.rows.get(&member).filter(|row| !row.dead)?;
        Some(Pulse { standing: row.member.standing, version: self.version, at: self.clock.now() })
    }

    fn age(&self, member: Incarnation) -> Option<u64> {
        self.rows.get(&member).filter(|row| !row.dead).map(|row| self.clock.now().since_ms(row.beat))
    }

    fn convict(&mut self, (suspect, by): (Incarnation, Incarnation), evidence: Evidence) -> bool {
        let Some(age) = self.age(suspect) else { return false };
        let counts = |((accused, observer), at): &(&(Incarnation, Incarnation), &Timestamp)| {
            *accused == suspect
                && self.age(*observer).is_some()
                && self.clock.now().since_ms(**at) <= self.times.accused_for_ms()
        };
        let two = self.accused.iter().filter(counts).count() >= 2 && age > self.times.late_after_ms();
        let one = evidence == Evidence::Heartbeat && age >= self.times.stale_after_ms;
        let beats = self.age(by).is_some_and(|age| age < self.times.stale_after_ms);
        let convicted = (one || two) && beats;
        if convicted {
            self.bury(suspect);
        }
        convicted
    }

    fn bury(&mut self, member: Incarnation) {
        if let Some(row) = self.rows.get_mut(&member).filter(|row| !row.dead) {
            row.dead = true;
            self.version += 1;
        }
    }
}

/// The members as one incarnation uses them.
pub struct MemoryMember {
    cluster: MemoryCluster,
    me: Incarnation,
}

impl MemoryMember {
    fn answer(&self) -> Result<MutexGuard<'_, Shared>, StoreError> {
        let shared = self.cluster.lock();
        if shared.store_is_down { Err(StoreError::Unavailable("it is down".to_owned())) } else { Ok(shared) }
    }
}

#[async_trait]
impl Members for MemoryMember {
    async fn ready(&self) -> Result<(), StoreError> {
        let mut shared = self.answer()?;
        if shared.pulse(self.me).is_some_and(|pulse| pulse.standing == Standing::Joining) {
            shared.stand(self.me, Standing::Live);
        }
        Ok(())
    }

    async fn drain(&self) -> Result<(), StoreError> {
        self.answer()?.stand(self.me, Standing::Draining);
        Ok(())
    }

    async fn beat(&self, load: Load) -> Result<Option<Pulse>, StoreError> {
        let mut shared = self.answer()?;
        let now = shared.clock.now();
        if let Some(row) = shared.rows.get_mut(&self.me).filter(|row| !row.dead) {
            (row.beat, row.load) = (now, load);
        }
        Ok(shared.pulse(self.me))
    }

    async fn look(&self, at: &[Incarnation]) -> Result<Look, StoreError> {
        let mut shared = self.answer()?;
        shared.looks.insert(self.me, at.to_vec());
        let ages = at.iter().filter_map(|other| Some((*other, shared.age(*other)?))).collect();
        Ok(Look { pulse: shared.pulse(self.me), ages })
    }

    async fn view(&self) -> Result<View, StoreError> {
        let mut shared = self.answer()?;
        shared.views_read += 1;
        let mut members: Vec<_> = shared.rows.values().filter(|row| !row.dead).map(|row| row.member.clone()).collect();
        members.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(View { version: shared.version, members })
    }

    async fn accuse(&self, suspect: Incarnation) -> Result<(), StoreError> {
        let mut shared = self.answer()?;
        let now = shared.clock.now();
        shared.accused.insert((suspect, self.me), now);
        Ok(())
    }

    async fn convict(&self, suspect: Incarnation, evidence: Evidence) -> Result<bool, StoreError> {
        Ok(self.answer()?.convict((suspect, self.me), evidence))
    }

    async fn end_sessions(&self, _: Incarnation) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// The leases as one incarnation uses them; its own is renewed as long as [`MemoryLeases::run`] is.
pub struct MemoryLeases {
    cluster: MemoryCluster,
    me: Incarnation,
    watched: watch::Sender<Vec<Incarnation>>,
    sightings: watch::Sender<Option<Sighting>>,
}

impl MemoryLeases {
    /// The leases of a cluster.
    #[must_use]
    pub fn new(cluster: &MemoryCluster, me: Incarnation) -> Arc<Self> {
        let (watched, sightings) = (watch::Sender::new(Vec::new()), watch::Sender::new(None));
        Arc::new(Self { cluster: cluster.clone(), me, watched, sightings })
    }

    /// Renews and looks until it is dropped, at the pace of the real ones.
    pub async fn run(self: Arc<Self>) {
        let times = self.cluster.lock().times;
        let (origin, mut steadiness) = (Instant::now(), Steadiness::new(times.lease_ms));
        let (mut renewal, mut watching) = (Renewal::new(times), self.watched.subscribe());
        loop {
            watching.mark_unchanged();
            let pause = match self.look(times) {
                None => {
                    steadiness.failed();
                    Renewal::SHORT_PAUSE_MS
                }
                Some((kept, leases)) => {
                    let now = ms(origin.elapsed());
                    if kept {
                        steadiness.succeeded(now)
                    } else {
                        steadiness.began_anew(now)
                    }
                    let pause = renewal.pause_ms(&leases);
                    let (asked_at, steady_ms) = (Instant::now(), steadiness.steady_ms(now));
                    self.sightings.send_replace(Some(Sighting { asked_at, steady_ms, leases }));
                    pause
                }
            };
            tokio::select! {
                biased;
                () = sleep(Duration::from_millis(pause)) => {}
                // The sender lives as long as this.
                _ = watching.changed() => {}
            }
        }
    }

    fn look(&self, times: Times) -> Option<(bool, Vec<(Incarnation, Lease)>)> {
        let mut shared = self.cluster.lock();
        shared.renewals += 1;
        if shared.leases_are_down || shared.cut_off.contains(&self.me) {
            return None;
        }
        let now = shared.clock.now();
        let lease = |member: &Incarnation| match shared.leases.get(member) {
            Some(end) if *end > now => Lease::Held { for_ms: end.since_ms(now) },
            _ => Lease::Missing,
        };
        let kept = lease(&self.me) != Lease::Missing;
        let leases = self.watched.borrow().iter().map(|member| (*member, lease(member))).collect();
        shared.leases.insert(self.me, now.plus_ms(times.lease_ms));
        Some((kept, leases))
    }
}

impl Leases for MemoryLeases {
    fn watch(&self, others: Vec<Incarnation>) {
        self.watched.send_replace(others);
    }

    fn sightings(&self) -> watch::Receiver<Option<Sighting>> {
        self.sightings.subscribe()
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
