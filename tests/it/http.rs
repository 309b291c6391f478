//! HTTP: every route by who may ask, and what a failure looks like.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{Answer, Backend, NodeSettings, PATIENCE, TestNode, Visitor, answer, eventually};

crate::on_each_store! {
    a_whole_conversation_over_http,
    a_log_is_paged_both_ways,
    staff_take_a_conversation_over_http,
}

async fn ask(node: &TestNode, method: &Method, path: &str, token: Option<&str>, body: &Value) -> Answer {
    let mut request = node.request(method.clone(), path).header("idempotency-key", Uuid::now_v7().to_string());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if *method == Method::POST {
        request = request.json(body);
    }
    answer(request).await
}

async fn entries(node: &TestNode, visitor: &Visitor, query: &str) -> Value {
    node.get(&format!("/v1/conversations/{}/entries{query}", visitor.conversation), &visitor.token).await.ok()
}

/// Waits until the log has a turn that ended.
async fn until_answered(node: &TestNode, visitor: &Visitor) -> Value {
    let answered = async || {
        let page = entries(node, visitor, "").await;
        let ended = page["entries"].as_array().unwrap().iter().any(|entry| entry["kind"] == "turn_ended");
        ended.then_some(page)
    };
    eventually(answered).await
}

async fn a_whole_conversation_over_http(backend: Backend) {
    let node = TestNode::start(backend).await;
    let visitor = node.visitor().await;
    let base = format!("/v1/conversations/{}", visitor.conversation);
    let again = node.post("/v1/conversations", (&visitor.token, "any"), json!({"language": "fr"})).await;
    assert_eq!((again.status.as_u16(), again.ok()["created"].as_bool()), (200, Some(false)));
    assert_eq!(again.ok()["id"], json!(visitor.conversation));
    let send = async |key: &str, path: &str, body: Value| {
        node.post(&format!("{base}/{path}"), (&visitor.token, key), body).await
    };
    let said = send("m1", "messages", json!({"text": "Hello"})).await.ok();
    assert_eq!(said, json!({"seq": 2, "repeated": false}));
    let repeated = send("m1", "messages", json!({"text": "Hello"})).await.ok();
    assert_eq!(repeated, json!({"seq": 2, "repeated": true}));
    assert_eq!(send("m1", "messages", json!({"text": "Other"})).await.code(), "id_conflict");
    let page = until_answered(&node, &visitor).await;
    let end = page["entries"].as_array().unwrap().last().unwrap()["seq"].clone();
    send("r1", "ratings", json!({"reply": end, "score": "up", "comment": "fine"})).await.ok();
    assert_eq!(send("s1", "stop", json!({})).await.code(), "nothing_to_do");
    send("g1", "regenerate", json!({"reply": end})).await.ok();
    send("e1", "escalate", json!({"summary": "a person, please"})).await.ok();
    assert_eq!(send("h0", "hand-back", json!({"control_version": 7})).await.code(), "control_changed");
    send("h1", "hand-back", json!({"control_version": 1})).await.ok();
    send("c1", "close", json!({})).await.ok();
    assert_eq!(send("m2", "messages", json!({"text": "More"})).await.code(), "closed");
    let shown = node.get(&base, &visitor.token).await.ok();
    assert_eq!(shown["control"], json!({"state": "closed"}));
    assert_eq!(shown["customer"], json!(visitor.participant));
    let next = node.post("/v1/conversations", (&visitor.token, "any"), json!({})).await;
    assert_eq!(next.status.as_u16(), 201, "a closed conversation makes room for a new one");
}

async fn a_log_is_paged_both_ways(backend: Backend) {
    let node = TestNode::start(backend).await;
    let visitor = node.visitor().await;
    let path = format!("/v1/conversations/{}/messages", visitor.conversation);
    for number in 0..5 {
        let body = json!({"text": format!("message {number}")});
        node.post(&path, (&visitor.token, &format!("m{number}")), body).await.ok();
    }
    node.post(&format!("/v1/conversations/{}/close", visitor.conversation), (&visitor.token, "c"), json!({}))
        .await
        .ok();
    let all = entries(&node, &visitor, "?limit=200").await;
    assert_eq!(all["has_more"], false);
    let all = all["entries"].as_array().unwrap().clone();
    for direction in ["after", "before"] {
        let (mut walked, mut at) = (Vec::new(), None);
        loop {
            let from = at.map_or_else(String::new, |at: u64| format!("&{direction}={at}"));
            let from = if at.is_none() && direction == "after" { "&after=0".to_owned() } else { from };
            let page = entries(&node, &visitor, &format!("?limit=2{from}")).await;
            let found = page["entries"].as_array().unwrap().clone();
            let edge = if direction == "after" { found.last() } else { found.first() };
            at = edge.map(|entry| entry["seq"].as_u64().unwrap());
            if direction == "after" {
                walked.extend(found);
            } else {
                walked.splice(0..0, found);
            }
            if page["has_more"] == false {
                break;
            }
        }
        assert_eq!(walked, all, "{direction}");
    }
}

