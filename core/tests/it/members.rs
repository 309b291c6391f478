//! Members that watch each other, over a store and a Redis that fail, in simulated time: whoever is well is never found
//! dead, and whoever dies is found dead in time.

use std::collections::{BTreeMap, BTreeSet};

use onya_core::cluster::{Evidence, Lease, Member, MemberRole, Observer, Standing, Steadiness, Times, View};
use onya_core::{Incarnation, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

/// One step of the simulated time, in ms.
const STEP_MS: u64 = 10;
/// Every member is well placed to see the others after this time.
const SETTLED_MS: u64 = 10_000;

fn incarnation(number: usize) -> Incarnation {
    Incarnation(Uuid::from_u128(1 + number as u128))
}

/// What may go wrong; `member` is taken modulo their number.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Freeze { member: usize, for_ms: u64 },
    CutFromRedis { member: usize, for_ms: u64 },
    CutFromStore { member: usize, for_ms: u64 },
    RedisDown { for_ms: u64 },
    RedisEmptied,
    RedisClock { by_ms: i64 },
    StoreDown { for_ms: u64 },
    StoreClock { by_ms: i64 },
}

#[derive(Default)]
struct Store {
    clock: i64,
    down_until: u64,
    heartbeats: BTreeMap<usize, i64>,
    dead: BTreeSet<usize>,
    accused: BTreeMap<(usize, usize), i64>,
    version: u64,
}

impl Store {
    fn age(&self, member: usize) -> u64 {
        u64::try_from(self.clock - self.heartbeats[&member]).unwrap_or(0)
    }

    fn convict(&mut self, (suspect, observer): (usize, usize), evidence: Evidence, times: &Times) {
        let fresh = |at: &i64| u64::try_from(self.clock - at).unwrap_or(0) <= times.accused_for_ms();
        let accusers = self
            .accused
            .iter()
            .filter(|((accused, by), at)| *accused == suspect && !self.dead.contains(by) && fresh(at));
        let two = accusers.count() >= 2 && self.age(suspect) > times.late_after_ms();
        let one = evidence == Evidence::Heartbeat && self.age(suspect) >= times.stale_after_ms;
        let is_alive = !self.dead.contains(&observer);
        if (two || one) && is_alive && self.dead.insert(suspect) {
            self.version += 1;
        }
    }

    fn view(&self) -> View {
        let member = |number: &usize| Member {
            incarnation: incarnation(*number),
            name: format!("onya-{number}"),
            address: String::new(),
            role: MemberRole::Both,
            standing: Standing::Live,
            release: String::new(),
        };
        let alive = self.heartbeats.keys().filter(|number| !self.dead.contains(number));
        View { version: self.version, members: alive.map(member).collect() }
    }
}

#[derive(Default)]
struct Redis {
    clock: i64,
    down_until: u64,
    ends: BTreeMap<usize, i64>,
}

impl Redis {
    fn holds(&self, member: usize) -> Option<u64> {
        let left = self.ends.get(&member)? - self.clock;
        u64::try_from(left).ok().filter(|left| *left > 0)
    }
}

struct Node {
    observer: Observer,
    view: View,
    watched: Vec<Incarnation>,
    redis: Steadiness,
    beats_at: u64,
    looks_at: u64,
    renews_at: u64,
    dead: bool,
    frozen_until: u64,
    no_redis_until: u64,
    no_store_until: u64,
}

struct World {
    now: u64,
    times: Times,
    store: Store,
    redis: Redis,
    nodes: Vec<Node>,
    /// Members that something was done to.
    touched: BTreeSet<usize>,
}

impl World {
    /// `phases` says when each member does what, so that they do not all do it at once.
    fn new(phases: &[u64]) -> Self {
        let times = Times::default();
        let mut world = Self {
            now: 0,
            times,
            store: Store { clock: 1_000_000, ..Store::default() },
            redis: Redis::default(),
            nodes: Vec::new(),
            touched: BTreeSet::new(),
        };
        for (number, phase) in phases.iter().enumerate() {
            world.store.heartbeats.insert(number, world.store.clock);
            world.nodes.push(Node {
                observer: Observer::new(incarnation(number), times),
                view: View::default(),
                watched: Vec::new(),
                redis: Steadiness::new(times.lease_ms),
                beats_at: phase % times.heartbeat_ms,
                looks_at: phase % times.look_ms(),
                renews_at: (phase / 3) % times.renew_ms(),
                dead: false,
                frozen_until: 0,
                no_redis_until: 0,
                no_store_until: 0,
            });
        }
        world
    }

