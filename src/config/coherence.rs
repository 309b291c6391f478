//! What the settings must be to each other, once each of them is allowed by itself.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::layers::Setting;
use super::problem::Problem;
use super::{Config, LlmProvider, Profile, parse_keys, shared_key};

pub(super) fn check(config: &Config, settings: &BTreeMap<String, Setting>, problems: &mut Vec<Problem>) {
    let mut report = |wrong: bool, key: &str, must: String| {
        if let (true, Some(setting)) = (wrong, settings.get(key)) {
            let text = format!("{key} = {} ({}): {must}", setting.rule.show(&setting.value), setting.origin);
            problems.push(Problem::new(text));
        }
    };
    check_times(config, &mut report);
    check_sizes(config, &mut report);
    check_ports(config, &mut report);
    check_llm(config, &mut report);
    check_languages(config, &mut report);
    check_keys(config, &mut report);
    if config.profile == Profile::Production {
        check_production(config, &mut report);
    }
}

type Report<'a> = dyn FnMut(bool, &str, String) + 'a;

fn check_times(config: &Config, report: &mut Report<'_>) {
    let (llm, turn, socket) = (&config.llm, config.conversation.turn_timeout_ms, &config.socket);
    let must =
        format!("must be shorter than conversation.turn_timeout_ms = {turn}, so that a reply ends before its turn");
    report(llm.total_timeout_ms >= turn, "llm.total_timeout_ms", must);
    let must = format!("must not be longer than llm.total_timeout_ms = {}", llm.total_timeout_ms);
    report(llm.first_content_timeout_ms > llm.total_timeout_ms, "llm.first_content_timeout_ms", must);
    let must = format!("must be shorter than socket.ping_interval_ms = {}", socket.ping_interval_ms);
    report(socket.pong_timeout_ms >= socket.ping_interval_ms, "socket.pong_timeout_ms", must);
    let (lock, statement) = (config.database.lock_timeout_ms, config.database.statement_timeout_ms);
    let must = format!("must be shorter than database.statement_timeout_ms = {statement}");
    report(lock >= statement, "database.lock_timeout_ms", must);
    let must = format!(
        "must be at least three times database.statement_timeout_ms = {statement}: what the store has not answered by then \
         will not be"
    );
    report(config.conversation.stuck_after_ms < 3 * statement, "conversation.stuck_after_ms", must);
    let (heartbeat, stale) = (config.cluster.heartbeat_ms, config.cluster.stale_after_ms);
    let must = format!("must be at least three times cluster.heartbeat_ms = {heartbeat}, so that one may be lost");
    report(stale < 3 * heartbeat, "cluster.stale_after_ms", must);
}

/// What an entry counts for in a send queue beside its text.
const FRAME_BYTES: usize = 128;

fn check_sizes(config: &Config, report: &mut Report<'_>) {
    let (message, frame) = (config.conversation.max_message_bytes, config.socket.max_frame_bytes);
    let must = format!(
        "must be at most a quarter of socket.max_frame_bytes = {frame}, so that a message of escaped characters fits a frame"
    );
    report(message > frame / 4, "conversation.max_message_bytes", must);
    let must = format!("must hold at least two messages of conversation.max_message_bytes = {message}");
    report(config.conversation.inbox_bytes < 2 * message, "conversation.inbox_bytes", must);
    let must = format!("must hold the longest reply, llm.max_reply_bytes = {}", config.llm.max_reply_bytes);
    report(config.socket.send_queue_bytes < config.llm.max_reply_bytes, "socket.send_queue_bytes", must);
    let window = config.conversation.window_bytes + config.conversation.window_entries * FRAME_BYTES;
    let must = format!(
        "must be at least {window}, what conversation.window_bytes and conversation.window_entries come to: a reader who \
         comes back gets that at once"
    );
    report(config.socket.send_queue_bytes < window, "socket.send_queue_bytes", must);
    check_link_message(config, report);
    let (lanes, connections) = (config.database.lanes, config.database.max_connections);
    let must = format!("must be less than database.max_connections = {connections}: each lane holds one connection");
    report(lanes >= usize::try_from(connections).unwrap_or(usize::MAX), "database.lanes", must);
}

/// Longest message of a link to another node, in bytes.
pub(crate) const LINK_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// JSON of one byte of text, at worst.
const JSON_OF_A_BYTE: usize = 6;
/// JSON of an entry beside its text.
const JSON_OF_AN_ENTRY: usize = 1024;

/// What brings a reader on another node up to date is one message: the window, of which the oldest entry may exceed the
/// bound, and the reply so far.
fn check_link_message(config: &Config, report: &mut Report<'_>) {
    let (conversation, reply) = (&config.conversation, config.llm.max_reply_bytes);
    let beside = JSON_OF_AN_ENTRY * conversation.window_entries + JSON_OF_A_BYTE * 2 * reply;
    let most = LINK_MESSAGE_BYTES.saturating_sub(beside) / JSON_OF_A_BYTE;
    let must = format!(
        "must be at most {most} on PostgreSQL: as JSON, and with conversation.window_entries = {} and twice llm.max_reply_bytes \
         = {reply}, it must fit the longest message between two nodes, {LINK_MESSAGE_BYTES} bytes",
        conversation.window_entries
    );
    report(config.is_clustered() && conversation.window_bytes > most, "conversation.window_bytes", must);
}

fn check_ports(config: &Config, report: &mut Report<'_>) {
    let same = config.metrics.port != 0 && config.metrics.port == config.server.port;
    report(same, "metrics.port", "must differ from server.port".to_owned());
    let (port, others) = (config.cluster.port, [config.server.port, config.metrics.port]);
    let must = "must differ from server.port and metrics.port".to_owned();
    report(config.is_clustered() && port != 0 && others.contains(&port), "cluster.port", must);
}

fn check_llm(config: &Config, report: &mut Report<'_>) {
    let is_openai = config.llm.provider == LlmProvider::Openai;
    let needs_key = is_openai && config.llm.base_url.starts_with("https://api.openai.com");
    let must = "is needed by api.openai.com: set OPENAI_API_KEY, or OPENAI_BASE_URL for another server".to_owned();
    report(needs_key && config.llm.api_key.is_none(), "llm.api_key", must);
}

fn check_languages(config: &Config, report: &mut Report<'_>) {
    let known: Vec<&str> = config.notices.languages.keys().map(String::as_str).collect();
    let missing = !known.contains(&config.notices.default_language.as_str());
    report(missing, "notices.default_language", format!("not allowed; allowed is {}", known.join(" or ")));
}

fn check_keys(config: &Config, report: &mut Report<'_>) {
    let read = |keys: &Option<SecretString>| {
        keys.as_ref().and_then(|keys| parse_keys(keys.expose_secret())).unwrap_or_default()
    };
    let shared = shared_key(&read(&config.auth.signing_keys), &read(&config.auth.identity_keys)).is_some();
    let must = "must have no name and no secret of auth.signing_keys: whoever signs for a site must not sign for staff";
    report(shared, "auth.identity_keys", must.to_owned());
}

fn check_production(config: &Config, report: &mut Report<'_>) {
    let must = "the production profile refuses the mock model: set LLM_PROVIDER=openai".to_owned();
    report(config.llm.provider == LlmProvider::Mock, "llm.provider", must);
    let must =
        "the production profile refuses generated keys: set ONYA_AUTH__SIGNING_KEYS or ONYA_AUTH__SIGNING_KEYS_FILE";
    report(config.auth.signing_keys.is_none(), "auth.signing_keys", must.to_owned());
    let must = "the production profile serves no example page".to_owned();
    report(config.web.example_page, "web.example_page", must);
}
