//! A round of the handle: each conversation submits its next append when it has heard of the one before.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use onya::telemetry::names::{APPEND_BATCH_CONVERSATIONS, Kind, METRICS};
use onya_actors::persistence::{Bounds, Standalone};
use onya_actors::ports::{AppendOutcome, EventLog, StoreError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Duration, Instant};

use crate::round::{Round, Start};
use crate::script::{Script, Step, Talk};

/// The outcome of an append, whose it was, and the time it took.
type Heard = (usize, Result<AppendOutcome, StoreError>, Duration);

/// The lanes, and the counters of the process.
pub(crate) struct Handle {
    lanes: Standalone,
    metrics: Counters,
}

impl Handle {
    pub(crate) async fn start(log: &Arc<dyn EventLog>, bounds: Bounds, metrics: &Counters) -> Result<Self> {
        Ok(Self { lanes: Standalone::start(log, bounds).await?, metrics: metrics.clone() })
    }

    pub(crate) async fn stop(self) {
        self.lanes.stop().await;
    }

    /// Stores the script, with one append of each conversation on its way.
    pub(crate) async fn round(&self, talks: &mut [Talk], mut script: Script) -> Result<Round> {
        let (sender, mut heard) = unbounded_channel();
        let appends = script.iter().map(std::collections::VecDeque::len).sum();
        let rows = script.iter().flatten().map(Step::rows).sum();
        let mut latencies = Vec::with_capacity(appends);
        let batches = self.metrics.batches()?;
        let start = Start::now()?;
        for (number, steps) in script.iter_mut().enumerate() {
            if let Some(step) = steps.pop_front() {
                self.submit(number, &talks[number], &step, &sender);
            }
        }
        while latencies.len() < appends {
            let (number, outcome, took) = heard.recv().await.context("an append was not answered")?;
            match outcome {
                Ok(AppendOutcome::Accepted(link)) => talks[number].link = link,
                other => bail!("an append was not stored: {other:?}"),
            }
            latencies.push(took);
            if let Some(step) = script[number].pop_front() {
                self.submit(number, &talks[number], &step, &sender);
            }
        }
        let round = start.end(Round { appends, rows, latencies, ..Round::default() })?;
        Ok(Round { batches: self.metrics.batches()? - batches, ..round })
    }

    fn submit(&self, number: usize, talk: &Talk, step: &Step, sender: &UnboundedSender<Heard>) {
        let (sender, submitted) = (sender.clone(), Instant::now());
        self.lanes.append(talk.append(step), move |outcome| {
            // It fails when the round has failed.
            let _ = sender.send((number, outcome, submitted.elapsed()));
        });
    }
}

/// The server's recorder of metrics: what it costs is part of the handle's cost, and it counts the batches.
#[derive(Clone)]
pub(crate) struct Counters(PrometheusHandle);

impl Counters {
    pub(crate) fn install() -> Result<Self> {
        let builder = METRICS.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
            Kind::Histogram(buckets) => builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets),
            Kind::Counter | Kind::Gauge => Ok(builder),
        })?;
        Ok(Self(builder.install_recorder()?))
    }

    /// Batches that were stored since the process began.
    fn batches(&self) -> Result<usize> {
        self.0.run_upkeep();
        let text = self.0.render();
        let name = format!("{APPEND_BATCH_CONVERSATIONS}_count");
        let count = text.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok());
        // It is not there before the first batch.
        Ok(count.unwrap_or(0))
    }
}
