//! What goes wrong, and how it is brought about. Each fault ends by itself: when the clients have felt it, or after a
//! while if they do not.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use onya_servers::process::PATIENCE;
use rand::Rng as _;
use rand::rngs::StdRng;
use rustix::process::Signal;
use sqlx::{Connection as _, SqliteConnection};
use tokio::time::timeout;

use crate::disk::Disk;
use crate::history::{Event, History};
use crate::postgres::{Postgres, Stop, execute};
use crate::proxy::Proxy;
use crate::stage::Stage;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// The server is killed and started again.
    KillServer,
    /// A second server starts under the same name while the first one lives on for a while.
    Namesake,
    /// PostgreSQL is restarted, and ends its sessions first.
    RestartFast,
    /// PostgreSQL is restarted and recovers from its log.
    RestartImmediate,
    /// PostgreSQL's processes that serve Onya are ended, most of them.
    EndBackends,
    /// Connections are cut between a commit and its reply.
    EatReplies,
    /// Connections are cut between a request and its arrival.
    CutRequests,
    /// The line to PostgreSQL passes nothing on for a while.
    Hang,
    /// All processes of PostgreSQL stand still for a while.
    Freeze,
    /// The disk of the database is full.
    DiskFull,
    /// Another session holds the rows of some conversations.
    LockRows,
    /// Another program holds the whole database file.
    LockFile,
}

impl Fault {
    /// Those of a server on PostgreSQL.
    pub(crate) const POSTGRES: &[Self] = &[
        Self::KillServer,
        Self::Namesake,
        Self::RestartFast,
        Self::RestartImmediate,
        Self::EndBackends,
        Self::EatReplies,
        Self::CutRequests,
        Self::Hang,
        Self::Freeze,
        Self::DiskFull,
        Self::LockRows,
    ];
    /// Those of a server on SQLite.
    pub(crate) const SQLITE: &[Self] = &[Self::KillServer, Self::DiskFull, Self::LockFile];

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// How long faults last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// Until clients feel it; no longer than this.
    pub most: Duration,
    /// A hang or freeze lasts at least so long, longer than the time limits of the server.
    pub hang: Duration,
    /// Refusals after which clients have felt it.
    pub refusals: usize,
}

/// Brings faults about.
pub(crate) struct Nemesis<'a> {
    pub stage: &'a mut Stage,
    pub dice: StdRng,
    pub lengths: Lengths,
}

impl Nemesis<'_> {
    pub(crate) async fn inject(&mut self, fault: Fault, postgres: Option<&Postgres>) -> Result<()> {
        self.stage.history.note(&Event::Fault { name: fault.name() });
        match (fault, postgres) {
            (Fault::KillServer, _) => self.stage.replace_server().await,
            (Fault::Namesake, _) => self.namesake().await,
            (Fault::LockFile, None) => self.lock_file().await,
            (Fault::DiskFull, None) => {
                let disk = self.stage.disk.as_ref().context("the database lies on no small disk")?;
                fill(disk, &self.stage.history, self.lengths).await
            }
            (_, None) => anyhow::bail!("{} is a fault of PostgreSQL", fault.name()),
            (fault, Some(postgres)) => self.trouble(fault, postgres).await,
        }
    }

    async fn trouble(&mut self, fault: Fault, postgres: &Postgres) -> Result<()> {
        let (history, lengths) = (self.stage.history.clone(), self.lengths);
        let proxy = self.stage.proxy.as_ref().context("there is no line to cut")?;
        match fault {
            Fault::RestartFast => postgres.restart(Stop::Fast).await,
            Fault::RestartImmediate => postgres.restart(Stop::Immediate).await,
            Fault::EndBackends => {
                let mut control = postgres.control(&self.stage.database).await?;
                execute(&mut control, format!("SELECT pg_terminate_backend(pid) FROM {OURS} AND random() < 0.7")).await
            }
            Fault::EatReplies => {
                proxy.eat_appends(self.dice.random_range(2..6));
                proxy.eat_commits(self.dice.random_range(1..3));
                orders_done(proxy, lengths).await;
                Ok(())
            }
            Fault::CutRequests => {
                proxy.cut_appends(self.dice.random_range(2..6));
                orders_done(proxy, lengths).await;
                Ok(())
            }
            Fault::Hang => {
                proxy.hang(true);
                felt(&history, lengths).await;
                tokio::time::sleep(lengths.hang).await;
                proxy.hang(false);
                Ok(())
            }
            Fault::Freeze => {
                postgres.signal_all(Signal::STOP).await?;
                felt(&history, lengths).await;
                tokio::time::sleep(lengths.hang).await;
                postgres.signal_all(Signal::CONT).await
            }
            Fault::DiskFull => {
                fill(postgres.disk(), &history, lengths).await?;
                postgres.start_if_ended().await
            }
            Fault::LockRows => {
                let mut control = postgres.control(&self.stage.database).await?;
                let lock = "BEGIN; SELECT id FROM conversations WHERE random() < 0.5 FOR UPDATE";
                execute(&mut control, lock.to_owned()).await?;
                felt(&history, lengths).await;
                execute(&mut control, "ROLLBACK".to_owned()).await
            }
            other => anyhow::bail!("{} is no fault of PostgreSQL", other.name()),
        }
    }

    /// Two servers believe that they own the same conversations, until the older one has found out.
    async fn namesake(&mut self) -> Result<()> {
        let older = self.stage.add_server().await?;
        let more = self.dice.random_range(20..80);
        self.stage.progress(more, self.lengths.most).await;
        self.stage.remove_server(older).await
    }

    async fn lock_file(&mut self) -> Result<()> {
        let mut other = SqliteConnection::connect(&self.stage.sqlite_url()?).await?;
        sqlx::raw_sql("PRAGMA busy_timeout = 5000; BEGIN EXCLUSIVE").execute(&mut other).await?;
        felt(&self.stage.history, self.lengths).await;
        Ok(other.close().await?)
    }
}

/// The sessions of the server's.
pub(crate) const OURS: &str = "pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'onya %'";

/// Waits until clients have been told that something is wrong, which they are sooner or later.
async fn felt(history: &History, lengths: Lengths) {
    let before = history.counts();
    let felt = history.until(|counts| counts.put_off >= before.put_off + lengths.refusals);
    // If nobody feels it, nothing was broken either.
    let _ = timeout(lengths.most, felt).await;
}

async fn orders_done(proxy: &Proxy, lengths: Lengths) {
    let done = async {
        while !proxy.is_idle() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Orders that are left over are carried out later.
    let _ = timeout(lengths.most, done).await;
}

async fn fill(disk: &Disk, history: &History, lengths: Lengths) -> Result<()> {
    disk.fill()?;
    felt(history, lengths).await;
    disk.free()
}

/// Longest wait for work to go on after a fault.
pub(crate) const RECOVERY: Duration = PATIENCE;
