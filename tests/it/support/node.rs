//! The built program, on data of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
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
    disk_kib: Option<usize>,
}

impl NodeSettings {
    /// The defaults, with a fast mock model, on data that nobody else has.
    pub async fn new(backend: Backend) -> Self {
        let settings = Self {
            variables: BTreeMap::new(),
            database: Database::create(backend).await,
            folder: Arc::new(tempfile::tempdir().unwrap()),
            disk_kib: None,
        };
        settings.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", "200")
    }

    /// One more variable of the environment.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.insert(name.to_owned(), value.to_string());
        self
    }

    /// Another node on the same database, with a folder of its own.
    pub fn beside(&self) -> Self {
        Self { folder: Arc::new(tempfile::tempdir().unwrap()), ..self.clone() }
    }

    /// Its data lies on a disk of its own, of this size.
    pub fn on_small_disk(mut self, kib: usize) -> Self {
        self.disk_kib = Some(kib);
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> TestNode {
        let (process, addresses) = launch(&self).await;
        TestNode { settings: self, process, server: addresses.0, metrics: addresses.1 }
    }

    /// Runs a subcommand that ends by itself, with these settings and on this data.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::from(self.command());
        let running = command.args(arguments).kill_on_drop(true).output();
        timeout(PATIENCE, running).await.unwrap_or_else(|_| panic!("onya {arguments:?} did not end by itself")).unwrap()
    }

    /// The address of the database, for those who look into it or disturb it.
    pub fn database_url(&self) -> String {
        let file = || format!("sqlite://{}", self.data_dir().join("onya.db").display());
        self.database.url().unwrap_or_else(file)
    }

    /// The folder of the node's data.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The program with these settings, to be given its arguments.
    pub fn command(&self) -> std::process::Command {
        let mut command = match self.disk_kib {
            None => std::process::Command::new(env!("CARGO_BIN_EXE_onya")),
            Some(kib) => on_small_disk(kib),
        };
        command.current_dir(self.folder.path()).env_clear();
        command.envs([("PORT", "0"), ("ONYA_METRICS__PORT", "0"), ("ONYA_CLUSTER__PORT", "0"), ("LOG_LEVEL", "info")]);
        command.envs(self.database.url().map(|url| ("DATABASE_URL", url)));
        command.envs(&self.variables);
        command
    }
}

/// The program in a mount namespace of its own, where `data` is a small disk in memory.
fn on_small_disk(kib: usize) -> std::process::Command {
    let script = format!("mkdir -p data && mount -t tmpfs -o size={kib}k tmpfs data && exec \"$0\" \"$@\"");
    let mut command = std::process::Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_onya")]);
    command
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

    /// The address of the node's own view of the members.
    pub fn members_url(&self) -> String {
        format!("http://{}/members", self.metrics)
    }

    /// The origin of the pages that this node serves.
    pub fn origin(&self) -> String {
        format!("http://{}", self.server)
    }

    fn data_dir(&self) -> PathBuf {
        self.settings.data_dir()
    }

    /// The data of a node on a small disk, which only its own processes see otherwise.
    pub fn small_disk(&self) -> PathBuf {
        let process = self.process.id().unwrap();
        PathBuf::from(format!("/proc/{process}/root{}", self.data_dir().display()))
    }

    /// The address of the node's database, for those who disturb it.
    pub fn database_url(&self) -> String {
        self.settings.database_url()
    }

    /// Runs a subcommand that ends by itself, on this node's data.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.settings.run(arguments).await
    }

    /// Changes something in the database behind the node's back.
    pub async fn alter(&self, statement: &str) {
        super::database::alter(&self.database_url(), statement).await.unwrap();
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
        self.signal("-TERM");
    }

    /// Stands still until [`TestNode::resume`], with all that it has open.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Goes on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args([signal, &process]).status().unwrap();
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
