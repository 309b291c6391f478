//! A node of three is told to stop while customers are on it: what they see of it, and what becomes of what they say.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::Finding;
use super::crowd::{self, Crowd};
use super::customer::Habit;
use super::nodes::{Nodes, Setup};
use crate::figures::Figures;
use crate::output::progress;
use crate::process::{busy_share, machine_ticks};
use crate::report::table::{Mark, Row};
use crate::samples::Samples;
use crate::upstream::ScriptArgs;

/// The node that is told to stop.
const LEAVER: usize = 0;
const NODES: usize = 3;

/// Who is there.
pub(super) struct Shape {
    /// Idle sockets on the node that is told to stop.
    idle: usize,
    /// Streams on it.
    streams: usize,
    /// Conversations that wait for a person, over all nodes.
    speakers: usize,
    /// Messages per second, over all of them.
    rate: f64,
    script: ScriptArgs,
    /// How long all goes on before the node is told to stop, and when everybody is back.
    margin: Duration,
}

impl Shape {
    pub(super) fn of(quick: bool) -> Self {
        if quick {
            let script = ScriptArgs { tokens: 8, tokens_per_second: 20.0, first_token_ms: 10 };
            return Self { idle: 20, streams: 5, speakers: 6, rate: 30.0, script, margin: Duration::from_secs(1) };
        }
        let script = ScriptArgs { tokens: 64, tokens_per_second: 20.0, first_token_ms: 50 };
        Self { idle: 5_000, streams: 500, speakers: 150, rate: 150.0, script, margin: Duration::from_secs(5) }
    }

    fn plan(&self) -> Vec<(Habit, usize)> {
        let length = f64::from(self.script.tokens) / self.script.tokens_per_second;
        let after = |index: usize| Duration::from_secs_f64(length * index as f64 / self.streams as f64);
        let says = |first| Habit::Says { first, step: self.speakers, per_second: self.rate };
        let idle = (0..self.idle).map(|_| (Habit::Idles, LEAVER));
        let streams = (0..self.streams).map(|index| (Habit::Asks { after: after(index) }, LEAVER));
        idle.chain(streams).chain((0..self.speakers).map(|index| (says(index), index % NODES))).collect()
    }
}

pub(super) async fn measure(setup: &Setup, shape: Shape) -> Result<Finding> {
    let mut nodes = Nodes::start(setup, &["both"; NODES], shape.script).await?;
    let plan = shape.plan();
    let there = plan.iter().filter(|(_, home)| *home == LEAVER).count();
    let crowd = Crowd::gather(&nodes, &plan, shape.script).await?;
    crowd.signals.begin.cancel();
    sleep(shape.margin).await;
    progress("drain: told to stop");
    crowd.balancer.leave_out(LEAVER);
    let (told, ticks) = (Instant::now(), machine_ticks()?);
    nodes.drain(LEAVER)?;
    let in_order = nodes.ended(LEAVER).await?;
    let (drained, busy) = (told.elapsed(), busy_share(ticks, machine_ticks()?));
    let back = crowd.until(&crowd.signals.back, there, Duration::from_secs(30)).await;
    sleep(shape.margin).await;
    let harvests = crowd.leave().await?;
    nodes.end().await?;
    let mut figures = Figures::of("cluster, a node is drained");
    figures.add("sockets_on_the_node", there as f64, "");
    figures.add("drained_after", drained.as_secs_f64(), "s");
    figures.add("machine_busy", busy * 100.0, "%");
    if !in_order {
        figures.problems.push("the node did not end in order".to_owned());
    }
    if back.is_none() {
        let failure = harvests.iter().find_map(|harvest| harvest.moves.failure.clone()).unwrap_or_default();
        figures.problems.push(format!("not all of {there} came back: {failure}"));
    }
    crowd::count(&mut figures, &harvests);
    let (mut gaps, mut returns, mut acks) = (Samples::default(), Samples::default(), Samples::default());
    for harvest in harvests {
        gaps.merge(harvest.moves.gaps);
        returns.merge(harvest.moves.returns);
        acks.merge(harvest.acks);
    }
    figures.add("moves", gaps.len() as f64, "");
    figures.add_times("gap", gaps);
    figures.add_times("in_step_after_advice", returns);
    figures.add_times("ack", acks);
    Ok(Finding { rows: rows(&figures), figures: vec![figures] })
}

fn rows(figures: &Figures) -> Vec<Row> {
    let row = |what: &str, key, unit, mark| Row::of(what, (figures, key), unit, mark);
    vec![
        row("drain: sends that failed", "sends_failed", "", Mark::AtMost(0.0)),
        row("drain: replies not complete or not correct", "replies_wrong", "", Mark::AtMost(0.0)),
        row("drain: without a socket in step, p50", "gap_p50", "ms", Mark::None),
        row("drain: without a socket in step, p99", "gap_p99", "ms", Mark::AtMost(1_000.0)),
        row("drain: without a socket in step, longest", "gap_max", "ms", Mark::None),
        row("drain: new socket in step after its moment, p99", "in_step_after_advice_p99", "ms", Mark::None),
        row("drain: a message acknowledged, p99", "ack_p99", "ms", Mark::None),
        row("drain: the node is gone after", "drained_after", "s", Mark::None),
    ]
}
