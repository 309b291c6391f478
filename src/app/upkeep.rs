//! Looks at the database, at the start and every now and then, and says what an operator should see to.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::{Config, Profile};
use crate::store::{self, Inspection, Settings};
use crate::telemetry::names::STORE_WARNINGS;

/// Between two looks: what is found changes by hand, or by the month.
const INTERVAL: Duration = Duration::from_secs(600);

/// Looks at one database, and remembers what it has said.
pub(super) struct Upkeep {
    settings: Settings,
    /// In production one machine is too few.
    expects_standby: bool,
    said: Option<Inspection>,
}

impl Upkeep {
    pub(super) fn new(config: &Config) -> Self {
        let expects_standby = config.profile == Profile::Production;
        Self { settings: super::store_settings(config), expects_standby, said: None }
    }

    /// Says what has changed since the last look. A database that does not answer is said by others.
    pub(super) async fn look(&mut self) {
        let Ok(found) = store::inspect(&self.settings, self.expects_standby).await else { return };
        metrics::gauge!(STORE_WARNINGS, "about" => "durability").set(found.durability.weaknesses.len() as f64);
        metrics::gauge!(STORE_WARNINGS, "about" => "upkeep").set(found.notices.len() as f64);
        if self.said.as_ref() == Some(&found) {
            return;
        }
        tracing::info!(settings = found.durability.line(), "what an acknowledgement rests on");
        for weakness in &found.durability.weaknesses {
            tracing::warn!("acknowledgements are weaker than promised: {weakness}");
        }
        for notice in &found.notices {
            tracing::warn!("the database needs upkeep: {notice}");
        }
        self.said = Some(found);
    }

    /// Looks again and again until told to stop.
    pub(super) async fn watch(mut self, stop: CancellationToken) {
        while tokio::time::timeout(INTERVAL, stop.cancelled()).await.is_err() {
            self.look().await;
        }
    }
}
