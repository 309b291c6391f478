//! Where traces go.

use serde::Deserialize;

use super::rule::{Rule, is_http_url};

/// Section `[trace]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// Collector that speaks OTLP over HTTP; none: no traces.
    pub otlp_endpoint: Option<String>,
    /// Part of the traces that is sent, 0.0 to 1.0.
    pub sampling_rate: f64,
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("trace.otlp_endpoint", "an http:// or https:// address", is_http_url).optional(),
    Rule::float("trace.sampling_rate", 0.0, 1.0),
];
