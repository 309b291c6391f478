//! Where the nodes of a cluster leave signs of life.

use secrecy::SecretString;
use serde::Deserialize;

use super::rule::{Rule, is_short_text, is_some_text};

/// Section `[redis]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://…`, `rediss://…`, or either with `+sentinel`; none for a single node.
    pub url: Option<SecretString>,
    /// Name that the sentinels ask for.
    pub sentinel_user: Option<String>,
    /// Password that the sentinels ask for.
    pub sentinel_password: Option<SecretString>,
    /// Longest wait for an answer, in milliseconds.
    pub response_timeout_ms: u64,
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("redis.url", FORM, is_url).optional().url_secret(),
    Rule::text("redis.sentinel_user", "1 to 200 characters", is_short_text).optional(),
    Rule::text("redis.sentinel_password", "text", is_some_text).optional().secret(),
    Rule::integer("redis.response_timeout_ms", 50, 10_000),
];

const FORM: &str = "redis://… or rediss://…, or redis+sentinel://host:port,…/service or rediss+sentinel://…";

fn is_url(text: &str) -> bool {
    let after = |scheme: &str| text.strip_prefix(scheme).filter(|rest| !rest.is_empty());
    let of_sentinels = ["redis+sentinel://", "rediss+sentinel://"].into_iter().find_map(after);
    let names_a_service =
        |rest: &str| rest.split_once('/').is_some_and(|(hosts, path)| !hosts.is_empty() && !path.is_empty());
    ["redis://", "rediss://"].into_iter().find_map(after).is_some() || of_sentinels.is_some_and(names_a_service)
}
