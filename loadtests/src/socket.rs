//! One customer's WebSocket, spoken as docs/PROTOCOL.md says.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use futures::{SinkExt as _, StreamExt as _};
use onya_protocol::{Cursor, Refusal, ServerFrame, Synced, VERSION};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::target::Target;
use crate::visitors::Guest;

/// Longest wait for anything that a server does at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Thousands of sockets share this process.
const READ_BUFFER_BYTES: usize = 1024;
const PING: &str = r#"{"type":"ping""#;
const PONG: &str = r#"{"type":"pong"}"#;

/// An open socket.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    /// Connects and upgrades, with the guest's token in the header; says no hello.
    pub(crate) async fn open(target: &Target, guest: &Guest, index: usize) -> Result<Self> {
        let mut request = target.socket_url(&guest.path)?.as_str().into_client_request()?;
        if let Some(token) = &guest.token {
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
        }
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
        let upgrade = async {
            let stream = target.dial(index).await?;
            client_async_tls_with_config(request, stream, Some(config), None).await.map_err(refused)
        };
        let (stream, _) =
            Box::pin(timeout(PATIENCE, upgrade)).await.context("no answer to the upgrade within 30 s")??;
        Ok(Self { stream })
    }

    /// Says hello and waits until the conversation is there.
    pub(crate) async fn hello(&mut self) -> Result<Synced> {
        let refused = |refusal: Refusal| anyhow!("hello was refused: {} ({:?})", refusal.message, refusal.code);
        self.resume(None).await?.map_err(refused)
    }

    /// Says hello with where the copy of the log ends; what is missing in it, or why that was refused.
    pub(crate) async fn resume(&mut self, cursor: Option<Cursor>) -> Result<Result<Synced, Refusal>> {
        let mut hello = json!({"type": "hello", "versions": [VERSION]});
        if let Some(cursor) = cursor {
            hello["cursor"] = serde_json::to_value(cursor)?;
        }
        self.send(hello.to_string()).await?;
        loop {
            match frame(&self.expect().await?)? {
                ServerFrame::Synced(synced) => return Ok(Ok(synced)),
                ServerFrame::Hello { .. } => {}
                ServerFrame::Refused(refusal) => return Ok(Err(refusal)),
                other => bail!("hello was answered by {other:?}"),
            }
        }
    }

    pub(crate) async fn send(&mut self, text: String) -> Result<()> {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    /// The next frame but pings, which are answered; `None` when the socket was closed. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Utf8Bytes>> {
        while let Some(message) = self.stream.next().await {
            match message? {
                Message::Text(text) if text.starts_with(PING) => self.send(PONG.to_owned()).await?,
                Message::Text(text) => return Ok(Some(text)),
                Message::Close(Some(close)) => bail!("closed with {}: {}", close.code, close.reason),
                Message::Close(None) => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The next frame, which must come within the patience of a measurement.
    pub(crate) async fn expect(&mut self) -> Result<Utf8Bytes> {
        timeout(PATIENCE, self.next())
            .await
            .context("nothing was heard for 30 s")??
            .context("the server closed the socket")
    }

    /// Holds the socket open, answering pings, until it is closed from the other side.
    pub(crate) async fn idle(&mut self) -> Result<()> {
        while self.next().await?.is_some() {}
        bail!("the server closed an idle socket")
    }

    /// Closes it, with the closing handshake.
    pub(crate) async fn close(mut self) -> Result<()> {
        match timeout(PATIENCE, self.stream.close(None)).await.context("not closed within 30 s")? {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => {}
            Err(error) => return Err(error.into()),
        }
        // Reads the other side's close frame: only then is it known that the server has heard.
        while timeout(PATIENCE, self.stream.next())
            .await
            .context("the close was not answered")?
            .is_some_and(|m| m.is_ok())
        {}
        Ok(())
    }
}

/// Any frame but deltas in great number, for which this is slow.
pub(crate) fn frame(text: &str) -> Result<ServerFrame> {
    serde_json::from_str(text).with_context(|| format!("not a frame of protocol version {VERSION}: {text}"))
}

/// The server's own words for an upgrade that it did not grant.
fn refused(error: Error) -> anyhow::Error {
    let Error::Http(response) = error else { return error.into() };
    let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    anyhow!("the upgrade was refused with {}: {body}", response.status())
}
