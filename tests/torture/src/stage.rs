//! Everything that a campaign plays on: nodes, their database, their Redis, and the lines between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use onya_servers::postgres::url;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::audit::{self, Auditor, Verified};
use crate::clock::{Clock, Clocks};
use crate::customer::POISON;
use crate::disk::Disk;
use crate::history::{Event, History, Standing};
use crate::line::Line;
use crate::nemesis::{Fault, OURS};
use crate::node::Node;
use crate::postgres::{Postgres, execute};
use crate::proxy::Proxy;
use crate::redis::Redis;
use crate::server::{Counters, Launch, claims_in};
use crate::tables::{Source, WATCH};

/// Size of the disk below SQLite's file.
const DISK_MIB: usize = 64;
/// What a server ends with that others have found dead, or whose name another one has taken.
pub(crate) const FOUND_DEAD: Option<i32> = Some(70);

/// Everything that a campaign plays on.
pub(crate) struct Stage {
    pub history: Arc<History>,
    pub addresses: watch::Sender<Vec<SocketAddr>>,
    pub nodes: Vec<Node>,
    /// Only where there are several nodes.
    pub redis: Option<Redis>,
    /// The small disk below SQLite's file; that of PostgreSQL belongs to its server.
    pub disk: Option<Disk>,
    /// The name of the database on PostgreSQL.
    pub database: String,
    pub counters: Counters,
    auditor: Auditor,
}

/// What is played on.
pub(crate) struct Setting<'a> {
    pub folder: &'a Path,
    pub program: PathBuf,
    pub variables: BTreeMap<String, String>,
    pub faults: &'a [Fault],
    /// More than one only on PostgreSQL.
    pub nodes: usize,
    /// Whether their Redis is behind sentinels.
    pub sentinels: bool,
}

impl Stage {
    /// Makes a database and starts the nodes on it.
    pub(crate) async fn set(setting: Setting<'_>, postgres: Option<&Postgres>) -> Result<Self> {
        let Setting { folder, program, mut variables, faults, nodes, sentinels } = setting;
        anyhow::ensure!(!folder.exists(), "{} holds another campaign", folder.display());
        std::fs::create_dir_all(folder)?;
        let history = Arc::new(History::create(&folder.join("history.jsonl"))?);
        let (mut disk, mut database) = (None, String::new());
        let direct = match postgres {
            Some(server) => {
                database = format!("torture_{}", uuid::Uuid::now_v7().simple());
                execute(&mut server.control("postgres").await?, format!("CREATE DATABASE {database}")).await?;
                server.url(&database)
            }
            None => {
                anyhow::ensure!(nodes == 1, "several nodes need PostgreSQL");
                if faults.contains(&Fault::DiskFull) {
                    disk = Some(Disk::mount(folder, DISK_MIB)?);
                }
                format!("sqlite://{}", disk.as_ref().map_or(folder, Disk::path).join("onya.db").display())
            }
        };
        let auditor = Auditor::new(folder, direct.clone()).await?;
        variables.extend(audit::settings(folder));
        variables.insert("DATABASE_URL".to_owned(), direct);
        let sets_clocks = faults.iter().any(|fault| fault.sets_clocks());
        let clocks = if sets_clocks { Some(Clocks::compile(folder).await?) } else { None };
        let clock = |name: &str| clocks.as_ref().map(|clocks| clocks.clock(name)).transpose();
        let redis = match (nodes, sentinels) {
            (1, _) => None,
            (_, true) => Some(Redis::start_watched(folder, clock("redis")?).await?),
            (_, false) => Some(Redis::start_alone(folder, clock("redis")?).await?),
        };
        let (addresses, counters) = (watch::Sender::new(Vec::new()), Counters::new());
        let mut stage = Self { history, addresses, nodes: Vec::new(), redis, disk, database, counters, auditor };
        let launch = Launch { name: String::new(), program, folder: folder.to_owned(), variables };
        launch.run(&["migrate", "up"]).await?;
        for number in 0..nodes {
            let name = format!("onya-{number}");
            let clock = clock(&name)?;
            let node = stage.node(Launch { name, ..launch.clone() }, clock, postgres).await?;
            stage.nodes.push(node);
        }
        stage.poison(postgres).await?;
        for number in 0..nodes {
            stage.start(number).await?;
        }
        Ok(stage)
    }

