//! Records what the `metrics` facade is told, and renders it.

use std::sync::Mutex;
use std::thread;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::Duration;

use super::names::{Kind, METRICS};

/// How often observations are moved into their buckets when nobody asks for them; in between they take memory.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The facade takes one recorder per process, so there is one handle.
static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// What `/metrics` shows. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts recording; a later call gives the same recorder.
    pub(crate) fn install() -> Result<Self, BuildError> {
        let mut installed = INSTALLED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(handle) = &*installed {
            return Ok(Self(handle.clone()));
        }
        let handle = builder()?.install_recorder()?;
        describe();
        keep_up(handle.clone());
        *installed = Some(handle.clone());
        Ok(Self(handle))
    }

    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    METRICS.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        Kind::Histogram(buckets) => builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets),
        Kind::Counter | Kind::Gauge => Ok(builder),
    })
}

fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.unit, metric.description),
            Kind::Gauge => describe_gauge!(metric.name, metric.unit, metric.description),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.unit, metric.description),
        }
    }
}

/// A thread of its own, for as long as the process: it must go on when the runtime is busy, and nothing waits for it.
fn keep_up(handle: PrometheusHandle) {
    let upkeep = move || {
        loop {
            thread::sleep(UPKEEP_INTERVAL);
            handle.run_upkeep();
        }
    };
    if let Err(error) = thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(upkeep) {
        tracing::warn!(%error, "no thread for metrics: observations are sorted only when they are asked for");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::super::names::{ACK_SECONDS, CRASHES_TOTAL, TURNS_TOTAL};
    use super::*;

    #[test]
    fn a_name_says_what_it_is_in_the_way_prometheus_expects() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            assert!(metric.name.starts_with("onya_"), "{}", metric.name);
            let is_counter = matches!(metric.kind, Kind::Counter);
            assert_eq!(metric.name.ends_with("_total"), is_counter, "{}", metric.name);
            assert_eq!(metric.name.ends_with("_seconds"), metric.unit == metrics::Unit::Seconds, "{}", metric.name);
            if let Kind::Histogram(buckets) = metric.kind {
                assert!(buckets.is_sorted(), "{}", metric.name);
            }
        }
    }

    #[test]
    fn what_is_recorded_is_rendered_with_its_meaning_and_its_buckets() {
        let metrics = Metrics::install().unwrap();
        let again = Metrics::install().unwrap();
        metrics::counter!(TURNS_TOTAL, "outcome" => "final").increment(2);
        metrics::counter!(CRASHES_TOTAL).increment(0);
        metrics::histogram!(ACK_SECONDS).record(0.004);
        let text = again.render();
        assert!(text.contains("onya_turns_total{outcome=\"final\"} 2"), "{text}");
        assert!(text.contains("# TYPE onya_ack_seconds histogram"), "{text}");
        assert!(text.contains("# HELP onya_ack_seconds Time from a command to its ack"), "{text}");
        assert!(text.contains("onya_ack_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(metrics.render().contains("onya_crashes_total 0"));
    }

    fn names_in(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names_in(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let calls =
                    ["counter!(", "gauge!(", "histogram!("].into_iter().flat_map(|call| text.split(call).skip(1));
                let literals = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
                names.extend(literals.map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_name_that_a_crate_records_is_in_the_table() {
        let mut used = BTreeSet::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["src/edge", "src/store", "src/llm", "src/cluster", "actors/src"] {
            if root.join(folder).exists() {
                names_in(&root.join(folder), &mut used);
            }
        }
        assert!(!used.is_empty());
        let unknown: Vec<_> = used.iter().filter(|name| METRICS.iter().all(|metric| metric.name != *name)).collect();
        assert!(unknown.is_empty(), "add to telemetry/names.rs: {unknown:?}");
    }
}
