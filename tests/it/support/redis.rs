//! A Redis of a test's own, to be killed, stopped and emptied.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::eventually;
use super::nginx::free_address;

/// One server on a free port, with its files in a folder of its own. It is killed when the test ends.
pub struct RedisServer {
    address: SocketAddr,
    folder: TempDir,
    arguments: Vec<String>,
    process: Child,
}

impl RedisServer {
    /// Starts it and waits until it answers.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same, with arguments of the test's own.
    pub async fn with(arguments: &[&str]) -> Self {
        let (address, folder) = (free_address(), tempfile::tempdir().unwrap());
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let process = launch(address, folder.path(), &arguments);
        let mut redis = Self { address, folder, arguments, process };
        redis.answers().await;
        redis
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// A connection to it, for whoever may have one without a password.
    pub async fn connection(&self) -> redis::aio::MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// Runs one command.
    pub async fn command(&self, words: &[&str]) -> redis::Value {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.connection().await).await.unwrap()
    }

    /// Ends it without a warning.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Starts it again at the same address, with nothing in it.
    pub async fn restart(&mut self) {
        self.process = launch(self.address, self.folder.path(), &self.arguments);
        self.answers().await;
    }

    /// Stands still until [`RedisServer::resume`].
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Goes on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    async fn answers(&mut self) {
        let address = self.address;
        eventually(async || {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "redis-server ended: {}", self.log());
            tokio::net::TcpStream::connect(address).await.ok()
        })
        .await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("redis.log")).unwrap_or_default()
    }
}

fn launch(address: SocketAddr, folder: &Path, arguments: &[String]) -> Child {
    let Ok(program) = std::env::var("TEST_REDIS_SERVER") else {
        panic!("TEST_REDIS_SERVER is not set: run ./tests/run, which finds or installs redis-server");
    };
    // The kernel ends it too if this process is killed before it can.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", &program]);
    // A sentinel writes into its file, which comes first.
    let (file, rest) = arguments.split_at(usize::from(arguments.first().is_some_and(|first| first.starts_with('/'))));
    command.args(file).args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
    command.arg("--dir").arg(folder).arg("--logfile").arg(folder.join("redis.log"));
    command.args(rest).stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}
