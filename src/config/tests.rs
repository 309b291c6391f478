//! What an operator is promised: every key is explained, every mistake is named, no secret is shown.

use std::collections::BTreeSet;
use std::path::Path;

use secrecy::ExposeSecret;

use super::layers::rule_for;
use super::*;

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn inputs(environment: &[(&str, &str)]) -> Inputs {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Inputs { environment, ..Inputs::default() }
}

fn flag(key: &str, value: &str) -> Flag {
    Flag { name: "--set".to_owned(), key: key.to_owned(), value: value.to_owned() }
}

fn refused(inputs: &Inputs) -> String {
    load(inputs).expect_err("these settings should be refused").to_string()
}

fn with_file(text: &str) -> (tempfile::TempDir, Inputs) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onya.toml");
    std::fs::write(&path, text).unwrap();
    (folder, Inputs { file: Some(path), ..Inputs::default() })
}

#[test]
fn the_default_is_a_laptop_with_a_mock_model_and_an_embedded_database() {
    let config = load(&Inputs::default()).unwrap().config;
    assert_eq!(config.profile, Profile::Laptop);
    assert_eq!(config.server.port, 3000);
    assert!(config.server.host.is_loopback());
    assert_eq!(config.llm.provider, LlmProvider::Mock);
    assert!(config.llm.api_key.is_none() && config.redis.url.is_none() && config.trace.otlp_endpoint.is_none());
    assert_eq!(config.database.url.expose_secret(), "sqlite://data/onya.db");
    assert_eq!(config.auth.keys_file, Path::new("data/keys.json"));
    assert!(!config.node.name.is_empty());
    assert_eq!(config.conversation.turn_timeout_ms, 120_000);
}

#[test]
fn every_key_of_the_default_file_has_a_rule_and_every_rule_a_key() {
    let loaded = load(&Inputs::default()).unwrap();
    for rule in rules() {
        assert!(loaded.settings.keys().any(|key| rule.covers(key)), "{} is not in the default file", rule.key);
    }
    assert!(loaded.settings.keys().all(|key| rule_for(key).is_some()));
}

#[test]
fn every_key_of_the_default_file_is_explained() {
    let mut explained = false;
    for line in DEFAULT_TOML.lines() {
        if line.split_once(" = ").is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')) {
            assert!(explained, "no comment above: {line}");
        }
        explained = if line.starts_with('#') { explained || line.contains("Allowed") } else { false };
        explained |= line.starts_with("# Allowed") || line.contains("Allowed:");
    }
}

#[test]
fn the_ranges_in_the_comments_are_those_of_the_rules() {
    let words: String = reference();
    for rule in rules() {
        let Allowed::Integer { min, max } = rule.allowed else { continue };
        let entry = words.split("- **`").find(|entry| entry.starts_with(&format!("{}`", rule.key))).unwrap();
        assert!(entry.contains(&format!("Allowed: {min} to {max}")), "{}: {entry}", rule.key);
    }
}

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CONFIG.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == reference(), "run: cargo run -- check-config --reference > docs/CONFIG.md");
}

#[test]
fn the_reference_names_every_key() {
    let text = reference();
    for key in load(&Inputs::default()).unwrap().settings.keys() {
        assert!(text.contains(&format!("**`{key}`**")), "{key}");
    }
}

#[test]
fn the_later_layer_wins() {
    let (_folder, mut inputs) =
        with_file("[server]\nport = 4001\n[trace]\nsampling_rate = 0.5\n[log]\nlevel = \"warn\"\n");
    inputs.profile = Some("staging".to_owned());
    inputs.environment.insert("PORT".to_owned(), "4002".to_owned());
    inputs.environment.insert("ONYA_LLM__MOCK__TOKENS_PER_SECOND".to_owned(), "200".to_owned());
    inputs.environment.insert("LOG_LEVEL".to_owned(), "error".to_owned());
    inputs.flags = vec![flag("log.level", "debug"), flag("log.level", "trace")];
    let loaded = load(&inputs).unwrap();
    assert_eq!(loaded.config.server.port, 4002);
    assert!(loaded.config.server.host.is_unspecified());
    assert_eq!(loaded.config.trace.sampling_rate, 0.5);
    assert_eq!(loaded.config.log.level, "trace");
    assert_eq!(loaded.config.log.format, LogFormat::Json);
    assert_eq!(loaded.config.llm.mock.tokens_per_second, 200.0);
    let shown = loaded.show();
    for origin in ["# default", "# profile staging", "# file ", "# environment PORT", "# flag --set", "# derived"] {
        assert!(shown.contains(origin), "{origin} in {shown}");
    }
}

