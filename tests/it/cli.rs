//! What an operator types, and what comes back.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use onya::auth::{KeySet, Role, Verifier};
use onya::config::{Inputs, load};

/// Longest time for a subcommand that ends by itself. One that serves instead is stopped and the test fails.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the program in a folder with an environment that holds these variables and nothing else.
fn onya(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_onya"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        stdout.read_to_end(&mut out).unwrap();
        stderr.read_to_end(&mut err).unwrap();
        // The receiver has gone when the program was stopped.
        let _ = ended.send((out, err));
    });
    let Ok((stdout, stderr)) = end.recv_timeout(LIMIT) else {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("onya {arguments:?} did not end by itself");
    };
    Output { status: child.wait().unwrap(), stdout, stderr }
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_help_names_every_subcommand_and_each_has_help_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let help = stdout(&onya(folder.path(), &["--help"], &[]));
    for subcommand in [
        "serve",
        "token",
        "check-config",
        "chat",
        "migrate",
        "maintain",
        "backup",
        "restore",
        "history-epoch",
        "conversations",
        "healthcheck",
    ] {
        assert!(help.contains(subcommand), "{help}");
        let own = stdout(&onya(folder.path(), &[subcommand, "--help"], &[]));
        assert!(own.contains("Usage: onya") && own.contains("--profile"), "{own}");
    }
}

#[test]
fn check_config_shows_values_and_origins_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.toml"), "[conversation]\ninbox_commands = 7\n").unwrap();
    fs::write(folder.path().join("key"), "sk-canary\n").unwrap();
    let variables = [
        ("PORT", "4000"),
        ("OPENAI_API_KEY_FILE", "key"),
        ("DATABASE_URL", "postgres://onya:canary@db/onya"),
        ("ONYA_CONFIG", "own.toml"),
    ];
    let shown = stdout(&onya(folder.path(), &["check-config", "--log-level", "debug"], &variables));
    for line in [
        "port = 4000  # environment PORT",
        "api_key = \"***\"  # environment OPENAI_API_KEY_FILE",
        "url = \"postgres://onya:***@db/onya\"  # environment DATABASE_URL",
        "inbox_commands = 7  # file own.toml",
        "level = \"debug\"  # flag --log-level",
        "data_dir = \"data\"  # default",
        "keys_file = \"data/keys.json\"  # derived",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!folder.path().join("data").exists(), "looking changes nothing");
}

#[test]
fn wrong_settings_are_refused_all_at_once_by_every_subcommand_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("PORT", "http"), ("ONYA_SOCKET__PING_INTERVAL", "5"), ("OPENAI_API_KEY", "can ary")];
    for subcommand in [&["check-config"][..], &["serve"], &[], &["token", "--role", "agent"], &["healthcheck"]] {
        let text = refused(&onya(folder.path(), subcommand, &variables));
        assert!(text.contains("the configuration has 3 problems"), "{text}");
        assert!(
            text.contains("server.port = \"http\" (environment PORT): not allowed; allowed is a whole number"),
            "{text}"
        );
        assert!(text.contains("did you mean ONYA_SOCKET__PING_INTERVAL_MS?"), "{text}");
        assert!(text.contains("llm.api_key = \"***\"") && !text.contains("can ary"), "{text}");
    }
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn the_production_profile_starts_neither_with_the_mock_model_nor_with_generated_keys() {
    let folder = tempfile::tempdir().unwrap();
    let text = refused(&onya(folder.path(), &["--profile", "production", "--set", "llm.provider=mock"], &[]));
    assert!(text.contains("the production profile refuses the mock model"), "{text}");
    assert!(text.contains("the production profile refuses generated keys"), "{text}");
}

#[test]
fn the_printed_reference_is_the_one_in_the_documentation() {
    let folder = tempfile::tempdir().unwrap();
    let printed = stdout(&onya(folder.path(), &["check-config", "--reference"], &[]));
    let written = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CONFIG.md")).unwrap();
    assert!(printed == written, "run: cargo run -- check-config --reference > docs/CONFIG.md");
}

#[test]
fn a_printed_token_is_accepted_with_the_keys_that_stay_in_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let sub = "0197f3b0-1111-7222-8333-444455556666";
    let arguments = ["token", "--role", "supervisor", "--name", "Grace", "--ttl", "1h", "--sub", sub];
    let printed = stdout(&onya(folder.path(), &arguments, &[]));
    let token = printed.strip_suffix('\n').unwrap();
    assert!(!token.contains(char::is_whitespace), "{printed:?}");

    let keys_file = folder.path().join("data/keys.json");
    assert_eq!(fs::metadata(&keys_file).unwrap().permissions().mode() & 0o777, 0o600);
    let mut config = load(&Inputs::default()).unwrap().config.auth;
    config.keys_file = keys_file;
    let verifier = Verifier::new(&KeySet::load_or_generate(&config).unwrap(), &config);
    let principal = verifier.verify(token).unwrap();
    assert_eq!(principal.participant.to_string(), sub);
    assert_eq!(principal.role, Role::Supervisor);
    assert_eq!(principal.display_name.as_deref(), Some("Grace"));

    let again = stdout(&onya(folder.path(), &["token", "--role", "customer"], &[]));
    assert_eq!(verifier.verify(again.trim_end()).unwrap().role, Role::Customer);
}

#[test]
fn a_token_for_nobody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["token"][..],
        &["token", "--role", "root"],
        &["token", "--role", "agent", "--ttl", "forever"],
        &["token", "--role", "agent", "--sub", "ada"],
    ] {
        let output = onya(folder.path(), arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let text = refused(&onya(folder.path(), &["token", "--role", "agent", "--name", "a\nb"], &[]));
    assert!(text.contains("a display name has 1 to 64 characters"), "{text}");
}

/// A server that answers one request with this text; the request comes back from the thread.
fn one_answer(answer: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (port, server)
}

#[test]
fn the_healthcheck_asks_the_configured_port_and_tells_ready_from_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (port, server) = one_answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let output = onya(folder.path(), &["healthcheck", "--host", "0.0.0.0"], &[("PORT", &port)]);
    assert_eq!(stdout(&output), "ready\n");
    let request = server.join().unwrap();
    assert!(request.starts_with("GET /health/ready HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{request}");

    let (port, server) = one_answer("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    let url = format!("http://localhost:{port}/health/live");
    let text = refused(&onya(folder.path(), &["healthcheck", "--url", &url], &[]));
    assert!(text.contains("answered 503"), "{text}");
    assert!(server.join().unwrap().starts_with("GET /health/live HTTP/1.1\r\n"));
}

#[test]
fn the_healthcheck_fails_when_nobody_or_somebody_else_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (port, server) = one_answer("SSH-2.0-OpenSSH\r\n");
    let text = refused(&onya(folder.path(), &["healthcheck"], &[("PORT", &port)]));
    assert!(text.contains("the answer is not HTTP"), "{text}");
    server.join().unwrap();
    let text = refused(&onya(folder.path(), &["healthcheck", "--port", "1"], &[]));
    assert!(text.contains("/health/ready"), "{text}");
}
