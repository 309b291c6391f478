//! A provider with OpenAI's chat completions, or any server that imitates it.
//!
//! One answer: wait for a slot, then attempt after attempt until one says something or ends (`answer.rs`); an attempt
//! is one call and its stream (`attempt.rs`); bytes become events (`sse.rs`, `reader.rs`), events become chunks
//! (`chunk.rs`), chunks become text, tool calls and an end (`reply.rs`, `calls.rs`, `text.rs`). What went wrong and
//! whether to try again is decided in one place (`fault.rs`, `retry.rs`). The wire itself is `upstream.rs`.
//!
//! No task, no hidden queue: everything lives in the stream that the caller holds, and is dropped with it. The one
//! exception drains a finished response for at most 50 ms so that its connection can be used again.

mod answer;
mod attempt;
mod calls;
mod chunk;
mod fault;
mod reader;
mod reply;
mod request;
mod retry;
mod sse;
mod text;
mod upstream;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::stream::BoxStream;
use onya_actors::ports::{Clock, Model, ModelEvent, Question, Random};
use tokio::sync::Semaphore;

pub use self::upstream::BuildError;

use self::answer::Desk;
use self::upstream::{Http, Upstream};
use super::feed;
use super::settings::Settings;

/// The adapter: one provider and one model.
pub struct OpenAi {
    desk: Arc<Desk>,
}

impl OpenAi {
    /// Sets the client up; nothing is sent. The first adapter of a process installs rustls' `ring` provider unless
    /// another one is installed.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if the address or the key cannot be used, or TLS cannot be set up.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, BuildError> {
        let upstream = Http::new(&settings)?;
        Ok(Self::over(Box::new(upstream), settings, clock, random))
    }

    fn over(upstream: Box<dyn Upstream>, settings: Settings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let slots = Semaphore::new(settings.max_concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self { desk: Arc::new(Desk { upstream, slots, settings, clock, random }) }
    }
}

impl Model for OpenAi {
    fn ask(&self, question: Question) -> BoxStream<'static, ModelEvent> {
        let desk = Arc::clone(&self.desk);
        feed::answer(move |texts| async move { answer::answer(&desk, &question, &texts).await })
    }
}
