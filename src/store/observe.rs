//! How long the database takes, by query.

use std::future::Future;

use tokio::time::Instant;

/// Histogram: seconds from asking for a connection to the outcome, label `query`.
pub const QUERY_SECONDS: &str = "onya_database_query_seconds";
/// Gauge: connections, label `state`: `idle` or `in_use`.
pub const POOL_CONNECTIONS: &str = "onya_database_pool_connections";

/// Runs a query and records its time under this name.
pub(super) async fn timed<T>(query: &'static str, run: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let outcome = run.await;
    metrics::histogram!(QUERY_SECONDS, "query" => query).record(start.elapsed().as_secs_f64());
    outcome
}

/// Records how many connections there are.
pub(super) fn pool_connections(size: u32, idle: usize) {
    let idle = u32::try_from(idle).unwrap_or(size).min(size);
    metrics::gauge!(POOL_CONNECTIONS, "state" => "idle").set(f64::from(idle));
    metrics::gauge!(POOL_CONNECTIONS, "state" => "in_use").set(f64::from(size - idle));
}
