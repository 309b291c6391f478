//! A process of Redis: a server that keeps nothing, or a sentinel.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ::redis::{AsyncConnectionConfig, Client, FromRedisValue};
use anyhow::{Context as _, Result};
use onya_servers::free_port;
use onya_servers::process::{Kin, PATIENCE, mortal};
use onya_servers::redis::{arguments, sentinel_arguments, sentinel_file};
use rustix::process::{Pid, Signal};
use tokio::time::{Duration, Instant, sleep};

use crate::clock::Clock;

/// Longest wait for a connection, and for an answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// Sentinels that must agree that the master is gone.
const QUORUM: usize = 2;
/// Silence after which a sentinel takes the master for gone, in milliseconds.
const DOWN_AFTER_MS: u64 = 1_000;
/// A sentinel looks at servers every second and not every ten, and tells one that takes itself for a master after four. One that
/// got no time for two seconds would do nothing for half a minute; on a busy machine that would be all it does.
const PACE: [&str; 10] = [
    "SENTINEL",
    "DEBUG",
    "INFO-PERIOD",
    "1000",
    "PUBLISH-PERIOD",
    "1000",
    "TILT-TRIGGER",
    "60000",
    "TILT-PERIOD",
    "1000",
];
const GLANCE: Duration = Duration::from_millis(20);

/// A process, with its files in a folder.
pub(super) struct Server {
    folder: PathBuf,
    port: u16,
    arguments: Vec<OsString>,
    /// What it is started with, to have a clock that can be set.
    variables: Vec<(String, String)>,
    process: Kin,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub(super) async fn start(folder: &Path, clock: Option<&Clock>) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let port = free_port()?;
        let variables = clock.map(Clock::variables).into_iter().flatten().collect();
        Self::with(folder, port, (arguments(folder, port), variables)).await
    }

    /// The same for a sentinel, which watches the master at a port.
    pub(super) async fn start_sentinel(folder: &Path, master: u16) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (port, file) = (free_port()?, folder.join("sentinel.conf"));
        std::fs::write(&file, sentinel_file(master, QUORUM, DOWN_AFTER_MS))?;
        let sentinel = Self::with(folder, port, (sentinel_arguments(&file, folder, port), Vec::new())).await?;
        sentinel.ask::<()>(&PACE).await?;
        Ok(sentinel)
    }

    async fn with(
        folder: &Path,
        port: u16,
        (arguments, variables): (Vec<OsString>, Vec<(String, String)>),
    ) -> Result<Self> {
        let process = launch(folder, &arguments, &variables)?;
        let server = Self { folder: folder.to_owned(), port, arguments, variables, process };
        server.ready().await?;
        Ok(server)
    }

    /// Starts it again at its port after it was killed. A server has nothing in it, and is nobody's replica.
    pub(super) async fn start_again(&mut self) -> Result<()> {
        self.process = launch(&self.folder, &self.arguments, &self.variables)?;
        self.ready().await
    }

    pub(super) async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    pub(super) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        self.process.pid()
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The answer to one command.
    pub(super) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let limit = Some(ANSWERS_WITHIN);
        let config = AsyncConnectionConfig::new().set_connection_timeout(limit).set_response_timeout(limit);
        let client = Client::open(("127.0.0.1", self.port))?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let asked = ::redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await;
        asked.with_context(|| words.join(" "))
    }

    /// Whether its account of replication has all of these lines.
    pub(super) async fn says(&self, lines: &[&str]) -> bool {
        let told: String = self.ask(&["INFO", "replication"]).await.unwrap_or_default();
        lines.iter().all(|line| told.lines().any(|told| told == *line))
    }

    pub(super) fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.join("redis.log"))?)
    }

    async fn ready(&self) -> Result<()> {
        let start = Instant::now();
        while self.ask::<String>(&["PING"]).await.is_err() {
            anyhow::ensure!(start.elapsed() < PATIENCE, "Redis does not come up, see {}", self.folder.display());
            sleep(GLANCE).await;
        }
        Ok(())
    }
}

fn launch(folder: &Path, arguments: &[OsString], variables: &[(String, String)]) -> Result<Kin> {
    let program = std::env::var_os("TEST_REDIS_SERVER")
        .context("TEST_REDIS_SERVER is not set, the program redis-server: run ./tests/run faults, or eval \"$(./tests/run setup)\"")?;
    let mut command = mortal("KILL");
    command.arg(program).args(arguments).envs(variables.iter().cloned());
    Kin::start(command, &folder.join("redis.log"))
}
