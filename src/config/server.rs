//! The server that customers and staff connect to.

use std::net::IpAddr;

use axum::http::Uri;
use serde::Deserialize;

use super::rule::{Rule, is_ip_address};

/// Section `[server]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address that the server listens on.
    pub host: IpAddr,
    /// TCP port; 0 takes any free one.
    pub port: u16,
    /// Origins that may call from a browser; empty means [`ServerConfig::effective_origins`] decides by the port.
    pub allowed_origins: Vec<String>,
    /// WebSockets open at once.
    pub max_sockets: usize,
    /// Connections taken in a second.
    pub accepts_per_second: u32,
    /// Time for the header of a request, in milliseconds.
    pub header_timeout_ms: u64,
    /// Time for the answer to a request, in milliseconds.
    pub request_timeout_ms: u64,
    /// Largest body of a request, in bytes.
    pub max_body_bytes: usize,
}

impl ServerConfig {
    /// The origins that may call: the configured ones, else this machine's own names with the port that was bound.
    #[must_use]
    pub fn effective_origins(&self, bound_port: u16) -> Vec<String> {
        if !self.allowed_origins.is_empty() {
            return self.allowed_origins.clone();
        }
        let suffix = if bound_port == 80 { String::new() } else { format!(":{bound_port}") };
        ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("http://{host}{suffix}")).to_vec()
    }
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("server.host", "an IP address", is_ip_address),
    Rule::integer("server.port", 0, 65_535),
    Rule::list("server.allowed_origins", "a list of scheme://host[:port], without a path", is_origin),
    Rule::integer("server.max_sockets", 1, 1_000_000),
    Rule::integer("server.accepts_per_second", 1, 1_000_000),
    Rule::integer("server.header_timeout_ms", 100, 60_000),
    Rule::integer("server.request_timeout_ms", 100, 120_000),
    Rule::integer("server.max_body_bytes", 1024, 1_048_576),
];

/// A browser sends an origin in lower case, without a path and without the default port.
pub(super) fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
    matches!(scheme, "http" | "https")
        && authority.bytes().all(is_plain)
        && !authority.ends_with(default_port)
        && text.parse::<Uri>().is_ok_and(|uri| is_host_and_port(&uri, authority))
}

/// The parser keeps a port that is no number in the authority, and names no port then.
fn is_host_and_port(uri: &Uri, authority: &str) -> bool {
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    uri.host().is_some_and(|host| !host.is_empty() && authority == format!("{host}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends_and_nothing_else() {
        for good in ["https://chat.example.com", "http://localhost:3000", "http://[::1]:8080"] {
            assert!(is_origin(good), "{good}");
        }
        let bad = ["*", "null", "", "chat.example.com", "https://", "https://a.b/", "https://a.b/path", "https://A.b"];
        let worse = ["ftp://a.b", "https://u@a.b", "https://*.a.b", "https://a.b:443", "http://a.b:80", "http://a.b:x"];
        let written_otherwise = ["https://a.b;c", "https://a.b,c", "https://a.b'", "https://bücher.example"];
        for bad in bad.into_iter().chain(worse).chain(written_otherwise) {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
