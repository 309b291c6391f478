//! What `/health` asks of the store and the model.

use std::sync::Arc;

use async_trait::async_trait;
use onya_actors::ports::EventLog;

use crate::config::{LlmConfig, LlmProvider};
use crate::edge::{Probe, ProbeOutcome};

/// Whether the database answers, and its version.
pub(super) struct StoreProbe(pub(super) Arc<dyn EventLog>);

#[async_trait]
impl Probe for StoreProbe {
    fn name(&self) -> &'static str {
        "store"
    }

    async fn probe(&self) -> ProbeOutcome {
        match self.0.ping().await {
            Ok(version) => ProbeOutcome::Up(version),
            Err(_) => ProbeOutcome::Down,
        }
    }
}

/// Which model is asked. It is not asked now: that would cost money, and a provider that is gone is dealt with reply by
/// reply.
pub(super) struct ModelProbe(String);

impl ModelProbe {
    pub(super) fn new(config: &LlmConfig) -> Self {
        Self(match config.provider {
            LlmProvider::Mock => "mock".to_owned(),
            LlmProvider::Openai => format!("openai {}", config.model),
        })
    }
}

#[async_trait]
impl Probe for ModelProbe {
    fn name(&self) -> &'static str {
        "model"
    }

    async fn probe(&self) -> ProbeOutcome {
        ProbeOutcome::Up(self.0.clone())
    }
}