    fn run_until(&mut self, end: u64) {
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += STEP_MS;
        self.store.clock += STEP_MS as i64;
        self.redis.clock += STEP_MS as i64;
        for number in 0..self.nodes.len() {
            let node = &self.nodes[number];
            if node.dead || node.frozen_until > self.now || self.store.dead.contains(&number) {
                continue;
            }
            if node.renews_at <= self.now {
                self.renew(number);
            }
            if self.nodes[number].looks_at <= self.now {
                self.look(number);
            }
        }
    }

    /// Renews the own lease and looks at those of others, as the thread of the leases does.
    fn renew(&mut self, number: usize) {
        let (now, lease_ms) = (self.now, self.times.lease_ms);
        let node = &mut self.nodes[number];
        node.renews_at = now + self.times.renew_ms();
        if self.redis.down_until > now || node.no_redis_until > now {
            node.redis.failed();
            return;
        }
        let had_own = self.redis.holds(number).is_some();
        if had_own {
            node.redis.succeeded(now)
        } else {
            node.redis.began_anew(now)
        }
        self.redis.ends.insert(number, self.redis.clock + lease_ms as i64);
        let seen: Vec<_> = (node.watched.iter())
            .map(|member| match self.redis.holds(member.0.as_u128() as usize - 1) {
                Some(for_ms) => (*member, Lease::Held { for_ms }),
                None => (*member, Lease::Missing),
            })
            .collect();
        let next = seen.iter().map(|(_, lease)| match lease {
            Lease::Held { for_ms } => for_ms + STEP_MS,
            Lease::Missing => 250,
        });
        node.renews_at = now + next.chain([self.times.renew_ms()]).min().unwrap_or_default();
        node.observer.leases_seen(now, node.redis.steady_ms(now), seen);
        if node.observer.should_look(now) {
            node.looks_at = now;
        }
    }

    fn look(&mut self, number: usize) {
        let now = self.now;
        let node = &mut self.nodes[number];
        node.looks_at = now + self.times.look_ms();
        if self.store.down_until > now || node.no_store_until > now {
            node.observer.store_failed();
            return;
        }
        let at = Timestamp(self.store.clock);
        if node.beats_at <= now {
            node.beats_at = now + self.times.heartbeat_ms;
            self.store.heartbeats.insert(number, self.store.clock);
            node.observer.beat(now, at);
        }
        let ages = node.watched.iter().map(|member| member.0.as_u128() as usize - 1);
        let ages: Vec<_> = ages.map(|member| (incarnation(member), self.store.age(member))).collect();
        node.observer.looked(now, at, ages);
        for accusation in node.observer.accusations(now) {
            let suspect = accusation.suspect.0.as_u128() as usize - 1;
            self.store.accused.insert((suspect, number), self.store.clock);
            self.store.convict((suspect, number), accusation.evidence, &self.times);
            node.looks_at = now + 250;
        }
        if node.view.version != self.store.version || node.view.members.is_empty() {
            node.view = self.store.view();
        }
        node.watched = node.observer.watched(&node.view);
    }

    fn strike(&mut self, fault: Fault) {
        let (now, count) = (self.now, self.nodes.len());
        match fault {
            Fault::Freeze { member, for_ms } => {
                self.nodes[member % count].frozen_until = now + for_ms;
                self.touched.insert(member % count);
            }
            Fault::CutFromStore { member, for_ms } => {
                self.nodes[member % count].no_store_until = now + for_ms;
                self.touched.insert(member % count);
            }
            Fault::CutFromRedis { member, for_ms } => self.nodes[member % count].no_redis_until = now + for_ms,
            Fault::RedisDown { for_ms } => self.redis.down_until = now + for_ms,
            Fault::RedisEmptied => self.redis.ends.clear(),
            Fault::RedisClock { by_ms } => self.redis.clock += by_ms,
            Fault::StoreDown { for_ms } => self.store.down_until = now + for_ms,
            Fault::StoreClock { by_ms } => self.store.clock += by_ms,
        }
    }

