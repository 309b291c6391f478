//! A response's bytes as frames: chunks, and what is no chunk.

use futures::StreamExt;

use super::chunk::Chunk;
use super::fault::Fault;
use super::sse::{Decoder, Event};
use super::upstream::Body;

/// What a stream says next.
#[derive(Debug)]
pub(super) enum Frame {
    /// A chunk of the reply.
    Chunk(Chunk),
    /// Nothing that matters: a comment, a ping, half an event.
    Nothing,
    /// `[DONE]`, or the end of the bytes.
    End,
}

/// Reads one response.
pub(super) struct Reader {
    body: Body,
    decoder: Decoder,
    exhausted: bool,
}

impl Reader {
    pub(super) fn new(body: Body) -> Self {
        Self { body, decoder: Decoder::default(), exhausted: false }
    }

    /// The next frame. Nothing is lost if the future is dropped before it is done.
    pub(super) async fn next(&mut self) -> Result<Frame, Fault> {
        if let Some(event) = self.decoder.next().map_err(|_| Fault::malformed())? {
            return frame(event);
        }
        if self.exhausted {
            return Ok(Frame::End);
        }
        match self.body.next().await {
            Some(Ok(bytes)) => {
                self.decoder.push(&bytes);
                self.decoder.next().map_err(|_| Fault::malformed())?.map_or(Ok(Frame::Nothing), frame)
            }
            Some(Err(error)) => {
                self.exhausted = true;
                Err(Fault::unreachable(error, true))
            }
            None => {
                self.exhausted = true;
                self.decoder.finish().map_or(Ok(Frame::End), frame)
            }
        }
    }

    /// The bytes that were not read; `None` if there are none.
    pub(super) fn into_rest(self) -> Option<Body> {
        (!self.exhausted).then_some(self.body)
    }
}

fn frame(event: &Event) -> Result<Frame, Fault> {
    let data = event.data.trim_ascii();
    if data == b"[DONE]" {
        return Ok(Frame::End);
    }
    let ignored = matches!(event.name.as_str(), "ping" | "keepalive" | "keep-alive" | "heartbeat");
    if ignored || data.is_empty() || data.starts_with(b":") {
        return Ok(Frame::Nothing);
    }
    if event.name == "error" {
        return Err(Fault::reported(data));
    }
    let chunk: Chunk = serde_json::from_slice(data).map_err(|_| Fault::malformed())?;
    if chunk.is_error() { Err(Fault::reported(data)) } else { Ok(Frame::Chunk(chunk)) }
}
