//! What a node between costs: tokens and messages on one node, and the same through an edge to an owner, in turn.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Finding;
use super::nodes::{Nodes, Setup};
use crate::figures::{Figures, spread};
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
    /// How often each way is measured, in turn: the machine is not as fast in one minute as in the next.
    rounds: usize,
    /// Length of the look at nodes that do nothing.
    idle: Duration,
}

impl Shape {
    pub(super) fn of(quick: bool) -> Self {
        if quick {
            let script = ScriptArgs { tokens: 8, tokens_per_second: 100.0, first_token_ms: 10 };
            let stream = StreamShape { streams: 5, seconds: 1, script };
            let ack = AckShape { rate: 50.0, seconds: 1, connections: 5 };
            return Self { stream, ack, rounds: 1, idle: Duration::from_millis(200) };
        }
        let script = ScriptArgs { tokens: 64, tokens_per_second: 20.0, first_token_ms: 50 };
        let stream = StreamShape { streams: 200, seconds: 8, script };
        let ack = AckShape { rate: 500.0, seconds: 8, connections: 100 };
        Self { stream, ack, rounds: 3, idle: Duration::from_secs(10) }
    }
}

/// A way that tokens and messages take.
struct Way {
    nodes: Nodes,
    target: Arc<Target>,
    /// What the nodes use when they do nothing, as a share of one processor.
    idle: f64,
    figures: Figures,
    /// CPU time of a token and of a message in each round, in us.
    tokens: Vec<f64>,
    messages: Vec<f64>,
}

pub(super) async fn measure(setup: &Setup, shape: Shape) -> Result<Finding> {
    let mut local = Way::open(setup, (&["both"], "cluster, local path"), &shape).await?;
    let mut relayed = Way::open(setup, (&["edge", "owner"], "cluster, through another node"), &shape).await?;
    for round in 1..=shape.rounds {
        progress(&format!("relay: round {round} of {}", shape.rounds));
        local.stream(&shape).await?;
        relayed.stream(&shape).await?;
        local.ack(&shape).await?;
        relayed.ack(&shape).await?;
    }
    let (local, relayed) = (local.close().await?, relayed.close().await?);
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

impl Way {
    /// Starts the nodes. Sockets go to the first one; CPU time is that of all.
    async fn open(setup: &Setup, (roles, name): (&[&str], &str), shape: &Shape) -> Result<Self> {
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
        Ok(Self { nodes, target, idle, figures, tokens: Vec::new(), messages: Vec::new() })
    }

    async fn stream(&mut self, shape: &Shape) -> Result<()> {
        let load = stream::measure(Arc::clone(&self.target), shape.stream).await?;
        let per_second = load.get("tokens_per_second").unwrap_or(0.0).max(1.0);
        let net = self.take(load, "server_cpu_per_token", per_second);
        self.tokens.push(net);
        Ok(())
    }

    async fn ack(&mut self, shape: &Shape) -> Result<()> {
        let load = ack::measure(Arc::clone(&self.target), shape.ack, None).await?;
        let net = self.take(load, "server_cpu_per_message", shape.ack.rate);
        self.messages.push(net);
        Ok(())
    }

    /// Takes in a load's figures, and gives its CPU time of one operation in us without what is used anyway.
    fn take(&mut self, load: Figures, key: &str, per_second: f64) -> f64 {
        let net = load.get(key).unwrap_or(f64::NAN) - self.idle * 1e6 / per_second;
        for figure in load.figures {
            self.figures.add(&format!("{}_{}", load.measure, figure.key), figure.value, &figure.unit);
        }
        self.figures.problems.extend(load.problems);
        net
    }

    /// Ends the nodes; the figures of all rounds, and the medians.
    async fn close(self) -> Result<Figures> {
        self.nodes.end().await?;
        let mut figures = self.figures;
        for (key, rounds) in [("cpu_per_token", self.tokens), ("cpu_per_message", self.messages)] {
            let [least, middle, most] = spread(rounds);
            figures.add(key, middle, "us");
            figures.add(&format!("{key}_least"), least, "us");
            figures.add(&format!("{key}_most"), most, "us");
        }
        Ok(figures)
    }
}

/// CPU time that nodes use which do nothing, as a share of one processor.
async fn idle_share(target: &Target, length: Duration) -> Result<f64> {
    progress(&format!("relay: nothing for {} s", length.as_secs()));
    let before = target.watched()?.cpu()?;
    sleep(length).await;
    Ok(target.watched()?.cpu()?.since(&before) as f64 / length.as_nanos() as f64)
}
