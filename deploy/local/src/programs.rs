//! The programs that a cluster is made of: found where Debian puts them, or asked for with the line to type.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use onya_servers::process::built;
use tokio::process::Command;

/// Where programs are, if they are not where they usually are.
#[derive(Args, Debug)]
pub(crate) struct Where {
    /// The server; without it, cargo builds it, or it lies beside this program
    #[arg(long, value_name = "FILE")]
    onya: Option<PathBuf>,
    /// Folder with initdb and postgres
    #[arg(long, value_name = "FOLDER", env = "TEST_PG_BIN")]
    postgres: Option<PathBuf>,
    /// redis-server
    #[arg(long, value_name = "FILE", env = "TEST_REDIS_SERVER")]
    redis: Option<PathBuf>,
    /// nginx
    #[arg(long, value_name = "FILE", env = "TEST_NGINX")]
    nginx: Option<PathBuf>,
}

/// The programs that were found.
pub(crate) struct Programs {
    pub onya: PathBuf,
    /// The folder with initdb and postgres.
    pub postgres: PathBuf,
    pub redis: PathBuf,
    pub nginx: PathBuf,
}

impl Programs {
    /// Finds them, and builds the server if cargo started this program.
    pub(crate) async fn find(given: &Where) -> Result<Self> {
        let mut missing = Vec::new();
        let mut need = |found: Option<PathBuf>, package: &'static str| {
            found.unwrap_or_else(|| {
                missing.push(package);
                PathBuf::new()
            })
        };
        let postgres = need(given.postgres.clone().or_else(newest_postgres), "postgresql");
        let redis = need(given.redis.clone().or_else(|| in_path("redis-server")), "redis-server");
        let nginx = need(given.nginx.clone().or_else(|| in_path("nginx")), "nginx");
        need(in_path("setpriv"), "util-linux");
        if !missing.is_empty() {
            let packages = missing.join(" ");
            bail!(
                "{packages} is missing. On Debian or Ubuntu, type\n\n    sudo apt-get install -y --no-install-recommends \
                 {packages}\n\nor say where it is: onya-local --help"
            );
        }
        let onya = match &given.onya {
            Some(program) => std::path::absolute(program)?,
            None => build().await?,
        };
        Ok(Self { onya, postgres, redis, nginx })
    }
}

/// `cargo run -p onya-local` builds this program alone; the server of the same sources comes from the same cargo.
async fn build() -> Result<PathBuf> {
    if let Some(cargo) = std::env::var_os("CARGO") {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let mut build = Command::new(cargo);
        let status = build.args(["build", "--package", "onya", "--bin", "onya", "--profile", profile]).status().await;
        anyhow::ensure!(status.context("cargo cannot be started")?.success(), "the server cannot be built");
    }
    built("onya", "cargo build")
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps nginx where only root looks.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Debian keeps the server of each major version in a folder of its own, which is not in the path.
fn newest_postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |name: OsString| name.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| Some((number(entry.file_name())?, entry.path().join("bin")))).max();
    let has_server = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let elsewhere = || in_path("initdb")?.canonicalize().ok()?.parent().map(Path::to_owned);
    newest.map(|(_, folder)| folder).filter(|folder| has_server(folder)).or_else(elsewhere)
}
