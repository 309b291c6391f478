//! How the server stops.

use serde::Deserialize;

use super::rule::Rule;

/// Section `[drain]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainConfig {
    /// Time that replies in progress get to finish, in milliseconds.
    pub reply_limit_ms: u64,
    /// Time over which sockets are asked to leave, in milliseconds.
    pub sockets_window_ms: u64,
}

pub(super) const RULES: &[Rule] =
    &[Rule::integer("drain.reply_limit_ms", 0, 600_000), Rule::integer("drain.sockets_window_ms", 0, 600_000)];
