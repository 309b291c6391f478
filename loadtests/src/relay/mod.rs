//! The bare relay: the least that can stand between a model and a browser, and so the floor that Onya is measured against.
//!
//! WebSocket in, HTTP to the model, one text frame per piece of the reply out. No state, no store, no actor, no
//! token, no limits, no resumption: nothing that a customer would need. It has Onya's libraries, allocator, threads and
//! buffer sizes, so that the difference is Onya's own work. Next: [`sse`] for the model's stream.
//!
//! A text frame `{"type":"say"}` asks the model, and `{"type":"end"}` ends each reply; everything else is echoed.

mod sse;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use futures::{SinkExt as _, StreamExt as _};
use reqwest::{Client, Url};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};
use tokio_util::task::TaskTracker;

use self::sse::Pieces;
use crate::output;

/// What a chat server asks, cut to the least.
const QUESTION: &str =
    r#"{"model":"scripted","stream":true,"messages":[{"role":"user","content":"Where is my parcel?"}]}"#;
/// Begins the frame that asks the model.
const SAY: &str = r#"{"type":"say""#;
/// Tells the client that the reply is whole.
const END: &str = r#"{"type":"end"}"#;

/// The floor.
#[derive(Args, Clone, Debug)]
pub(crate) struct RelayArgs {
    /// TCP port on 127.0.0.1; 0 takes any free one and prints it
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The model server, up to and without /chat/completions; without it the relay only echoes
    #[arg(long, value_name = "URL")]
    upstream: Option<Url>,
    /// Bytes of a socket's read buffer, which it keeps while it idles
    #[arg(long, default_value_t = 1024)]
    read_buffer_bytes: usize,
}

/// The model, and how it is asked.
struct Upstream {
    client: Client,
    url: Url,
}

#[derive(Serialize)]
struct Delta<'a> {
    r#type: &'static str,
    text: &'a str,
}

/// Serves until the process is ended.
pub(crate) async fn run(args: RelayArgs) -> Result<()> {
    let listener = crate::listen(args.port).await?;
    output::line(&format!("relay: http://{}", listener.local_addr()?))?;
    let upstream = args.upstream.map(upstream).transpose()?.map(Arc::new);
    let config = WebSocketConfig::default().read_buffer_size(args.read_buffer_bytes).write_buffer_size(0);
    let sockets = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await?;
        sockets.spawn(serve(stream, config, upstream.clone()));
    }
}

fn upstream(url: Url) -> Result<Upstream> {
    let url = format!("{}/chat/completions", url.as_str().trim_end_matches('/')).parse()?;
    let client = Client::builder().tcp_nodelay(true).connect_timeout(Duration::from_secs(5)).build()?;
    Ok(Upstream { client, url })
}

async fn serve(stream: TcpStream, config: WebSocketConfig, upstream: Option<Arc<Upstream>>) {
    let _ = stream.set_nodelay(true);
    // Boxed, because the handshake needs more memory than the idle socket that remains.
    let Ok(mut socket) = Box::pin(accept_async_with_config(stream, Some(config))).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        let answered = match (&message, &upstream) {
            (Message::Text(text), Some(upstream)) if text.starts_with(SAY) => {
                Box::pin(relay(&mut socket, upstream)).await
            }
            (Message::Text(_) | Message::Binary(_), _) => socket.send(message).await.map_err(Into::into),
            _ => Ok(()),
        };
        if answered.is_err() {
            return;
        }
    }
}

/// Asks the model and passes each piece of its reply on as it comes.
async fn relay(socket: &mut WebSocketStream<TcpStream>, upstream: &Upstream) -> Result<()> {
    let request = upstream.client.post(upstream.url.clone()).header("content-type", "application/json");
    let mut response =
        request.body(QUESTION).send().await.context("the upstream does not answer")?.error_for_status()?;
    let mut pieces = Pieces::default();
    while let Some(bytes) = response.chunk().await? {
        pieces.add(&bytes);
        while let Some(text) = pieces.next()? {
            let frame = serde_json::to_string(&Delta { r#type: "delta", text: &text })?;
            socket.send(Message::text(frame)).await?;
        }
    }
    socket.send(Message::text(END)).await?;
    Ok(())
}
