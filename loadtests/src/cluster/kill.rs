//! Nodes of three are killed: how long it takes until a command to another node is acknowledged.
//!
//! A conversation is touched if a killed node owned it or had its customer's socket. Everybody says something at the
//! moment of the kill; who has lost the socket says it on the next one.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use sqlx::Row as _;
use tokio::time::{Instant, sleep};

use super::Finding;
use super::crowd::{self, Crowd};
use super::customer::{Habit, Harvest};
use super::nodes::{Nodes, Setup, name};
use crate::figures::Figures;
use crate::output::progress;
use crate::report::table::{Mark, Row};
use crate::samples::Samples;
use crate::upstream::ScriptArgs;

const NODES: usize = 3;
/// Conversations whose owner is one of these nodes.
const OWNED: &str =
    "SELECT c.id::text FROM conversations c JOIN members m ON m.incarnation = c.owner WHERE m.name = ANY($1)";

/// Who is there.
pub(super) struct Shape {
    conversations: usize,
    /// How long they talk before, and after.
    margin: Duration,
    /// Longest wait for the last acknowledgement.
    patience: Duration,
}

impl Shape {
    pub(super) fn of(quick: bool) -> Self {
        if quick {
            return Self { conversations: 12, margin: Duration::from_secs(1), patience: Duration::from_secs(12) };
        }
        Self { conversations: 300, margin: Duration::from_secs(5), patience: Duration::from_secs(30) }
    }
}

pub(super) async fn measure(setup: &Setup, shape: Shape) -> Result<Finding> {
    let one = kill(setup, &[2], &shape).await?;
    let two = kill(setup, &[1, 2], &shape).await?;
    let mut rows = rows("one of three killed", &one, Mark::AtMost(5_000.0));
    rows.extend(self::rows("two of three killed", &two, Mark::None));
    Ok(Finding { rows, figures: vec![one, two] })
}

fn rows(what: &str, figures: &Figures, p99: Mark) -> Vec<Row> {
    let row = |of: &str, key, unit, mark| Row::of(&format!("{what}: {of}"), (figures, key), unit, mark);
    vec![
        row("a command acknowledged after, p50", "answered_p50", "ms", Mark::None),
        row("a command acknowledged after, p99", "answered_p99", "ms", p99),
        row("a command acknowledged after, longest", "answered_max", "ms", Mark::AtMost(10_000.0)),
        row("sends that failed", "sends_failed", "", Mark::AtMost(0.0)),
    ]
}

async fn kill(setup: &Setup, victims: &[usize], shape: &Shape) -> Result<Figures> {
    let script = ScriptArgs { tokens: 8, tokens_per_second: 200.0, first_token_ms: 10 };
    let mut nodes = Nodes::start(setup, &["both"; NODES], script).await?;
    // Each says something once a second.
    let (step, per_second) = (shape.conversations, shape.conversations as f64);
    let plan: Vec<_> = (0..step).map(|first| (Habit::Says { first, step, per_second }, first % NODES)).collect();
    let crowd = Crowd::gather(&nodes, &plan, script).await?;
    crowd.signals.begin.cancel();
    sleep(shape.margin).await;
    let owned = owned(&nodes, victims).await?;
    let touched: BTreeSet<_> = (0..step)
        .filter(|index| {
            victims.contains(&plan[*index].1) || owned.iter().any(|id| crowd.guests[*index].path.contains(id))
        })
        .collect();
    progress(&format!("kill: {} of {NODES} nodes, {} conversations are touched", victims.len(), touched.len()));
    victims.iter().for_each(|victim| crowd.balancer.leave_out(*victim));
    let killed = Instant::now();
    victims.iter().try_for_each(|victim| nodes.kill(*victim))?;
    crowd.signals.bell.cancel();
    let answered = crowd.until(&crowd.signals.answered, step, shape.patience).await;
    sleep(shape.margin).await;
    let harvests = crowd.leave().await?;
    nodes.end().await?;
    let mut figures = Figures::of(&format!("cluster, {} of {NODES} nodes are killed", victims.len()));
    if answered.is_none() {
        figures.problems.push(format!("not all were answered within {} s", shape.patience.as_secs()));
    }
    figures.add("conversations", step as f64, "");
    figures.add("conversations_touched", touched.len() as f64, "");
    let after = |is_touched: bool| times(&harvests, killed, |index| touched.contains(&index) == is_touched);
    figures.add_times("answered", after(true));
    figures.add_times("answered_untouched", after(false));
    crowd::count(&mut figures, &harvests);
    Ok(figures)
}

fn times(harvests: &[Harvest], killed: Instant, is_meant: impl Fn(usize) -> bool) -> Samples {
    let mut times = Samples::default();
    for harvest in harvests.iter().filter(|harvest| is_meant(harvest.index)) {
        if let Some(at) = harvest.answered_at {
            times.add_duration(at - killed);
        }
    }
    times
}

async fn owned(nodes: &Nodes, victims: &[usize]) -> Result<Vec<String>> {
    let names: Vec<_> = victims.iter().map(|victim| name(*victim)).collect();
    let rows = sqlx::query(OWNED).bind(names).fetch_all(&mut nodes.connection().await?).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
