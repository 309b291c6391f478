//! One WebSocket, frame by frame, to a server that may go away at any time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longest wait for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// An open socket, with a number of its own.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub number: u64,
}

/// What came of waiting.
pub(crate) enum Heard {
    Frame(Value),
    /// Nothing, for so long.
    Silence,
    /// The socket has ended.
    End,
}

impl Socket {
    /// Shakes hands and says hello.
    pub(crate) async fn open(address: SocketAddr, path: &str, mut hello: Value) -> Option<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let connecting = timeout(HANDSHAKE, connect_async(format!("ws://{address}{path}")));
        let (stream, _) = connecting.await.ok()?.ok()?;
        let mut socket = Self { stream, number: NUMBERS.fetch_add(1, Ordering::Relaxed) };
        hello["type"] = json!("hello");
        hello["versions"] = json!([1]);
        socket.send(&hello).await.then_some(socket)
    }

    /// Sends a frame; whether the socket is still there.
    pub(crate) async fn send(&mut self, frame: &Value) -> bool {
        let sending = self.stream.send(Message::text(frame.to_string()));
        matches!(timeout(HANDSHAKE, sending).await, Ok(Ok(())))
    }

    /// The next frame but pings, which are answered. Cancel safe.
    pub(crate) async fn next(&mut self, patience: Duration) -> Heard {
        match timeout(patience, self.frame()).await {
            Ok(Some(frame)) => Heard::Frame(frame),
            Ok(None) => Heard::End,
            Err(_) => Heard::Silence,
        }
    }

    async fn frame(&mut self) -> Option<Value> {
        loop {
            let Message::Text(text) = self.stream.next().await?.ok()? else { continue };
            let frame: Value = serde_json::from_str(&text).ok()?;
            if frame["type"] != "ping" {
                return Some(frame);
            }
            self.send(&json!({"type": "pong"})).await;
        }
    }
}
