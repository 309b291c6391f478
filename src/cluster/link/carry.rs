//! Carries the frames of an open link both ways, until either way ends.
//!
//! Both ways run in one task, and neither waits for the other: two nodes that both have more to write than the network
//! takes would otherwise wait for each other to read.

use futures::StreamExt as _;
use metrics::{Counter, counter};
use onya_actors::ports::LinkEnd;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;

use super::ending::Ending;
use super::pulse::Watched;
use super::write::{FAREWELL, Writer};
use super::{LinkTimes, read, write};
use crate::telemetry::names::{LINK_BYTES_TOTAL, LINK_FRAMES_TOTAL};

/// Carries frames until the link ends. At `stop` what waits is written first.
pub(super) async fn carry<S, E>(
    socket: WebSocketStream<Watched<S>>,
    end: &E,
    times: &LinkTimes,
    stop: &CancellationToken,
) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
    E: LinkEnd<Sent: Serialize, Received: DeserializeOwned>,
{
    let pulse = socket.get_ref().pulse();
    let (outgoing, mut incoming) = socket.split();
    let writer = Writer::new(outgoing, &pulse, times);
    let ending = tokio::select! {
        biased;
        ending = read::run(&mut incoming, end, (&pulse, times.silence)) => ending,
        ending = write::run(writer, end, stop) => ending,
    };
    if matches!(ending, Ending::Closed) {
        // A connection that is closed with bytes unread is reset, and what was written last is lost with it.
        let _ = timeout(FAREWELL, async { while let Some(Ok(_)) = incoming.next().await {} }).await;
    }
    ending
}

/// Counts what passes in one way.
pub(super) struct Meter {
    frames: Counter,
    bytes: Counter,
}

impl Meter {
    pub(super) fn of(direction: &'static str) -> Self {
        Self {
            frames: counter!(LINK_FRAMES_TOTAL, "direction" => direction),
            bytes: counter!(LINK_BYTES_TOTAL, "direction" => direction),
        }
    }

    /// A message of so many frames and bytes.
    pub(super) fn message(&self, frames: u64, bytes: usize) {
        self.frames.increment(frames);
        self.bytes.increment(bytes as u64);
    }
}
