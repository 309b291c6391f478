//! The Redis that the nodes of a cluster leave signs of life in. It is looked at when the server starts, so that a wrong
//! address shows then and not at the first failure of another node.
//!
//! A node of a cluster starts without it all the same: while Redis is gone, nodes that restart must come back.

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use crate::cluster::redis::{Redis, RedisSettings};
use crate::config::{Config, RedisConfig};
use crate::edge::{Probe, ProbeOutcome};

/// Oldest major version that is served.
const MIN_MAJOR: u32 = 7;

/// What the cluster is told, if an address is configured.
pub(super) fn settings(config: &RedisConfig) -> Option<RedisSettings> {
    let password = config.sentinel_password.as_ref().map(|password| password.expose_secret().to_owned());
    Some(RedisSettings {
        url: config.url.as_ref()?.expose_secret().to_owned(),
        sentinel: (config.sentinel_user.clone(), password),
        response_timeout_ms: config.response_timeout_ms,
    })
}

/// Connects if an address is configured, and refuses a server that is too old; and one that does not answer, unless there
/// is a cluster.
pub(super) async fn connect(config: &Config) -> anyhow::Result<Option<RedisProbe>> {
    let Some(settings) = settings(&config.redis) else { return Ok(None) };
    let probe = RedisProbe(Redis::new(&settings).context("redis.url is not usable")?);
    match probe.version().await {
        Ok(version) => refuse_unsupported(&version)?,
        Err(error) if config.is_clustered() => {
            tracing::warn!(%error, "Redis does not answer (redis.url): other nodes that die are noticed later");
        }
        Err(error) => return Err(error).context("Redis does not answer (redis.url)"),
    }
    Ok(Some(probe))
}

/// Whether Redis answers, and its version.
pub(super) struct RedisProbe(Redis);

impl RedisProbe {
    async fn version(&self) -> redis::RedisResult<String> {
        let info = async |connection: &mut _| redis::cmd("INFO").arg("server").query_async::<String>(connection).await;
        let info = self.0.ask(info).await?;
        Ok(version(&info).unwrap_or_default().to_owned())
    }
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
impl Probe for RedisProbe {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn probe(&self) -> ProbeOutcome {
        match self.version().await {
            Ok(version) => ProbeOutcome::Up(format!("redis {version}")),
            Err(_) => ProbeOutcome::Down,
        }
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
