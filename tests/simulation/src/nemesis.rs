//! What breaks things: any of them, several at a time, each for a while.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use onya_actors::ports::Random as _;
use onya_actors::testing::SeededRandom;
use turmoil::Sim;

use crate::node::Machine;
use crate::record::{Rare, Record};
use crate::store::Store;
use crate::way::Roads;

/// How long messages take at most between two hosts.
pub(crate) const USUAL_LATENCY: Duration = Duration::from_millis(20);

/// By how much a clock is wrong. A turn that is opened by a clock that is ahead has so much more time.
pub(crate) const CLOCK_JUMP_MS: i64 = 60_000;

/// What is wrong for now. Nodes by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nothing passes between two nodes.
    Parted(usize, usize),
    /// Nothing passes from one node to another.
    PartedOneWay(usize, usize),
    /// Messages between two nodes take long.
    SlowLink(usize, usize),
    /// Nobody outside of the cluster reaches a node.
    OutOfReach(usize),
    /// A node does not reach the store.
    CutOff(usize),
    /// The store stands still.
    StandingStill,
    /// The store is slow.
    SlowStore,
    /// The leases answer nobody.
    LeasesDown,
    /// The leases do not answer a node.
    CutOffFromLeases(usize),
    /// Nothing of the cluster, the store or the leases is in reach of a node, which works on.
    Alone(usize),
    /// A node's clock is wrong by so many ms.
    WrongClock(usize, i64),
}

/// Everything that can be broken.
pub(crate) struct Nemesis {
    pub(crate) machines: Vec<Arc<Machine>>,
    pub(crate) people: Vec<String>,
    pub(crate) store: Store,
    pub(crate) roads: Roads,
    pub(crate) record: Record,
    pub(crate) random: SeededRandom,
    /// What is wrong, and until when.
    lasting: Vec<(Duration, Trouble)>,
    /// Nodes that do not run, and when they are started again.
    absent: Vec<(Duration, usize)>,
    next: Duration,
}

impl Nemesis {
    pub(crate) fn new(
        (machines, people): (Vec<Arc<Machine>>, Vec<String>),
        (store, roads): (&Store, &Roads),
        record: &Record,
        random: SeededRandom,
    ) -> Self {
        let (store, roads, record) = (store.clone(), roads.clone(), record.clone());
        let (lasting, absent, next) = (Vec::new(), Vec::new(), Duration::from_secs(2));
        Self { machines, people, store, roads, record, random, lasting, absent, next }
    }

    /// What is due now: an end, a new start, the next trouble.
    pub(crate) fn step(&mut self, sim: &mut Sim<'_>, making_trouble: bool) {
        self.let_go(sim, |until, now| until <= now);
        self.start_again(sim);
        if making_trouble && self.next <= sim.elapsed() {
            self.strike(sim);
            self.next = sim.elapsed() + self.some(200, 2_500);
        }
    }

    /// Everything is mended, and whoever is absent comes back as it would have.
    pub(crate) fn mend(&mut self, sim: &mut Sim<'_>) {
        self.let_go(sim, |_, _| true);
    }

    fn some(&self, least_ms: u64, most_ms: u64) -> Duration {
        Duration::from_millis(least_ms + self.random.below(most_ms - least_ms))
    }

    fn any(&self) -> usize {
        usize::try_from(self.random.below(self.machines.len() as u64)).unwrap_or_default()
    }

    fn strike(&mut self, sim: &mut Sim<'_>) {
        let (node, other) = (self.any(), 1 + usize::try_from(self.random.below(2)).unwrap_or_default());
        let other = (node + other) % self.machines.len();
        self.record.story().faults += 1;
        let trouble = match self.random.below(20) {
            0..=3 => return self.crash(sim, &[node]),
            4 => return self.crash(sim, &[node, other]),
            5 => return self.crash(sim, &(0..self.machines.len()).collect::<Vec<_>>()),
            6..=7 => {
                self.note(sim, &format_args!("{} is told to stop", self.machines[node].name));
                self.machines[node].terminate.send_replace(true);
                return;
            }
            8 => {
                self.note(sim, &"the leases are lost");
                return self.store.cluster.lose_leases();
            }
            9 => Trouble::Parted(node, other),
            10 => Trouble::PartedOneWay(node, other),
            11 => Trouble::SlowLink(node, other),
            12 => Trouble::OutOfReach(node),
            13..=14 => Trouble::CutOff(node),
            15 => Trouble::StandingStill,
            16 => Trouble::SlowStore,
            17 => {
                if self.random.below(2) == 0 {
                    Trouble::LeasesDown
                } else {
                    Trouble::CutOffFromLeases(node)
                }
            }
            18 => Trouble::Alone(node),
            _ => Trouble::WrongClock(node, if self.random.below(2) == 0 { -CLOCK_JUMP_MS } else { CLOCK_JUMP_MS }),
        };
        let until = sim.elapsed() + self.some(300, 6_000);
        self.note(sim, &format_args!("{trouble:?} until {until:?}"));
        self.apply(sim, trouble, true);
        self.lasting.push((until, trouble));
    }

