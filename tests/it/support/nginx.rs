//! nginx with the configuration of deploy/nginx, in front of servers of a test.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;

pub use onya_servers::nginx::CONFIGURATION;
use onya_servers::nginx::{main_file, site};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::eventually;

/// One process on a free port, with every file it needs in a folder of its own. It is killed when the test ends.
pub struct Nginx {
    address: SocketAddr,
    folder: TempDir,
    _process: Child,
}

impl Nginx {
    /// Starts it in front of these servers and waits until it answers.
    pub async fn start(servers: &[SocketAddr]) -> Self {
        Self::start_at(free_address(), servers).await
    }

    /// As [`Nginx::start`], at an address that the test knows before.
    pub async fn start_at(address: SocketAddr, servers: &[SocketAddr]) -> Self {
        Self::start_changed((address, servers), str::to_owned).await
    }

    /// As [`Nginx::start`], but what is no socket has only a moment.
    pub async fn start_impatient(servers: &[SocketAddr]) -> Self {
        let (usual, moment) = ("proxy_read_timeout 20s;", "proxy_read_timeout 100ms;");
        assert_eq!(CONFIGURATION.matches(usual).count(), 1);
        Self::start_changed((free_address(), servers), |site| site.replace(usual, moment)).await
    }

    async fn start_changed((address, servers): (SocketAddr, &[SocketAddr]), change: impl Fn(&str) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = site(address, servers, folder.path()).unwrap();
        std::fs::write(folder.path().join("onya.conf"), change(&site)).unwrap();
        std::fs::write(folder.path().join("nginx.conf"), main_file(folder.path(), "master_process off;")).unwrap();
        let checked = command(folder.path()).arg("-t").output().await.unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success() && !said.contains("[warn]"), "nginx -t: {said}");
        let mut nginx = command(folder.path());
        let process = nginx.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        eventually(async || TcpStream::connect(address).await.ok()).await;
        Self { address, folder, _process: process }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn socket_url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    fn error_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    /// The lines of its access log.
    pub fn access_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of nginx ---\n{}", self.error_log());
        }
    }
}

/// An address of this machine that was free a moment ago.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn command(folder: &Path) -> Command {
    let Ok(program) = std::env::var("TEST_NGINX") else {
        panic!("TEST_NGINX is not set: run ./tests/run, which finds or installs nginx");
    };
    // The kernel ends it too if this process is killed before it can.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", &program, "-p"]).arg(folder);
    command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(folder.join("nginx.conf"));
    command
}