async fn staff_take_a_conversation_over_http(backend: Backend) {
    let node = TestNode::start(backend).await;
    let (visitor, agent) = (node.visitor().await, node.token(&["--role", "agent", "--name", "Ada"]));
    let base = format!("/v1/conversations/{}", visitor.conversation);
    node.post(&format!("{base}/escalate"), (&visitor.token, "e"), json!({"summary": "for Ada"})).await.ok();
    let queue = node.get("/v1/queue", &agent).await.ok();
    assert_eq!((&queue["waiting"], &queue["entries"][0]["summary"]), (&json!(1), &json!("for Ada")));
    let version = queue["entries"][0]["control_version"].clone();
    let open = node.get("/v1/conversations?state=open", &agent).await.ok();
    assert_eq!(open["conversations"][0]["id"], json!(visitor.conversation));
    let send =
        async |key: &str, path: &str, body: Value| node.post(&format!("{base}/{path}"), (&agent, key), body).await;
    assert_eq!(send("c0", "claim", json!({"control_version": 0})).await.code(), "control_changed");
    send("c1", "claim", json!({"control_version": version})).await.ok();
    send("m1", "messages", json!({"text": "Ada here"})).await.ok();
    send("h1", "hand-back", json!({"control_version": 2, "to": "queue"})).await.ok();
    send("t1", "take-over", json!({"control_version": 3})).await.ok();
    assert_eq!(send("x0", "close", json!({})).await.code(), "control_changed");
    send("x1", "close", json!({"control_version": 4})).await.ok();
    assert_eq!(node.get("/v1/queue", &agent).await.ok(), json!({"entries": [], "waiting": 0}));
    let seen = entries(&node, &visitor, "").await.to_string();
    assert!(seen.contains("Ada here") && !seen.contains("for Ada"), "{seen}");
}

/// Every route, with a body that it takes, and who may ask: customer, staff, or both; those that only read are for
/// administrators as well.
fn routes(conversation: impl std::fmt::Display) -> Vec<(Method, String, Value, &'static str)> {
    let of = |path: &str| format!("/v1/conversations/{conversation}{path}");
    let post = |path: &str, body: Value, who| (Method::POST, of(path), body, who);
    vec![
        (Method::POST, "/v1/conversations".to_owned(), json!({}), "customer"),
        (Method::GET, "/v1/conversations".to_owned(), json!({}), "staff, admin"),
        (Method::GET, "/v1/search?q=x".to_owned(), json!({}), "staff, admin"),
        (Method::GET, "/v1/search?q=x".to_owned(), json!({}), "staff, admin"),
        (Method::GET, "/v1/queue".to_owned(), json!({}), "staff"),
        (Method::GET, of(""), json!({}), "both, admin"),
        (Method::GET, of("/entries"), json!({}), "both, admin"),
        (Method::GET, of("/transcript"), json!({}), "both, admin"),
        post("/messages", json!({"text": "x"}), "both"),
        post("/stop", json!({}), "both"),
        post("/regenerate", json!({}), "both"),
        post("/ratings", json!({"score": "up"}), "both"),
        post("/escalate", json!({}), "both"),
        post("/close", json!({"control_version": 0}), "both"),
        post("/hand-back", json!({"control_version": 0}), "both"),
        post("/claim", json!({"control_version": 0}), "staff"),
        post("/take-over", json!({"control_version": 0}), "staff"),
        post("/erase", json!({}), "supervisor"),
    ]
}

