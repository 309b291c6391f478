//! What can be seen from outside: logs, traces, metrics.
//!
//! Logs are lines on standard error, readable or JSON, without the text of any message; [`escape`] keeps a value from
//! breaking its line. Traces go to an OTLP collector if one is configured. Metrics are recorded through the `metrics`
//! facade, from any crate and by the names in [`names`], and rendered here for `/metrics`. Nothing here decides what
//! is worth telling: that is said where it happens.
//!
//! Read [`names`] for every metric, [`traceparent`] for how a trace crosses a wire.

pub mod escape;
mod logs;
mod metrics;
pub mod names;
mod panics;
pub mod traceparent;
mod traces;

use metrics_exporter_prometheus::BuildError;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use metrics::Metrics;

use crate::config::{Config, LogConfig};

/// Running telemetry. Keep it until everything else has ended, then call [`Telemetry::shutdown`].
pub struct Telemetry {
    /// What `/metrics` shows.
    pub metrics: Metrics,
    provider: Option<SdkTracerProvider>,
}

/// Which part of the telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is no filter.
    #[error("log.level is not a filter")]
    Filter(#[from] ParseError),
    /// No HTTP client for the collector.
    #[error("the client for the trace collector cannot be made")]
    Client(#[source] reqwest::Error),
    /// No exporter for the collector.
    #[error("the exporter for traces cannot be made")]
    Exporter(#[from] ExporterBuildError),
    /// No recorder for metrics.
    #[error("metrics cannot be recorded")]
    Recorder(#[from] BuildError),
}

impl Telemetry {
    /// Starts logs, traces and metrics for this process. Must run inside a tokio runtime when traces are configured.
    ///
    /// A process has one of each: a second start (several nodes in one test) shares the metrics and leaves the logs
    /// and traces of the first in place.
    ///
    /// # Errors
    /// When the filter, the exporter or the recorder cannot be made.
    pub fn start(config: &Config) -> Result<Self, TelemetryError> {
        let metrics = Metrics::install()?;
        if tracing::dispatcher::has_been_set() {
            return Ok(Self { metrics, provider: None });
        }
        let provider = traces::provider(&config.trace, &config.node.name)?;
        let logs = logs::layer(&config.log, std::io::stderr)?;
        let spans = provider.as_ref().map(traces::layer);
        if tracing_subscriber::registry().with(logs).with(spans).try_init().is_ok() {
            panics::report_without_payload();
        }
        Ok(Self { metrics, provider })
    }

    /// Sends the spans that are still waiting, for at most five seconds.
    pub async fn shutdown(self) {
        let Some(provider) = self.provider else { return };
        // The exporter needs the runtime that this call would otherwise block.
        let outcome = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        if !matches!(outcome, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be sent");
        }
    }
}

/// Starts logs alone, for subcommands that run for a moment. Later starts change nothing.
///
/// # Errors
/// When the filter cannot be made.
pub fn start_logs(config: &LogConfig) -> Result<(), TelemetryError> {
    // A log that is there already is as good.
    let _ = tracing_subscriber::registry().with(logs::layer(config, std::io::stderr)?).try_init();
    Ok(())
}
