//! From the configuration's sections to what each part takes.

use std::collections::BTreeMap;

use onya_actors::Settings;
use onya_actors::ports::TailLimit;
use onya_core::conversation::Policy;
use onya_protocol::Notices;
use secrecy::ExposeSecret as _;

use crate::config::{Config, LlmProvider, NoticeTexts, NoticesConfig};
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
            ..Policy::default()
        },
        notices: notices(&config.notices),
        inbox_commands: conversation.inbox_commands,
        inbox_bytes: conversation.inbox_bytes,
        window: TailLimit { entries: conversation.window_entries, ..defaults.window },
        max_reply_bytes: config.llm.max_reply_bytes,
        delta_window_ms: conversation.delta_window_ms,
        passivate_after_ms: conversation.passivate_after_ms,
        lanes: config.database.lanes,
        batch_entries: config.database.max_batch_rows,
        send_queue_frames: socket.send_queue_frames,
        send_queue_bytes: socket.send_queue_bytes,
        drain_reply_limit_ms: config.drain.reply_limit_ms,
        ..defaults
    }
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
    let texts = config.languages.iter().map(|(language, texts)| (language.clone(), by_key(texts))).collect();
    Notices { texts, fallback_language: config.default_language.clone() }
}

fn by_key(texts: &NoticeTexts) -> BTreeMap<String, String> {
    [
        ("queued", &texts.queued),
        ("still_waiting", &texts.still_waiting),
        ("nobody_available", &texts.nobody_available),
        ("reply_failed", &texts.reply_failed),
        ("agent_joined", &texts.agent_joined),
        ("assistant_back", &texts.assistant_back),
        ("closed_idle", &texts.closed_idle),
    ]
    .into_iter()
    .map(|(key, text)| (key.to_owned(), text.clone()))
    .collect()
}
