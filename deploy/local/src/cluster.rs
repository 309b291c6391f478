//! The processes of the cluster: PostgreSQL, Redis, the proxy and the nodes, with all their files in one private folder.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use onya_servers::process::{Kin, PATIENCE, mortal};
use onya_servers::{free_port, nginx, postgres, redis};
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::command::{Command, Verb};
use crate::look::Process;
use crate::programs::Programs;

/// So many nodes have room in PostgreSQL's connections.
const MOST_NODES: usize = 9;
const GLANCE: Duration = Duration::from_millis(20);
/// Any key will do, as long as it is the same everywhere and nobody uses it for more than this.
const SIGNING_KEYS: &str = "local:6f6e79612d6c6f63616c2d636c75737465722d6f6e6c792d666f722d6c6f6f6b";

/// Everything that runs.
pub(crate) struct Cluster {
    programs: Programs,
    folder: TempDir,
    servers: Vec<(&'static str, Kin)>,
    database: String,
    redis: String,
    proxy: SocketAddr,
    /// To whom the proxy passes on.
    behind: Vec<SocketAddr>,
    pub nodes: Vec<Node>,
}

/// A node, whether it runs or not.
pub(crate) struct Node {
    pub name: String,
    pub metrics: SocketAddr,
    pub address: SocketAddr,
    link: u16,
    process: Kin,
    paused: bool,
}

impl Cluster {
    /// Nothing yet but a folder, and the address at which the proxy will be.
    pub(crate) fn new(programs: Programs, port: u16) -> Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port));
        let proxy =
            listener.with_context(|| format!("port {port} is taken; choose another one: --port 8080"))?.local_addr()?;
        let folder = tempfile::Builder::new().prefix("onya-local.").tempdir()?;
        // As root, PostgreSQL and nginx's workers run as somebody else, who must get through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
        let (servers, behind, nodes) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { programs, folder, servers, database: String::new(), redis: String::new(), proxy, behind, nodes })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) const fn database(&self) -> &String {
        &self.database
    }

    /// Where browsers go.
    pub(crate) const fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    /// Starts the servers and so many nodes, and waits until all are ready.
    pub(crate) async fn start(&mut self, nodes: usize) -> Result<()> {
        self.start_postgres().await?;
        self.start_redis().await?;
        for _ in 0..nodes {
            self.add()?;
            // The first one migrates.
            self.nodes.last_mut().context("no node")?.ready(self.folder.path()).await?;
        }
        self.start_proxy().await
    }

    async fn start_postgres(&mut self) -> Result<()> {
        let (bin, data, port) = (&self.programs.postgres, self.folder.path().join("postgres"), free_port()?);
        postgres::initdb(bin, &data).await?;
        let command = postgres::server(bin, &data, port)?;
        self.launch("postgres", command)?;
        self.database = postgres::url(port, "postgres");
        let url = self.database.clone();
        self.until("postgres", async || PgConnection::connect(&url).await.is_ok()).await
    }

    async fn start_redis(&mut self) -> Result<()> {
        let port = free_port()?;
        let mut command = mortal("TERM");
        command.arg(&self.programs.redis).args(redis::arguments(self.folder.path(), port));
        self.launch("redis", command)?;
        self.redis = format!("redis://127.0.0.1:{port}");
        let address = format!("127.0.0.1:{port}");
        self.until("redis", async || TcpStream::connect(&address).await.is_ok()).await
    }

    async fn start_proxy(&mut self) -> Result<()> {
        self.behind = self.nodes.iter().map(|node| node.address).collect();
        self.write_site()?;
        let folder = self.folder.path();
        // As in README.md of deploy/nginx: after a change, old workers keep their sockets for as long as that.
        let main = nginx::main_file(folder, "worker_processes 1;\nworker_shutdown_timeout 10m;");
        std::fs::write(folder.join("nginx.conf"), main)?;
        // Not KILL: its workers would stay.
        let mut command = mortal("TERM");
        command.arg(&self.programs.nginx).arg("-p").arg(folder);
        command.arg("-e").arg(self.log("nginx")).arg("-c").arg(folder.join("nginx.conf"));
        self.launch("nginx", command)?;
        let address = self.proxy;
        self.until("nginx", async || TcpStream::connect(address).await.is_ok()).await
    }

    fn write_site(&self) -> Result<()> {
        let site = nginx::site(self.proxy, &self.behind, self.folder.path())?;
        Ok(std::fs::write(self.folder.path().join("onya.conf"), site)?)
    }

    /// The proxy passes on to these nodes from now on, as one does that follows which are ready.
    pub(crate) fn pass_on_to(&mut self, names: &[&str]) -> Result<()> {
        let ready = self.nodes.iter().filter(|node| names.contains(&node.name.as_str()));
        let behind: Vec<SocketAddr> = ready.map(|node| node.address).collect();
        if behind.is_empty() || behind == self.behind {
            return Ok(());
        }
        self.behind = behind;
        self.write_site()?;
        self.servers.iter().filter(|(name, _)| *name == "nginx").for_each(|(_, nginx)| nginx.signal(Signal::HUP));
        Ok(())
    }

    fn log(&self, name: &str) -> PathBuf {
        log_of(self.folder.path(), name)
    }

    fn launch(&mut self, name: &'static str, mut command: tokio::process::Command) -> Result<()> {
        command.current_dir(self.folder.path());
        let process = Kin::start(command, &self.log(name))?;
        self.servers.push((name, process));
        Ok(())
    }

    /// Waits until the newest server is ready.
    async fn until(&mut self, name: &str, is_ready: impl AsyncFn() -> bool) -> Result<()> {
        let (start, log) = (Instant::now(), self.log(name));
        while !is_ready().await {
            let has_ended = self.servers.last_mut().is_none_or(|(_, process)| process.has_ended());
            if has_ended || start.elapsed() > PATIENCE {
                bail!("{name} does not come up:\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Carries out what is to be done to a node; what is to be said about it.
    pub(crate) fn carry_out(&mut self, command: &Command) -> Result<String> {
        match command {
            Command::Node(Verb::Restart, name) => self.restart(name)?,
            Command::Node(verb, name) => self.running(name)?.signal(*verb),
            Command::Add => self.add()?,
            Command::Traffic | Command::Quit => {}
        }
        Ok(format!("you: {command}"))
    }

    fn node(&mut self, name: &str) -> Result<&mut Node> {
        self.nodes.iter_mut().find(|node| node.name == name).with_context(|| format!("there is no {name}"))
    }

    fn running(&mut self, name: &str) -> Result<&mut Node> {
        let node = self.node(name)?;
        anyhow::ensure!(!node.process.has_ended(), "{name} does not run");
        Ok(node)
    }

    fn restart(&mut self, name: &str) -> Result<()> {
        let node = self.node(name)?;
        anyhow::ensure!(node.process.has_ended(), "{name} runs");
        let (address, metrics, link) = (node.address, node.metrics, node.link);
        let process = self.serve(name, [address.port(), metrics.port(), link])?;
        let node = self.node(name)?;
        (node.process, node.paused) = (process, false);
        Ok(())
    }

    fn add(&mut self) -> Result<()> {
        anyhow::ensure!(self.nodes.len() < MOST_NODES, "{MOST_NODES} nodes are as many as there may be");
        let (name, ports) = (format!("node-{}", self.nodes.len() + 1), [free_port()?, free_port()?, free_port()?]);
        std::fs::create_dir(self.folder.path().join(&name))?;
        let process = self.serve(&name, ports)?;
        let [address, metrics] = [ports[0], ports[1]].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        self.nodes.push(Node { name, metrics, address, link: ports[2], process, paused: false });
        Ok(())
    }

    fn serve(&self, name: &str, ports: [u16; 3]) -> Result<Kin> {
        let mut command = self.onya(name);
        let variables = ["PORT", "ONYA_METRICS__PORT", "ONYA_CLUSTER__PORT"];
        command.envs(variables.into_iter().zip(ports.map(|port| port.to_string()))).arg("serve");
        Kin::start(command, &self.log(name))
    }

    fn onya(&self, name: &str) -> tokio::process::Command {
        let mut command = mortal("KILL");
        command.arg(&self.programs.onya).current_dir(self.folder.path().join(name)).env_clear();
        let port = self.proxy.port();
        command.envs([
            ("ONYA_NODE__NAME", name),
            ("DATABASE_URL", &self.database),
            ("REDIS_URL", &self.redis),
            ("ONYA_AUTH__SIGNING_KEYS", SIGNING_KEYS),
            ("ONYA_LOG__FORMAT", "json"),
            ("ONYA_SERVER__ALLOWED_ORIGINS", &format!("http://127.0.0.1:{port},http://localhost:{port}")),
        ]);
        command
    }

    /// A token for the desk.
    pub(crate) async fn staff_token(&self) -> Result<String> {
        let node = self.nodes.first().context("no node")?;
        let output = self.onya(&node.name).args(["token", "--role", "agent", "--name", "Ana"]).output().await?;
        anyhow::ensure!(output.status.success(), "onya token: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Ends everything, the nodes without a warning: what they store goes with the folder.
    pub(crate) async fn stop(mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.process.kill().await.with_context(|| node.name.clone())?;
        }
        for (name, server) in self.servers.iter_mut().rev() {
            server.signal(if *name == "postgres" { Signal::INT } else { Signal::TERM });
            server.ended().await.with_context(|| (*name).to_owned())?;
        }
        Ok(self.folder.close()?)
    }
}

impl Node {
    fn signal(&mut self, verb: Verb) {
        self.paused ^= verb == Verb::Pause;
        self.process.signal(match verb {
            Verb::Pause if self.paused => Signal::STOP,
            Verb::Pause | Verb::Restart => Signal::CONT,
            Verb::Kill => Signal::KILL,
            // The same path as after `onya drain`.
            Verb::Drain => Signal::TERM,
        });
    }

    async fn ready(&mut self, folder: &Path) -> Result<()> {
        let log = log_of(folder, &self.name);
        self.process.line().await.map(drop).with_context(|| {
            format!("{} is not ready:\n{}", self.name, std::fs::read_to_string(log).unwrap_or_default())
        })
    }

    /// Its id, until it has ended.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.process.pid().map(|pid| pid.as_raw_nonzero().get())
    }

    /// How it stands.
    pub(crate) fn process(&mut self) -> Process {
        use std::os::unix::process::ExitStatusExt as _;
        match self.process.status() {
            Some(status) if status.signal() == Some(9) => Process::Dead("SIGKILL".to_owned()),
            Some(status) => Process::Dead(status.code().map_or_else(|| status.to_string(), |code| code.to_string())),
            None if self.paused => Process::Paused,
            None => Process::Running,
        }
    }
}

/// Where a process's log is.
pub(crate) fn log_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}
