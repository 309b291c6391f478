//! An upstream in memory that does what it is told, on tokio's clock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::llm::openai::upstream::{Call, Response, Unreachable, Upstream};

/// What the upstream does with one call.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// No connection.
    Unreachable,
    /// The connection stands, and nothing comes.
    Silent,
    /// An error with headers and a body.
    Refused(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// 200 and these steps; then the stream ends.
    Stream(Vec<Step>),
}

/// One step of a stream.
#[derive(Clone, Debug)]
pub enum Step {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A pause, in ms.
    Pause(u64),
    /// The connection breaks.
    Break,
    /// These bytes, again and again, with a pause in ms between them, or none.
    Forever(&'static str, u64),
}

/// A chunk with this text.
pub fn text(text: &str) -> Step {
    chunk(&json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }))
}

/// A chunk with this finish reason.
pub fn finish(reason: &str) -> Step {
    chunk(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] }))
}

/// `[DONE]`.
pub fn done() -> Step {
    raw("data: [DONE]\n\n")
}

/// An event with this data.
pub fn chunk(data: &Value) -> Step {
    raw(&format!("data: {data}\n\n"))
}

/// These bytes.
pub fn raw(bytes: &str) -> Step {
    Step::Bytes(bytes.as_bytes().to_vec())
}

/// A whole reply with this text.
pub fn reply(words: &str) -> Reaction {
    Reaction::Stream(vec![text(words), finish("stop"), done()])
}

/// The upstream; what it was not told ends as if it were gone.
pub struct Scripted {
    reactions: Mutex<VecDeque<Reaction>>,
    calls: Arc<Mutex<Vec<Instant>>>,
    open: Arc<()>,
}

impl Scripted {
    pub fn new(reactions: impl IntoIterator<Item = Reaction>) -> Self {
        let reactions = Mutex::new(reactions.into_iter().collect());
        Self { reactions, calls: Arc::default(), open: Arc::new(()) }
    }

    /// When it was called.
    pub fn calls(&self) -> Arc<Mutex<Vec<Instant>>> {
        Arc::clone(&self.calls)
    }

    /// Held once by the upstream, once by the caller, and once by each call and each stream that is in progress.
    pub fn open(&self) -> Arc<()> {
        Arc::clone(&self.open)
    }
}

#[async_trait]
impl Upstream for Scripted {
    async fn call(&self, _: &Call) -> Result<Response, Unreachable> {
        let open = Arc::clone(&self.open);
        self.calls.lock().unwrap().push(Instant::now());
        let reaction = self.reactions.lock().unwrap().pop_front();
        match reaction {
            None | Some(Reaction::Unreachable) => Err(Unreachable),
            Some(Reaction::Silent) => std::future::pending().await,
            Some(Reaction::Refused(status, headers, body)) => Ok(Response {
                status: StatusCode::from_u16(status).unwrap(),
                headers: headers
                    .into_iter()
                    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                    .collect(),
                body: stream::iter([Ok(Bytes::from_static(body.as_bytes()))]).boxed(),
            }),
            Some(Reaction::Stream(steps)) => Ok(Response {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: stream::unfold((VecDeque::from(steps), open), perform).boxed(),
            }),
        }
    }
}

type Rest = (VecDeque<Step>, Arc<()>);

async fn perform((mut steps, open): Rest) -> Option<(Result<Bytes, Unreachable>, Rest)> {
    loop {
        match steps.pop_front()? {
            Step::Bytes(bytes) => return Some((Ok(bytes.into()), (steps, open))),
            Step::Pause(ms) => sleep(Duration::from_millis(ms)).await,
            Step::Break => return Some((Err(Unreachable), (steps, open))),
            Step::Forever(bytes, ms) => {
                if ms > 0 {
                    sleep(Duration::from_millis(ms)).await;
                }
                steps.push_front(Step::Forever(bytes, ms));
                return Some((Ok(Bytes::from_static(bytes.as_bytes())), (steps, open)));
            }
        }
    }
}
