//! What a node between costs: tokens and messages on one node, then the same through an edge to an owner.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Finding;
use super::nodes::{Nodes, Setup};
use crate::figures::Figures;
use crate::measure::ack::{self, AckShape};
use crate::measure::stream::{self, StreamShape};
use crate::output::progress;
use crate::report::table::{Mark, Row};
use crate::target::Target;
use crate::upstream::ScriptArgs;

/// How much goes over a node.
pub(super) struct Shape {
    stream: StreamShape,
    ack: AckShape,
    /// Length of the look at nodes that do nothing.
    idle: Duration,
}

impl Shape {
    pub(super) fn of(quick: bool) -> Self {
        if quick {
            let script = ScriptArgs { tokens: 8, tokens_per_second: 100.0, first_token_ms: 10 };
            let stream = StreamShape { streams: 5, seconds: 1, script };
            let ack = AckShape { rate: 50.0, seconds: 1, connections: 5 };
            return Self { stream, ack, idle: Duration::from_millis(200) };
        }
        let script = ScriptArgs { tokens: 64, tokens_per_second: 20.0, first_token_ms: 50 };
        let stream = StreamShape { streams: 200, seconds: 15, script };
        let ack = AckShape { rate: 500.0, seconds: 15, connections: 100 };
        Self { stream, ack, idle: Duration::from_secs(10) }
    }
}

pub(super) async fn measure(setup: &Setup, shape: Shape) -> Result<Finding> {
    let local = way(setup, (&["both"], "cluster, local path"), &shape).await?;
    let relayed = way(setup, (&["edge", "owner"], "cluster, through another node"), &shape).await?;
    let row = |what: &str, key| Row {
        what: what.to_owned(),
        unit: "us",
        onya: relayed.get(key),
        beside: local.get(key),
        mark: Mark::Times(2.0, "local"),
    };
    let rows = vec![
        row("CPU of a token through another node, beside the local path", "cpu_per_token"),
        row("CPU of a message through another node, beside the local path", "cpu_per_message"),
    ];
    Ok(Finding { rows, figures: vec![local, relayed] })
}

/// Measures one way. Sockets go to the first node; CPU time is that of all nodes, less what they use when idle.
async fn way(setup: &Setup, (roles, name): (&[&str], &str), shape: &Shape) -> Result<Figures> {
    let nodes = Nodes::start(setup, roles, shape.stream.script).await?;
    let mut target = Target::clone(nodes.target(0));
    for index in 1..roles.len() {
        let other = nodes.target(index).watched()?.clone();
        target.process = target.process.map(|process| process.with(other));
    }
    let target = Arc::new(target);
    let mut figures = Figures::of(name);
    let idle = idle_share(&target, shape.idle).await?;
    figures.add("cpu_when_idle", idle * 100.0, "% of a processor");
    let streams = stream::measure(Arc::clone(&target), shape.stream).await?;
    let per_second = streams.get("tokens_per_second").unwrap_or(0.0);
    net(&mut figures, (&streams, "token"), idle / per_second.max(1.0));
    let acks = ack::measure(target, shape.ack, None).await?;
    net(&mut figures, (&acks, "message"), idle / shape.ack.rate);
    nodes.end().await?;
    Ok(figures)
}

/// CPU time that nodes use which do nothing, as a share of one processor.
async fn idle_share(target: &Target, length: Duration) -> Result<f64> {
    progress(&format!("relay: nothing for {} s", length.as_secs()));
    let before = target.watched()?.cpu()?;
    sleep(length).await;
    Ok(target.watched()?.cpu()?.since(&before) as f64 / length.as_nanos() as f64)
}

/// Adds the figures of a load, and its CPU time without what is used anyway, given in s for one operation.
fn net(figures: &mut Figures, (load, operation): (&Figures, &str), anyway: f64) {
    let all = load.get(&format!("server_cpu_per_{operation}")).unwrap_or(f64::NAN);
    figures.add(&format!("cpu_per_{operation}"), all - anyway * 1e6, "us");
    for figure in &load.figures {
        figures.add(&format!("{}_{}", load.measure, figure.key), figure.value, &figure.unit);
    }
    figures.problems.extend(load.problems.iter().cloned());
}
