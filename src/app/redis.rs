//! The Redis that a cluster will need. One node needs none; one that is given is checked, so that a wrong address shows
//! at the start and not at the first failure of another node.

use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use crate::config::RedisConfig;
use crate::edge::{Probe, ProbeOutcome};

/// Oldest major version that is served.
const MIN_MAJOR: u32 = 7;

/// A connection that is kept, with the version found at the start.
pub(super) struct Redis {
    connection: ConnectionManager,
    version: String,
}

/// Connects if an address is configured, and refuses a server that is too old.
pub(super) async fn connect(config: &RedisConfig) -> anyhow::Result<Option<Redis>> {
    let Some(url) = &config.url else { return Ok(None) };
    let client = ::redis::Client::open(url.expose_secret()).context("redis.url is not usable")?;
    let limit = Duration::from_millis(config.response_timeout_ms);
    let settings = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(limit))
        .set_response_timeout(Some(limit))
        .set_number_of_retries(1);
    let connecting = client.get_connection_manager_with_config(settings);
    let mut connection = connecting.await.context("Redis does not answer (redis.url)")?;
    let info: String = ::redis::cmd("INFO").arg("server").query_async(&mut connection).await.context("Redis: INFO")?;
    let version = version(&info).context("Redis does not tell its version")?.to_owned();
    refuse_unsupported(&version)?;
    Ok(Some(Redis { connection, version }))
}

fn version(info: &str) -> Option<&str> {
    info.lines().find_map(|line| line.strip_prefix("redis_version:")).map(str::trim)
}

fn refuse_unsupported(version: &str) -> anyhow::Result<()> {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let is_supported = major.is_some_and(|major| major >= MIN_MAJOR);
    ensure!(is_supported, "Redis {version} is not supported: Onya needs {MIN_MAJOR} or newer (redis.url)");
    Ok(())
}

#[async_trait]
impl Probe for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn probe(&self) -> ProbeOutcome {
        let pong = ::redis::cmd("PING").query_async::<()>(&mut self.connection.clone()).await;
        if pong.is_ok() { ProbeOutcome::Up(format!("redis {}", self.version)) } else { ProbeOutcome::Down }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_among_the_rest() {
        assert_eq!(version("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"), Some("7.0.15"));
        assert_eq!(version("# Server\r\n"), None);
    }

    #[test]
    fn a_version_that_is_old_or_cannot_be_read_is_refused_by_name() {
        for supported in ["7.0.15", "8.0.0", "10.1"] {
            refuse_unsupported(supported).unwrap();
        }
        for refused in ["6.2.7", "", "unstable", "v7", "-7.0"] {
            let line = refuse_unsupported(refused).unwrap_err().to_string();
            assert_eq!(line, format!("Redis {refused} is not supported: Onya needs 7 or newer (redis.url)"));
        }
    }
}
