//! The few HTTP requests of the terminal client. The token travels in a header, never in an address.

use anyhow::{Context as _, bail};
use onya_core::{ConversationId, Timestamp};
use onya_protocol::Control;
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A server, as HTTP reaches it.
pub(super) struct Api {
    client: Client,
    /// Without a slash at its end.
    base: String,
}

/// An anonymous visitor's identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Visitor {
    pub(super) token: String,
    /// When the token ends.
    pub(super) expires_at: Timestamp,
}

/// A conversation in a list for staff.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) id: ConversationId,
    pub(super) control: Control,
}

#[derive(Deserialize)]
struct Opened {
    id: ConversationId,
}

#[derive(Deserialize)]
struct List {
    conversations: Vec<Listed>,
}

/// The server refused, and the token is why.
#[derive(Debug, thiserror::Error)]
#[error("the server does not accept the token: {0}")]
pub(super) struct Unauthenticated(String);

impl Api {
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let base = url.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            bail!("--url must start with http:// or https://, it is {url:?}");
        }
        // Fails only when another provider is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { client: Client::builder().build()?, base })
    }

    pub(super) async fn anonymous(&self) -> anyhow::Result<Visitor> {
        self.call(Method::POST, "/v1/tokens/anonymous", None).await
    }

    /// The customer's open conversation; a new one if there is none.
    pub(super) async fn open_conversation(&self, token: &str) -> anyhow::Result<ConversationId> {
        let opened: Opened = self.call(Method::POST, "/v1/conversations", Some(token)).await?;
        Ok(opened.id)
    }

    /// All open conversations, for staff.
    pub(super) async fn open_conversations(&self, token: &str) -> anyhow::Result<Vec<Listed>> {
        let list: List = self.call(Method::GET, "/v1/conversations?state=open", Some(token)).await?;
        Ok(list.conversations)
    }

    /// The address of a socket.
    pub(super) fn socket(&self, path: &str) -> String {
        // http → ws, https → wss.
        format!("ws{}{path}", self.base.trim_start_matches("http"))
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, token: Option<&str>) -> anyhow::Result<T> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if method == Method::POST {
            request = request.json(&serde_json::json!({}));
        }
        let response = request.send().await.with_context(|| format!("cannot reach {}", self.base))?;
        let status = response.status();
        if status.is_success() {
            return response.json().await.context("the server's answer is not understood");
        }
        let body: Value = response.json().await.unwrap_or_default();
        let message =
            body["error"]["message"].as_str().or_else(|| body["message"].as_str()).unwrap_or("no reason given");
        if status == reqwest::StatusCode::UNAUTHORIZED {
            return Err(Unauthenticated(message.to_owned()).into());
        }
        bail!("{method} {path}: {status}: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_has_the_scheme_that_goes_with_the_address() {
        let socket = |url: &str| Api::new(url).unwrap().socket("/v1/desk/socket");
        assert_eq!(socket("http://127.0.0.1:3000/"), "ws://127.0.0.1:3000/v1/desk/socket");
        assert_eq!(socket("https://chat.example/onya"), "wss://chat.example/onya/v1/desk/socket");
        assert!(Api::new("127.0.0.1:3000").is_err());
    }
}
