//! The built server: started, killed without a warning, started again on the same data.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context as _, Result};
use onya_servers::process::{Kin, PATIENCE, mortal};
use rustix::process::{Pid, Signal};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

use crate::history::Event;

/// Wait before a server that could not start is started again.
const RESTART: Duration = Duration::from_millis(200);
/// Times that a subcommand is tried.
const ATTEMPTS: usize = 5;

/// How a server is started.
#[derive(Clone)]
pub(crate) struct Launch {
    /// The node's name.
    pub name: String,
    pub program: PathBuf,
    pub folder: PathBuf,
    pub variables: BTreeMap<String, String>,
}

/// A running server.
pub(crate) struct Server {
    process: Kin,
    pub address: SocketAddr,
    metrics: SocketAddr,
}

/// Counters that a server had when it was last asked, by their line without the number.
pub(crate) type Counters = BTreeMap<String, u64>;

impl Launch {
    fn command(&self) -> Command {
        let mut command = mortal("KILL");
        command.arg(&self.program).current_dir(&self.folder).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("ONYA_NODE__NAME", &self.name).envs(&self.variables);
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Starts it and waits until it is ready. One that cannot reach its database ends, and is started again, as whoever
    /// looks after servers would.
    pub(crate) async fn start(&self) -> Result<Server> {
        let start = Instant::now();
        loop {
            match self.start_once().await {
                Err(_) if start.elapsed() < PATIENCE => tokio::time::sleep(RESTART).await,
                outcome => return outcome,
            }
        }
    }

    async fn start_once(&self) -> Result<Server> {
        let mut command = self.command();
        command.arg("serve");
        let mut process = Kin::start(command, &self.log())?;
        let line = process.line().await.with_context(|| format!("onya is not ready, see {}", self.log().display()))?;
        let (address, metrics) = announced(&line).with_context(|| format!("no addresses in {line:?}"))?;
        Ok(Server { process, address, metrics })
    }

    /// Runs a subcommand to its end, and gives what it prints; again if it fails at first.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String> {
        for _ in 1..ATTEMPTS {
            if let Ok(printed) = self.run_once(arguments).await {
                return Ok(printed);
            }
        }
        self.run_once(arguments).await
    }

    async fn run_once(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "onya {arguments:?}: {said}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Runs a subcommand to its end, whatever comes of it.
    pub(crate) async fn output(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command().args(arguments).output().await?)
    }

    /// What all its servers have said.
    pub(crate) fn logged(&self) -> Result<String> {
        let log = self.log();
        std::fs::read_to_string(&log).with_context(|| format!("{} cannot be read", log.display()))
    }
}

impl Server {
    /// Ends it without a warning.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.process.kill().await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        self.process.pid()
    }

    /// Waits until it has ended by itself; its exit code.
    pub(crate) async fn stopped(mut self) -> Result<Option<i32>> {
        self.process.ended().await?;
        Ok(self.process.status().and_then(|status| status.code()))
    }

    /// Adds what its counters show.
    pub(crate) async fn count(&self, counters: &mut Counters) {
        // A server that does not answer has counted what nobody will know.
        for line in self.page("metrics").await.unwrap_or_default().lines() {
            if let Some((name, number)) = line.rsplit_once(' ')
                && let Ok(number) = number.parse::<u64>()
            {
                *counters.entry(name.to_owned()).or_default() += number;
            }
        }
    }

    /// A page of the metrics' port, if it answers.
    pub(crate) async fn page(&self, name: &str) -> Option<String> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().ok()?;
        client.get(format!("http://{}/{name}", self.metrics)).send().await.ok()?.text().await.ok()
    }

    /// The exit code, if it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<Option<i32>> {
        self.process.status().map(|status| status.code())
    }
}

/// Reads `onya: http://ADDRESS (metrics: http://ADDRESS/metrics)`.
fn announced(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (server, metrics) = line.strip_prefix("onya: http://")?.split_once(" (metrics: http://")?;
    Some((server.parse().ok()?, metrics.strip_suffix("/metrics)")?.parse().ok()?))
}

/// The claims that a log in JSON tells of. A line that a kill has cut short says nothing.
pub(crate) fn claims_in(log: &str) -> Vec<Event> {
    let claim = |line: &str| {
        let line: Value = serde_json::from_str(line).ok().filter(|line: &Value| line["message"] == "claimed")?;
        let conversation = line["conversation"].as_str()?.parse().ok()?;
        Some(Event::Claimed { conversation, epoch: line["epoch"].as_u64()?, seq: line["seq"].as_u64()? })
    };
    log.lines().filter_map(claim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_from_the_log_and_torn_lines_are_not() {
        let id = uuid::Uuid::nil();
        let line = format!(r#"{{"level":"DEBUG","message":"claimed","conversation":"{id}","epoch":3,"seq":17}}"#);
        let log = format!("{{\"message\":\"starting\"}}\n{line}\n{}", &line[..40]);
        let claims = claims_in(&log);
        assert!(matches!(claims[..], [Event::Claimed { conversation, epoch: 3, seq: 17 }] if conversation == id));
    }
}
