//! The OpenAI adapter against a server that this project did not write: aimock, with the fixtures in
//! `tests/upstream/fixtures`. Each test has a server of its own, so that its metrics are the test's.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use onya::llm::settings::{Clocks, MockSettings, Provider, Settings};
use onya_actors::ports::{Clock, Model, ModelEnd, ModelEvent, Question, Random};
use onya_core::conversation::{Failure, Outcome, Priority, Prompt, PromptMessage, Speaker};
use onya_core::{ConversationId, Timestamp};
use onya_protocol::Control;
use tokio::time::{interval, timeout};
use uuid::Uuid;

use crate::support::{Backend, ChatClient, NodeSettings};

const MISSING: &str = "TEST_UPSTREAM_CLI is not set: run ./tests/run, which installs it";
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/upstream/fixtures");
/// How long a test waits for what has to happen before it calls it missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; ended when dropped.
struct Upstream {
    process: Child,
    url: String,
    model: Arc<dyn Model>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Upstream {
    fn start() -> Self {
        let cli = std::env::var("TEST_UPSTREAM_CLI").expect(MISSING);
        let mut process = Command::new("node")
            .args([&cli, "--port", "0", "--fixtures", FIXTURES, "--metrics", "--strict"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(format!("http://{}", line.split_once("listening on http://")?.1)));
        // What the server says later has to go somewhere, or it would stop when the pipe is full.
        std::thread::spawn(move || lines.count());
        let url = url.unwrap_or_else(|| panic!("aimock did not start: {cli}"));
        let model = onya::llm::build(settings(&url), Arc::new(NoClock), Arc::new(Smallest)).unwrap();
        Self { process, url, model }
    }

    fn ask(&self, text: &str) -> BoxStream<'static, ModelEvent> {
        let messages = vec![PromptMessage { speaker: Speaker::Customer, text: text.to_owned() }];
        self.model.ask(Question {
            conversation: ConversationId(Uuid::now_v7()),
            turn: (2, 1),
            prompt: Prompt { messages },
            traceparent: None,
        })
    }

    /// The whole text, in how many pieces it came, and the end.
    async fn answer(&self, text: &str) -> (String, usize, ModelEnd) {
        let mut stream = self.ask(text);
        let (mut text, mut pieces) = (String::new(), 0);
        loop {
            match timeout(PATIENCE, stream.next()).await.expect("an answer in time").expect("an end") {
                ModelEvent::Text(piece) => {
                    text.push_str(&piece);
                    pieces += 1;
                }
                ModelEvent::End(end) => return (text, pieces, end),
            }
        }
    }

    /// How many chats the server counts with this status; `destroyed` are those whose connection was closed.
    async fn requests(&self, status: &str) -> u64 {
        let metrics = reqwest::get(format!("{}/metrics", self.url)).await.unwrap().text().await.unwrap();
        let status = format!("status=\"{status}\"");
        let chats = metrics.lines().filter(|line| line.starts_with("aimock_requests_total") && line.contains("/chat/"));
        chats
            .filter(|line| line.contains(&status))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }
}

#[tokio::test]
async fn the_whole_program_answers_with_a_model_that_is_not_ours() {
    let upstream = Upstream::start();
    let settings = NodeSettings::new(Backend::Sqlite).await;
    let settings = settings.with("LLM_PROVIDER", "openai").with("OPENAI_BASE_URL", format!("{}/v1", upstream.url));
    let node = settings.with("OPENAI_API_KEY", "test-key").start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("How do I return my order?").await;
    let (outcome, text) = customer.answered(said.seq).await;
    assert_eq!((outcome, text.starts_with("You can return")), (Outcome::Final, true), "{text}");
    assert!(customer.replica.deltas > 1, "the reply came in one piece");
    customer.say("I want to talk to a human.").await;
    customer.until(|customer| customer.replica.control == Control::Queue).await;
}

fn settings(url: &str) -> Settings {
    Settings {
        provider: Provider::OpenAi,
        base_url: format!("{url}/v1"),
        api_key: Some("test-key".into()),
        model: "gpt-test".to_owned(),
        system_prompt: "Be brief.".to_owned(),
        clocks: Clocks { connect_ms: 10_000, first_content_ms: 20_000, gap_ms: 20_000, total_ms: 60_000 },
        max_attempts: 3,
        max_concurrency: 64,
        max_reply_bytes: 65_536,
        mock: MockSettings { tokens_per_second: 50.0, seed: 1, first_token_ms: 0 },
    }
}

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

struct Smallest;

impl Random for Smallest {
    fn uuid(&self) -> Uuid {
        Uuid::nil()
    }

