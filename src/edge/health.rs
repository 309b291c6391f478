//! What the process is made of, and whether each part answers.

use async_trait::async_trait;

/// A part that `/health` asks.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// Its name: `store`, `model`, `redis`.
    fn name(&self) -> &'static str;

    /// Asks it.
    async fn probe(&self) -> ProbeOutcome;
}

/// What a part answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// It works; what it is, with its version where it has one.
    Up(String),
    /// It does not answer.
    Down,
}
