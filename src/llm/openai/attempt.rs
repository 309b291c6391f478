//! One attempt: one call to the provider and the stream that comes back.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use onya_actors::ports::ModelEnd;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::answer::Desk;
use super::fault::Fault;
use super::reader::{Frame, Reader};
use super::reply::Reply;
use super::retry;
use super::upstream::{Call, Response};
use crate::llm::deadlines::Deadlines;
use crate::llm::feed::Texts;

/// How long after the last word a stream may take to say `[DONE]`: the text is complete, and waiting for more of a
/// provider that forgets it would only keep the customer waiting.
const AFTER_FINISH: Duration = Duration::from_millis(250);
/// How long a finished response is read to its end, so that its connection can be used again.
const DRAIN: Duration = Duration::from_millis(50);
/// Most of an error's body that is read, in bytes, and the longest time for it.
const MAX_ERROR_BODY: usize = 16_384;
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// An attempt in progress; counted as cancelled if it is dropped before it ends.
pub(super) struct Attempt<'a> {
    desk: &'a Desk,
    call: &'a Call,
    outcome: &'static str,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        metrics::counter!("onya_llm_attempts_total", "provider" => "openai", "outcome" => self.outcome).increment(1);
    }
}

impl<'a> Attempt<'a> {
    pub(super) fn begin(desk: &'a Desk, call: &'a Call) -> Self {
        Self { desk, call, outcome: "cancelled" }
    }

    /// Runs the attempt to its end; a fault that may be retried left nothing behind.
    pub(super) async fn run(mut self, texts: &Texts, deadlines: &mut Deadlines) -> Result<ModelEnd, Fault> {
        let ended = self.stream(texts, deadlines).await;
        self.outcome = match &ended {
            Ok(ModelEnd::AskForPerson { .. }) => "asked_for_person",
            Ok(_) => "complete",
            Err(fault) => fault.outcome,
        };
        ended
    }

    async fn stream(&self, texts: &Texts, deadlines: &mut Deadlines) -> Result<ModelEnd, Fault> {
        let response = timeout_at(deadlines.next(), self.desk.upstream.call(self.call))
            .await
            .map_err(|_| timed_out(deadlines, false))?
            .map_err(|error| Fault::unreachable(error, false))?;
        if !response.status.is_success() {
            return Err(self.refused(response).await);
        }
        let mut reader = Reader::new(response.body);
        let mut reply = Reply::new(self.desk.settings.max_reply_bytes);
        let ended = self.listen(&mut reader, &mut reply, texts, deadlines).await;
        if ended.is_ok() {
            drain(reader);
        }
        ended.map_err(|fault| if reply.has_content() { fault.after_content() } else { fault })
    }

    async fn listen(
        &self,
        reader: &mut Reader,
        reply: &mut Reply,
        texts: &Texts,
        deadlines: &mut Deadlines,
    ) -> Result<ModelEnd, Fault> {
        let mut closing = None;
        let mut alarm = pin!(sleep_until(deadlines.next()));
        loop {
            // A flood of comments would otherwise keep this loop from ever looking at the clock.
            consume_budget().await;
            let due = closing.unwrap_or_else(|| deadlines.next());
            if due < alarm.deadline() {
                alarm.as_mut().reset(due);
            }
            let frame = tokio::select! {
                biased;
                frame = reader.next() => frame,
                () = alarm.as_mut() => {
                    // Content moves the due time with every token; the timer follows only here.
                    if Instant::now() < due {
                        alarm.as_mut().reset(due);
                        continue;
                    }
                    if closing.is_none() {
                        return Err(timed_out(deadlines, reply.has_content()));
                    }
                    Ok(Frame::End)
                }
            };
            let mut content = false;
            match frame {
                Ok(Frame::Chunk(chunk)) => {
                    let heard = reply.hear(chunk)?;
                    content = heard.content;
                    texts.send(heard.text).await;
                }
                Ok(Frame::Nothing) => {}
                Ok(Frame::End) => return reply.end(texts).await,
                // The text is complete: what happens to the connection afterwards is nobody's loss.
                Err(fault) if reply.is_finished() && !fault.is_reported() => return reply.end(texts).await,
                Err(fault) => return Err(fault),
            }
            let now = Instant::now();
            if content {
                deadlines.content_came(now);
            }
            if reply.is_finished() && closing.is_none() {
                closing = Some(now + AFTER_FINISH);
            }
            match closing {
                Some(due) if now >= due => return reply.end(texts).await,
                None if now >= deadlines.next() => return Err(timed_out(deadlines, reply.has_content())),
                _ => {}
            }
        }
    }

    async fn refused(&self, response: Response) -> Fault {
        let retry_after = retry::retry_after(&response.headers, self.desk.clock.now());
        let mut body = Vec::new();
        let mut chunks = response.body;
        let reading = async {
            while let Some(Ok(bytes)) = chunks.next().await {
                body.extend_from_slice(&bytes[..bytes.len().min(MAX_ERROR_BODY - body.len())]);
                if body.len() == MAX_ERROR_BODY {
                    break;
                }
            }
        };
        let _ = timeout(ERROR_BODY_TIMEOUT, reading).await;
        Fault::refused(response.status, retry_after, &body)
    }
}

fn timed_out(deadlines: &Deadlines, has_content: bool) -> Fault {
    Fault::timed_out(match has_content {
        _ if deadlines.left().is_zero() => "total_timeout",
        true => "gap_timeout",
        false => "first_content_timeout",
    })
}

/// Reads what is left of a finished response, in the background.
#[expect(clippy::disallowed_methods, reason = "lives 50 ms at most and holds only a socket: nobody has to wait for it")]
fn drain(reader: Reader) {
    if let Some(mut rest) = reader.into_rest() {
        tokio::spawn(timeout(DRAIN, async move { while let Some(Ok(_)) = rest.next().await {} }));
    }
}
