//! One campaign: customers and agents talk, faults strike one after the other, everything is brought to its end, and the
//! checker looks at what there is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::agent::Agent;
use crate::check::{Violation, check};
use crate::customer::Customer;
use crate::history::{self, Counts};
use crate::nemesis::{Fault, Lengths, Nemesis, RECOVERY};
use crate::postgres::Postgres;
use crate::rare::Rare;
use crate::scene::{Guest, Scene};
use crate::stage::{Setting, Stage};
use crate::tables::{Source, Tables};

/// What is tried.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub seed: u64,
    pub program: PathBuf,
    /// The fault that the program has on purpose; then it is not brought to its end.
    pub planted: Option<String>,
    /// Each strikes so many times, in an order that the seed decides.
    pub faults: Vec<Fault>,
    pub rounds: usize,
    pub customers: usize,
    pub agents: usize,
    /// Commands acknowledged between two faults, at most.
    pub pause: usize,
    pub limits: Limits,
    pub folder: PathBuf,
}

/// The time limits of the server, and what follows from them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub statement_ms: u64,
    pub acquire_ms: u64,
    pub lock_ms: u64,
    /// A hang lasts at least so long.
    pub hang_ms: u64,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub plan: Plan,
    pub backend: &'static str,
    pub counts: Counts,
    pub entries: usize,
    pub rare: Rare,
    pub violations: Vec<Violation>,
}

