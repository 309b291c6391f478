//! The nginx configuration of deploy/nginx, in a real nginx.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use onya_core::conversation::Outcome;
use onya_protocol::{EntryBody, ServerFrame};
use reqwest::{Client, Method};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::support::nginx::{CONFIGURATION, Nginx, free_address};
use crate::support::{Answer, Backend, NodeSettings, PATIENCE, Wire, answer};

/// A server that answers every request with its name and what it was sent.
struct Named {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Named {
    async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer_once(stream, name));
            }
        });
        Self { address, task }
    }

    /// From now on nobody listens there.
    async fn end(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn answer_once(mut stream: TcpStream, name: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).await.is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let body = format!("{name}\n{}", String::from_utf8_lossy(&head));
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    // A client that has gone does not want the answer.
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn client() -> Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Connections belong to the runtime of one test.
        Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(PATIENCE).build().unwrap()
    });
    CLIENT.clone()
}

/// Which server answers, and what it was sent.
async fn told(nginx: &Nginx, path: &str, headers: &[(&str, &str)]) -> (String, String) {
    let request =
        headers.iter().fold(client().get(nginx.url(path)), |request, (name, value)| request.header(*name, *value));
    let answer = answer(request).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {answer:?}");
    let (name, head) = answer.text.split_once('\n').unwrap();
    (name.to_owned(), head.to_ascii_lowercase())
}

const UPGRADE: [(&str, &str); 2] = [("connection", "Upgrade"), ("upgrade", "websocket")];

#[tokio::test]
async fn a_conversation_stays_with_its_server_and_moves_when_that_is_gone() {
    let (one, two) = (Named::start("one").await, Named::start("two").await);
    let nginx = Nginx::start(&[one.address, two.address]).await;
    let mut places = BTreeMap::new();
    for conversation in (0..32).map(|_| Uuid::now_v7()) {
        let base = format!("/v1/conversations/{conversation}");
        let (place, _) = told(&nginx, &format!("{base}/socket"), &UPGRADE).await;
        for path in [base.clone(), format!("{base}/entries?limit=1"), format!("{base}/socket")] {
            assert_eq!(told(&nginx, &path, &[]).await.0, place, "{path}");
        }
        places.insert(base, place);
    }
    let used: BTreeSet<_> = places.values().cloned().collect();
    assert_eq!(used.len(), 2, "one server has everything");

    one.end().await;
    for base in places.keys() {
        assert_eq!(told(&nginx, &format!("{base}/socket"), &UPGRADE).await.0, "two", "{base}");
        let posted = answer(client().post(nginx.url(&format!("{base}/messages"))).body("{}")).await;
        assert!(posted.text.starts_with("two\n"), "{posted:?}");
    }
    assert_eq!(told(&nginx, "/v1/desk/socket", &UPGRADE).await.0, "two");
    two.end().await;
    let away = answer(client().get(nginx.url("/"))).await;
    assert_eq!((away.status.as_u16(), away.code().as_str()), (503, "busy"));
    assert_eq!(away.headers["retry-after"], "2");
}

#[tokio::test]
async fn a_server_is_told_who_calls_and_not_what_the_caller_claims() {
    let server = Named::start("one").await;
    let nginx = Nginx::start(&[server.address]).await;
    let claims = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "gopher"), ("host", "chat.example.com")];
    let (_, head) = told(&nginx, "/v1/queue?token=canary", &claims).await;
    for line in ["host: chat.example.com", "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"] {
        assert!(head.lines().any(|sent| sent == line), "{line} in {head}");
    }
    assert!(!head.contains("203.0.113.7") && !head.contains("gopher"), "{head}");
    assert!(!head.contains("upgrade") && !head.contains("connection:"), "{head}");
    let (_, head) = told(&nginx, "/v1/desk/socket", &UPGRADE).await;
    assert!(head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"), "{head}");
    let log = nginx.access_log();
    assert!(log.contains("GET /v1/queue 200 ") && !log.contains("canary"), "{log}");
}

/// A server that is allowed to be called by pages that come through this nginx.
async fn behind(address: SocketAddr) -> NodeSettings {
    let settings = NodeSettings::new(Backend::Sqlite).await;
    settings.with("ONYA_SERVER__ALLOWED_ORIGINS", format!("http://{address}"))
}

#[tokio::test]
async fn pages_come_as_from_the_server_itself_and_what_they_load_comes_without_it() {
    let address = free_address();
    let mut node = behind(address).await.start().await;
    let nginx = Nginx::start_at(address, &[node.address()]).await;
    let ask = async |url: String, coding: &str| answer(client().get(url).header("accept-encoding", coding)).await;
    let asset = asset_of(&ask(nginx.url("/"), "identity").await.text);
    let pages = ["/", "/embed", "/widget.js", "/example", "/desk", "/docs", "/assets/none-00000000.js"];
    for path in pages.into_iter().chain([asset.as_str()]) {
        for coding in ["identity", "gzip"] {
            let (direct, proxied) = (ask(node.url(path), coding).await, ask(nginx.url(path), coding).await);
            assert_eq!(proxied.status, direct.status, "{path}");
            assert_eq!(proxied.text, direct.text, "{path} as {coding}");
            assert_eq!(headers(&proxied), headers(&direct), "{path} as {coding}");
        }
    }
    let compressed = ask(nginx.url(&asset), "gzip, br").await;
    assert_eq!(compressed.headers["content-encoding"], "gzip");
    assert!(!nginx.access_log().contains("/metrics"));
    assert_eq!(ask(nginx.url("/health"), "identity").await.code(), "not_found");

    node.kill().await;
    assert_eq!(ask(nginx.url(&asset), "gzip").await.status.as_u16(), 200, "nginx has it");
    assert_eq!(ask(nginx.url("/"), "gzip").await.code(), "busy");
}