    /// A node with its lines. A single one has none to others.
    async fn node(&self, mut launch: Launch, clock: Option<Clock>, postgres: Option<&Postgres>) -> Result<Node> {
        launch.variables.extend(clock.iter().flat_map(Clock::variables));
        let mut set = |name: &str, value: String| drop(launch.variables.insert(name.to_owned(), value));
        let (mut store, mut redis, mut link) = (None, None, None);
        if let Some(server) = postgres {
            let line = Proxy::start(server.port()).await?;
            set("DATABASE_URL", url(line.port(), &self.database));
            store = Some(line);
        }
        if let Some(server) = &self.redis {
            if let Some(port) = server.port() {
                let to_redis = Line::start(port).await?;
                set("REDIS_URL", format!("redis://127.0.0.1:{}", to_redis.port()));
                redis = Some(to_redis);
            } else {
                set("REDIS_URL", server.sentinels_url());
            }
            let to_node = Line::start(0).await?;
            set("ONYA_CLUSTER__ADVERTISE", format!("127.0.0.1:{}", to_node.port()));
            link = Some(to_node);
        }
        Ok(Node { store, redis, link, clock, launch, servers: Vec::new(), drains: false })
    }

    /// From now on there are texts that cannot be stored, and on PostgreSQL each change of owner and each verdict is noted.
    async fn poison(&self, postgres: Option<&Postgres>) -> Result<()> {
        let unlucky = "% 60 61\"%";
        match postgres {
            Some(server) => {
                let check = format!(
                    "ALTER TABLE entries ADD CONSTRAINT poison CHECK \
                     (body NOT LIKE '%{POISON} %' AND NOT (kind = 'turn_ended' AND body LIKE '{unlucky}'))"
                );
                let mut control = server.control(&self.database).await?;
                execute(&mut control, check).await?;
                execute(&mut control, WATCH.to_owned()).await
            }
            None => {
                let mut file = SqliteConnection::connect(&self.sqlite_url()?).await?;
                let trigger = format!(
                    "CREATE TRIGGER poison BEFORE INSERT ON entries WHEN NEW.body LIKE '%{POISON} %' \
                     OR (NEW.kind = 'turn_ended' AND NEW.body LIKE '{unlucky}') \
                     BEGIN SELECT RAISE(ABORT, 'poison'); END"
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&mut file).await?;
                Ok(file.close().await?)
            }
        }
    }

    /// Starts a server under the name of a node, beside the one that may be there.
    pub(crate) async fn start(&mut self, node: usize) -> Result<()> {
        self.nodes[node].start().await?;
        self.history.note(&Event::Started { node: self.nodes[node].name().to_owned() });
        self.announce();
        Ok(())
    }

    /// Kills all servers of some nodes, after a last look at their counters.
    pub(crate) async fn kill(&mut self, nodes: &[usize]) -> Result<()> {
        let mut killed = Vec::new();
        for node in nodes {
            self.nodes[*node].count(&mut self.counters).await;
        }
        for node in nodes {
            killed.append(&mut self.nodes[*node].servers);
            self.stands(*node, Standing::Dead);
        }
        self.announce();
        for server in killed {
            server.kill().await?;
        }
        Ok(())
    }

    /// Kills the older of two servers under one name; it may have found out by itself.
    pub(crate) async fn kill_older(&mut self, node: usize) -> Result<()> {
        let older = self.nodes[node].servers.remove(0);
        self.announce();
        older.count(&mut self.counters).await;
        older.kill().await
    }