impl Plan {
    fn variables(&self) -> BTreeMap<String, String> {
        let limits = self.limits;
        let mut variables: BTreeMap<String, String> = [
            ("PORT", "0".to_owned()),
            ("ONYA_METRICS__PORT", "0".to_owned()),
            ("ONYA_CLUSTER__PORT", "0".to_owned()),
            ("ONYA_NODE__NAME", "torture".to_owned()),
            ("ONYA_LOG__FORMAT", "json".to_owned()),
            ("LOG_LEVEL", "info,onya_actors::conversation=debug".to_owned()),
            ("ONYA_LLM__MOCK__TOKENS_PER_SECOND", "300".to_owned()),
            ("ONYA_CONVERSATION__PASSIVATE_AFTER_MS", "1000".to_owned()),
            ("ONYA_DATABASE__STATEMENT_TIMEOUT_MS", limits.statement_ms.to_string()),
            ("ONYA_DATABASE__ACQUIRE_TIMEOUT_MS", limits.acquire_ms.to_string()),
            ("ONYA_DATABASE__LOCK_TIMEOUT_MS", limits.lock_ms.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        variables.extend(self.planted.clone().map(|fault| ("PLANTED_FAULT".to_owned(), fault)));
        variables
    }

    const fn lengths(&self) -> Lengths {
        let limits = self.limits;
        Lengths {
            most: Duration::from_millis(limits.statement_ms + limits.acquire_ms + 2 * limits.lock_ms),
            hang: Duration::from_millis(limits.hang_ms),
            refusals: 3,
        }
    }

    /// Longest silence that a client bears: the server's answer to a hang comes before.
    const fn patience(&self) -> Duration {
        Duration::from_millis(2 * (self.limits.statement_ms + self.limits.acquire_ms + self.limits.lock_ms))
    }

    fn schedule(&self, dice: &mut StdRng) -> Vec<Fault> {
        let mut faults = self.faults.repeat(self.rounds);
        faults.shuffle(dice);
        faults
    }
}

/// Runs a campaign; `postgres` is what it runs on, nothing means SQLite.
pub(crate) async fn run(plan: Plan, postgres: Option<&Postgres>) -> Result<Outcome> {
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let setting = Setting {
        folder: &plan.folder,
        program: plan.program.clone(),
        variables: plan.variables(),
        faults: &plan.faults,
    };
    let mut stage = Stage::set(setting, postgres).await?;
    let over = watch::Sender::new(false);
    let mut clients = cast(&plan, &stage, &over, &mut dice).await?;
    strike_often(&plan, &mut stage, postgres, &mut dice).await?;
    over.send_replace(true);
    let source = stage.source(postgres)?;
    if plan.planted.is_none() {
        timeout(RECOVERY, settle(&mut clients, &source))
            .await
            .context("what was begun is not brought to its end")??;
    }
    drop(clients);
    let backend = if postgres.is_some() { "postgres" } else { "sqlite" };
    stage.strike(postgres).await?;
    let verified = stage.verify().await?;
    let tables = Tables { verified, ..source.read().await? };
    tables.save(&plan.folder.join("tables.json"))?;
    judge(plan, backend, &stage, &tables)
}

/// Customers with their conversations, and agents who look after them.
async fn cast(plan: &Plan, stage: &Stage, over: &watch::Sender<bool>, dice: &mut StdRng) -> Result<JoinSet<()>> {
    let scene = Scene {
        history: stage.history.clone(),
        addresses: stage.addresses.subscribe(),
        over: over.subscribe(),
        patience: plan.patience(),
    };
    let (mut clients, mut conversations) = (JoinSet::new(), Vec::new());
    for _ in 0..plan.customers {
        let guest = Guest::visit(stage.address()?).await?;
        conversations.push(guest.conversation);
        clients.spawn(Customer::new(scene.clone(), guest, StdRng::seed_from_u64(dice.random())).run());
    }
    for number in 0..plan.agents {
        let token = stage.staff_token(&format!("Agent {number}")).await?;
        let work = (token, conversations.clone());
        clients.spawn(Agent::new(scene.clone(), work, StdRng::seed_from_u64(dice.random())).run());
    }
    Ok(clients)
}

/// One fault after the other, each while work goes on.
async fn strike_often(plan: &Plan, stage: &mut Stage, postgres: Option<&Postgres>, dice: &mut StdRng) -> Result<()> {
    let schedule = plan.schedule(dice);
    let mut nemesis = Nemesis { stage, dice: StdRng::seed_from_u64(dice.random()), lengths: plan.lengths() };
    for fault in schedule {
        let pause = dice.random_range(1..=plan.pause);
        let goes_on = nemesis.stage.progress(pause, RECOVERY).await;
        let broken = plan.planted.is_some();
        anyhow::ensure!(
            goes_on || broken,
            "nothing was acknowledged for {} s before {}",
            RECOVERY.as_secs(),
            fault.name()
        );
        anyhow::ensure!(!nemesis.stage.has_lost_a_server(), "the server ended by itself before {}", fault.name());
        let struck = nemesis.inject(fault, postgres).await;
        struck.with_context(|| fault.name())?;
        nemesis.stage.anchor().await?;
    }
    let goes_on = nemesis.stage.progress(plan.pause, RECOVERY).await;
    anyhow::ensure!(goes_on || plan.planted.is_some(), "nothing was acknowledged after the last fault");
    Ok(())
}

/// Waits until every client has what it wants, and every turn its end.
async fn settle(clients: &mut JoinSet<()>, source: &Source) -> Result<()> {
    while clients.join_next().await.is_some() {}
    while source.open_turns().await? > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn judge(plan: Plan, backend: &'static str, stage: &Stage, tables: &Tables) -> Result<Outcome> {
    let history = history::read(&plan.folder.join("history.jsonl"))?;
    let violations = check(&history, tables, plan.planted.is_none());
    let log = std::fs::read_to_string(plan.folder.join("onya.log"))?;
    let rare = Rare::of(&history, tables, (&stage.counters, &log), stage.proxy.as_ref());
    let entries = tables.entries.values().map(Vec::len).sum();
    Ok(Outcome { backend, counts: stage.history.counts(), entries, rare, violations, plan })
}

/// Checks what an earlier campaign has left in a folder.
pub(crate) fn check_folder(folder: &Path, settled: bool) -> Result<Vec<Violation>> {
    let history = history::read(&folder.join("history.jsonl"))?;
    Ok(check(&history, &Tables::load(&folder.join("tables.json"))?, settled))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { sent, acked, refused, lost, .. } = self.counts;
        let planted = self.plan.planted.as_deref().map(|name| format!(" with {name}")).unwrap_or_default();
        let faults = self.plan.faults.len() * self.plan.rounds;
        write!(
            f,
            "{}{planted}, seed {}: {faults} faults, {sent} sent, {acked} acked, {refused} refused, {lost} lost, {} entries, \
             {} violations; {}",
            self.backend,
            self.plan.seed,
            self.entries,
            self.violations.len(),
            self.rare
        )
    }
}
