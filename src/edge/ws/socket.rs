//! The bytes of a socket: sizes, time limits, the closing handshake.

use std::pin::pin;
use std::sync::Weak;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use onya_actors::ShortCut;
use onya_protocol::{CloseCode, ServerFrame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::line::{FRAGMENT_BYTES, Line};
use crate::config::SocketConfig;

/// An idle socket keeps its buffers, and most sockets are idle: one for what comes in, and one that is as long as the
/// longest piece that ever went out.
const BUFFER_BYTES: usize = 1024;
/// Never reached: what waits is written before more is added, and a fragment is the most that is added.
const MAX_WRITE_BUFFER_BYTES: usize = 64 * 1024;
/// A piece of a reply fits, an entry mostly.
const USUAL_FRAME_BYTES: usize = 256;
/// What is read of the other side's last words at once.
const FAREWELL_BYTES: usize = 4 * 1024;
/// Longest wait for the other side while closing.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What came in.
pub(super) enum Received {
    /// A frame's text.
    Text(Utf8Bytes),
    /// A frame that is no text.
    Binary,
    /// A frame over the size limit; nothing more can be read.
    TooLarge,
    /// Bytes that are no WebSocket frames; nothing more can be read.
    Malformed,
    /// The other side has closed, or is gone.
    Gone,
}

/// The other side does not read, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost;

/// An open WebSocket. It is moved from phase to phase of a task, which would keep room for it in each: hence the box.
pub(super) struct Socket {
    stream: Box<WebSocketStream<Line>>,
    write_timeout: Duration,
}

impl Socket {
    /// `None` if the stream is not the TCP stream that the server accepted.
    pub(super) async fn new(upgraded: Upgraded, limits: &SocketConfig) -> Option<Self> {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
            .max_message_size(Some(limits.max_frame_bytes))
            .max_frame_size(Some(limits.max_frame_bytes));
        // What HTTP kept around the stream is let go.
        let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
        let (tcp, read) = (parts.io.into_inner(), parts.read_buf.to_vec());
        let stream = WebSocketStream::from_partially_read(Line::new(tcp), read, Role::Server, Some(config)).await;
        Some(Self { stream: Box::new(stream), write_timeout: Duration::from_millis(limits.write_timeout_ms) })
    }

    /// The way past the task that holds this socket, for what need not wait.
    pub(super) fn short_cut(&self) -> Weak<dyn ShortCut> {
        self.stream.get_ref().short_cut()
    }

    /// The next frame. Cancel safe.
    pub(super) async fn receive(&mut self) -> Received {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Received::Text(text),
                Some(Ok(Message::Binary(_))) => return Received::Binary,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) => {
                    self.stream.get_ref().close_short_cut();
                    // The answer to the close frame waits to be written; if it cannot be, nothing is lost.
                    let _ = timeout(CLOSE_TIMEOUT, self.stream.flush()).await;
                    return Received::Gone;
                }
                Some(Err(Error::Capacity(_))) => return Received::TooLarge,
                Some(Err(Error::Utf8(_) | Error::Protocol(_))) => return Received::Malformed,
                Some(Err(_)) | None => return Received::Gone,
            }
        }
    }

    /// Writes frames and flushes once.
    pub(super) async fn send(&mut self, frames: impl Iterator<Item = ServerFrame>) -> Result<(), Lost> {
        let write_timeout = self.write_timeout;
        for frame in frames {
            within(write_timeout, self.feed(json(&frame)?)).await?;
        }
        within(write_timeout, self.stream.flush()).await
    }

    async fn feed(&mut self, text: String) -> Result<(), Error> {
        if text.len() <= FRAGMENT_BYTES {
            return self.stream.feed(Message::text(text)).await;
        }
        let bytes = Bytes::from(text);
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(at + FRAGMENT_BYTES);
            let opcode = OpCode::Data(if at == 0 { Data::Text } else { Data::Continue });
            let frame = Frame::message(bytes.slice(at..end), opcode, end == bytes.len());
            self.stream.feed(Message::Frame(frame)).await?;
            at = end;
        }
        Ok(())
    }

    /// Says goodbye, and reads what the other side still sends until it has heard: a connection that is dropped with
    /// bytes unread is reset, and the close code with it.
    pub(super) async fn close(mut self, code: CloseCode) {
        let frame = CloseFrame { code: (code as u16).into(), reason: Utf8Bytes::from_static(code.reason()) };
        let farewell = async {
            self.stream.send(Message::Close(Some(frame))).await.ok()?;
            let stream = self.stream.get_mut();
            stream.shutdown().await.ok()?;
            let mut rest = vec![0; FAREWELL_BYTES];
            while stream.read(&mut rest).await.ok()? > 0 {}
            Some(())
        };
        // Whoever does not answer is left.
        let _ = timeout(CLOSE_TIMEOUT, farewell).await;
    }
}

fn json(frame: &ServerFrame) -> Result<String, Lost> {
    let mut text = Vec::with_capacity(USUAL_FRAME_BYTES);
    serde_json::to_writer(&mut text, frame).map_err(|error| {
        tracing::error!(%error, "a frame cannot be written as JSON");
        Lost
    })?;
    String::from_utf8(text).map_err(|_| Lost)
}

/// Nearly every write is done at once; only one that is not needs a timer.
async fn within(limit: Duration, write: impl Future<Output = Result<(), Error>>) -> Result<(), Lost> {
    let mut write = pin!(write);
    let written = match futures::poll!(write.as_mut()) {
        Poll::Ready(written) => Ok(written),
        Poll::Pending => timeout(limit, write).await,
    };
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Lost),
    }
}
