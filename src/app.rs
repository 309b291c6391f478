//! Composition root: settings → adapters → actors → edge, and back in reverse when the process is told to stop.

use crate::config::Config;
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