    /// Kills some, and says after how many ms every survivor knows it.
    fn kill(&mut self, victims: &[usize]) -> u64 {
        let killed_at = self.now;
        victims.iter().for_each(|victim| self.nodes[*victim].dead = true);
        let left = self.nodes.len() - victims.len();
        while self.nodes.iter().any(|node| !node.dead && node.view.members.len() != left) {
            assert!(self.now < killed_at + 60_000, "they are never found dead: {:?}", self.store.dead);
            self.step();
        }
        self.now - killed_at
    }
}

fn faults() -> impl Strategy<Value = Vec<(u64, Fault)>> {
    let duration = || 0..12_000_u64;
    let jump = || prop_oneof![-120_000..120_000_i64, -3_000..3_000_i64];
    let fault = prop_oneof![
        (0..8_usize, duration()).prop_map(|(member, for_ms)| Fault::Freeze { member, for_ms }),
        (0..8_usize, duration()).prop_map(|(member, for_ms)| Fault::CutFromRedis { member, for_ms }),
        (0..8_usize, duration()).prop_map(|(member, for_ms)| Fault::CutFromStore { member, for_ms }),
        duration().prop_map(|for_ms| Fault::RedisDown { for_ms }),
        Just(Fault::RedisEmptied),
        jump().prop_map(|by_ms| Fault::RedisClock { by_ms }),
        duration().prop_map(|for_ms| Fault::StoreDown { for_ms }),
        jump().prop_map(|by_ms| Fault::StoreClock { by_ms }),
    ];
    prop::collection::vec((0..4_000_u64, fault), 0..24)
}

fn phases() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0..6_000_u64, 2..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_found_dead_who_runs_and_reaches_the_store(phases in phases(), faults in faults()) {
        let mut world = World::new(&phases);
        for (pause, fault) in faults {
            world.run_until(world.now + pause / STEP_MS * STEP_MS);
            world.strike(fault);
        }
        world.run_until(world.now + 20_000);
        let wronged: Vec<_> = world.store.dead.difference(&world.touched).collect();
        prop_assert!(wronged.is_empty(), "{wronged:?} of {}", phases.len());
    }

    #[test]
    fn one_of_three_or_more_that_is_killed_is_known_to_be_dead_within_4_s(
        phases in phases().prop_filter("three or more", |phases| phases.len() > 2),
        victim in any::<prop::sample::Index>(),
        pause in 0..3_000_u64,
    ) {
        let mut world = World::new(&phases);
        world.run_until(SETTLED_MS + pause);
        let took = world.kill(&[victim.index(phases.len())]);
        prop_assert!(took <= 4_000, "{took} ms");
    }

    #[test]
    fn without_redis_and_for_a_majority_it_takes_8_s(
        phases in phases(),
        survivor in any::<prop::sample::Index>(),
        pause in 0..3_000_u64,
        with_redis in any::<bool>(),
        only_one in any::<bool>(),
    ) {
        let mut world = World::new(&phases);
        if !with_redis {
            world.redis.down_until = u64::MAX;
        }
        world.run_until(SETTLED_MS + pause);
        let survivor = survivor.index(phases.len());
        let mut victims: Vec<_> = (0..phases.len()).filter(|number| *number != survivor).collect();
        if only_one {
            victims.truncate(1);
        }
        let took = world.kill(&victims);
        prop_assert!(took <= 8_000, "{took} ms for {} of {}", victims.len(), phases.len());
    }
}

#[test]
fn a_zombie_that_wakes_up_accuses_nobody() {
    let mut world = World::new(&[0, 300, 700]);
    world.run_until(SETTLED_MS);
    world.strike(Fault::Freeze { member: 0, for_ms: 30_000 });
    world.run_until(SETTLED_MS + 60_000);
    assert_eq!(world.store.dead, BTreeSet::from([0]));
}

#[test]
fn after_all_stopped_and_went_on_at_once_nobody_is_dead() {
    let mut world = World::new(&[0, 300, 700, 900]);
    world.run_until(SETTLED_MS);
    (0..4).for_each(|member| world.strike(Fault::Freeze { member, for_ms: 30_000 }));
    world.run_until(SETTLED_MS + 60_000);
    assert_eq!(world.store.dead, BTreeSet::new());
}
