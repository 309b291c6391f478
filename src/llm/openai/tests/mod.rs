//! The adapter from outside: over a scripted upstream with a paused clock, and over real sockets.

mod clocks;
mod ends;
mod faults;
mod scripted;
mod sockets;

use std::sync::Arc;

use futures::StreamExt;
use onya_actors::ports::{Clock, Model, ModelEnd, ModelEvent, Question, Random};
use onya_core::conversation::{Prompt, PromptMessage, Speaker};
use onya_core::{ConversationId, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use self::scripted::{Reaction, Scripted};
use super::OpenAi;
use crate::llm::settings::{Clocks, MockSettings, Provider, Settings};

/// 2026-03-01T12:00:00Z, as "Sun, 01 Mar 2026 12:00:00 GMT".
const NOW: Timestamp = Timestamp(1_772_366_400_000);

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// Draws the largest number there is: waits are at their longest.
struct Largest;

impl Random for Largest {
    fn uuid(&self) -> Uuid {
        Uuid::nil()
    }

    fn salt(&self) -> [u8; 16] {
        [0; 16]
    }

    fn below(&self, below: u64) -> u64 {
        below.saturating_sub(1)
    }
}

fn settings() -> Settings {
    Settings {
        provider: Provider::OpenAi,
        base_url: "http://127.0.0.1:1/v1".to_owned(),
        api_key: None,
        model: "test-model".to_owned(),
        system_prompt: "Be brief.".to_owned(),
        clocks: Clocks { connect_ms: 5_000, first_content_ms: 20_000, gap_ms: 10_000, total_ms: 60_000 },
        max_attempts: 3,
        max_concurrency: 8,
        max_reply_bytes: 1_024,
        mock: MockSettings { tokens_per_second: 50.0, seed: 1, first_token_ms: 0 },
    }
}

fn question() -> Question {
    let said = |speaker, text: &str| PromptMessage { speaker, text: text.to_owned() };
    let messages = vec![
        said(Speaker::Customer, "Hello"),
        said(Speaker::Assistant, "How can I help?"),
        said(Speaker::System, "No human is in this conversation any more. You answer again."),
        said(Speaker::Customer, "Where is my order?"),
    ];
    Question {
        conversation: ConversationId(Uuid::nil()),
        turn: (2, 1),
        prompt: Prompt { messages },
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    }
}

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    text: String,
    end: ModelEnd,
    /// When it ended, in ms after the question.
    at_ms: u128,
    /// When the provider was called, in ms after the question.
    calls_ms: Vec<u128>,
}

async fn ask(reactions: impl IntoIterator<Item = Reaction>) -> Answer {
    ask_with(settings(), reactions).await
}

async fn ask_with(settings: Settings, reactions: impl IntoIterator<Item = Reaction>) -> Answer {
    let upstream = Scripted::new(reactions);
    let calls = upstream.calls();
    let model = OpenAi::over(Box::new(upstream), settings, Arc::new(FixedClock), Arc::new(Largest));
    let begin = Instant::now();
    let (text, end) = listen(&model).await;
    let calls_ms = calls.lock().unwrap().iter().map(|at| at.duration_since(begin).as_millis()).collect();
    Answer { text, end, at_ms: begin.elapsed().as_millis(), calls_ms }
}

/// Text and end of one question; checks that there is one end, with nothing after it and no empty text before it.
async fn listen(model: &OpenAi) -> (String, ModelEnd) {
    let mut stream = model.ask(question());
    let mut text = String::new();
    loop {
        match stream.next().await.expect("an end before the end of the stream") {
            ModelEvent::Text(piece) => {
                assert!(!piece.is_empty());
                text.push_str(&piece);
            }
            ModelEvent::End(end) => {
                assert_eq!(stream.next().await, None);
                return (text, end);
            }
        }
    }
}
