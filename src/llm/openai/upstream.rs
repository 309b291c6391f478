//! The wire: one POST, answered by a status, headers and a stream of bytes. Nothing here retries, and no clock runs
//! here but the one for the connection.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use secrecy::ExposeSecret;

use crate::llm::settings::Settings;

/// Connections to the provider that are kept for the next reply; after a rush the rest are closed. Each holds some 20 KiB.
const MAX_IDLE_CONNECTIONS: usize = 32;

/// A request to the provider.
pub(super) struct Call {
    /// The JSON to post.
    pub body: Bytes,
    /// W3C trace context to send along.
    pub traceparent: Option<String>,
}

/// The beginning of a provider's response.
pub(super) struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
}

/// The bytes of a response.
pub(super) type Body = BoxStream<'static, Result<Bytes, Unreachable>>;

/// The connection could not be made, or broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreachable;

/// Something that takes calls; dropping the future or the body calls it off.
#[async_trait]
pub(super) trait Upstream: Send + Sync + 'static {
    /// Sends the call and waits for the status and the headers.
    async fn call(&self, call: &Call) -> Result<Response, Unreachable>;
}

/// The adapter cannot be built from its settings.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address is no http(s) address.
    #[error("the model provider's address is no http:// or https:// address")]
    Address,
    /// The key cannot stand in a header.
    #[error("the model provider's key contains characters that no header can carry")]
    Key,
    /// TLS or the resolver cannot be set up.
    #[error("the HTTP client for the model provider cannot be set up: {0}")]
    Client(reqwest::Error),
}

/// The provider over HTTP.
pub(super) struct Http {
    client: Client,
    url: Url,
}

impl Http {
    pub(super) fn new(settings: &Settings) -> Result<Self, BuildError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may win; either way one is installed.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = Client::builder()
            .default_headers(headers(settings)?)
            .user_agent(concat!("onya/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_millis(settings.clocks.connect_ms))
            .tcp_nodelay(true)
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(BuildError::Client)?;
        Ok(Self { client, url: url(&settings.base_url)? })
    }
}

#[async_trait]
impl Upstream for Http {
    async fn call(&self, call: &Call) -> Result<Response, Unreachable> {
        let mut request = self.client.post(self.url.clone()).body(call.body.clone());
        if let Some(Ok(value)) = call.traceparent.as_deref().map(HeaderValue::from_str) {
            request = request.header("traceparent", value);
        }
        let mut response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = response.bytes_stream().map(|bytes| bytes.map_err(unreachable)).boxed();
        Ok(Response { status, headers, body })
    }
}

fn unreachable(error: reqwest::Error) -> Unreachable {
    // Without its address: an operator may have put a password into it.
    tracing::debug!(error = ?error.without_url(), "connection to the model provider");
    Unreachable
}

fn headers(settings: &Settings) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    let key = settings.api_key.as_ref().map(ExposeSecret::expose_secret).filter(|key| !key.is_empty());
    if let Some(key) = key {
        let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| BuildError::Key)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// The address of the chat completions; a query, which some gateways want, is kept.
fn url(base_url: &str) -> Result<Url, BuildError> {
    let mut url = Url::parse(base_url).map_err(|_| BuildError::Address)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BuildError::Address);
    }
    url.path_segments_mut().map_err(|()| BuildError::Address)?.pop_if_empty().extend(["chat", "completions"]);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_before_a_query() {
        for (base, expected) in [
            ("https://api.example.com/v1", "https://api.example.com/v1/chat/completions"),
            ("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions"),
            ("http://localhost:8000", "http://localhost:8000/chat/completions"),
            (
                "https://x.example.com/openai/deployments/d?api-version=2024-10-21",
                "https://x.example.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
            ),
        ] {
            assert_eq!(url(base).unwrap().as_str(), expected);
        }
        for base in ["", "api.example.com", "ftp://example.com", "data:text/plain,x"] {
            assert!(matches!(url(base), Err(BuildError::Address)), "{base}");
        }
    }
}
