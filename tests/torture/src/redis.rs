//! A Redis of a campaign's own, to be killed, emptied and stopped.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use onya_servers::free_port;
use onya_servers::process::{Kin, PATIENCE, mortal};
use onya_servers::redis::arguments;
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep};

use crate::clock::Clock;

/// A running server, which keeps nothing.
pub(crate) struct Redis {
    folder: PathBuf,
    port: u16,
    process: Kin,
    /// Its wall clock, if it can be set.
    pub clock: Option<Clock>,
}

impl Redis {
    pub(crate) async fn start(folder: &Path, clock: Option<Clock>) -> Result<Self> {
        let port = free_port()?;
        let process = launch(folder, port, clock.as_ref())?;
        let redis = Self { folder: folder.to_owned(), port, process, clock };
        redis.ready().await?;
        Ok(redis)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Kills it and starts it again with nothing in it.
    pub(crate) async fn restart(&mut self, pause: Duration) -> Result<()> {
        self.process.kill().await?;
        sleep(pause).await;
        self.process = launch(&self.folder, self.port, self.clock.as_ref())?;
        self.ready().await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        self.process.pid()
    }

    /// Forgets everything.
    pub(crate) async fn flush(&self) -> Result<()> {
        let answer = self.ask("FLUSHALL").await?;
        anyhow::ensure!(answer.starts_with("+OK"), "FLUSHALL: {answer}");
        Ok(())
    }

    async fn ask(&self, command: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut answer = [0; 64];
        let read = stream.read(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
    }

    async fn ready(&self) -> Result<()> {
        let start = Instant::now();
        while !self.ask("PING").await.is_ok_and(|answer| answer.starts_with("+PONG")) {
            anyhow::ensure!(start.elapsed() < PATIENCE, "Redis does not come up, see {}", self.folder.display());
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn launch(folder: &Path, port: u16, clock: Option<&Clock>) -> Result<Kin> {
    let program = std::env::var_os("TEST_REDIS_SERVER")
        .context("TEST_REDIS_SERVER is not set, the program redis-server: run ./tests/run faults, or eval \"$(./tests/run setup)\"")?;
    let mut command = mortal("KILL");
    command.arg(program).args(arguments(folder, port)).envs(clock.map(Clock::variables).into_iter().flatten());
    Kin::start(command, &folder.join("redis.log"))
}
