//! Spans to an OTLP collector.

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use opentelemetry_sdk::{Resource, runtime};
use tokio::time::Duration;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use super::TelemetryError;
use crate::config::TraceConfig;

/// Longest time for handing one batch to the collector.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The provider, or none when no collector is configured.
pub(super) fn provider(config: &TraceConfig, node: &str) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
    let client = reqwest::Client::builder().timeout(EXPORT_TIMEOUT).build().map_err(TelemetryError::Client)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(traces_url(endpoint))
        .with_timeout(EXPORT_TIMEOUT)
        .build()?;
    let resource = Resource::builder()
        .with_service_name("onya")
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", node.to_owned()),
        ])
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sampling_rate)));
    let processor = BatchSpanProcessor::builder(exporter, runtime::Tokio).build();
    let builder = SdkTracerProvider::builder().with_resource(resource).with_sampler(sampler);
    Ok(Some(builder.with_span_processor(processor).build()))
}

/// A layer that records Onya's own spans from level INFO on; those of libraries would only name their functions.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let own = Targets::new().with_target("onya", LevelFilter::INFO);
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("onya")).with_location(false);
    layer.with_threads(false).with_filter(own).boxed()
}

/// A collector's address gets the path of traces unless it has it already.
fn traces_url(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn the_path_of_traces_is_added_once() {
        assert_eq!(traces_url("http://collector:4318"), "http://collector:4318/v1/traces");
        assert_eq!(traces_url("http://collector:4318/"), "http://collector:4318/v1/traces");
        assert_eq!(traces_url("http://collector/otlp/v1/traces"), "http://collector/otlp/v1/traces");
    }

    fn config(endpoint: String, sampling_rate: f64) -> TraceConfig {
        TraceConfig { otlp_endpoint: Some(endpoint), sampling_rate }
    }

    /// Reads one request whole, answers 200, and gives the request back.
    async fn answer_one(listener: TcpListener) -> Vec<u8> {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        loop {
            stream.read_buf(&mut request).await.unwrap();
            let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
            let Some(head) = text.find("\r\n\r\n") else { continue };
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            if request.len() >= head + 4 + length.unwrap().parse::<usize>().unwrap() {
                break;
            }
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        request
    }

    fn record(provider: &SdkTracerProvider) {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer(provider)), || {
            tracing::info_span!(target: "onya::test", "a span of ours").in_scope(|| {});
            tracing::info_span!(target: "hyper", "a span of a library").in_scope(|| {});
        });
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_last_spans_reach_the_collector_at_shutdown() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let provider = provider(&config(endpoint, 1.0), "node-7").unwrap().unwrap();
        record(&provider);
        let shutdown = tokio::task::spawn_blocking(move || provider.shutdown());
        let request = answer_one(listener).await;
        shutdown.await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&request);
        assert!(text.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("a span of ours") && text.contains("node-7"), "{text}");
        assert!(!text.contains("a span of a library"), "{text}");
    }

    #[test]
    fn without_a_collector_there_are_no_traces() {
        assert!(provider(&TraceConfig { otlp_endpoint: None, sampling_rate: 1.0 }, "node").unwrap().is_none());
    }
}