    fn crash(&mut self, sim: &mut Sim<'_>, nodes: &[usize]) {
        for node in nodes.iter().copied().filter(|node| !self.is_absent(*node)).collect::<Vec<_>>() {
            self.note(sim, &format_args!("{} is killed", self.machines[node].name));
            self.record.hit(Rare::Crash);
            self.remove(sim, node);
        }
    }

    /// Whatever runs on a node is gone, with its connections.
    fn remove(&mut self, sim: &mut Sim<'_>, node: usize) {
        sim.crash(self.machines[node].name);
        self.machines[node].has_ended.store(false, Ordering::Relaxed);
        self.absent.push((sim.elapsed() + self.some(200, 5_000), node));
    }

    fn is_absent(&self, node: usize) -> bool {
        self.absent.iter().any(|(_, absent)| *absent == node)
    }

    fn start_again(&mut self, sim: &mut Sim<'_>) {
        for node in 0..self.machines.len() {
            if self.machines[node].has_ended.load(Ordering::Relaxed) && !self.is_absent(node) {
                self.remove(sim, node);
            }
        }
        let now = sim.elapsed();
        let (due, still): (Vec<_>, Vec<_>) = self.absent.drain(..).partition(|(at, _)| *at <= now);
        self.absent = still;
        for (_, node) in due {
            sim.bounce(self.machines[node].name);
        }
    }

    fn let_go(&mut self, sim: &Sim<'_>, is_over: impl Fn(Duration, Duration) -> bool) {
        let now = sim.elapsed();
        let (over, lasting): (Vec<_>, Vec<_>) = self.lasting.drain(..).partition(|(until, _)| is_over(*until, now));
        self.lasting = lasting;
        for (_, trouble) in over {
            self.apply(sim, trouble, false);
            self.note(sim, &format_args!("{trouble:?} is over"));
            // What also needs it stays.
            for (_, other) in self.lasting.clone() {
                self.apply(sim, other, true);
            }
        }
    }

    /// Breaks something, or mends it.
    fn apply(&self, sim: &Sim<'_>, trouble: Trouble, broken: bool) {
        let name = |node: usize| self.machines[node].name;
        match trouble {
            Trouble::Parted(a, b) if broken => sim.partition(name(a), name(b)),
            Trouble::Parted(a, b) => sim.repair(name(a), name(b)),
            Trouble::PartedOneWay(from, to) if broken => sim.partition_oneway(name(from), name(to)),
            Trouble::PartedOneWay(from, to) => sim.repair_oneway(name(from), name(to)),
            Trouble::SlowLink(a, b) => {
                let latency = if broken { Duration::from_millis(500) } else { USUAL_LATENCY };
                sim.set_link_max_message_latency(name(a), name(b), latency);
            }
            Trouble::OutOfReach(node) => {
                for person in &self.people {
                    if broken {
                        sim.partition(name(node), person.as_str())
                    } else {
                        sim.repair(name(node), person.as_str())
                    }
                }
            }
            Trouble::CutOff(node) => self.machines[node].way.cut(broken),
            Trouble::StandingStill => self.roads.stand_still(broken),
            Trouble::SlowStore => self.roads.slow_down(if broken { 500 } else { 10 }),
            Trouble::LeasesDown => self.store.cluster.set_leases_down(broken),
            Trouble::CutOffFromLeases(node) => self.cut_off_from_leases(node, broken),
            Trouble::Alone(node) => {
                self.machines[node].way.cut(broken);
                self.cut_off_from_leases(node, broken);
                for other in (0..self.machines.len()).filter(|other| *other != node) {
                    self.apply(sim, Trouble::Parted(node, other), broken);
                }
            }
            Trouble::WrongClock(node, ms) => self.machines[node].clock.jump(if broken { ms } else { 0 }),
        }
    }

    fn cut_off_from_leases(&self, node: usize, cut: bool) {
        self.store.cluster.cut_off_from_leases(*self.machines[node].incarnation.borrow(), cut);
    }

    fn note(&self, sim: &Sim<'_>, what: &dyn std::fmt::Debug) {
        self.record.note("nemesis", &format_args!("at {:.3}: {what:?}", sim.elapsed().as_secs_f64()));
    }
}