    /// Starts nodes again that have ended, as whoever looks after them would. A single one may not end by itself.
    pub(crate) async fn look_after(&mut self) -> Result<()> {
        for number in 0..self.nodes.len() {
            for code in self.nodes[number].ended() {
                let name = self.nodes[number].name();
                let expected = self.nodes.len() > 1 && code == FOUND_DEAD;
                anyhow::ensure!(expected, "{name} ended by itself with {code:?}, see {name}.log");
                self.stands(number, Standing::Dead);
            }
            if self.nodes[number].servers.is_empty() {
                self.announce();
                self.start(number).await?;
            }
        }
        Ok(())
    }

    pub(crate) fn stands(&self, node: usize, standing: Standing) {
        self.history.note(&Event::Stands { node: self.nodes[node].name().to_owned(), standing });
    }

    /// Signs where the chains end now, if that can be done beside a server.
    pub(crate) async fn anchor(&self) -> Result<()> {
        if self.nodes[0].store.is_some() { self.anchor_alone().await } else { Ok(()) }
    }

    /// The same, while no server may be in the way.
    pub(crate) async fn anchor_alone(&self) -> Result<()> {
        self.auditor.anchor().await
    }

    /// What the program itself says of the chains, once all servers are gone.
    pub(crate) async fn verify(&self) -> Result<Verified> {
        self.auditor.verify().await
    }

    /// What a subcommand prints, whatever it ends with.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<String> {
        self.auditor.ask(arguments).await
    }

    /// Tells clients where servers are.
    pub(crate) fn announce(&self) {
        self.addresses.send_replace(self.nodes.iter().flat_map(Node::addresses).collect());
    }

    /// A token for staff.
    pub(crate) async fn staff_token(&self, name: &str, role: &str) -> Result<String> {
        self.nodes[0].launch.run(&["token", "--role", role, "--name", name]).await
    }

    /// Waits until so many commands more are acknowledged; whether they were in time.
    pub(crate) async fn progress(&self, more: usize, patience: Duration) -> bool {
        let goal = self.history.counts().acked + more;
        timeout(patience, self.history.until(|counts| counts.acked >= goal)).await.is_ok()
    }

    /// The address of the file.
    pub(crate) fn sqlite_url(&self) -> Result<String> {
        self.nodes[0].launch.variables.get("DATABASE_URL").cloned().context("no database")
    }

    pub(crate) fn source(&self, postgres: Option<&Postgres>) -> Result<Source> {
        Ok(match postgres {
            Some(server) => Source::Postgres(server.url(&self.database)),
            None => Source::Sqlite(self.sqlite_url()?),
        })
    }

    /// What all nodes have logged.
    pub(crate) fn logged(&self) -> Result<String> {
        self.nodes.iter().map(|node| node.launch.logged()).collect()
    }

    /// Whether Redis holds the lease of each node, and of nobody else.
    pub(crate) async fn has_leases(&self) -> bool {
        let Some(redis) = &self.redis else { return true };
        redis.leases().await == Some(self.nodes.len())
    }

    /// Commands that were cut off as ordered.
    pub(crate) fn cut(&self) -> usize {
        self.nodes.iter().filter_map(|node| node.store.as_ref()).map(Proxy::done).sum()
    }

    /// How often a replica of Redis became the master, where there are sentinels.
    pub(crate) fn failovers(&self) -> Result<Option<u64>> {
        self.redis.as_ref().map_or(Ok(None), Redis::failovers)
    }

    /// Kills all servers, ends what they left running in the database, and hears their logs.
    pub(crate) async fn strike(&mut self, postgres: Option<&Postgres>) -> Result<()> {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        self.kill(&all).await?;
        if let Some(server) = postgres {
            let end = format!("SELECT pg_terminate_backend(pid, 10000) FROM {OURS}");
            execute(&mut server.control(&self.database).await?, end).await?;
        }
        claims_in(&self.logged()?).iter().for_each(|claim| self.history.note(claim));
        self.history.flush()
    }
}