    fn salt(&self) -> [u8; 16] {
        [0; 16]
    }

    fn below(&self, _: u64) -> u64 {
        0
    }
}

#[tokio::test]
async fn a_reply_streams_to_its_last_word() {
    let upstream = Upstream::start();
    let (text, pieces, end) = upstream.answer("How do I return my order?").await;
    assert_eq!(
        text,
        "You can return your order within 30 days. Open the order in your account, choose Return, and print the label \
         we show you."
    );
    assert_eq!((end, upstream.requests("200").await), (ModelEnd::Complete, 1));
    assert!(pieces > 10, "{pieces} pieces");
}

#[tokio::test]
async fn a_provider_that_is_busy_is_asked_again_after_the_pause_it_wants() {
    let upstream = Upstream::start();
    let (text, _, end) = upstream.answer("Are you busy right now?").await;
    assert_eq!((text.as_str(), end), ("I was for a moment, and now I have time for you.", ModelEnd::Complete));
    assert_eq!((upstream.requests("429").await, upstream.requests("200").await), (1, 1));
}

#[tokio::test]
async fn a_provider_that_is_broken_is_asked_three_times() {
    let upstream = Upstream::start();
    let (text, _, end) = upstream.answer("Is everything broken?").await;
    assert_eq!((text.as_str(), end), ("", ModelEnd::Failed(Failure::ModelUnavailable)));
    assert_eq!(upstream.requests("500").await, 3);
}

#[tokio::test]
async fn a_call_of_the_tool_asks_for_a_person() {
    let upstream = Upstream::start();
    let (text, _, end) = upstream.answer("I want to talk to a human.").await;
    let summary = Some("The customer asked to talk to a person.".to_owned());
    assert_eq!((text.as_str(), end), ("", ModelEnd::AskForPerson { summary, priority: Priority::Normal }));
}

#[tokio::test]
async fn a_reply_that_is_cut_or_whose_connection_breaks_is_never_complete() {
    let upstream = Upstream::start();
    for (question, whole) in [
        ("Tell me the long story.", "Once upon a time a parcel left the warehouse on a rainy morning"),
        ("Please stay on the line.", "Of course, I am staying right here with you until every one of your questions"),
    ] {
        let (text, _, end) = upstream.answer(question).await;
        assert_eq!(end, ModelEnd::Failed(Failure::ReplyCut), "{question}");
        assert!(!text.is_empty() && whole.starts_with(&text), "{text}");
    }
}

#[tokio::test]
async fn a_dropped_reply_is_seen_by_the_provider_as_a_closed_connection() {
    let upstream = Upstream::start();
    let mut stream = upstream.ask("Read me the terms slowly.");
    for _ in 0..2 {
        let event = timeout(PATIENCE, stream.next()).await.expect("text in time");
        assert!(matches!(event, Some(ModelEvent::Text(_))), "{event:?}");
    }
    assert_eq!(upstream.requests("destroyed").await, 0);
    drop(stream);
    let mut ticks = interval(Duration::from_millis(20));
    let seen = async {
        while upstream.requests("destroyed").await == 0 {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, seen).await.expect("the provider sees the connection closed");
}

#[tokio::test]
async fn two_hundred_replies_at_once_lose_nothing() {
    let upstream = Upstream::start();
    let answers = (0..200).map(|_| upstream.answer("How do I return my order?"));
    for (text, _, end) in futures::future::join_all(answers).await {
        assert_eq!(end, ModelEnd::Complete);
        assert!(text.starts_with("You can return") && text.ends_with("the label we show you."), "{text}");
    }
}
