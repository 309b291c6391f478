//! What comes in on a link, and that something does.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use onya_actors::ports::LinkEnd;
use serde::de::DeserializeOwned;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::batch;
use super::carry::Meter;
use super::ending::Ending;
use super::pulse::Pulse;

/// Hands frames to the end until the link ends. A link on which nothing comes in for so long is one that has ended.
pub(super) async fn run<S, E>(mut incoming: S, end: &E, (pulse, limit): (&Pulse, Duration)) -> Ending
where
    S: Stream<Item = Result<Message, Error>> + Unpin,
    E: LinkEnd<Received: DeserializeOwned>,
{
    let meter = Meter::of("received");
    let mut silence = pin!(sleep_until(pulse.last_read() + limit));
    loop {
        tokio::select! {
            // A process that was stopped for a while first looks whether something came meanwhile.
            biased;
            message = incoming.next() => {
                if let Err(ending) = take(message, end, &meter) {
                    return ending;
                }
                // A side that never stops sending must not keep this one from writing.
                consume_budget().await;
            }
            () = silence.as_mut() => {
                // Moving a timer costs more than leaving it, so it is moved only when it rings.
                let due = pulse.last_read() + limit;
                if due <= Instant::now() {
                    return Ending::Silent;
                }
                silence.as_mut().reset(due);
            }
        }
    }
}

fn take<E>(message: Option<Result<Message, Error>>, end: &E, meter: &Meter) -> Result<(), Ending>
where
    E: LinkEnd<Received: DeserializeOwned>,
{
    match message {
        Some(Ok(Message::Text(text))) => {
            let frames = batch::frames(&text)?;
            meter.message(frames.len() as u64, text.len());
            frames.into_iter().for_each(|frame| end.received(frame));
            Ok(())
        }
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
        Some(Ok(Message::Close(_))) | None => Err(Ending::ClosedByPeer),
        Some(Ok(Message::Binary(_) | Message::Frame(_))) => Err(Ending::Malformed("messages are text".to_owned())),
        Some(Err(error)) => Err(error.into()),
    }
}
