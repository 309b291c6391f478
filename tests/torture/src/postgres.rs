//! A PostgreSQL of our own, on a small disk, to be restarted, stopped, cut off and filled.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::disk::{Disk, is_root};
use crate::kin::{Kin, PATIENCE};
use crate::server::free_port;

/// Size of the disk: an empty cluster takes 40 MiB, a campaign's tables a few more.
const DISK_MIB: usize = 400;
const GLANCE: Duration = Duration::from_millis(20);

/// A running server.
pub(crate) struct Postgres {
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

impl Postgres {
    /// Makes a cluster below `folder` and starts it.
    pub(crate) async fn create(folder: &Path) -> Result<Self> {
        let bin = bin()?;
        if !is_root() {
            bail!("the campaigns on PostgreSQL mount a small disk for it and need root: sudo ./tests/run faults");
        }
        let disk = Disk::mount(folder, DISK_MIB)?;
        let data = disk.path().join("postgres");
        std::fs::create_dir(&data)?;
        run(Command::new("chown").arg(user()?).arg(&data)).await?;
        let mut initdb = as_user("KILL")?;
        initdb.arg(bin.join("initdb")).arg("--pgdata").arg(&data);
        initdb.args([
            "--username=onya",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "--wal-segsize=1",
        ]);
        run(&mut initdb).await.context("initdb failed")?;
        let port = free_port()?;
        let process = Mutex::new(launch(&disk, &bin, folder, port)?);
        let postgres = Self { folder: folder.to_owned(), bin, disk, port, process };
        postgres.ready().await?;
        Ok(postgres)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The address of a database, past every proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// A session of ours, past every proxy.
    pub(crate) async fn control(&self, database: &str) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.url(database)).await?)
    }

    /// Stops it and starts it again.
    pub(crate) async fn restart(&self, stop: Stop) -> Result<()> {
        let mut process = self.process.lock().await;
        process.signal(match stop {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        });
        process.ended().await?;
        drop(process);
        self.start_if_ended().await
    }

    /// A server that could not go on, for want of space say, is started again as its operator would.
    pub(crate) async fn start_if_ended(&self) -> Result<()> {
        let mut process = self.process.lock().await;
        if process.has_ended() {
            *process = launch(&self.disk, &self.bin, &self.folder, self.port)?;
        }
        drop(process);
        self.ready().await
    }

    /// Sends a signal to the server and to all of its processes.
    pub(crate) async fn signal_all(&self, signal: Signal) -> Result<()> {
        let main = self.process.lock().await.pid().context("PostgreSQL has ended")?;
        for pid in children(main)?.into_iter().chain([main]) {
            // A backend may end at any time.
            let _ = kill_process(pid, signal);
        }
        Ok(())
    }

    async fn ready(&self) -> Result<()> {
        let start = Instant::now();
        while self.control("postgres").await.is_err() {
            if self.process.lock().await.has_ended() || start.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.folder.join("postgres.log")).unwrap_or_default();
                bail!("PostgreSQL does not come up:\n{log}");
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }
}

/// The address of a database on a port of this machine.
pub(crate) fn url(port: u16, database: &str) -> String {
    format!("postgres://onya@127.0.0.1:{port}/{database}?sslmode=disable")
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

/// PostgreSQL refuses to run as root.
fn user() -> Result<&'static str> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    Ok(if users.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" })
}

fn as_user(signal: &str) -> Result<Command> {
    let (mut command, user) = (Command::new("setpriv"), user()?);
    command.args(["setpriv", "--reuid", user, "--regid", user_group(user), "--clear-groups", "--pdeathsig", signal]);
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
    Ok(command)
}

fn user_group(user: &str) -> &str {
    if user == "nobody" { "nogroup" } else { user }
}

fn launch(disk: &Disk, bin: &Path, folder: &Path, port: u16) -> Result<Kin> {
    let mut command = as_user("INT")?;
    command.arg(bin.join("postgres")).arg("-D").arg(disk.path().join("postgres")).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=200",
        // Processes are killed here, never the machine.
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=on",
        "min_wal_size=4MB",
        "max_wal_size=64MB",
        "logging_collector=off",
    ] {
        command.args(["-c", setting]);
    }
    Kin::start(command, &folder.join("postgres.log"))
}

async fn run(command: &mut Command) -> Result<()> {
    let output = command.output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

/// The processes whose parent is this one.
fn children(parent: Pid) -> Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else { continue };
        let parent_of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if parent_of == Some(parent.as_raw_nonzero().get()) {
            found.push(pid);
        }
    }
    Ok(found)
}
