//! A cluster of PostgreSQL on a small disk of its own, and the server on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use onya_servers::free_port;
use onya_servers::postgres::{base_backup, initdb, server, url};
use onya_servers::process::{Kin, PATIENCE, children};
use rustix::process::{Signal, kill_process};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::disk::Disk;

/// Size of the disk: an empty cluster takes 40 MiB, a campaign's tables a few more, and what a standby may still need up to
/// 64.
const DISK_MIB: usize = 400;
/// A standby finds again what it has missed, and soon.
const STREAMED: [&str; 4] = ["-c", "wal_keep_size=64MB", "-c", "wal_retrieve_retry_interval=100ms"];
const GLANCE: Duration = Duration::from_millis(20);

/// A cluster and its server.
pub(super) struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
    disk: Disk,
    port: u16,
    process: Mutex<Kin>,
}

/// How a server is told to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// Sessions are ended, and the tables written.
    Fast,
    /// At once; the next start recovers from the log.
    Immediate,
}

impl Cluster {
    /// Makes an empty cluster below `folder` and starts it.
    pub(super) async fn create(bin: &Path, folder: &Path) -> Result<Self> {
        let disk = Disk::mount(folder, DISK_MIB)?;
        initdb(bin, &data(&disk)).await?;
        Self::start(bin, folder, disk).await
    }

    /// Makes a standby of the server at a port.
    pub(super) async fn follow(bin: &Path, folder: &Path, primary: u16) -> Result<Self> {
        std::fs::create_dir(folder)?;
        let disk = Disk::mount(folder, DISK_MIB)?;
        base_backup(bin, &data(&disk), primary).await?;
        Self::start(bin, folder, disk).await
    }

    /// Becomes a standby of the server at a port, whatever it was before it was stopped.
    pub(super) async fn follow_anew(&self, primary: u16) -> Result<()> {
        let mut process = self.process.lock().await;
        std::fs::remove_dir_all(data(&self.disk))?;
        base_backup(&self.bin, &data(&self.disk), primary).await?;
        *process = launch(&self.disk, &self.bin, &self.folder, self.port)?;
        drop(process);
        self.ready().await
    }

    async fn start(bin: &Path, folder: &Path, disk: Disk) -> Result<Self> {
        let port = free_port()?;
        let process = Mutex::new(launch(&disk, bin, folder, port)?);
        let cluster = Self { folder: folder.to_owned(), bin: bin.to_owned(), disk, port, process };
        cluster.ready().await?;
        Ok(cluster)
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// A session of ours with this server, whatever it is.
    pub(super) async fn session(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&url(self.port, "postgres")).await?)
    }

    /// Stops the server.
    pub(super) async fn stop(&self, stop: Stop) -> Result<()> {
        let mut process = self.process.lock().await;
        process.signal(match stop {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        });
        process.ended().await
    }

    /// A server that could not go on, for want of space say, is started again as its operator would.
    pub(super) async fn start_if_ended(&self) -> Result<()> {
        let mut process = self.process.lock().await;
        if process.has_ended() {
            *process = launch(&self.disk, &self.bin, &self.folder, self.port)?;
        }
        drop(process);
        self.ready().await
    }

    /// Sends a signal to the server and to all of its processes.
    pub(super) async fn signal_all(&self, signal: Signal) -> Result<()> {
        let main = self.process.lock().await.pid().context("PostgreSQL has ended")?;
        for pid in children(main)?.into_iter().chain([main]) {
            // A backend may end at any time.
            let _ = kill_process(pid, signal);
        }
        Ok(())
    }

    async fn ready(&self) -> Result<()> {
        let start = Instant::now();
        while self.session().await.is_err() {
            if self.process.lock().await.has_ended() || start.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.folder.join("postgres.log")).unwrap_or_default();
                bail!("PostgreSQL does not come up:\n{log}");
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }
}

fn data(disk: &Disk) -> PathBuf {
    disk.path().join("postgres")
}

fn launch(disk: &Disk, bin: &Path, folder: &Path, port: u16) -> Result<Kin> {
    let mut command = server(bin, &data(disk), port)?;
    command.args(STREAMED);
    Kin::start(command, &folder.join("postgres.log"))
}
