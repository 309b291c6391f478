//! Who writes the assistant's replies, and how long that may take.

use secrecy::SecretString;
use serde::Deserialize;

use super::rule::{Rule, is_http_url, is_short_text};

/// Section `[llm]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmConfig {
    /// Which adapter is used.
    pub provider: LlmProvider,
    /// Model that is asked for.
    pub model: String,
    /// Address of the provider, without `/chat/completions` and without a slash at its end.
    pub base_url: String,
    /// Key for the provider, where it needs one.
    pub api_key: Option<SecretString>,
    /// What the model is told before the conversation.
    pub system_prompt: String,
    /// Longest wait for a connection, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Longest wait for the first content of an attempt, in milliseconds.
    pub first_content_timeout_ms: u64,
    /// Longest pause between two pieces of content, in milliseconds.
    pub gap_timeout_ms: u64,
    /// Longest time for one reply with all its attempts, in milliseconds.
    pub total_timeout_ms: u64,
    /// Calls to the provider for one reply, as long as no content has come.
    pub max_attempts: u32,
    /// Newest part of the conversation that the model is shown, in bytes.
    pub max_prompt_bytes: usize,
    /// Longest reply, in bytes.
    pub max_reply_bytes: usize,
    /// Replies in progress at the provider at once.
    pub max_concurrency: usize,
    /// Settings of the mock model.
    pub mock: MockConfig,
}

/// Which adapter writes the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LlmProvider {
    /// The built-in model that needs nothing and says what it is.
    Mock,
    /// Any server with OpenAI's chat completions.
    Openai,
}

/// Section `[llm.mock]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MockConfig {
    /// Pace, in tokens per second.
    pub tokens_per_second: f64,
    /// Seed of the pace.
    pub seed: u64,
}

pub(super) const RULES: &[Rule] = &[
    Rule::one_of("llm.provider", &["mock", "openai"]),
    Rule::text("llm.model", "1 to 200 characters", is_short_text),
    Rule::text("llm.base_url", "an http:// or https:// address without a slash at its end", is_base_url),
    Rule::text("llm.api_key", "text without spaces or line ends", is_key).optional().secret(),
    Rule::text("llm.system_prompt", "1 to 32768 characters", is_prompt),
    Rule::integer("llm.connect_timeout_ms", 100, 60_000),
    Rule::integer("llm.first_content_timeout_ms", 100, 300_000),
    Rule::integer("llm.gap_timeout_ms", 100, 300_000),
    Rule::integer("llm.total_timeout_ms", 1000, 600_000),
    Rule::integer("llm.max_attempts", 1, 10),
    Rule::integer("llm.max_prompt_bytes", 1024, 4_194_304),
    Rule::integer("llm.max_reply_bytes", 1024, 1_048_576),
    Rule::integer("llm.max_concurrency", 1, 10_000),
    Rule::float("llm.mock.tokens_per_second", 0.1, 10_000.0),
    Rule::integer("llm.mock.seed", 0, i64::MAX),
];

fn is_base_url(text: &str) -> bool {
    is_http_url(text) && !text.ends_with('/')
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_prompt(text: &str) -> bool {
    (1..=32_768).contains(&text.chars().count()) && !text.contains('\0')
}