/// The first script of the app that a page names.
fn asset_of(html: &str) -> String {
    let rest = html.split("\"/assets/").nth(1).unwrap();
    format!("/assets/{}", rest.split('"').next().unwrap())
}

/// What decides how a browser treats an answer.
fn headers(answer: &Answer) -> BTreeMap<&'static str, String> {
    let deciding = [
        "cache-control",
        "content-encoding",
        "content-security-policy",
        "content-type",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "referrer-policy",
        "vary",
        "x-content-type-options",
        "x-frame-options",
    ];
    let value = |name| answer.headers.get(name).map(|value| value.to_str().unwrap().to_ascii_lowercase());
    deciding.into_iter().filter_map(|name| Some((name, value(name)?))).collect()
}

#[tokio::test]
async fn a_conversation_is_had_through_it() {
    let address = free_address();
    let node = behind(address).await.start().await;
    let nginx = Nginx::start_at(address, &[node.address()]).await;
    let origin = nginx.url("");
    let token = answer(client().post(nginx.url("/v1/tokens/anonymous")).header("origin", &origin)).await.ok();
    let token = token["token"].as_str().unwrap();
    let opened = answer(client().post(nginx.url("/v1/conversations")).bearer_auth(token)).await.ok();
    let base = format!("/v1/conversations/{}", opened["id"].as_str().unwrap());
    let mut wire = Wire::open(&nginx.socket_url(&format!("{base}/socket"))).await;
    wire.hello(token).await;
    wire.send(json!({"type": "say", "client_msg_id": "m", "text": "Hello"})).await;
    let mut pieces = 0;
    let outcome = loop {
        match wire.next().await.unwrap() {
            ServerFrame::Delta(_) => pieces += 1,
            ServerFrame::Entry { entry, .. } => {
                if let EntryBody::TurnEnded { outcome, .. } = &entry.body {
                    break *outcome;
                }
            }
            _ => {}
        }
    };
    assert_eq!(outcome, Outcome::Final);
    assert!(pieces > 1, "the reply came in one piece");

    let large = client().post(nginx.url(&format!("{base}/messages"))).bearer_auth(token);
    let refused = answer(large.header("idempotency-key", "k").json(&json!({"text": "x".repeat(70_000)}))).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (413, "too_large"));
    let foreign =
        client().request(Method::POST, nginx.url("/v1/tokens/anonymous")).header("origin", "https://evil.example");
    assert_eq!(answer(foreign).await.code(), "forbidden", "the origin is passed on");
    assert!(!nginx.access_log().contains(token));
}

#[tokio::test]
async fn sockets_may_be_silent_for_longer_than_requests() {
    let settings = NodeSettings::new(Backend::Sqlite).await.with("ONYA_SOCKET__PING_INTERVAL_MS", 1_000);
    let node = settings.with("ONYA_SOCKET__PONG_TIMEOUT_MS", 500).start().await;
    let nginx = Nginx::start_impatient(&[node.address()]).await;
    let visitor = node.visitor().await;
    let staff = node.token(&["--role", "agent", "--name", "Ana"]);
    let conversation = format!("/v1/conversations/{}/socket", visitor.conversation);
    for (path, token) in [(conversation.as_str(), visitor.token.as_str()), ("/v1/desk/socket", staff.as_str())] {
        let mut wire = Wire::open(&nginx.socket_url(path)).await;
        wire.hello(token).await;
        // The first ping comes after half a second at the earliest.
        while !matches!(
            wire.next().await.unwrap_or_else(|code| panic!("{path} was cut: {code}")),
            ServerFrame::Ping { .. }
        ) {}
    }
}

#[test]
fn nginx_waits_longer_than_the_server_is_silent() {
    let config = onya::config::load(&onya::config::Inputs::default()).unwrap().config;
    let waits: Vec<Duration> = CONFIGURATION
        .lines()
        .filter_map(|line| line.trim().strip_prefix("proxy_read_timeout ")?.strip_suffix("s;"))
        .map(|seconds| Duration::from_secs(seconds.parse().unwrap()))
        .collect();
    let [request, customer, desk] = waits[..] else { panic!("{waits:?}") };
    assert!(request > Duration::from_millis(config.server.request_timeout_ms));
    let silence = Duration::from_millis(3 * config.socket.ping_interval_ms + config.socket.pong_timeout_ms);
    assert!(customer > silence && desk > silence, "{customer:?}, {desk:?}: {silence:?}");
    assert!(CONFIGURATION.contains(&format!("client_max_body_size {}k;", config.server.max_body_bytes / 1024)));
    assert!(config.server.header_timeout_ms > 4_000, "keepalive_timeout");
}
