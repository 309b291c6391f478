//! One campaign: customers and agents talk, faults strike one after the other, everything is brought to its end, and the
//! checker looks at what there is.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::cast::{Clients, cast};
use crate::check::{Violation, check};
use crate::forsaken;
use crate::history::{self, Counts, Event};
use crate::nemesis::{Nemesis, RECOVERY};
use crate::plan::Plan;
use crate::postgres::Postgres;
use crate::pulse::Pulse;
use crate::rare::Rare;
use crate::recovery::Recovery;
use crate::stage::{Setting, Stage};
use crate::tables::{Source, Tables};
use crate::unsettled;

const GLANCE: Duration = Duration::from_millis(100);

/// How it went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub plan: Plan,
    pub backend: &'static str,
    pub counts: Counts,
    pub entries: usize,
    pub rare: Rare,
    pub recovery: Recovery,
    /// How long customers whose agent was gone for good were left alone, in milliseconds.
    pub left_alone: Vec<u64>,
    pub violations: Vec<Violation>,
}

/// Runs a campaign; `postgres` is what it runs on, nothing means SQLite.
pub(crate) async fn run(plan: Plan, postgres: Option<&Postgres>) -> Result<Outcome> {
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let setting = Setting {
        folder: &plan.folder,
        program: plan.program.clone(),
        variables: plan.variables(),
        faults: &plan.faults,
        nodes: plan.nodes,
        sentinels: plan.sentinels,
    };
    let mut stage = Stage::set(setting, postgres).await?;
    let pulse = postgres.map(|server| Pulse::start(server.url(&stage.database), stage.history.clone()));
    let over = watch::Sender::new(false);
    let mut clients = cast(&plan, &stage, &over, &mut dice).await?;
    strike_often(&plan, &mut stage, postgres, &mut dice).await?;
    over.send_replace(true);
    let source = stage.source(postgres)?;
    if plan.planted.is_none() {
        let Ok(settled) = timeout(RECOVERY, settle(&mut clients, &source, &mut stage)).await else {
            let why = unsettled::why(&plan.folder, &stage, &clients, &source).await?;
            anyhow::bail!("what was begun is not brought to its end within {} s\n{why}", RECOVERY.as_secs());
        };
        settled?;
    }
    drop((clients, pulse));
    let backend = if postgres.is_some() { "postgres" } else { "sqlite" };
    stage.strike(postgres).await?;
    let verified = stage.verify().await?;
    let tables = Tables { verified, ..source.read().await? };
    tables.save(&plan.folder.join("tables.json"))?;
    judge(plan, backend, &stage, &tables)
}

/// One fault after the other, each while work goes on.
async fn strike_often(plan: &Plan, stage: &mut Stage, postgres: Option<&Postgres>, dice: &mut StdRng) -> Result<()> {
    let schedule = plan.schedule(dice);
    let mut nemesis = Nemesis::new(stage, &plan.faults, StdRng::seed_from_u64(dice.random()), plan.lengths());
    for fault in schedule {
        let name = fault.name();
        let pause = dice.random_range(1..=plan.pause());
        goes_on(plan, nemesis.stage, pause).await.with_context(|| format!("before {name}"))?;
        Box::pin(nemesis.inject(fault, postgres)).await.with_context(|| name.clone())?;
        nemesis.stage.anchor().await?;
    }
    goes_on(plan, nemesis.stage, plan.pause()).await.context("after the last fault")
}

/// Waits until so many more commands are acknowledged. Meanwhile nodes that have been found dead are started again.
async fn goes_on(plan: &Plan, stage: &mut Stage, more: usize) -> Result<()> {
    let (goal, start) = (stage.history.counts().acked + more, Instant::now());
    while start.elapsed() < RECOVERY {
        stage.look_after().await?;
        let left = goal.saturating_sub(stage.history.counts().acked);
        if stage.progress(left, GLANCE).await {
            return Ok(());
        }
    }
    anyhow::ensure!(plan.planted.is_some(), "nothing was acknowledged for {} s", RECOVERY.as_secs());
    Ok(())
}

/// Waits until every client has what it wants, every turn its end, and every node its lease.
async fn settle(clients: &mut Clients, source: &Source, stage: &mut Stage) -> Result<()> {
    while !clients.is_empty() || source.open_turns().await? > 0 || !stage.has_leases().await {
        // Nothing is heard for a moment, or one more has what it wants.
        clients.next(GLANCE).await;
        stage.look_after().await?;
    }
    Ok(())
}

fn judge(plan: Plan, backend: &'static str, stage: &Stage, tables: &Tables) -> Result<Outcome> {
    let timed = history::read_timed(&plan.folder.join("history.jsonl"))?;
    let (recovery, left_alone) = (Recovery::of(&timed, tables), forsaken::left_alone(&timed));
    let violations = check(&timed, tables, plan.planted.is_none());
    let history: Vec<Event> = timed.into_iter().map(|(_, event)| event).collect();
    let rare = Rare::of(&history, tables, (&stage.counters, &stage.logged()?), (stage.cut(), stage.failovers()?));
    let entries = tables.entries.values().map(Vec::len).sum();
    Ok(Outcome { backend, counts: stage.history.counts(), entries, rare, recovery, left_alone, violations, plan })
}

/// Checks what an earlier campaign has left in a folder.
pub(crate) fn check_folder(folder: &Path, settled: bool) -> Result<Vec<Violation>> {
    let timed = history::read_timed(&folder.join("history.jsonl"))?;
    Ok(check(&timed, &Tables::load(&folder.join("tables.json"))?, settled))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { sent, acked, refused, lost, faults, .. } = self.counts;
        let planted = self.plan.planted.as_deref().map(|name| format!(" with {name}")).unwrap_or_default();
        let behind = if self.plan.sentinels { " with sentinels" } else { "" };
        let nodes = if self.plan.nodes > 1 { format!(", {} nodes{behind}", self.plan.nodes) } else { String::new() };
        write!(
            f,
            "{}{nodes}{planted}, seed {}: {faults} faults, {sent} sent, {acked} acked, {refused} refused, {lost} lost, \
             {} entries, {} violations; {}",
            self.backend,
            self.plan.seed,
            self.entries,
            self.violations.len(),
            self.rare
        )?;
        if !self.recovery.is_empty() {
            write!(f, "; commands again after {}", self.recovery)?;
        }
        for ms in &self.left_alone {
            write!(f, "; a customer without an agent in the queue after {ms} ms")?;
        }
        Ok(())
    }
}
