//! How the nodes of a cluster find and judge each other.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use super::rule::{Rule, is_ip_address};

/// Section `[cluster]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Address that the link between nodes listens on; that of the server when none is configured.
    pub host: IpAddr,
    /// TCP port of the link; 0 takes any free one.
    pub port: u16,
    /// Where other nodes reach this one, as `host:port`.
    pub advertise: Option<String>,
    /// What this node does.
    pub role: NodeRole,
    /// Time between two heartbeats in the database, in milliseconds.
    pub heartbeat_ms: u64,
    /// Age from which on a heartbeat is stale, in milliseconds.
    pub stale_after_ms: u64,
    /// Life of a lease in Redis that is not renewed, in milliseconds.
    pub lease_ms: u64,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// Holds sockets and owns conversations.
    Both,
    /// Holds sockets only.
    Edge,
    /// Owns conversations only.
    Owner,
}

impl ClusterConfig {
    /// Where other nodes reach this one, given where the link listens; `None` if nobody can tell.
    #[must_use]
    pub fn advertised(&self, listening: SocketAddr) -> Option<String> {
        match &self.advertise {
            Some(address) => Some(address.clone()),
            None if listening.ip().is_unspecified() => None,
            None => Some(listening.to_string()),
        }
    }
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("cluster.host", "an IP address", is_ip_address).optional(),
    Rule::integer("cluster.port", 0, 65_535),
    Rule::text("cluster.advertise", "host:port", is_address).optional(),
    Rule::one_of("cluster.role", &["both", "edge", "owner"]),
    Rule::integer("cluster.heartbeat_ms", 100, 60_000),
    Rule::integer("cluster.stale_after_ms", 300, 600_000),
    Rule::integer("cluster.lease_ms", 300, 60_000),
];

/// A name, an IPv4 address or an IPv6 address in brackets, and a port.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_name = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_host = is_name || text.parse::<SocketAddr>().is_ok();
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["onya-0.onya.chat.svc:7400", "10.0.0.1:1", "[fd00::1]:7400"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["onya-0", ":7400", "onya-0:", "onya-0:0", "onya-0:70000", "http://a:1", "a b:1", "fd00::1:7400"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