#[test]
fn every_well_known_variable_sets_its_key() {
    let inputs = inputs(&[
        ("PORT", "8080"),
        ("LOG_LEVEL", "info,onya=debug"),
        ("LLM_PROVIDER", "openai"),
        ("TRACE_SAMPLING_RATE", "0.1"),
        ("DATABASE_URL", "postgres://onya:secret@db/onya"),
        ("REDIS_URL", "redis://cache"),
        ("OPENAI_API_KEY", "sk-1"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:4010/v1"),
    ]);
    let config = load(&inputs).unwrap().config;
    assert_eq!(config.server.port, 8080);
    assert_eq!(config.log.level, "info,onya=debug");
    assert_eq!(config.llm.provider, LlmProvider::Openai);
    assert_eq!(config.trace.sampling_rate, 0.1);
    assert_eq!(config.database.url.expose_secret(), "postgres://onya:secret@db/onya");
    assert_eq!(config.redis.url.unwrap().expose_secret(), "redis://cache");
    assert_eq!(config.llm.api_key.unwrap().expose_secret(), "sk-1");
    assert_eq!(config.llm.base_url, "http://127.0.0.1:4010/v1");
}

#[test]
fn an_empty_variable_is_no_variable() {
    let config = load(&inputs(&[("PORT", ""), ("DATABASE_URL", ""), ("ONYA_PROFILE", "")])).unwrap().config;
    assert_eq!(config.server.port, 3000);
}

#[test]
fn all_problems_are_told_at_once_with_key_value_origin_and_what_is_allowed() {
    let (_folder, mut inputs) = with_file("[server]\nport = \"http\"\nprot = 1\n[conversation]\nidle_close_ms = 5\n");
    inputs.environment.insert("TRACE_SAMPLING_RATE".to_owned(), "2".to_owned());
    inputs.environment.insert("LLM_PROVIDER".to_owned(), "gemini".to_owned());
    inputs.flags = vec![flag("log.format", "xml")];
    let text = refused(&inputs);
    assert!(text.starts_with("the configuration has 6 problems"), "{text}");
    for part in [
        "server.port = \"http\" (file ",
        "server.prot (file ",
        "did you mean server.port?",
        "conversation.idle_close_ms = 5 (file ",
        "a whole number from 60000 to 31536000000",
        "trace.sampling_rate = \"2\" (environment TRACE_SAMPLING_RATE): not allowed; allowed is a number from 0.0 to 1.0",
        "llm.provider = \"gemini\" (environment LLM_PROVIDER): not allowed; allowed is mock or openai",
        "log.format = \"xml\" (flag --set): not allowed; allowed is readable or json",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn an_unknown_variable_of_ours_is_refused_with_a_suggestion_and_a_foreign_one_is_ignored() {
    let text = refused(&inputs(&[("ONYA_SERVER__PROT", "1"), ("HOME", "/root"), ("ONYA_TOKEN", "x")]));
    assert!(text.contains("1 problem\n") && text.contains("did you mean ONYA_SERVER__PORT?"), "{text}");
    assert!(refused(&inputs(&[("ONYA_PORT", "1")])).contains("environment ONYA_PORT: there is no such setting"));
    assert!(refused(&inputs(&[("ONYA_SERVER__PORT_FILE", "/x")])).contains("there is no such setting"));
}

#[test]
fn a_variable_and_its_other_name_are_refused_together() {
    let text = refused(&inputs(&[("PORT", "1"), ("ONYA_SERVER__PORT", "2")]));
    assert!(text.contains("server.port is set twice in the environment, by ONYA_SERVER__PORT and by PORT"), "{text}");
}

#[test]
fn a_secret_is_read_from_a_file_and_trimmed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "  sk-from-file\n").unwrap();
    let path = path.to_str().unwrap();
    for name in ["OPENAI_API_KEY_FILE", "ONYA_LLM__API_KEY_FILE"] {
        let config = load(&inputs(&[(name, path)])).unwrap().config;
        assert_eq!(config.llm.api_key.unwrap().expose_secret(), "sk-from-file");
    }
    let text = refused(&inputs(&[("OPENAI_API_KEY_FILE", path), ("OPENAI_API_KEY", "sk-2")]));
    assert!(text.contains("llm.api_key is set twice") && !text.contains("sk-2"), "{text}");
    let text = refused(&inputs(&[("DATABASE_URL_FILE", "/nowhere/at/all")]));
    assert!(text.contains("database.url (environment DATABASE_URL_FILE): /nowhere/at/all: "), "{text}");
}

#[test]
fn no_secret_is_shown_when_it_is_right_or_when_it_is_wrong() {
    let url = "postgres://onya:canary@db/onya";
    let keys = format!("a:{KEY}");
    let right = inputs(&[("DATABASE_URL", url), ("OPENAI_API_KEY", "sk-canary"), ("ONYA_AUTH__SIGNING_KEYS", &keys)]);
    let loaded = load(&right).unwrap();
    let shown = loaded.show() + &format!("{:?}", loaded.config);
    assert!(!shown.contains("canary") && !shown.contains(KEY), "{shown}");
    assert!(shown.contains("postgres://onya:***@db/onya"));

    let wrong = inputs(&[
        ("DATABASE_URL", "mysql://canary"),
        ("OPENAI_API_KEY", "can ary"),
        ("ONYA_AUTH__SIGNING_KEYS", "canary"),
    ]);
    let text = refused(&wrong);
    assert!(text.contains("3 problems") && !text.contains("canary") && !text.contains("can ary"), "{text}");

    let (_folder, inputs) = with_file("[llm]\napi_key = \"canary\" oops\n");
    let text = refused(&inputs);
    assert!(text.contains("line 2") && !text.contains("canary"), "{text}");
}

#[test]
fn the_production_profile_refuses_the_mock_model_and_generated_keys() {
    let mut inputs = inputs(&[("LLM_PROVIDER", "mock"), ("ONYA_PROFILE", "production")]);
    let text = refused(&inputs);
    assert!(text.contains("2 problems"), "{text}");
    assert!(
        text.contains("llm.provider = \"mock\" (environment LLM_PROVIDER): the production profile refuses"),
        "{text}"
    );
    assert!(text.contains("auth.signing_keys = \"\" (default): the production profile refuses"), "{text}");

    inputs.environment.insert("LLM_PROVIDER".to_owned(), "openai".to_owned());
    inputs.environment.insert("OPENAI_API_KEY".to_owned(), "sk-1".to_owned());
    inputs.environment.insert("ONYA_AUTH__SIGNING_KEYS".to_owned(), format!("a:{KEY}"));
    inputs.environment.insert("ONYA_WEB__EXAMPLE_PAGE".to_owned(), "true".to_owned());
    assert!(refused(&inputs).contains("web.example_page = true (environment ONYA_WEB__EXAMPLE_PAGE): the production"));
    inputs.environment.remove("ONYA_WEB__EXAMPLE_PAGE");
    let config = load(&inputs).unwrap().config;
    assert_eq!(config.profile, Profile::Production);
    assert!(!config.web.example_page);
    assert_eq!(config.trace.sampling_rate, 0.1);
}

#[test]
fn an_unknown_profile_and_a_missing_file_are_named() {
    let text = refused(&Inputs { profile: Some("prod".to_owned()), ..Inputs::default() });
    assert!(text.contains("profile \"prod\" (flag --profile): not allowed; allowed is development or"), "{text}");
    let text = refused(&inputs(&[("ONYA_CONFIG", "/nowhere/onya.toml")]));
    assert!(text.contains("file /nowhere/onya.toml: "), "{text}");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (key, value, part) in [
        ("llm.total_timeout_ms", "120000", "shorter than conversation.turn_timeout_ms"),
        ("socket.pong_timeout_ms", "25000", "shorter than socket.ping_interval_ms"),
        ("conversation.max_message_bytes", "65536", "a quarter of socket.max_frame_bytes"),
        ("socket.send_queue_bytes", "131072", "a reader who comes back"),
        ("metrics.port", "3000", "must differ from server.port"),
        ("llm.provider", "openai", "is needed by api.openai.com"),
        ("notices.default_language", "de", "allowed is en or fr"),
        ("database.lanes", "10", "less than database.max_connections"),
        ("conversation.stuck_after_ms", "14999", "at least three times database.statement_timeout_ms"),
    ] {
        let text = refused(&Inputs { flags: vec![flag(key, value)], ..Inputs::default() });
        assert!(text.contains("1 problem\n") && text.contains(part), "{key}: {text}");
    }
}

#[test]
fn a_window_that_fits_no_message_between_nodes_is_refused_where_there_are_nodes() {
    let window = |bytes: &str, url: &str| {
        let flags = vec![
            flag("conversation.window_bytes", bytes),
            flag("socket.send_queue_bytes", "67108864"),
            flag("database.url", url),
        ];
        Inputs { flags, ..Inputs::default() }
    };
    let (embedded, shared) = ("sqlite://data/onya.db", "postgres://onya@db/onya");
    let text = refused(&window("5427201", shared));
    assert!(text.contains("1 problem\n") && text.contains("at most 5427200 on PostgreSQL"), "{text}");
    assert!(load(&window("5427200", shared)).is_ok() && load(&window("16777216", embedded)).is_ok());
}

#[test]
fn sites_and_switches_are_read_from_a_file_and_from_the_environment() {
    let site = "https://www.example.com";
    let (_folder, mut inputs) = with_file(&format!("[web]\nframe_ancestors = [\"{site}\"]\nexample_page = false\n"));
    let web = load(&inputs).unwrap().config.web;
    assert_eq!((web.frame_ancestors, web.example_page), (vec![site.to_owned()], false));
    inputs.environment.insert("ONYA_WEB__EXAMPLE_PAGE".to_owned(), "true".to_owned());
    assert!(load(&inputs).unwrap().config.web.example_page);
    for (key, value) in [("web.frame_ancestors", "https://a.example/chat"), ("web.example_page", "yes")] {
        let text = refused(&Inputs { flags: vec![flag(key, value)], ..Inputs::default() });
        assert!(text.contains("1 problem\n") && text.contains(key) && text.contains("not allowed"), "{text}");
    }
}

#[test]
fn a_site_may_not_be_given_a_key_that_signs_for_staff() {
    let other = "ff".repeat(32);
    let given = |identity: &str| {
        inputs(&[("ONYA_AUTH__SIGNING_KEYS", &format!("a:{KEY}")), ("ONYA_AUTH__IDENTITY_KEYS", identity)])
    };
    for shared in [format!("a:{other}"), format!("shop:{KEY}"), format!("shop:{other},b:{KEY}")] {
        let text = refused(&given(&shared));
        assert!(text.contains("1 problem\n") && text.contains("auth.identity_keys = \"***\""), "{text}");
        assert!(!text.contains(&other) && !text.contains(KEY), "{text}");
    }
    assert!(refused(&given("shop:short")).contains("name:secret"));
    let auth = load(&given(&format!("shop:{other}"))).unwrap().config.auth;
    assert_eq!(parse_keys(auth.identity_keys.unwrap().expose_secret()).unwrap()[0].id, "shop");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    std::fs::write(&path, format!("shop:{other}\n")).unwrap();
    let from_file = inputs(&[("ONYA_AUTH__IDENTITY_KEYS_FILE", path.to_str().unwrap())]);
    assert!(load(&from_file).unwrap().config.auth.identity_keys.is_some());
}

#[test]
fn a_language_is_added_whole_or_not_at_all() {
    let (_folder, inputs) = with_file("[notices.de]\nqueued = \"Einen Moment bitte.\"\n");
    let text = refused(&inputs);
    assert!(text.contains("5 problems") && text.contains("notices.de.closed_idle is missing"), "{text}");

    let lines: String = super::notices::KEYS.iter().map(|key| format!("{key} = \"Text für {key}\"\n")).collect();
    let (_folder, inputs) = with_file(&format!("[notices.pt-br]\n{lines}"));
    let notices = load(&inputs).unwrap().config.notices;
    let texts = &notices.by_key()["pt-br"];
    assert_eq!(texts.len(), 6);
    assert!(texts.iter().all(|(key, text)| *text == format!("Text für {key}")), "{texts:?}");
    assert_eq!(notices.by_key().len(), 3);
}

#[test]
fn one_notice_is_changed_without_the_others() {
    let inputs = inputs(&[("ONYA_NOTICES__FR__QUEUED", "Un instant.")]);
    let notices = load(&inputs).unwrap().config.notices;
    assert_eq!(notices.languages["fr"].queued, "Un instant.");
    assert_eq!(notices.languages["fr"].agent_joined, "Un membre de notre équipe a rejoint la conversation.");
}

#[test]
fn what_is_shown_can_be_read_again() {
    let shown = load(&Inputs::default()).unwrap().show();
    let (_folder, inputs) = with_file(&shown);
    let again = load(&inputs).unwrap();
    let keys: BTreeSet<&String> = again.settings.keys().collect();
    assert_eq!(keys.len(), load(&Inputs::default()).unwrap().settings.len());
}

#[test]
fn without_configured_origins_only_the_own_address_may_call() {
    let mut server = load(&Inputs::default()).unwrap().config.server;
    assert_eq!(server.effective_origins(3000), ["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"]);
    server.allowed_origins = vec!["https://chat.example.com".to_owned()];
    assert_eq!(server.effective_origins(3000), ["https://chat.example.com"]);
}
