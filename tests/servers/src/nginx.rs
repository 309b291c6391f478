//! The nginx configuration of `deploy/nginx`, changed as its first lines say, for servers of this machine.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

/// The committed file.
pub const CONFIGURATION: &str = include_str!("../../../deploy/nginx/onya.conf");

/// The committed file at `address`, in front of these servers, with its log in `folder`. Nothing else is changed.
///
/// # Errors
/// The committed file does not have what is to be changed.
pub fn site(address: SocketAddr, servers: &[SocketAddr], folder: &Path) -> Result<String> {
    let server = |address: &SocketAddr| format!("    server {address} max_fails=3 fail_timeout=5s;\n");
    let listed: String = servers.iter().map(server).collect();
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    let log = folder.join("access.log");
    let changes = [
        ("    server 127.0.0.1:3000 max_fails=3 fail_timeout=5s;\n", listed, 2),
        ("listen 80;", format!("listen {address};"), 1),
        ("root /usr/share/onya/web;", format!("root {};", web.display()), 1),
        ("access_log /var/log/nginx/onya.log onya;", format!("access_log {} onya;", log.display()), 1),
    ];
    changes.into_iter().try_fold(CONFIGURATION.to_owned(), |text, (from, to, times)| {
        anyhow::ensure!(text.matches(from).count() == times, "deploy/nginx/onya.conf has not {times} times {from:?}");
        Ok(text.replace(from, &to))
    })
}

/// What the system's own main file does, for an ordinary user: `first` is put before it, and `onya.conf` beside it is the
/// site.
#[must_use]
pub fn main_file(folder: &Path, first: &str) -> String {
    let mut text = format!("daemon off;\n{first}\npid {};\n", folder.join("pid").display());
    text.push_str("events { worker_connections 512; }\nhttp {\n");
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {kind}_temp_path {};", folder.join(kind).display());
    }
    text.push_str("  include onya.conf;\n}\n");
    text
}
