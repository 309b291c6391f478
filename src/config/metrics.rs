//! Where `/metrics` is served.

use std::net::IpAddr;

use serde::Deserialize;

use super::rule::{Rule, is_ip_address};

/// Section `[metrics]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address that `/metrics` listens on.
    pub host: IpAddr,
    /// TCP port; 0 takes any free one.
    pub port: u16,
}

pub(super) const RULES: &[Rule] =
    &[Rule::text("metrics.host", "an IP address", is_ip_address), Rule::integer("metrics.port", 0, 65_535)];
