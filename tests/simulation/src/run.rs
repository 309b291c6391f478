//! One run: a seed, some trouble, and what came of it.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use onya_actors::testing::{MemoryCluster, SeededRandom};
use onya_core::conversation::{Role, View};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use turmoil::{Builder, Sim};

use crate::agent::Agent;
use crate::checks;
use crate::clock::MachineClock;
use crate::customer::Customer;
use crate::nemesis::{Nemesis, USUAL_LATENCY};
use crate::node::Machine;
use crate::person::{Part, Person};
use crate::readers::Readers;
use crate::record::{Rare, Record};
use crate::store::Store;
use crate::way::{Errand, Roads};
use crate::world::{self, Course, NODES, Phase};

/// How far simulated time goes at once.
const TICK: Duration = Duration::from_millis(5);
/// The longest time from the end of the trouble until everything that was begun has come to its end: three attempts at a turn
/// that say nothing, what lies between them, and by how much the clock was wrong by which the first was begun.
const REST_LIMIT: Duration = Duration::from_secs(180);

/// How a run is to be.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// For how long things break, in simulated time.
    pub trouble: Duration,
    /// Customers, of whom each has a conversation.
    pub customers: usize,
    /// Agents, who race for all of them.
    pub agents: usize,
    /// Whether all that happens is printed.
    pub loud: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { trouble: Duration::from_secs(40), customers: 4, agents: 3, loud: false }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Broken promises, in words.
    pub broken: Vec<String>,
    /// A digest of all that happened: the same seed has the same.
    pub digest: u64,
    /// Simulated time.
    pub elapsed: Duration,
    /// How often something was broken.
    pub faults: usize,
    /// Commands that were sent.
    pub sent: usize,
    /// Those among them that were acknowledged.
    pub acked: usize,
    /// Frames that people were shown.
    pub frames: usize,
    /// How often each rare event was hit.
    pub rare: BTreeMap<Rare, usize>,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, plan: &Plan) -> Outcome {
    let mut stage = Stage::build(seed, plan);
    let broken = stage.play(plan);
    let story = stage.record.story();
    Outcome {
        broken,
        digest: stage.record.digest(),
        elapsed: stage.sim.elapsed(),
        faults: story.faults,
        sent: story.fates.len(),
        acked: story.fates.values().filter(|fate| fate.acked.is_some()).count(),
        frames: story.frames,
        rare: story.rare.clone(),
    }
}

/// Everything that takes part.
struct Stage {
    sim: Sim<'static>,
    nemesis: Nemesis,
    store: Store,
    readers: Vec<Readers>,
    record: Record,
    course: Course,
}

impl Stage {
    fn build(seed: u64, plan: &Plan) -> Self {
        let mut sim = Builder::new()
            .rng_seed(seed)
            .tick_duration(TICK)
            .simulation_duration(Duration::MAX)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(USUAL_LATENCY)
            .tcp_capacity(65_536)
            .enable_random_order()
            .build();
        let seeds = SeededRandom::new(seed);
        let next = || onya_actors::ports::Random::below(&seeds, u64::MAX);
        let (record, course) = (Record::new(plan.loud), Course::default());
        let (roads, errands) = Roads::new(next(), &record);
        let cluster = MemoryCluster::by(world::times(), Arc::new(MachineClock::default()));
        let store = Store::new(cluster, &record);
        carry_out(&mut sim, errands);
        let machines: Vec<_> = NODES
            .into_iter()
            .map(|name| Machine::new(name, next(), (&store, roads.way(name)), &record))
            .inspect(|machine| {
                let machine = Arc::clone(machine);
                sim.host(machine.name, move || Arc::clone(&machine).run());
            })
            .collect();
        let (mut readers, mut people) = (Vec::new(), Vec::new());
        for number in 1..=plan.customers + plan.agents {
            let is_customer = number <= plan.customers;
            let (name, role, view) = if is_customer {
                (format!("customer-{number}"), Role::Customer, View::Customer)
            } else {
                (format!("agent-{number}"), Role::Agent, View::Staff)
            };
            let person = Person::new((&name, number as u128), role, next(), (&record, &course));
            let reader = Readers::new(&name, view, &record);
            if is_customer {
                enter(&mut sim, person, Customer::new(reader.clone()));
            } else {
                enter(&mut sim, person, Agent::new(reader.clone()));
            }
            readers.push(reader);
            people.push(name);
        }
        let nemesis = Nemesis::new((machines, people), (&store, &roads), &record, SeededRandom::new(next()));
        Self { sim, nemesis, store, readers, record, course }
    }

    /// Plays to the end; what is wrong then.
    fn play(&mut self, plan: &Plan) -> Vec<String> {
        let ended = self.come_to_rest(plan);
        let mut broken: Vec<_> = ended.err().map(|error| error.to_string()).into_iter().collect();
        broken.extend(checks::broken(&self.store, &self.record.story(), &self.readers));
        if broken.is_empty() {
            broken.extend(self.leave().err().map(|error| error.to_string()));
        }
        broken
    }

    fn come_to_rest(&mut self, plan: &Plan) -> turmoil::Result {
        while self.sim.elapsed() < plan.trouble {
            self.nemesis.step(&mut self.sim, true);
            self.sim.step()?;
        }
        self.nemesis.mend(&mut self.sim);
        self.course.enter(Phase::Rest);
        while !self.is_at_rest() {
            if self.sim.elapsed() > plan.trouble + REST_LIMIT {
                let open = self.record.story().fates.iter().filter(|(_, fate)| !fate.answered).count();
                let text = format!(
                    "what was begun has not come to its end after {REST_LIMIT:?}; {open} commands have no answer"
                );
                return Err(text.into());
            }
            // Looked at now and then: it takes longer than a step.
            for _ in 0..20 {
                self.nemesis.step(&mut self.sim, false);
                self.sim.step()?;
            }
        }
        Ok(())
    }

    fn leave(&mut self) -> turmoil::Result {
        self.course.enter(Phase::Over);
        while !self.sim.step()? {}
        Ok(())
    }

    /// Whether everything that was begun has come to its end, everybody has an answer, and everybody was shown it.
    fn is_at_rest(&self) -> bool {
        let story = self.record.story();
        story.fates.values().all(|fate| fate.answered) && checks::broken(&self.store, &story, &self.readers).is_empty()
    }
}

/// The host of the store, which never fails: what lies between it and the others does.
fn carry_out(sim: &mut Sim<'static>, errands: mpsc::UnboundedReceiver<Errand>) {
    let errands = Mutex::new(Some(errands));
    sim.host("store", move || {
        let errands = errands.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            let Some(mut errands) = errands else { return Ok(()) };
            while let Some(errand) = errands.recv().await {
                tokio::task::spawn_local(errand);
            }
            Ok(())
        }
    });
}

/// Has somebody take part. A reader that is shown what may not be panics: that is noted, and ends the run.
fn enter(sim: &mut Sim<'static>, person: Person, part: impl Part + 'static) {
    let (name, record) = (person.name.clone(), person.record.clone());
    sim.client(name.clone(), async move {
        if let Err(panic) = AssertUnwindSafe(person.talk(part)).catch_unwind().await {
            record.story().broken.push(format!("{name}: {}", words(&*panic)));
            return Err("a reader was shown what may not be".into());
        }
        Ok(())
    });
}

fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().cloned();
    words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned())).unwrap_or_default()
}
