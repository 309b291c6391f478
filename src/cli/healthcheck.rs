//! `onya healthcheck`: one request to a running server, for containers that have no other program to ask with.

use std::net::IpAddr;

use anyhow::{Context as _, bail, ensure};
use axum::http::Uri;
use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

use super::output;
use super::settings::SettingsArgs;
use crate::config::ServerConfig;

/// Longest wait for the whole answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Enough for a status line (`HTTP/1.1 200 OK`) with any reason.
const STATUS_LINE_BYTES: u64 = 256;

#[derive(Debug, Args)]
pub(super) struct HealthcheckArgs {
    /// Address to ask, http only [default: /health/ready on this machine at the configured port]
    #[arg(long, value_name = "URL")]
    url: Option<Uri>,
}

pub(super) fn run(args: &HealthcheckArgs, settings: &SettingsArgs) -> anyhow::Result<()> {
    let url = match &args.url {
        Some(url) => url.clone(),
        None => own_url(&settings.load()?.server)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(timeout_ask(&url))?;
    ensure!(status == 200, "{url} answered {status}");
    Ok(output::result("ready\n")?)
}

/// A server that listens on every interface is asked on the loopback one.
fn own_url(server: &ServerConfig) -> anyhow::Result<Uri> {
    let host = match server.host {
        IpAddr::V4(host) if host.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(host) if host.is_unspecified() => "[::1]".to_owned(),
        IpAddr::V4(host) => host.to_string(),
        IpAddr::V6(host) => format!("[{host}]"),
    };
    Ok(format!("http://{host}:{}/health/ready", server.port).parse()?)
}

async fn timeout_ask(url: &Uri) -> anyhow::Result<u16> {
    match timeout(ANSWER_TIMEOUT, ask(url)).await {
        Ok(status) => status.with_context(|| url.to_string()),
        Err(_) => bail!("{url} gave no answer within {} s", ANSWER_TIMEOUT.as_secs()),
    }
}

async fn ask(url: &Uri) -> anyhow::Result<u16> {
    ensure!(url.scheme_str() == Some("http"), "only http:// can be asked");
    let authority = url.authority().context("the address has no host")?;
    let port = url.port_u16().unwrap_or(80);
    let mut stream = TcpStream::connect((authority.host().trim_matches(['[', ']']), port)).await?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(STATUS_LINE_BYTES).read_to_end(&mut answer).await?;
    parse_status(&answer).context("the answer is not HTTP")
}

fn parse_status(answer: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(answer);
    text.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_the_first_line() {
        assert_eq!(parse_status(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), Some(200));
        assert_eq!(parse_status(b"HTTP/1.1 503\r\n\r\n"), Some(503));
        assert_eq!(parse_status(b"SSH-2.0-OpenSSH"), None);
        assert_eq!(parse_status(b""), None);
    }
}
