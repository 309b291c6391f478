//! The commands of a private PostgreSQL. As root it runs as somebody else, because it refuses to run as root.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::process::mortal;

/// Makes an empty database cluster in the new folder `data`, with the role `onya`.
///
/// # Errors
/// `initdb` in the folder `bin` fails.
pub async fn initdb(bin: &Path, data: &Path) -> Result<()> {
    make_folder(data).await?;
    let mut initdb = unprivileged("KILL")?;
    initdb.arg(bin.join("initdb")).arg("--pgdata").arg(data);
    initdb.args(["--username=onya", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--wal-segsize=1"]);
    run(&mut initdb).await.context("initdb failed")
}

/// Copies what the server at `port` of this machine holds into the new folder `data`. A server on that is its standby until it
/// is promoted.
///
/// # Errors
/// `pg_basebackup` in the folder `bin` fails.
pub async fn base_backup(bin: &Path, data: &Path, port: u16) -> Result<()> {
    make_folder(data).await?;
    let mut backup = unprivileged("KILL")?;
    backup.arg(bin.join("pg_basebackup")).arg("--pgdata").arg(data);
    backup.args(["--host=127.0.0.1", &format!("--port={port}"), "--username=onya", "--no-password"]);
    backup.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
    run(&mut backup).await.context("pg_basebackup failed")
}

/// The server on `data`, at a port of 127.0.0.1 only.
///
/// # Errors
/// The users of this machine cannot be read.
pub fn server(bin: &Path, data: &Path, port: u16) -> Result<Command> {
    let mut command = unprivileged("INT")?;
    command.arg(bin.join("postgres")).arg("-D").arg(data).args(["-p", &port.to_string()]);
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
    Ok(command)
}

/// The address of a database on a port of this machine.
#[must_use]
pub fn url(port: u16, database: &str) -> String {
    format!("postgres://onya@127.0.0.1:{port}/{database}?sslmode=disable")
}

/// A new folder of whoever PostgreSQL runs as, and nobody else's.
async fn make_folder(data: &Path) -> Result<()> {
    std::fs::create_dir(data)?;
    std::fs::set_permissions(data, Permissions::from_mode(0o700))?;
    if is_root() {
        run(Command::new("chown").arg(user()?).arg(data)).await?;
    }
    Ok(())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whom it runs as when we are root.
fn user() -> Result<&'static str> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    Ok(if users.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" })
}

fn unprivileged(signal: &str) -> Result<Command> {
    let mut command = mortal(signal);
    if is_root() {
        let user = user()?;
        let group = if user == "nobody" { "nogroup" } else { user };
        command.args(["--reuid", user, "--regid", group, "--clear-groups"]);
    }
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
    Ok(command)
}

async fn run(command: &mut Command) -> Result<()> {
    let output = command.kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}
