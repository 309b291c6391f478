//! One streamed reply: a timer and a position in the script.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until};

use super::script::{self, Script, Stamp};
use crate::clock::monotonic_ns;

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Opening,
    Token(u32),
    Closing,
    Nothing,
}

/// The body of a response.
pub(super) struct Reply {
    script: Arc<Script>,
    received_ns: u64,
    start: Instant,
    next: Next,
    timer: Pin<Box<Sleep>>,
}

impl Reply {
    pub(super) fn new(script: Arc<Script>, received_ns: u64) -> Self {
        let start = Instant::now();
        let timer = Box::pin(sleep_until(start + script.due(0)));
        Self { script, received_ns, start, next: Next::Opening, timer }
    }

    fn token(&self, n: u32) -> Bytes {
        match n {
            0 => script::first(Stamp { received_ns: self.received_ns, sent_ns: monotonic_ns() }),
            _ => self.script.token(n),
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let (bytes, next) = match self.next {
            Next::Opening => (script::opening(), Next::Token(0)),
            Next::Token(n) => {
                ready!(self.timer.as_mut().poll(context));
                let due = self.start + self.script.due(n + 1);
                self.timer.as_mut().reset(due);
                (self.token(n), if n + 1 < self.script.tokens { Next::Token(n + 1) } else { Next::Closing })
            }
            Next::Closing => (script::closing(), Next::Nothing),
            Next::Nothing => return Poll::Ready(None),
        };
        self.next = next;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::ScriptArgs;
    use super::*;

    async fn frame(reply: &mut Reply) -> Option<String> {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *reply).poll_frame(context)).await?;
        Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn the_opening_comes_at_once_the_tokens_at_their_pace_and_then_the_end() {
        let script = Script::new(ScriptArgs { tokens: 3, tokens_per_second: 20.0, first_token_ms: 100 });
        let start = Instant::now();
        let mut reply = Reply::new(Arc::new(script), 17);
        let mut seen = Vec::new();
        while let Some(text) = frame(&mut reply).await {
            seen.push((start.elapsed(), text));
        }
        let times: Vec<_> = seen.iter().map(|(at, _)| at.as_millis()).collect();
        assert_eq!(times, [0, 100, 150, 200, 200]);
        assert!(seen[1].1.contains("[00000000000000000017,"), "{seen:?}");
        assert!(seen[4].1.ends_with("[DONE]\n\n"), "{seen:?}");
        assert!(start.elapsed() < Duration::from_millis(250), "the end waits for no further token");
    }
}