#[tokio::test]
async fn every_route_asks_who_is_calling() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let agent = node.token(&["--role", "agent", "--name", "Ada"]);
    let (admin, service) = (node.token(&["--role", "admin"]), node.token(&["--role", "service"]));
    for (method, path, body, who) in routes(visitor.conversation) {
        for token in [None, Some("nonsense"), Some("")] {
            let answer = ask(&node, &method, &path, token, &body).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unauthenticated"), "{method} {path}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        let wrong: &[&str] = match who {
            "customer" => &[&agent, &admin, &service],
            "staff" => &[&visitor.token, &admin, &service],
            "staff, admin" => &[&visitor.token, &service],
            "both, admin" => &[&service],
            "supervisor" => &[&visitor.token, &agent, &admin, &service],
            _ => &[&admin, &service],
        };
        for token in wrong {
            let answer = ask(&node, &method, &path, Some(token), &body).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "forbidden"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_conversation_of_somebody_else_is_as_unknown_as_none() {
    let node = TestNode::start(Backend::Sqlite).await;
    let (visitor, other) = (node.visitor().await, node.visitor().await);
    // A conversation in memory and one that is only stored are both hidden.
    let path = format!("/v1/conversations/{}/messages", other.conversation);
    node.post(&path, (&other.token, "m"), json!({"text": "private"})).await.ok();
    let unknown = Uuid::now_v7();
    let theirs = routes(other.conversation).into_iter().zip(routes(unknown)).zip(routes("nonsense"));
    for (((method, foreign, body, who), (_, none, ..)), (_, malformed, ..)) in theirs {
        if !who.starts_with("both") {
            continue;
        }
        let mut seen = Vec::new();
        for path in [foreign, none, malformed] {
            let answer = ask(&node, &method, &path, Some(&visitor.token), &body).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{method} {path}");
            seen.push(answer.json()["error"]["message"].clone());
        }
        assert!(seen.iter().all(|message| message == &seen[0]), "{seen:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_not_good_is_told_why() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let base = format!("/v1/conversations/{}", visitor.conversation);
    let say = || node.request(Method::POST, &format!("{base}/messages")).bearer_auth(&visitor.token);
    let keyed = || say().header("idempotency-key", "k");
    let json = |text: &'static str| keyed().header("content-type", "application/json").body(text);
    let deep = format!("{{\"text\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let table = [
        (say().json(&json!({"text": "x"})), 400, "bad_request"),
        (say().header("idempotency-key", "a b").json(&json!({"text": "x"})), 400, "bad_request"),
        (say().header("idempotency-key", "k".repeat(65)).json(&json!({"text": "x"})), 400, "bad_request"),
        (json("{"), 400, "bad_request"),
        (json("[]"), 400, "bad_request"),
        (json(r#"{"text":7}"#), 400, "bad_request"),
        (json(r#"{"text":"a\u0000b"}"#), 400, "bad_request"),
        (json(r#"{"text":"a\ud800b"}"#), 400, "bad_request"),
        (json(r#"{"text":""}"#), 400, "bad_request"),
        (json(r#"{"text":"x","attachments":[1]}"#), 400, "unsupported"),
        (json(r#"{"text":"x","after":"lost"}"#), 409, "out_of_order"),
        (json(r#"{"text":"x","overlap":"maybe"}"#), 400, "bad_request"),
        (keyed().header("content-type", "application/json").body(deep), 400, "bad_request"),
        (keyed().header("content-type", "text/plain").body(r#"{"text":"x"}"#), 400, "bad_request"),
        (keyed().json(&json!({"text": "x".repeat(16_385)})), 413, "too_large"),
        (keyed().json(&json!({"text": "x".repeat(70_000)})), 413, "too_large"),
    ];
    for (request, status, code) in table {
        let shown = format!("{request:?}");
        let answer = answer(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{shown}");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
    for query in [
        "?limit=0",
        "?limit=201",
        "?limit=x",
        "?after=-1",
        "?before=-1",
        "?after=1&before=2",
        "?after=9999999999999999999",
    ] {
        let answer = node.get(&format!("{base}/entries{query}"), &visitor.token).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "bad_request"), "{query}");
    }
    for language in ["", "en_US", "a language"] {
        let answer = node.post("/v1/conversations", (&visitor.token, "k"), json!({"language": language})).await;
        assert_eq!(answer.code(), "bad_request", "{language}");
    }
    assert_eq!(entries(&node, &visitor, "").await["entries"].as_array().unwrap().len(), 1, "nothing was stored");
}

#[tokio::test]
async fn an_address_that_is_none_and_a_wrong_method_are_answered_in_the_same_form() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let socket = format!("/v1/conversations/{}/socket", visitor.conversation);
    let table = [
        (Method::GET, "/v1/nothing", 404, "not_found"),
        (Method::GET, "/pages/package.json", 404, "not_found"),
        (Method::GET, "/pages/..%2fpackage.json", 404, "not_found"),
        (Method::DELETE, "/v1/conversations", 405, "bad_request"),
        (Method::GET, "/v1/tokens/anonymous", 405, "bad_request"),
        (Method::POST, "/health", 405, "bad_request"),
        (Method::GET, &socket, 426, "bad_request"),
        (Method::POST, &socket, 405, "bad_request"),
        (Method::GET, "/v1/desk/socket", 426, "bad_request"),
    ];
    for (method, path, status, code) in table {
        let answer = answer(node.request(method.clone(), path)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{method} {path}");
    }
}

#[tokio::test]
async fn health_names_the_parts_and_their_state() {
    let node = TestNode::start(Backend::Sqlite).await;
    let health = answer(node.request(Method::GET, "/health")).await.ok();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    let store = &health["components"][0];
    assert_eq!((&store["name"], &store["status"]), (&json!("store"), &json!("ok")));
    assert!(store["detail"].as_str().unwrap().starts_with("sqlite 3."), "{store}");
    assert_eq!(health["components"][1], json!({"name": "model", "status": "ok", "detail": "mock"}));
}

#[tokio::test]
async fn a_header_that_drips_is_cut_off() {
    let node = NodeSettings::new(Backend::Sqlite).await.with("ONYA_SERVER__HEADER_TIMEOUT_MS", 200).start().await;
    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\nx-drip: ").await.unwrap();
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is still open");
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    assert_eq!(answer(node.request(Method::GET, "/health/live")).await.status, 200);
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let node = TestNode::start(Backend::Sqlite).await;
    let answer = answer(node.request(Method::GET, "/health/live").header("x-long", "y".repeat(20_000))).await;
    assert_eq!(answer.status.as_u16(), 431);
}
