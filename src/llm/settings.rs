//! What the adapters need to know; the composition root fills it from the configuration.

use secrecy::SecretString;

/// Settings of the model, whichever answers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which adapter answers.
    pub provider: Provider,
    /// Address of the provider, up to and without `/chat/completions`.
    pub base_url: String,
    /// Key for the provider, where it needs one.
    pub api_key: Option<SecretString>,
    /// Model that is asked for.
    pub model: String,
    /// What the model is told before the conversation.
    pub system_prompt: String,
    /// How long an answer may take.
    pub clocks: Clocks,
    /// Calls to the provider for one answer; at least one is made.
    pub max_attempts: u32,
    /// Answers in progress at the provider at once.
    pub max_concurrency: usize,
    /// Longest answer, in bytes of UTF-8.
    pub max_reply_bytes: usize,
    /// Settings of the mock model.
    pub mock: MockSettings,
}

/// Which adapter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The built-in model that says it is a mock.
    Mock,
    /// A server with OpenAI's chat completions.
    OpenAi,
}

/// The four clocks of an answer, in ms. Only content moves them: text for the customer or a piece of a tool call, not
/// a comment, an announced role or a model's private reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Longest wait for a free slot, and then for a connection.
    pub connect_ms: u64,
    /// Longest wait for the first content of an attempt.
    pub first_content_ms: u64,
    /// Longest pause between two pieces of content.
    pub gap_ms: u64,
    /// Longest time for the whole answer, with all its attempts and the waits between them.
    pub total_ms: u64,
}

/// Settings of the mock model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MockSettings {
    /// Pace, in tokens per second; kept between 0.01 and 1,000,000.
    pub tokens_per_second: f64,
    /// Seed of wording and pace: the same seed and question give the same answer at the same pace.
    pub seed: u64,
    /// Time before the first token, in ms.
    pub first_token_ms: u64,
}
