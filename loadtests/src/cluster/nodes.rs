//! The processes of a measurement: Redis, the scripted model and the nodes, on a database of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use onya_servers::free_port;
use rustix::process::Signal;
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::child::Kin;
use crate::database::Database;
use crate::output::progress;
use crate::report::servers::{Model, announced, target};
use crate::target::Target;
use crate::upstream::ScriptArgs;

/// What differs from how a node is configured by default: where it listens and how much it says.
const ALWAYS: [(&str, &str); 5] = [
    ("PORT", "0"),
    ("ONYA_METRICS__PORT", "0"),
    ("ONYA_CLUSTER__PORT", "0"),
    ("LOG_LEVEL", "warn"),
    // Any key will do, as long as all nodes have the same one.
    ("ONYA_AUTH__SIGNING_KEYS", "load:6c6f61642d746573742d6f6e6c792d6c6f61642d746573742d6f6e6c792d3121"),
];
/// Connections of a node by default: the pool, and one for each lane of appends.
pub(super) const CONNECTIONS_OF_A_NODE: usize = 12;
/// Longest wait for a server to be there, and for a node to be gone.
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(50);

/// With what nodes are started.
pub(super) struct Setup {
    pub bin: PathBuf,
    pub redis: PathBuf,
    pub database: String,
}

/// Everything that runs.
pub(super) struct Nodes {
    folder: TempDir,
    database: Database,
    redis: Kin,
    model: Model,
    nodes: Vec<Node>,
}

struct Node {
    process: Kin,
    target: Arc<Target>,
}

/// A node's view of the members.
#[derive(Deserialize)]
struct View {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    standing: String,
}

impl Nodes {
    /// Starts a node for each role, and waits until each knows that all are live.
    pub(super) async fn start(setup: &Setup, roles: &[&str], script: ScriptArgs) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let redis = redis(&setup.redis, folder.path(), port).await?;
        let (database, model) = (Database::create(&setup.database).await?, Model::start(script).await?);
        let mut all = Self { folder, database, redis, model, nodes: Vec::new() };
        for (index, role) in roles.iter().enumerate() {
            let node = all.node(&setup.bin, (index, role), port).await?;
            all.nodes.push(node);
        }
        all.until_all_are_live().await?;
        Ok(all)
    }

    async fn node(&self, bin: &Path, (index, role): (usize, &str), redis_port: u16) -> Result<Node> {
        let folder = self.folder.path().join(name(index));
        std::fs::create_dir(&folder)?;
        let log = self.log(index);
        let mut command = Command::new(bin);
        // Nothing that happens to be exported here may steer what is measured.
        command.arg("serve").env_clear().envs(ALWAYS).envs(self.model.settings()).current_dir(&folder);
        command.env("DATABASE_URL", self.database.url()).env("REDIS_URL", format!("redis://127.0.0.1:{redis_port}"));
        command.env("ONYA_NODE__NAME", name(index)).env("ONYA_CLUSTER__ROLE", role);
        command.stderr(Stdio::from(std::fs::File::create(&log)?));
        let mut process = Kin::start(command)?;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let line = process.line().await.with_context(|| format!("onya did not start: {}", said()))?;
        let (server, metrics) = announced(&line).with_context(|| format!("onya announced itself as {line:?}"))?;
        let target = target(server, Some(metrics), (&process, false)).await?;
        Ok(Node { process, target })
    }

    async fn until_all_are_live(&self) -> Result<()> {
        let start = Instant::now();
        for node in &self.nodes {
            let members = node.target.metrics_url.as_ref().context("a node without metrics")?.join("/members")?;
            loop {
                let view: View = serde_json::from_str(&reqwest::get(members.clone()).await?.text().await?)?;
                if view.members.iter().filter(|member| member.standing == "live").count() == self.nodes.len() {
                    break;
                }
                ensure!(start.elapsed() < PATIENCE, "the nodes did not find each other");
                sleep(GLANCE).await;
            }
        }
        Ok(())
    }

    fn log(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("{}.log", name(index)))
    }

    pub(super) fn target(&self, index: usize) -> &Arc<Target> {
        &self.nodes[index].target
    }

    pub(super) fn targets(&self) -> Vec<Arc<Target>> {
        self.nodes.iter().map(|node| Arc::clone(&node.target)).collect()
    }

    /// A connection to the database that the nodes use.
    pub(super) async fn connection(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.database.url()).await?)
    }

    /// Kills a node.
    pub(super) fn kill(&mut self, index: usize) -> Result<()> {
        self.nodes[index].process.signal(Signal::KILL)
    }

    /// Tells a node to stop.
    pub(super) fn drain(&mut self, index: usize) -> Result<()> {
        self.nodes[index].process.signal(Signal::TERM)
    }

    /// Waits until a node that was told to stop has done so, and gives whether it said that all went well.
    pub(super) async fn ended(&mut self, index: usize) -> Result<bool> {
        Ok(self.nodes[index].process.ended().await?.success())
    }

    /// Ends what still runs and removes all data, after showing what nodes have warned of.
    pub(super) async fn end(mut self) -> Result<()> {
        // Nobody is left to take over: what they held goes with the database.
        for index in 0..self.nodes.len() {
            self.kill(index)?;
            self.ended(index).await?;
            let log = std::fs::read_to_string(self.log(index))?;
            if let Some(last) = log.lines().last() {
                progress(&format!("{} has logged {} lines, the last one: {last}", name(index), log.lines().count()));
            }
        }
        self.model.stop().await?;
        self.redis.stop().await.context("redis")?;
        self.database.drop().await
    }
}

/// How a node is called.
pub(super) fn name(index: usize) -> String {
    format!("node-{}", index + 1)
}

async fn redis(program: &Path, folder: &Path, port: u16) -> Result<Kin> {
    let mut command = Command::new(program);
    command.args(onya_servers::redis::arguments(folder, port));
    let process = Kin::start(command).context("no Redis: name one with --redis-server")?;
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        ensure!(start.elapsed() < PATIENCE, "Redis does not come up");
        sleep(GLANCE).await;
    }
    Ok(process)
}
