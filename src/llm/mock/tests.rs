//! What a demonstration and a test can rely on.

use futures::StreamExt;
use onya_core::ConversationId;
use onya_core::conversation::{Priority, Prompt, PromptMessage};
use tokio::time::Instant;
use uuid::Uuid;

use super::*;
use crate::llm::settings::{MockSettings, Provider};

fn settings() -> Settings {
    Settings {
        provider: Provider::Mock,
        base_url: String::new(),
        api_key: None,
        model: "mock".to_owned(),
        system_prompt: String::new(),
        clocks: Clocks { connect_ms: 5_000, first_content_ms: 20_000, gap_ms: 20_000, total_ms: 110_000 },
        max_attempts: 3,
        max_concurrency: 8,
        max_reply_bytes: 65_536,
        mock: MockSettings { tokens_per_second: 50.0, seed: 1, first_token_ms: 200 },
    }
}

fn question(text: &str) -> Question {
    let message = PromptMessage { speaker: Speaker::Customer, text: text.to_owned() };
    Question {
        conversation: ConversationId(Uuid::nil()),
        turn: (2, 1),
        prompt: Prompt { messages: vec![message] },
        traceparent: None,
    }
}

/// The tokens with their times in ms, and the end with its time.
async fn ask(settings: Settings, text: &str) -> (Vec<(u128, String)>, (u128, ModelEnd)) {
    let begin = Instant::now();
    let mut stream = Mock::new(settings).ask(question(text));
    let mut tokens = Vec::new();
    loop {
        match stream.next().await.expect("an end before the end of the stream") {
            ModelEvent::Text(token) => tokens.push((begin.elapsed().as_millis(), token)),
            ModelEvent::End(end) => {
                assert_eq!(stream.next().await, None);
                return (tokens, (begin.elapsed().as_millis(), end));
            }
        }
    }
}

fn text(tokens: &[(u128, String)]) -> String {
    tokens.iter().map(|(_, token)| token.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_same_question_gets_the_same_answer_at_the_same_pace_and_another_question_another() {
    let first = ask(settings(), "Where is my order?").await;
    assert_eq!(ask(settings(), "Where is my order?").await, first);
    let other = ask(settings(), "Where is my parcel?").await;
    assert_ne!(text(&other.0), text(&first.0));
    let mut reseeded = settings();
    reseeded.mock.seed = 2;
    assert_ne!(ask(reseeded, "Where is my order?").await, first);
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_that_it_is_a_mock_and_has_30_to_60_words() {
    let long_word = "x".repeat(16_000);
    let many_words = "word ".repeat(3_000);
    for message in ["", "Hi", "Where is my order?", "日本語で答えて", "a\u{7}b", &long_word, &many_words] {
        let (tokens, (_, end)) = ask(settings(), message).await;
        let text = text(&tokens);
        assert_eq!(end, ModelEnd::Complete);
        assert!(text.starts_with("I am Onya's mock model: "), "{text}");
        assert!((30..=60).contains(&text.split_whitespace().count()), "{text}");
        assert!(text.len() < 600 && !text.contains(char::is_control), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_the_configured_one_on_average_after_the_first_token() {
    let (tokens, (at, _)) = ask(settings(), "/mock long 1000").await;
    assert_eq!(tokens.len(), 1000);
    assert_eq!(tokens[0].0, 200);
    assert!((19_000..=21_500).contains(&at), "{at}");
    assert_eq!(tokens[999].1, " 1000");
}

#[tokio::test(start_paused = true)]
async fn it_can_be_told_to_misbehave() {
    let failed = |failure| ModelEnd::Failed(failure);
    let person = ModelEnd::AskForPerson {
        summary: Some("The mock model was told to ask for a person.".to_owned()),
        priority: Priority::Normal,
    };
    for (message, count, end, at) in [
        ("/mock fail", 0, failed(Failure::ModelUnavailable), 200..=200),
        ("/mock stall", 0, failed(Failure::TimedOut), 20_000..=20_000),
        ("  /mock cut 5\n", 5, failed(Failure::ReplyCut), 200..=500),
        ("/mock human", 0, person, 200..=200),
        ("/mock long 3", 3, ModelEnd::Complete, 200..=400),
        ("/mock slow 0.02", 1, failed(Failure::TimedOut), 20_200..=20_200),
    ] {
        let (tokens, ended) = ask(settings(), message).await;
        assert_eq!((tokens.len(), &ended.1), (count, &end), "{message}");
        assert!(at.contains(&ended.0), "{message}: {}", ended.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_it_does_not_know_is_answered_with_those_it_knows() {
    for message in [
        "/mock",
        "/mock dance",
        "/mock cut",
        "/mock cut 0",
        "/mock cut -1",
        "/mock long 100001",
        "/mock slow NaN",
        "/mock fail 3",
        "/mock cut 1 2",
    ] {
        let (tokens, (_, end)) = ask(settings(), message).await;
        assert_eq!((text(&tokens).as_str(), end), (wording::COMMANDS, ModelEnd::Complete), "{message}");
    }
    let (tokens, _) = ask(settings(), "What does /mock do?").await;
    assert_ne!(text(&tokens), wording::COMMANDS);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_bounded_in_bytes_and_in_time() {
    let mut small = settings();
    small.max_reply_bytes = 1_024;
    let (tokens, (_, end)) = ask(small, "/mock long 100000").await;
    assert_eq!(end, ModelEnd::Failed(Failure::ReplyTooLong));
    assert!(text(&tokens).len() <= 1_024);

    let (_, (at, end)) = ask(settings(), "/mock long 100000").await;
    assert_eq!((at, end), (110_000, ModelEnd::Failed(Failure::TimedOut)));
}
