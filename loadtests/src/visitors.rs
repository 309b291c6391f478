//! Customers for a measurement: tokens and conversations, made before anything is measured.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};

use crate::target::Target;

/// Requests under way at once: enough to fill the store's batches, few enough to leave the machine alone.
const AT_ONCE: usize = 32;

/// Times that a busy server is asked again, and the pause before.
const BUSY_TRIES: usize = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// Somebody who may open a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Guest {
    /// The token for the header of the upgrade.
    pub token: Option<String>,
    /// The path of the socket.
    pub path: String,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Conversation {
    id: String,
}

/// So many guests: visitors with a conversation each, or one customer many times if the target has a token.
pub(crate) async fn make(target: &Target, count: usize) -> Result<Vec<Guest>> {
    if target.bare {
        return Ok(vec![bare(); count]);
    }
    let client = Client::builder().tcp_nodelay(true).pool_max_idle_per_host(AT_ONCE).build()?;
    if let Some(token) = &target.token {
        return Ok(vec![guest(&client, target, token.clone()).await?; count]);
    }
    stream::iter(0..count).map(|_| visitor(&client, target)).buffer_unordered(AT_ONCE).try_collect().await
}

/// One more guest, by a client that is kept.
pub(crate) async fn one(client: &Client, target: &Target) -> Result<Guest> {
    match &target.token {
        _ if target.bare => Ok(bare()),
        Some(token) => guest(client, target, token.clone()).await,
        None => visitor(client, target).await,
    }
}

fn bare() -> Guest {
    Guest { token: None, path: "/".to_owned() }
}

async fn visitor(client: &Client, target: &Target) -> Result<Guest> {
    let request = client.request(Method::POST, target.url.join("/v1/tokens/anonymous")?);
    let Token { token } = answer(request).await.context("no token for a visitor")?;
    guest(client, target, token).await
}

async fn guest(client: &Client, target: &Target, token: String) -> Result<Guest> {
    let request = client.request(Method::POST, target.url.join("/v1/conversations")?);
    let Conversation { id } = answer(request.bearer_auth(&token)).await.context("no conversation")?;
    Ok(Guest { token: Some(token), path: format!("/v1/conversations/{id}/socket") })
}

/// Asks until the server has time: what it was too busy for, it did not do.
async fn answer<T: for<'a> Deserialize<'a>>(request: RequestBuilder) -> Result<T> {
    for _ in 0..BUSY_TRIES {
        let again = request.try_clone().context("a request with a body that cannot be sent twice")?;
        let response = again.send().await.context("the server does not answer: is it up?")?;
        let (status, body) = (response.status(), response.text().await?);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            tokio::time::sleep(BUSY_PAUSE).await;
            continue;
        }
        if !status.is_success() {
            bail!("{status}: {body}");
        }
        return serde_json::from_str(&body).with_context(|| format!("an answer that is none: {body}"));
    }
    bail!("the server was busy {BUSY_TRIES} times in a row")
}
