//! Customers of our own, who talk to the mock model through the proxy, so that there is something to see without a browser.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Between a reply and the next question, and before somebody who was cut off comes back.
const PAUSE: Duration = Duration::from_millis(700);
/// Whoever hears nothing for so long connects again.
const PATIENCE: Duration = Duration::from_secs(8);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The customers; nobody at first. They go when this is dropped.
pub(crate) struct Traffic {
    proxy: SocketAddr,
    customers: usize,
    /// One for all: to make one, the system's certificates are read.
    client: Client,
    tasks: JoinSet<()>,
}

impl Traffic {
    pub(crate) fn new(proxy: SocketAddr, customers: usize) -> Result<Self> {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { proxy, customers, client, tasks: JoinSet::new() })
    }

    /// They come, or go if they are there; what is to be said about it.
    pub(crate) fn toggle(&mut self) -> String {
        if self.tasks.is_empty() {
            for number in 0..self.customers {
                self.tasks.spawn(talk(self.client.clone(), self.proxy, number));
            }
            format!("{} customers come", self.customers)
        } else {
            self.tasks = JoinSet::new();
            "the customers go".to_owned()
        }
    }
}

/// Opens a conversation and asks one question after the other, for ever.
async fn talk(client: Client, proxy: SocketAddr, mut number: usize) {
    let (token, conversation) = loop {
        match visit(&client, proxy).await {
            Ok(guest) => break guest,
            Err(_) => sleep(PAUSE).await,
        }
    };
    loop {
        if let Ok(mut socket) = open(proxy, &token, &conversation).await {
            while ask(&mut socket, number).await.is_ok() {
                number += 1;
                sleep(PAUSE).await;
            }
        }
        sleep(PAUSE).await;
    }
}

async fn visit(client: &Client, proxy: SocketAddr) -> Result<(String, String)> {
    let post = |path: &str| client.post(format!("http://{proxy}{path}"));
    let visitor: Value = post("/v1/tokens/anonymous").send().await?.error_for_status()?.json().await?;
    let token = visitor["token"].as_str().context("no token")?;
    let opening = post("/v1/conversations").bearer_auth(token).header("idempotency-key", "visit").json(&json!({}));
    let opened: Value = opening.send().await?.error_for_status()?.json().await?;
    Ok((token.to_owned(), opened["id"].as_str().context("no conversation")?.to_owned()))
}

async fn open(proxy: SocketAddr, token: &str, conversation: &str) -> Result<Socket> {
    let address = format!("ws://{proxy}/v1/conversations/{conversation}/socket");
    let (mut socket, _) = timeout(PATIENCE, connect_async(address)).await??;
    send(&mut socket, &json!({"type": "hello", "versions": [1], "token": token})).await?;
    Ok(socket)
}

/// Asks a question, under a name by which it is known when it is sent again, and waits for the end of its reply. Every
/// third reply is long, so that some are always in progress.
async fn ask(socket: &mut Socket, number: usize) -> Result<()> {
    let text = if number.is_multiple_of(3) { "/mock long 300" } else { "Where is my parcel?" };
    send(socket, &json!({"type": "say", "client_msg_id": format!("q{number}"), "text": text})).await?;
    let mut acknowledged = false;
    loop {
        let frame = hear(socket).await?;
        match frame["type"].as_str().unwrap_or_default() {
            "ack" if frame["repeated"] == true => return Ok(()),
            "ack" => acknowledged = true,
            "entry" if acknowledged && frame["kind"] == "turn_ended" => return Ok(()),
            "refused" => anyhow::bail!("refused: {frame}"),
            "ping" => send(socket, &json!({"type": "pong"})).await?,
            _ => {}
        }
    }
}

async fn send(socket: &mut Socket, frame: &Value) -> Result<()> {
    Ok(timeout(PATIENCE, socket.send(Message::text(frame.to_string()))).await??)
}

async fn hear(socket: &mut Socket) -> Result<Value> {
    loop {
        let message = timeout(PATIENCE, socket.next()).await?.context("the socket has ended")??;
        if let Message::Text(text) = message {
            return Ok(serde_json::from_str(&text)?);
        }
    }
}
