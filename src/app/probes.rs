//! What `/health` asks of the store and the model.

use std::sync::Arc;

use async_trait::async_trait;
use onya_actors::ports::EventLog;
use secrecy::ExposeSecret as _;

use crate::config::{DatabaseConfig, LlmConfig, LlmProvider};
use crate::edge::{Probe, ProbeOutcome};

/// Whether the database answers.
pub(super) struct StoreProbe {
    log: Arc<dyn EventLog>,
    kind: &'static str,
}

impl StoreProbe {
    pub(super) fn new(log: Arc<dyn EventLog>, config: &DatabaseConfig) -> Self {
        let kind = if config.url.expose_secret().starts_with("sqlite") { "sqlite" } else { "postgres" };
        Self { log, kind }
    }
}

#[async_trait]
impl Probe for StoreProbe {
    fn name(&self) -> &'static str {
        "store"
    }

    async fn probe(&self) -> ProbeOutcome {
        match self.log.ping().await {
            Ok(()) => ProbeOutcome::Up(self.kind.to_owned()),
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
