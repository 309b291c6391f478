//! The built program, on data of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Backend, Database, PATIENCE};

/// How a node is started.
#[derive(Clone)]
pub struct NodeSettings {
    variables: BTreeMap<String, String>,
    database: Database,
    folder: Arc<TempDir>,
}

impl NodeSettings {
    /// The defaults, with a fast mock model, on data that nobody else has.
    pub async fn new(backend: Backend) -> Self {
        let settings = Self {
            variables: BTreeMap::new(),
            database: Database::create(backend).await,
            folder: Arc::new(tempfile::tempdir().unwrap()),
        };
        settings.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", "200")
    }

    /// One more variable of the environment.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.insert(name.to_owned(), value.to_string());
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> TestNode {
        let (process, addresses) = launch(&self).await;
        TestNode { settings: self, process, server: addresses.0, metrics: addresses.1 }
    }

    fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_onya"));
        command.current_dir(self.folder.path()).env_clear();
        command.envs([("PORT", "0"), ("ONYA_METRICS__PORT", "0"), ("LOG_LEVEL", "info")]);
        command.envs(self.database.url().map(|url| ("DATABASE_URL", url)));
        command.envs(&self.variables);
        command
    }
}

/// A running node. It is killed when the test ends.
pub struct TestNode {
    settings: NodeSettings,
    process: Child,
    server: SocketAddr,
    metrics: SocketAddr,
}

impl TestNode {
    /// A node with the defaults.
    pub async fn start(backend: Backend) -> Self {
        NodeSettings::new(backend).await.start().await
    }

    pub fn address(&self) -> SocketAddr {
        self.server
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server)
    }

    /// The address of a socket.
    pub fn socket_url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.server)
    }

    pub fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.metrics)
    }

    /// The origin of the pages that this node serves.
    pub fn origin(&self) -> String {
        format!("http://{}", self.server)
    }

    /// What the node has logged since its first start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_file(self.settings.folder.path())).unwrap()
    }

    /// A token that `onya token` prints with this node's keys.
    pub fn token(&self, arguments: &[&str]) -> String {
        let output = self.settings.command().arg("token").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Ends it without a warning.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Asks it to stop. [`TestNode::ended`] waits for it.
    pub fn terminate(&self) {
        let process = self.process.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &process]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.process.wait()).await.unwrap_or_else(|_| panic!("did not end: {}", self.log())).unwrap()
    }

    /// Starts it again on the same data.
    pub async fn restart(&mut self) {
        if self.process.try_wait().unwrap().is_none() {
            self.kill().await;
        }
        let (process, addresses) = launch(&self.settings).await;
        self.process = process;
        (self.server, self.metrics) = addresses;
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        // The story is not over until it is known: a test that fails shows what the node had to say.
        if std::thread::panicking() {
            eprintln!("--- log of the node ---\n{}", self.log());
        }
    }
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("onya.log")
}

async fn launch(settings: &NodeSettings) -> (Child, (SocketAddr, SocketAddr)) {
    let path = log_file(settings.folder.path());
    let log = std::fs::File::options().create(true).append(true).open(&path).unwrap();
    let mut command = Command::from(settings.command());
    command.arg("serve").stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap_or_else(|_| panic!("not ready: {}", logged(&path)));
    let line = line.unwrap().unwrap_or_else(|| panic!("ended before it was ready: {}", logged(&path)));
    let addresses = announced(&line).unwrap_or_else(|| panic!("no addresses in {line:?}"));
    (process, addresses)
}

fn logged(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Reads `onya: http://ADDRESS (metrics: http://ADDRESS/metrics)`.
fn announced(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let rest = line.strip_prefix("onya: http://")?;
    let (server, metrics) = rest.split_once(" (metrics: http://")?;
    Some((server.parse().ok()?, metrics.strip_suffix("/metrics)")?.parse().ok()?))
}
