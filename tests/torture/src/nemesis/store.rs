//! What befalls the database and the lines to it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::Rng as _;
use rustix::process::Signal;
use sqlx::{Connection as _, SqliteConnection};
use tokio::time::timeout;

use super::{Fault, Lengths, Nemesis, felt};
use crate::disk::Disk;
use crate::history::History;
use crate::postgres::{Postgres, Stop, execute};
use crate::proxy::Proxy;

impl Nemesis<'_> {
    pub(super) async fn trouble(&mut self, (fault, node): (Fault, usize), postgres: &Postgres) -> Result<()> {
        let (history, lengths) = (self.stage.history.clone(), self.lengths);
        let proxy = self.stage.nodes[node].store.as_ref().context("there is no line to cut")?;
        match fault {
            Fault::RestartFast => postgres.restart(Stop::Fast).await,
            Fault::RestartImmediate => postgres.restart(Stop::Immediate).await,
            Fault::FailOverPostgres => {
                let unheard = self.apart() / 2;
                postgres.fail_over(unheard).await
            }
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

    pub(super) async fn fill_small_disk(&self) -> Result<()> {
        let disk = self.stage.disk.as_ref().context("the database lies on no small disk")?;
        fill(disk, &self.stage.history, self.lengths).await
    }

    pub(super) async fn lock_file(&mut self) -> Result<()> {
        let mut other = SqliteConnection::connect(&self.stage.sqlite_url()?).await?;
        sqlx::raw_sql("PRAGMA busy_timeout = 5000; BEGIN EXCLUSIVE").execute(&mut other).await?;
        felt(&self.stage.history, self.lengths).await;
        Ok(other.close().await?)
    }
}

/// The sessions of the server's.
pub(crate) const OURS: &str = "pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'onya %'";

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
