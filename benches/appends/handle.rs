//! A round of the handle: the lanes that conversations submit to, with the server's counters.

use std::sync::Arc;

use anyhow::Result;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use onya::telemetry::names::{APPEND_BATCH_CONVERSATIONS, Kind, METRICS};
use onya_actors::persistence::{Bounds, Standalone};
use onya_actors::ports::EventLog;
use tokio::task::block_in_place;

use crate::driver::drive;
use crate::round::Round;
use crate::script::{Script, Talk};

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
    pub(crate) fn round(&self, talks: &mut [Talk], script: Script) -> Result<Round> {
        let before = self.metrics.batches()?;
        let round = block_in_place(|| drive(&self.lanes, talks, &script))?;
        Ok(Round { batches: self.metrics.batches()? - before, ..round })
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
