//! Where conversations are stored.

use std::path::Path;

use secrecy::SecretString;
use serde::Deserialize;

use super::rule::Rule;

/// Section `[database]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://…` or `sqlite://…`; SQLite under the data folder when none is configured.
    pub url: SecretString,
    /// Connections in the pool.
    pub max_connections: u32,
    /// Longest wait for a free connection, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// Longest time for one statement, in milliseconds.
    pub statement_timeout_ms: u64,
    /// Longest wait for a lock, in milliseconds.
    pub lock_timeout_ms: u64,
    /// Batches that may be in flight side by side.
    pub lanes: usize,
    /// Most entries in one batch.
    pub max_batch_rows: usize,
    /// Bytes of text that may wait to be stored.
    pub max_queued_bytes: usize,
    /// Months after the current one for which `onya maintain` makes partitions.
    pub partition_months_ahead: u32,
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("database.url", "postgres://user:password@host/name or sqlite://path", is_url).optional().url_secret(),
    Rule::integer("database.max_connections", 2, 500),
    Rule::integer("database.acquire_timeout_ms", 100, 60_000),
    Rule::integer("database.statement_timeout_ms", 100, 60_000),
    Rule::integer("database.lock_timeout_ms", 10, 60_000),
    Rule::integer("database.lanes", 1, 64),
    Rule::integer("database.max_batch_rows", 1, 4096),
    Rule::integer("database.max_queued_bytes", 1_048_576, 4_294_967_296),
    Rule::integer("database.partition_months_ahead", 1, 24),
];

fn is_url(text: &str) -> bool {
    ["postgres://", "postgresql://", "sqlite:"]
        .iter()
        .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

/// The URL of the embedded database in this folder. `%`, `?` and `#` mean something in a URL and are escaped.
pub(super) fn embedded_url(data_dir: &Path) -> String {
    let file = data_dir.join("onya.db").to_string_lossy().into_owned();
    format!("sqlite://{}", file.replace('%', "%25").replace('?', "%3F").replace('#', "%23"))
}
