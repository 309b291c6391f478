//! Where the nodes of a cluster find each other.

use secrecy::SecretString;
use serde::Deserialize;

use super::rule::Rule;

/// Section `[redis]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://…` or `rediss://…`; none for a single node.
    pub url: Option<SecretString>,
    /// Longest wait for an answer, in milliseconds.
    pub response_timeout_ms: u64,
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("redis.url", "redis://… or rediss://…", is_url).optional().url_secret(),
    Rule::integer("redis.response_timeout_ms", 50, 10_000),
];

fn is_url(text: &str) -> bool {
    ["redis://", "rediss://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}
