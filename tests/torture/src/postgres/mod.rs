//! A PostgreSQL of our own, to be restarted, stopped, cut off and filled; alone, or with a standby that takes its place.
//!
//! With a standby everybody reaches the primary through one line, which leads to whichever that is: addresses stay as they are.
//! A commit waits until the standby has it on its disk, but for the time after a failover until there is a standby again.

mod cluster;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use onya_servers::postgres::url;
use onya_servers::process::PATIENCE;
use rustix::process::Signal;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use self::cluster::Cluster;
pub(crate) use self::cluster::Stop;
use crate::disk::{Disk, is_root};
use crate::line::{Line, State};

const GLANCE: Duration = Duration::from_millis(20);
/// A table that is made where the standby does not hear it.
const UNHEARD: &str = "torture_unheard";
/// Standbys that are not behind for good, or (true) those that commits wait for.
const STREAMS: &str =
    "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND NOT $1 OR sync_state = 'sync'";

/// A running server, or a primary and its standby.
pub(crate) struct Postgres {
    /// One, or two of which either may be the primary.
    clusters: Vec<Cluster>,
    primary: AtomicUsize,
    /// Leads to the primary, where there is a standby.
    line: Option<Line>,
}

impl Postgres {
    /// Makes a cluster below `folder` and starts it, and if so wanted a standby.
    pub(crate) async fn create(folder: &Path, standby: bool) -> Result<Self> {
        let bin = bin()?;
        if !is_root() {
            bail!("the campaigns on PostgreSQL mount a small disk for it and need root: sudo ./tests/run faults");
        }
        let primary = Cluster::create(&bin, folder).await?;
        let mut postgres = Self { clusters: vec![primary], primary: AtomicUsize::new(0), line: None };
        if standby {
            let port = postgres.primary().port();
            postgres.line = Some(Line::start(port).await?);
            postgres.clusters.push(Cluster::follow(&bin, &folder.join("standby"), port).await?);
            postgres.wait_for_standby().await?;
        }
        Ok(postgres)
    }

    /// Where it is reached, whichever is the primary.
    pub(crate) fn port(&self) -> u16 {
        self.line.as_ref().map_or_else(|| self.primary().port(), Line::port)
    }

    /// The disk of the primary.
    pub(crate) fn disk(&self) -> &Disk {
        self.primary().disk()
    }

    /// The address of a database, past every proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        url(self.port(), database)
    }

    /// A session of ours, past every proxy.
    pub(crate) async fn control(&self, database: &str) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.url(database)).await?)
    }

    /// Stops the primary and starts it again.
    pub(crate) async fn restart(&self, stop: Stop) -> Result<()> {
        self.primary().stop(stop).await?;
        self.start_if_ended().await
    }

    /// Servers that could not go on, for want of space say, are started again as their operator would.
    pub(crate) async fn start_if_ended(&self) -> Result<()> {
        for cluster in &self.clusters {
            cluster.start_if_ended().await?;
        }
        Ok(())
    }

    /// Sends a signal to the primary and to all of its processes.
    pub(crate) async fn signal_all(&self, signal: Signal) -> Result<()> {
        self.primary().signal_all(signal).await
    }

    /// Stops the primary for good after some time in which the standby does not hear what is written, and makes that one the
    /// primary. Then the other one is made a standby.
    pub(crate) async fn fail_over(&self, unheard: Duration) -> Result<()> {
        let line = self.line.as_ref().context("there is no standby")?;
        let next = 1 - self.primary.load(Ordering::Relaxed);
        let (primary, standby) = (self.primary(), &self.clusters[next]);
        standby.signal_all(Signal::STOP).await?;
        // What its socket holds it still reads when it goes on, so the connection has to end, too.
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_replication".to_owned();
        let mut control = primary.session().await?;
        execute(&mut control, cut).await?;
        execute(&mut control, "SET synchronous_commit = local".to_owned()).await?;
        execute(&mut control, format!("CREATE TABLE {UNHEARD} ()")).await?;
        sleep(unheard).await;
        primary.stop(Stop::Immediate).await?;
        line.set(State::Cut);
        standby.signal_all(Signal::CONT).await?;
        promote(&mut standby.session().await?).await?;
        self.primary.store(next, Ordering::Relaxed);
        line.lead_to(standby.port());
        line.set(State::Open);
        primary.follow_anew(standby.port()).await?;
        self.wait_for_standby().await
    }

    fn primary(&self) -> &Cluster {
        &self.clusters[self.primary.load(Ordering::Relaxed)]
    }

    /// From then on commits wait for the standby. Its copy was made before that was set, so it does not wait for one itself
    /// when it has become the primary.
    async fn wait_for_standby(&self) -> Result<()> {
        let mut control = self.primary().session().await?;
        streams(&mut control, false).await?;
        execute(&mut control, "ALTER SYSTEM SET synchronous_standby_names = '*'".to_owned()).await?;
        execute(&mut control, "SELECT pg_reload_conf()".to_owned()).await?;
        streams(&mut control, true).await
    }
}

/// Waits until the standby hears everything, or until commits wait for it.
async fn streams(control: &mut PgConnection, synchronously: bool) -> Result<()> {
    let start = Instant::now();
    while sqlx::query_scalar::<_, i64>(STREAMS).bind(synchronously).fetch_one(&mut *control).await? == 0 {
        anyhow::ensure!(start.elapsed() < PATIENCE, "the standby does not follow");
        sleep(GLANCE).await;
    }
    Ok(())
}

async fn promote(standby: &mut PgConnection) -> Result<()> {
    let statement = format!("SELECT pg_promote(true, {}), to_regclass('{UNHEARD}') IS NULL", PATIENCE.as_secs());
    let (promoted, unheard): (bool, bool) = sqlx::query_as(AssertSqlSafe(statement)).fetch_one(standby).await?;
    anyhow::ensure!(promoted, "the standby does not become the primary");
    anyhow::ensure!(unheard, "the standby has heard what it should not have");
    Ok(())
}

/// Runs one statement.
pub(crate) async fn execute(connection: &mut PgConnection, statement: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

fn bin() -> Result<PathBuf> {
    let Some(bin) = std::env::var_os("TEST_PG_BIN").map(PathBuf::from) else {
        bail!(
            "TEST_PG_BIN is not set, the folder with initdb and postgres: run ./tests/run faults, or eval \"$(./tests/run setup)\""
        );
    };
    anyhow::ensure!(bin.join("initdb").exists(), "{} has no initdb: apt-get install postgresql", bin.display());
    Ok(bin)
}
