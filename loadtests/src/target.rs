//! Who is measured: an address, in what language it is spoken to, and from which addresses it is called.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use reqwest::Url;
use tokio::net::{TcpSocket, TcpStream, lookup_host};

use crate::process::Process;

/// Addresses of this machine that connections are made from in turn: each has about 28,000 ports for one server.
const SOURCES: usize = 16;

/// Which server is measured.
#[derive(Args, Clone, Debug)]
pub(crate) struct TargetArgs {
    /// The server, http://host:port
    #[arg(long, value_name = "URL")]
    pub url: Url,
    /// A customer's token for all sockets; without it each socket is a visitor of its own
    #[arg(long, env = "ONYA_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The server's process, if it runs on this machine: its CPU time and memory are measured
    #[arg(long)]
    pub pid: Option<u32>,
    /// The server's /metrics, where its live conversations are read
    #[arg(long, value_name = "URL")]
    pub metrics_url: Option<Url>,
    /// The target is `loadtest relay`: no tokens, no hello, no acknowledgements
    #[arg(long)]
    pub bare: bool,
    /// Allow a target on another machine. Only ever load a host of your own
    #[arg(long)]
    pub i_own_this_host: bool,
}

/// A target that was found and may be loaded.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub url: Url,
    pub token: Option<String>,
    pub metrics_url: Option<Url>,
    pub bare: bool,
    pub process: Option<Process>,
    owned: bool,
    address: SocketAddr,
}

impl TargetArgs {
    /// Finds the target.
    ///
    /// # Errors
    /// When it has no address, is on another machine without permission, or its process cannot be watched.
    pub(crate) async fn resolve(self) -> Result<Target> {
        ensure!(matches!(self.url.scheme(), "http" | "https"), "--url starts with http:// or https://");
        let host = self.url.host_str().context("--url names no host")?.trim_matches(['[', ']']).to_owned();
        let port = self.url.port_or_known_default().context("--url names no port")?;
        let found: Vec<_> =
            lookup_host((host.as_str(), port)).await.with_context(|| format!("no host {host}"))?.collect();
        let address = allowed(&found, self.i_own_this_host).with_context(|| host.clone())?;
        let process = self.pid.map(Process::watch).transpose()?;
        let Self { url, token, metrics_url, bare, i_own_this_host: owned, .. } = self;
        Ok(Target { url, token, metrics_url, bare, process, owned, address })
    }
}

/// The address to load: any on this machine; others only with the owner's word.
fn allowed(found: &[SocketAddr], owned: bool) -> Result<SocketAddr> {
    let Some(first) = found.first() else { bail!("this name has no address") };
    let here = found.iter().find(|address| address.ip().is_loopback());
    if let Some(here) = here.filter(|_| found.iter().all(|address| address.ip().is_loopback())) {
        // A server that listens on 127.0.0.1 is also known as localhost, whose first address may be ::1.
        return Ok(*found.iter().find(|address| address.is_ipv4()).unwrap_or(here));
    }
    ensure!(owned, "this host is not the machine that the load comes from; if it is your own, add --i-own-this-host");
    Ok(*first)
}

/// The address that connection `index` to this target is made from; `None` leaves it to the kernel.
fn source(target: SocketAddr, index: usize) -> Option<SocketAddr> {
    if !matches!(target.ip(), IpAddr::V4(ip) if ip.is_loopback()) {
        return None;
    }
    let last = u8::try_from(2 + index % SOURCES).ok()?;
    Some(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))
}

impl Target {
    /// A TCP connection; `index` spreads connections over source addresses.
    pub(crate) async fn dial(&self, index: usize) -> Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.context("no socket can be opened: raise `ulimit -n`")?;
        if let Some(source) = source(self.address, index) {
            socket.set_reuseaddr(true)?;
            socket.bind(source).with_context(|| format!("no free port on {}", source.ip()))?;
        }
        socket.set_nodelay(true)?;
        socket
            .connect(self.address)
            .await
            .with_context(|| format!("{} does not answer: is the server up?", self.address))
    }

    /// The flags by which another process of ours finds the same target.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--url".to_owned(), self.url.to_string()];
        flags.extend(self.bare.then(|| "--bare".to_owned()));
        flags.extend(self.owned.then(|| "--i-own-this-host".to_owned()));
        flags
    }

    /// The address of a WebSocket path.
    pub(crate) fn socket_url(&self, path: &str) -> Result<Url> {
        let mut url = self.url.join(path)?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        ensure!(url.set_scheme(scheme).is_ok(), "{url} cannot be spoken to by WebSocket");
        Ok(url)
    }

    /// The process that is measured; an error says how to name it.
    pub(crate) fn watched(&self) -> Result<&Process> {
        self.process.as_ref().context("name the server's process with --pid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn this_machine_may_be_loaded_and_another_only_by_its_owner() {
        assert!(allowed(&addresses(&["127.0.0.1:1"]), false).is_ok());
        assert!(allowed(&addresses(&["192.0.2.1:1"]), false).is_err());
        assert!(
            allowed(&addresses(&["127.0.0.1:1", "192.0.2.1:1"]), false).is_err(),
            "a name with both is no loopback"
        );
        assert!(allowed(&addresses(&["192.0.2.1:1"]), true).is_ok());
        assert!(allowed(&[], true).is_err());
    }

    #[test]
    fn localhost_is_called_by_its_older_address() {
        let found = addresses(&["[::1]:3000", "127.0.0.1:3000"]);
        assert_eq!(allowed(&found, false).unwrap(), found[1]);
    }

    #[test]
    fn connections_come_from_many_addresses_of_this_machine_only() {
        let target = "127.0.0.1:3000".parse().unwrap();
        let sources: std::collections::BTreeSet<_> = (0..100).map(|index| source(target, index).unwrap()).collect();
        assert_eq!(sources.len(), SOURCES);
        assert!(sources.iter().all(|source| source.ip().is_loopback() && source.ip() != target.ip()));
        assert_eq!(source("192.0.2.1:80".parse().unwrap(), 0), None);
    }
}
