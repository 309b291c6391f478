//! A bare WebSocket, with the link's buffers.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures::{SinkExt as _, StreamExt as _};
use onya_protocol::peer::{ToEdge, ToOwner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::measure::{Heard, Round, cpu, per_frame};

/// What is one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Frame,
    Batch,
}

pub(crate) async fn to_edge(round: Round, encoding: Encoding, frame: fn(usize) -> ToEdge) -> Result<f64> {
    send(round, (encoding, Role::Server), frame).await
}

pub(crate) async fn to_owner(round: Round, encoding: Encoding, frame: fn(usize) -> ToOwner) -> Result<f64> {
    send(round, (encoding, Role::Client), frame).await
}

type Socket = WebSocketStream<TcpStream>;

async fn send<F>(round: Round, (encoding, role): (Encoding, Role), frame: fn(usize) -> F) -> Result<f64>
where
    F: Serialize + DeserializeOwned + Send + 'static,
{
    let (mut sender, receiver) = pair(role).await?;
    let heard = Arc::new(Heard::new(round));
    let since = cpu()?;
    let mut hearing = JoinSet::new();
    hearing.spawn(hear::<F>(receiver, encoding, (Arc::clone(&heard), round.frames)));
    let mut sent = 0;
    while sent < round.frames {
        let frames: Vec<F> = (sent..sent + round.batch).map(frame).collect();
        match encoding {
            Encoding::Batch => sender.feed(Message::text(serde_json::to_string(&frames)?)).await?,
            Encoding::Frame => {
                for frame in &frames {
                    sender.feed(Message::text(serde_json::to_string(frame)?)).await?;
                }
            }
        }
        sender.flush().await?;
        sent += round.batch;
        heard.turn().await;
    }
    hearing.join_next().await.context("nobody hears")???;
    per_frame(since, round)
}

async fn hear<F: DeserializeOwned>(
    mut socket: Socket,
    encoding: Encoding,
    (heard, frames): (Arc<Heard>, usize),
) -> Result<()> {
    let mut count = 0;
    while count < frames {
        let text = socket.next().await.context("the sender left")??.into_text()?;
        let length = match encoding {
            Encoding::Batch => serde_json::from_str::<Vec<F>>(&text)?.len(),
            Encoding::Frame => serde_json::from_str::<F>(&text).map(|_| 1)?,
        };
        count += length;
        heard.add(length);
    }
    Ok(())
}

async fn pair(sender: Role) -> Result<(Socket, Socket)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (sending, receiving) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (sending, (receiving, _)) = (sending?, receiving?);
    sending.set_nodelay(true)?;
    receiving.set_nodelay(true)?;
    let config = Some(WebSocketConfig::default().read_buffer_size(64 * 1024).write_buffer_size(64 * 1024));
    let receiver = if sender == Role::Server { Role::Client } else { Role::Server };
    Ok((
        WebSocketStream::from_raw_socket(sending, sender, config).await,
        WebSocketStream::from_raw_socket(receiving, receiver, config).await,
    ))
}
