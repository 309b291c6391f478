//! One campaign: customers and agents talk, faults strike one after the other, everything is brought to its end, and the
//! checker looks at what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::agent::Agent;
use crate::check::{Violation, check};
use crate::customer::Customer;
use crate::history::{self, Counts, Event};
use crate::nemesis::{Fault, Lengths, Nemesis, RECOVERY};
use crate::postgres::Postgres;
use crate::rare::Rare;
use crate::recovery::Recovery;
use crate::scene::{Guest, Scene};
use crate::stage::{Setting, Stage};
use crate::tables::{Source, Tables};
use crate::unsettled;

/// Longest silence that a client bears where there is another node to go to.
const ELSEWHERE: Duration = Duration::from_secs(5);
/// Times that a visitor is tried to be let in.
const VISITS: usize = 5;
const GLANCE: Duration = Duration::from_millis(100);

/// What is tried.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub seed: u64,
    /// More than one only on PostgreSQL.
    pub nodes: usize,
    pub program: PathBuf,
    /// The fault that the program has on purpose; then it is not brought to its end.
    pub planted: Option<String>,
    /// Each strikes so often, in an order that the seed decides.
    pub faults: Vec<Fault>,
    pub length: Length,
    pub customers: usize,
    pub agents: usize,
    /// Commands acknowledged between two faults, at most.
    pub pause: usize,
    pub limits: Limits,
    pub folder: PathBuf,
}

/// How long faults strike.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// Until each has struck so many times.
    Rounds(usize),
    /// So long, each as often as the others.
    Time(Duration),
}

/// The time limits of the server, and what follows from them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub statement_ms: u64,
    pub acquire_ms: u64,
    pub lock_ms: u64,
    /// A hang lasts at least so long.
    pub hang_ms: u64,
    /// A node stands still, or is cut off, for at least so long and at most so long.
    pub apart_ms: (u64, u64),
    /// The time between two heartbeats, until they are stale, and of a lease; nothing means the defaults.
    pub cluster_ms: Option<(u64, u64, u64)>,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub plan: Plan,
    pub backend: &'static str,
    pub counts: Counts,
    pub entries: usize,
    pub rare: Rare,
    pub recovery: Recovery,
    pub violations: Vec<Violation>,
}

/// Somebody who talks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client {
    pub name: String,
    /// The one conversation of a customer.
    pub conversation: Option<Uuid>,
}

/// Everybody who talks.
#[derive(Default)]
pub(crate) struct Clients {
    tasks: JoinSet<Client>,
    at_work: BTreeSet<Client>,
}

impl Clients {
    fn spawn(&mut self, client: Client, work: impl Future<Output = ()> + Send + 'static) {
        self.at_work.insert(client.clone());
        self.tasks.spawn(async move {
            work.await;
            client
        });
    }

    /// Those who do not have what they want yet.
    pub(crate) fn at_work(&self) -> impl Iterator<Item = &Client> {
        self.at_work.iter()
    }
}

