//! Composition root: settings → adapters → actors → edge, and back in reverse when the process is told to stop.

use secrecy::ExposeSecret as _;

use crate::config::Config;
use crate::store;
use crate::telemetry::Telemetry;

/// Runs the server until it is told to stop.
///
/// # Errors
/// When a part of it cannot start.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let telemetry = Telemetry::start(&config)?;
    tracing::info!(profile = config.profile.name(), "starting");
    tokio::signal::ctrl_c().await?;
    telemetry.shutdown().await;
    Ok(())
}

/// Where the store is, according to the configuration.
pub(crate) fn store_settings(config: &Config) -> store::Settings {
    let database = &config.database;
    store::Settings {
        url: database.url.expose_secret().to_owned(),
        data_dir: config.node.data_dir.clone(),
        max_connections: database.max_connections,
        lanes: database.lanes,
        acquire_timeout_ms: database.acquire_timeout_ms,
        statement_timeout_ms: database.statement_timeout_ms,
        lock_timeout_ms: database.lock_timeout_ms,
    }
}
