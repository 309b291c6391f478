//! One WebSocket: frames in, frames out, and what its end means.

use std::time::Duration;

use anyhow::Context as _;
use futures::{SinkExt as _, StreamExt as _};
use onya_protocol::{CloseCode, ServerFrame};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A new socket has this long to connect and to come into step.
const IN_STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Close codes from here to 3999 are final; the expired token, below, needs another token first.
const FIRST_FINAL_CODE: u16 = 3500;

/// An open socket that has said hello.
pub(super) struct Link {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Longest time between two frames of a live server.
    longest_silence: Duration,
    deadline: Instant,
}

/// What a socket brings.
pub(super) enum Received {
    Frame(Box<ServerFrame>),
    /// Connect again.
    Lost,
    /// The server's word is final.
    Final(String),
}

/// A new socket that may replace the old one: with the frames it has brought so far, the one that shows it included.
pub(super) struct Dialled {
    pub(super) link: Box<Link>,
    pub(super) frames: Vec<ServerFrame>,
}

/// Why a socket could not be opened.
pub(super) enum DialError {
    /// Try again, but not before this time has passed.
    Transient { reason: anyhow::Error, retry_after: Duration },
    /// Trying again would give the same.
    Final(String),
}

/// Opens a socket, says hello and waits for the frame that shows that the server is in step.
pub(super) async fn dial(
    url: String,
    hello: String,
    is_in_step: fn(&ServerFrame) -> bool,
) -> Result<Dialled, DialError> {
    let deadline = Instant::now() + IN_STEP_TIMEOUT;
    let mut link = timeout_at(deadline, open(&url, hello)).await.map_err(transient)?.map_err(transient)?;
    link.deadline = deadline;
    let mut frames = Vec::new();
    let mut retry_after = Duration::ZERO;
    loop {
        match link.next().await {
            Received::Frame(frame) => {
                if let ServerFrame::Refused(refusal) = &*frame {
                    retry_after = retry_after.max(Duration::from_millis(refusal.retry_after_ms.unwrap_or(0)));
                }
                let in_step = is_in_step(&frame);
                frames.push(*frame);
                if in_step {
                    return Ok(Dialled { link: Box::new(link), frames });
                }
            }
            Received::Lost => {
                return Err(DialError::Transient { reason: anyhow::anyhow!("the connection was lost"), retry_after });
            }
            Received::Final(reason) => return Err(DialError::Final(reason)),
        }
    }
}

fn transient(reason: impl Into<anyhow::Error>) -> DialError {
    DialError::Transient { reason: reason.into(), retry_after: Duration::ZERO }
}

async fn open(url: &str, hello: String) -> anyhow::Result<Link> {
    let (mut socket, _) = connect_async(url).await.context("cannot connect")?;
    if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
        stream.set_nodelay(true)?;
    }
    socket.send(Message::text(hello)).await?;
    Ok(Link { socket, longest_silence: IN_STEP_TIMEOUT, deadline: Instant::now() + IN_STEP_TIMEOUT })
}

impl Link {
    /// Sends a frame. A failure shows as the end of the socket, in [`Link::next`].
    pub(super) async fn send(&mut self, frame: &impl Serialize) {
        let Ok(text) = serde_json::to_string(frame) else { return };
        let _ = timeout_at(self.deadline, self.socket.send(Message::text(text))).await;
    }

    /// The next frame. Cancellation loses nothing.
    pub(super) async fn next(&mut self) -> Received {
        loop {
            let message = match timeout_at(self.deadline, self.socket.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(_)) | None) | Err(_) => return Received::Lost,
            };
            self.deadline = Instant::now() + self.longest_silence;
            match message {
                Message::Text(text) => {
                    // A frame of a later version is no frame of ours.
                    let Ok(frame) = serde_json::from_str::<ServerFrame>(&text) else { continue };
                    if let ServerFrame::Hello { ping_interval_ms, pong_timeout_ms, .. } = &frame {
                        self.longest_silence = Duration::from_millis(ping_interval_ms.saturating_add(*pong_timeout_ms));
                    }
                    return Received::Frame(Box::new(frame));
                }
                Message::Close(frame) => {
                    let (code, reason) =
                        frame.map_or((0, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                    return closed(code, reason);
                }
                _ => {}
            }
        }
    }

    /// Says goodbye as far as the socket still allows.
    pub(super) async fn close(&mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.socket.close(None)).await;
    }
}

fn closed(code: u16, reason: String) -> Received {
    if code == CloseCode::TokenExpired as u16 {
        return Received::Final("the token has expired".to_owned());
    }
    if (FIRST_FINAL_CODE..4000).contains(&code) {
        return Received::Final(if reason.is_empty() { code.to_string() } else { reason });
    }
    Received::Lost
}
