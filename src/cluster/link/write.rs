//! What goes out on a link: frames as they come, and signs of life.

use std::collections::VecDeque;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, Sink, SinkExt as _};
use onya_actors::ports::LinkEnd;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::carry::Meter;
use super::ending::Ending;
use super::pulse::Pulse;
use super::{LinkTimes, batch};

/// Longest wait for the last word of a link to be written, and for the other side to hear it.
pub(super) const FAREWELL: Duration = Duration::from_millis(500);

/// Writes what the end says until the link ends.
pub(super) async fn run<S, E>(mut writer: Writer<'_, S>, end: &E, stop: &CancellationToken) -> Ending
where
    S: Sink<Message, Error = Error> + Unpin,
    E: LinkEnd<Sent: Serialize>,
{
    let mut ping = interval(writer.ping_interval);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopped = pin!(stop.cancelled());
    loop {
        let written = tokio::select! {
            biased;
            () = stopped.as_mut() => {
                let waiting = end.next().now_or_never().flatten().unwrap_or_default();
                match writer.frames(waiting).await {
                    Ok(()) => return writer.farewell().await,
                    written => written,
                }
            }
            _ = ping.tick() => writer.ping().await,
            frames = end.next() => match frames {
                Some(frames) => writer.frames(frames).await,
                None => return writer.farewell().await,
            },
        };
        if let Err(ending) = written {
            return ending;
        }
    }
}

/// The outgoing half of a link.
pub(super) struct Writer<'a, S> {
    outgoing: S,
    meter: Meter,
    pulse: &'a Pulse,
    limit: Duration,
    ping_interval: Duration,
}

impl<'a, S: Sink<Message, Error = Error> + Unpin> Writer<'a, S> {
    pub(super) fn new(outgoing: S, pulse: &'a Pulse, times: &LinkTimes) -> Self {
        let (limit, ping_interval) = (times.write, times.ping_interval);
        Self { outgoing, meter: Meter::of("sent"), pulse, limit, ping_interval }
    }

    /// Writes all frames and flushes once.
    async fn frames<F: Serialize>(&mut self, mut frames: VecDeque<F>) -> Result<(), Ending> {
        while !frames.is_empty() {
            let (text, count) = batch::message(&mut frames)?;
            self.meter.message(count, text.len());
            moving(self.outgoing.feed(Message::text(text)), self.pulse, self.limit).await?;
        }
        moving(self.outgoing.flush(), self.pulse, self.limit).await
    }

    async fn ping(&mut self) -> Result<(), Ending> {
        moving(self.outgoing.send(Message::Ping(Bytes::new())), self.pulse, self.limit).await
    }

    /// Lets the other side know that this one left on purpose; if it cannot be told, it will notice.
    async fn farewell(&mut self) -> Ending {
        let frame = CloseFrame { code: CloseCode::Away, reason: Utf8Bytes::from_static("closed") };
        let _ = timeout(FAREWELL, self.outgoing.send(Message::Close(Some(frame)))).await;
        Ending::Closed
    }
}

/// Waits for a write for as long as bytes go out. Nearly every write is done at once; only one that is not needs a timer.
async fn moving(write: impl Future<Output = Result<(), Error>>, pulse: &Pulse, limit: Duration) -> Result<(), Ending> {
    let mut write = pin!(write);
    if let Poll::Ready(written) = futures::poll!(write.as_mut()) {
        return written.map_err(Ending::from);
    }
    let mut due = Instant::now() + limit;
    loop {
        match timeout_at(due, write.as_mut()).await {
            Ok(written) => return written.map_err(Ending::from),
            Err(_) if pulse.last_written() + limit <= due => return Err(Ending::NotReading),
            Err(_) => due = pulse.last_written() + limit,
        }
    }
}
