//! From the configuration's sections to what each part takes.

use onya_actors::Settings;
use onya_actors::ports::TailLimit;
use onya_core::conversation::Policy;
use onya_protocol::Notices;
use secrecy::ExposeSecret as _;

use crate::config::{Config, DatabaseConfig, LlmProvider, NoticesConfig};
use crate::edge::EdgeLimits;
use crate::{llm, store};

pub(super) fn actors(config: &Config) -> Settings {
    let (conversation, socket, defaults) = (&config.conversation, &config.socket, Settings::default());
    Settings {
        policy: Policy {
            turn_timeout_ms: conversation.turn_timeout_ms,
            max_attempts: conversation.max_attempts,
            idle_close_ms: conversation.idle_close_ms,
            queue_notice_ms: conversation.queue_notice_ms,
            max_message_bytes: conversation.max_message_bytes,
            max_comment_bytes: conversation.max_comment_bytes,
            max_entries: conversation.max_entries,
            retention_ms: config.retention.closed_ms(),
        },
        notices: notices(&config.notices),
        inbox_commands: conversation.inbox_commands,
        inbox_bytes: conversation.inbox_bytes,
        window: TailLimit { entries: conversation.window_entries, bytes: conversation.window_bytes },
        prompt_bytes: config.llm.max_prompt_bytes,
        max_reply_bytes: config.llm.max_reply_bytes,
        delta_window_ms: conversation.delta_window_ms,
        passivate_after_ms: conversation.passivate_after_ms,
        agent_lost_after_ms: conversation.agent_lost_after_ms,
        stuck_after_ms: conversation.stuck_after_ms,
        activations: activations(&config.database),
        lanes: config.database.lanes,
        batch_entries: config.database.max_batch_rows,
        append_queue_bytes: config.database.max_queued_bytes,
        send_queue_frames: socket.send_queue_frames,
        send_queue_bytes: socket.send_queue_bytes,
        drain_reply_limit_ms: config.drain.reply_limit_ms,
        goaway_spread_ms: config.drain.sockets_window_ms,
        // Nothing that an operator would have to choose.
        snapshot_entries: defaults.snapshot_entries,
        snapshot_every: defaults.snapshot_every,
        sweep_interval_ms: defaults.sweep_interval_ms,
    }
}

/// Half of the connections that are not lanes: the others are for readers, timers and whoever asks over HTTP.
fn activations(database: &DatabaseConfig) -> usize {
    let connections = usize::try_from(database.max_connections).unwrap_or(usize::MAX);
    (connections.saturating_sub(database.lanes) / 2).max(1)
}

pub(super) fn edge(config: &Config) -> EdgeLimits {
    EdgeLimits {
        max_body_bytes: config.server.max_body_bytes,
        max_message_bytes: config.conversation.max_message_bytes,
        request_timeout_ms: config.server.request_timeout_ms,
        token_leeway_s: config.auth.leeway_s,
        socket: config.socket.clone(),
    }
}

pub(super) fn store(config: &Config) -> store::Settings {
    let database = &config.database;
    store::Settings {
        url: database.url.expose_secret().to_owned(),
        data_dir: config.node.data_dir.clone(),
        max_connections: database.max_connections,
        lanes: database.lanes,
        acquire_timeout_ms: database.acquire_timeout_ms,
        statement_timeout_ms: database.statement_timeout_ms,
        lock_timeout_ms: database.lock_timeout_ms,
        times: super::cluster::times(&config.cluster),
    }
}

pub(super) fn llm(config: &Config) -> llm::Settings {
    let llm = &config.llm;
    llm::Settings {
        provider: match llm.provider {
            LlmProvider::Mock => llm::settings::Provider::Mock,
            LlmProvider::Openai => llm::settings::Provider::OpenAi,
        },
        base_url: llm.base_url.clone(),
        api_key: llm.api_key.clone(),
        model: llm.model.clone(),
        system_prompt: llm.system_prompt.clone(),
        clocks: llm::settings::Clocks {
            connect_ms: llm.connect_timeout_ms,
            first_content_ms: llm.first_content_timeout_ms,
            gap_ms: llm.gap_timeout_ms,
            total_ms: llm.total_timeout_ms,
        },
        max_attempts: llm.max_attempts,
        max_concurrency: llm.max_concurrency,
        max_reply_bytes: llm.max_reply_bytes,
        mock: llm::settings::MockSettings {
            tokens_per_second: llm.mock.tokens_per_second,
            seed: llm.mock.seed,
            first_token_ms: MOCK_FIRST_TOKEN_MS,
        },
    }
}

/// A model that thinks for a moment, as people expect of one.
const MOCK_FIRST_TOKEN_MS: u64 = 150;

fn notices(config: &NoticesConfig) -> Notices {
    Notices { texts: config.by_key(), fallback_language: config.default_language.clone() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Inputs, load};

    /// The settings of the actors, with one key changed.
    fn with(key: &str, value: &str) -> String {
        let variable = format!("ONYA_{}", key.to_uppercase().replace('.', "__"));
        actors_with(BTreeMap::from([(variable, value.to_owned())]))
    }

    fn actors_with(environment: BTreeMap<String, String>) -> String {
        let inputs = Inputs { environment, ..Inputs::default() };
        format!("{:?}", actors(&load(&inputs).unwrap().config))
    }

    #[test]
    fn every_setting_of_a_conversation_arrives() {
        let before = actors_with(BTreeMap::new());
        let changed = [
            ("conversation.turn_timeout_ms", "130001"),
            ("conversation.max_attempts", "7"),
            ("conversation.idle_close_ms", "86400001"),
            ("conversation.queue_notice_ms", "120001"),
            ("conversation.max_message_bytes", "16001"),
            ("conversation.max_comment_bytes", "2001"),
            ("conversation.max_entries", "100001"),
            ("conversation.inbox_commands", "31"),
            ("conversation.inbox_bytes", "262001"),
            ("conversation.window_entries", "201"),
            ("conversation.window_bytes", "262001"),
            ("conversation.delta_window_ms", "41"),
            ("conversation.passivate_after_ms", "60001"),
            ("conversation.agent_lost_after_ms", "15001"),
            ("conversation.stuck_after_ms", "30001"),
            ("llm.max_prompt_bytes", "65001"),
            ("llm.max_reply_bytes", "65001"),
            ("database.lanes", "3"),
            ("database.max_batch_rows", "511"),
            ("database.max_queued_bytes", "67108001"),
            ("socket.send_queue_frames", "1001"),
            ("socket.send_queue_bytes", "1048001"),
            ("drain.reply_limit_ms", "20001"),
            ("drain.sockets_window_ms", "5001"),
        ];
        for (key, value) in changed {
            let after = with(key, value);
            assert_ne!(after, before, "{key} changes nothing");
            assert!(after.contains(value), "{key} arrives as something else: {after}");
        }
        assert!(
            before.contains("activations: 4,") && with("database.max_connections", "62").contains("activations: 30,")
        );
        let kept = with("retention.closed_days", "30");
        assert!(kept.contains("retention_ms: Some(2592000000)") && before.contains("retention_ms: None"), "{kept}");
    }
}
