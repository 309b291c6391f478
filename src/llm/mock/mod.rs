//! The mock model: answers without a network, a key or a model, and says so.
//!
//! Deterministic: what it says and how it paces depends on the customer's newest message and the seed alone. A message
//! that begins with `/mock` tells it to misbehave, for tests and demonstrations; docs/LLM.md lists the commands. It
//! keeps the same clocks and limits as a real provider, on tokio's clock, so that tests can pause it.
//!
//! Read next: `script.rs`, which turns a message into what will happen.

mod chance;
mod script;
mod wording;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use onya_actors::ports::{Model, ModelEnd, ModelEvent, Question};
use onya_core::conversation::{Failure, Speaker};
use tokio::time::{Instant, sleep_until};

use self::chance::Chance;
use self::script::{Finish, Script};
use super::deadlines::Deadlines;
use super::feed::{self, Texts};
use super::settings::{Clocks, Settings};

/// The built-in model.
pub struct Mock {
    settings: Arc<Settings>,
}

impl Mock {
    /// A mock with these settings; of them it uses `mock`, `clocks` and `max_reply_bytes`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings) }
    }
}

impl Model for Mock {
    fn ask(&self, question: Question) -> BoxStream<'static, ModelEvent> {
        let settings = Arc::clone(&self.settings);
        feed::answer(move |texts| async move {
            let message = newest_message(&question);
            let script = Script::new(message, settings.mock.seed);
            let chance = Chance::new(settings.mock.seed, message);
            perform(script, chance, &settings, &texts).await
        })
    }
}

fn newest_message(question: &Question) -> &str {
    let newest = question.prompt.messages.iter().rev().find(|message| message.speaker == Speaker::Customer);
    newest.map_or("", |message| message.text.trim())
}

async fn perform(script: Script, mut chance: Chance, settings: &Settings, texts: &Texts) -> ModelEnd {
    let mut stage = Stage::open(settings.clocks);
    let mut due = Instant::now() + Duration::from_millis(settings.mock.first_token_ms);
    let mut bytes_left = settings.max_reply_bytes;
    let rate = script.tokens_per_second.unwrap_or(settings.mock.tokens_per_second).clamp(0.01, 1_000_000.0);
    for token in script.tokens {
        if let Err(end) = stage.wait(due).await {
            return end;
        }
        let Some(left) = bytes_left.checked_sub(token.len()) else {
            return ModelEnd::Failed(Failure::ReplyTooLong);
        };
        bytes_left = left;
        texts.send(token).await;
        stage.deadlines.content_came(Instant::now());
        due += Duration::from_secs_f64(chance.around_one() / rate);
    }
    match script.finish {
        Finish::Stall => stage.wait_for_the_clocks().await,
        Finish::With(end) => stage.wait(due).await.err().unwrap_or(end),
    }
}

/// Waiting, within the clocks.
struct Stage {
    deadlines: Deadlines,
}

impl Stage {
    fn open(clocks: Clocks) -> Self {
        Self { deadlines: Deadlines::start(clocks) }
    }

    async fn wait(&self, due: Instant) -> Result<(), ModelEnd> {
        if due > self.deadlines.next() {
            return Err(self.wait_for_the_clocks().await);
        }
        sleep_until(due).await;
        Ok(())
    }

    async fn wait_for_the_clocks(&self) -> ModelEnd {
        sleep_until(self.deadlines.next()).await;
        ModelEnd::Failed(Failure::TimedOut)
    }
}