impl Plan {
    fn variables(&self) -> BTreeMap<String, String> {
        let limits = self.limits;
        let mut variables: BTreeMap<String, String> = [
            ("PORT", "0".to_owned()),
            ("ONYA_METRICS__PORT", "0".to_owned()),
            ("ONYA_CLUSTER__PORT", "0".to_owned()),
            ("ONYA_AUTH__SIGNING_KEYS", format!("torture:{}", "5a".repeat(32))),
            ("ONYA_DRAIN__SOCKETS_WINDOW_MS", "500".to_owned()),
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
        if let Some((heartbeat_ms, stale_ms, lease_ms)) = limits.cluster_ms.filter(|_| self.nodes > 1) {
            let times = [("HEARTBEAT", heartbeat_ms), ("STALE_AFTER", stale_ms), ("LEASE", lease_ms)];
            variables.extend(times.map(|(name, ms)| (format!("ONYA_CLUSTER__{name}_MS"), ms.to_string())));
        }
        variables.extend(self.planted.clone().map(|fault| ("PLANTED_FAULT".to_owned(), fault)));
        variables
    }

    const fn lengths(&self) -> Lengths {
        let limits = self.limits;
        let (least, most) = limits.apart_ms;
        let felt_ms = match self.length {
            Length::Rounds(_) => limits.statement_ms + limits.acquire_ms + 2 * limits.lock_ms,
            // There is more to do in the time.
            Length::Time(_) => 2_000,
        };
        Lengths {
            most: Duration::from_millis(felt_ms),
            hang: Duration::from_millis(limits.hang_ms),
            apart: (Duration::from_millis(least), Duration::from_millis(most)),
            refusals: 3,
        }
    }

    /// Longest silence that a client bears: the server's answer to a hang comes before. Where there are other nodes, it
    /// goes to another one sooner.
    fn patience(&self) -> Duration {
        let limits = self.limits;
        let answered = Duration::from_millis(2 * (limits.statement_ms + limits.acquire_ms + limits.lock_ms));
        if self.nodes > 1 { answered.min(ELSEWHERE) } else { answered }
    }

    /// The faults in their order, as many as will be needed.
    fn schedule(&self, dice: &mut StdRng) -> Box<dyn Iterator<Item = Fault>> {
        match self.length {
            Length::Rounds(rounds) => {
                let mut faults = self.faults.repeat(rounds);
                faults.shuffle(dice);
                Box::new(faults.into_iter())
            }
            Length::Time(time) => {
                let (mut deck, all, until) = (Vec::new(), self.faults.clone(), Instant::now() + time);
                let mut dice = StdRng::seed_from_u64(dice.random());
                Box::new(std::iter::from_fn(move || {
                    if deck.is_empty() {
                        deck.clone_from(&all);
                        deck.shuffle(&mut dice);
                    }
                    (Instant::now() < until).then(|| deck.pop()).flatten()
                }))
            }
        }
    }

    /// Waits between two faults are shorter where there is more to do in the time.
    const fn pause(&self) -> usize {
        match self.length {
            Length::Rounds(_) => self.pause,
            Length::Time(_) => self.pause / 2,
        }
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
        nodes: plan.nodes,
    };
    let mut stage = Stage::set(setting, postgres).await?;
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
    drop(clients);
    let backend = if postgres.is_some() { "postgres" } else { "sqlite" };
    stage.strike(postgres).await?;
    let verified = stage.verify().await?;
    let tables = Tables { verified, ..source.read().await? };
    tables.save(&plan.folder.join("tables.json"))?;
    judge(plan, backend, &stage, &tables)
}

/// Customers with their conversations, and agents who look after them.
async fn cast(plan: &Plan, stage: &Stage, over: &watch::Sender<bool>, dice: &mut StdRng) -> Result<Clients> {
    let scene = Scene {
        history: stage.history.clone(),
        addresses: stage.addresses.subscribe(),
        over: over.subscribe(),
        patience: plan.patience(),
    };
    let (mut clients, mut conversations) = (Clients::default(), Vec::new());
    for _ in 0..plan.customers {
        let mut guest = Guest::visit(scene.address(dice).context("no server")?).await;
        for _ in 1..VISITS {
            if guest.is_err() {
                // A machine under load may not answer in time, and says so: another visitor comes.
                guest = Guest::visit(scene.address(dice).context("no server")?).await;
            }
        }
        let guest = guest?;
        conversations.push(guest.conversation);
        let name = format!("the customer {} of {}", guest.participant, guest.conversation);
        let client = Client { name, conversation: Some(guest.conversation) };
        clients.spawn(client, Customer::new(scene.clone(), guest, StdRng::seed_from_u64(dice.random())).run());
    }
    for number in 0..plan.agents {
        let name = format!("Agent {number}");
        let work = (stage.staff_token(&name).await?, conversations.clone());
        let agent = Agent::new(scene.clone(), work, StdRng::seed_from_u64(dice.random()));
        clients.spawn(Client { name, conversation: None }, agent.run());
    }
    Ok(clients)
}

/// One fault after the other, each while work goes on.
async fn strike_often(plan: &Plan, stage: &mut Stage, postgres: Option<&Postgres>, dice: &mut StdRng) -> Result<()> {
    let schedule = plan.schedule(dice);
    let mut nemesis = Nemesis { stage, dice: StdRng::seed_from_u64(dice.random()), lengths: plan.lengths() };
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

/// Waits until every client has what it wants, and every turn its end.
async fn settle(clients: &mut Clients, source: &Source, stage: &mut Stage) -> Result<()> {
    while !clients.tasks.is_empty() || source.open_turns().await? > 0 {
        // Nothing is heard for a moment, or one more has what it wants.
        if let Ok(Some(Ok(client))) = timeout(GLANCE, clients.tasks.join_next()).await {
            clients.at_work.remove(&client);
        }
        stage.look_after().await?;
    }
    Ok(())
}

fn judge(plan: Plan, backend: &'static str, stage: &Stage, tables: &Tables) -> Result<Outcome> {
    let timed = history::read_timed(&plan.folder.join("history.jsonl"))?;
    let recovery = Recovery::of(&timed, tables);
    let history: Vec<Event> = timed.into_iter().map(|(_, event)| event).collect();
    let violations = check(&history, tables, plan.planted.is_none());
    let rare = Rare::of(&history, tables, (&stage.counters, &stage.logged()?), stage.cut());
    let entries = tables.entries.values().map(Vec::len).sum();
    Ok(Outcome { backend, counts: stage.history.counts(), entries, rare, recovery, violations, plan })
}

/// Checks what an earlier campaign has left in a folder.
pub(crate) fn check_folder(folder: &Path, settled: bool) -> Result<Vec<Violation>> {
    let history = history::read(&folder.join("history.jsonl"))?;
    Ok(check(&history, &Tables::load(&folder.join("tables.json"))?, settled))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { sent, acked, refused, lost, faults, .. } = self.counts;
        let planted = self.plan.planted.as_deref().map(|name| format!(" with {name}")).unwrap_or_default();
        let nodes = if self.plan.nodes > 1 { format!(", {} nodes", self.plan.nodes) } else { String::new() };
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
        Ok(())
    }
}
