//! Everything that a campaign plays on: servers, their database, and the line between them.

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
use crate::customer::POISON;
use crate::disk::Disk;
use crate::history::{Event, History};
use crate::nemesis::{Fault, OURS};
use crate::postgres::{Postgres, execute};
use crate::proxy::Proxy;
use crate::server::{Counters, Launch, Server};
use crate::tables::Source;

/// Size of the disk below SQLite's file.
const DISK_MIB: usize = 64;

/// Everything that a campaign plays on.
pub(crate) struct Stage {
    pub history: Arc<History>,
    pub addresses: watch::Sender<Vec<SocketAddr>>,
    pub proxy: Option<Proxy>,
    /// The small disk below SQLite's file; that of PostgreSQL belongs to its server.
    pub disk: Option<Disk>,
    /// The name of the database on PostgreSQL.
    pub database: String,
    pub counters: Counters,
    launch: Launch,
    auditor: Auditor,
    servers: Vec<Server>,
}

/// What is played on.
pub(crate) struct Setting<'a> {
    pub folder: &'a Path,
    pub program: PathBuf,
    pub variables: BTreeMap<String, String>,
    pub faults: &'a [Fault],
}

impl Stage {
    /// Makes a database and starts a server on it.
    pub(crate) async fn set(setting: Setting<'_>, postgres: Option<&Postgres>) -> Result<Self> {
        let Setting { folder, program, mut variables, faults } = setting;
        anyhow::ensure!(!folder.exists(), "{} holds another campaign", folder.display());
        std::fs::create_dir_all(folder)?;
        let history = Arc::new(History::create(&folder.join("history.jsonl"))?);
        let (mut proxy, mut disk, mut database) = (None, None, String::new());
        match postgres {
            Some(server) => {
                database = format!("torture_{}", uuid::Uuid::now_v7().simple());
                execute(&mut server.control("postgres").await?, format!("CREATE DATABASE {database}")).await?;
                let line = Proxy::start(server.port()).await?;
                variables.insert("DATABASE_URL".to_owned(), url(line.port(), &database));
                proxy = Some(line);
            }
            None => {
                if faults.contains(&Fault::DiskFull) {
                    disk = Some(Disk::mount(folder, DISK_MIB)?);
                }
                let place = disk.as_ref().map_or(folder, Disk::path).join("onya.db");
                variables.insert("DATABASE_URL".to_owned(), format!("sqlite://{}", place.display()));
            }
        }
        let direct = postgres.map(|server| server.url(&database)).or_else(|| variables.get("DATABASE_URL").cloned());
        let auditor = Auditor::new(folder, direct.context("no database")?).await?;
        variables.extend(audit::settings(folder));
        let launch = Launch { program, folder: folder.to_owned(), variables };
        let addresses = watch::Sender::new(Vec::new());
        let servers = Vec::new();
        let counters = Counters::new();
        let mut stage = Self { history, addresses, proxy, disk, database, counters, launch, auditor, servers };
        stage.launch.run(&["migrate", "up"]).await?;
        stage.poison(postgres).await?;
        stage.add_server().await?;
        Ok(stage)
    }

    /// From now on there are texts that cannot be stored.
    async fn poison(&self, postgres: Option<&Postgres>) -> Result<()> {
        let unlucky = "% 60 61\"%";
        match postgres {
            Some(server) => {
                let check = format!(
                    "ALTER TABLE entries ADD CONSTRAINT poison CHECK \
                     (body NOT LIKE '%{POISON} %' AND NOT (kind = 'turn_ended' AND body LIKE '{unlucky}'))"
                );
                execute(&mut server.control(&self.database).await?, check).await
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

    /// Starts one more server under the same name; the number of the one before it.
    pub(crate) async fn add_server(&mut self) -> Result<usize> {
        let started = self.launch.start().await?;
        self.servers.push(started);
        self.history.note(&Event::Started);
        self.announce();
        Ok(self.servers.len().saturating_sub(2))
    }

    /// Kills a server.
    pub(crate) async fn remove_server(&mut self, number: usize) -> Result<()> {
        let killed = self.servers.remove(number);
        self.announce();
        killed.kill(&mut self.counters).await
    }

    /// Kills the server and starts another one. Meanwhile an anchor is made: a server on SQLite keeps the file of anchors
    /// to itself.
    pub(crate) async fn replace_server(&mut self) -> Result<()> {
        self.remove_server(0).await?;
        self.auditor.anchor().await?;
        self.add_server().await.map(drop)
    }

    /// Signs where the chains end now, if that can be done beside a server.
    pub(crate) async fn anchor(&self) -> Result<()> {
        if self.proxy.is_some() { self.auditor.anchor().await } else { Ok(()) }
    }

    /// What the program itself says of the chains, once all servers are gone.
    pub(crate) async fn verify(&self) -> Result<Verified> {
        self.auditor.verify().await
    }

    fn announce(&self) {
        self.addresses.send_replace(self.servers.iter().map(|server| server.address).collect());
    }

    /// The newest server's address.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        self.servers.last().map(|server| server.address).context("no server")
    }

    /// A token for staff.
    pub(crate) async fn staff_token(&self, name: &str) -> Result<String> {
        self.launch.run(&["token", "--role", "agent", "--name", name]).await
    }

    /// Waits until so many commands more are acknowledged; whether they were in time.
    pub(crate) async fn progress(&self, more: usize, patience: Duration) -> bool {
        let goal = self.history.counts().acked + more;
        timeout(patience, self.history.until(|counts| counts.acked >= goal)).await.is_ok()
    }

    /// A server that ended without being told to.
    pub(crate) fn has_lost_a_server(&mut self) -> bool {
        self.servers.iter_mut().any(Server::has_ended)
    }

    /// The address of the file.
    pub(crate) fn sqlite_url(&self) -> Result<String> {
        self.launch.variables.get("DATABASE_URL").cloned().context("no database")
    }

    pub(crate) fn source(&self, postgres: Option<&Postgres>) -> Result<Source> {
        Ok(match postgres {
            Some(server) => Source::Postgres(server.url(&self.database)),
            None => Source::Sqlite(self.sqlite_url()?),
        })
    }

    /// Kills all servers, ends what they left running in the database, and hears their logs.
    pub(crate) async fn strike(&mut self, postgres: Option<&Postgres>) -> Result<()> {
        self.addresses.send_replace(Vec::new());
        for server in self.servers.drain(..) {
            server.kill(&mut self.counters).await?;
        }
        if let Some(server) = postgres {
            let end = format!("SELECT pg_terminate_backend(pid, 10000) FROM {OURS}");
            execute(&mut server.control(&self.database).await?, end).await?;
        }
        self.launch.claims()?.iter().for_each(|claim| self.history.note(claim));
        self.history.flush()
    }
}
