//! The store in memory, which the actors are tested with, held against the real ones: random operations, the same on
//! both, and every answer compared.
//!
//! A run has a few nodes that start again now and then, a few customers and their conversations. [`story`] draws what is
//! asked next and remembers what owners believe, [`drafts`] makes appends, good ones and spoiled ones, and [`side`] asks
//! one store. Nonces and links are each store's own, so operations and answers number them as they were first seen.
//!
//! One after the other: what is locked by somebody else just now, and what is lost on the way, is tried elsewhere.
//! `EQUAL_SEEDS` says how many seeds there are, `EQUAL_SEED` which one alone, printed step by step:
//! `EQUAL_SEED=7 ./tests/run exec cargo test -p onya --lib equal -- --nocapture`

mod drafts;
mod operation;
mod side;
mod story;

use std::ops::Range;
use std::sync::Arc;

use onya_actors::ports::EventLog;
use onya_actors::testing::MemoryLog;

use self::operation::{Asked, incarnation};
use self::side::Side;
use self::story::Story;
use super::Backend;

/// Seeds of a run, unless `EQUAL_SEEDS` says otherwise.
const SEEDS: u64 = 12;
/// Operations of a seed.
const STEPS: usize = 120;
/// Nodes, and how often each may start.
const NODES: usize = 3;
const STARTS: usize = 4;
/// What a seed leaves behind.
const TABLES: [&str; 8] =
    ["conversations", "entries", "turns", "queue_entries", "crashes", "dead_letters", "legal_holds", "members"];

pub(super) async fn random_operations_have_the_same_answers_in_memory(backend: &impl Backend) {
    let mut logs = Vec::new();
    for start in 0..NODES * STARTS {
        logs.push(backend.log(incarnation(start)).await);
    }
    let mut bench = backend.bench().await;
    for seed in seeds() {
        for table in TABLES {
            bench.execute(format!("DELETE FROM {table}")).await.unwrap();
        }
        Run::new(seed, &logs).play().await;
    }
}

fn seeds() -> Range<u64> {
    match (number("EQUAL_SEED"), number("EQUAL_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(SEEDS),
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// One seed.
struct Run {
    seed: u64,
    step: usize,
    story: Story,
    memory: Side,
    real: Side,
}

impl Run {
    fn new(seed: u64, logs: &[Arc<dyn EventLog>]) -> Self {
        let store = MemoryLog::default();
        let memory = logs.iter().map(|_| Arc::new(store.another()) as Arc<dyn EventLog>).collect();
        Self { seed, step: 0, story: Story::new(seed), memory: Side::new(memory), real: Side::new(logs.to_vec()) }
    }

    async fn play(mut self) {
        for node in 0..NODES {
            self.ask(Story::start(node)).await;
        }
        for _ in 0..STEPS {
            let asked = self.story.next();
            self.ask(asked).await;
        }
        for asked in self.story.everything() {
            self.ask(asked).await;
        }
    }

    async fn ask(&mut self, asked: Asked) {
        if number("EQUAL_SEED").is_some() {
            println!("{}: {asked:?}", self.step);
        }
        let (memory, real) = (self.memory.ask(&asked).await, self.real.ask(&asked).await);
        assert!(
            memory == real,
            "seed {seed}, step {step}: {asked:?}\n  in memory: {memory:?}\n  in the store: {real:?}\n  \
             again: EQUAL_SEED={seed} ./tests/run exec cargo test -p onya --lib equal -- --nocapture",
            seed = self.seed,
            step = self.step,
        );
        self.story.learn(asked, memory);
        self.step += 1;
    }
}
