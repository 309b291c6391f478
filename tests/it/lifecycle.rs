//! Start, readiness, and the way down.

use onya_core::conversation::Outcome;
use onya_protocol::CloseCode;
use reqwest::Method;

use crate::support::{AgentClient, Backend, ChatClient, NodeSettings, TestNode, answer};

crate::on_each_store! {
    told_to_stop_a_node_finishes_its_replies_and_says_goodbye,
    a_reply_that_takes_too_long_is_run_again_at_the_next_start,
}

async fn told_to_stop_a_node_finishes_its_replies_and_says_goodbye(backend: Backend) {
    let settings = NodeSettings::new(backend).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 20);
    let mut node = settings.start().await;
    let mut customer = ChatClient::visit(&node).await;
    let _idle = AgentClient::agent(&node, "Ada").await;
    let said = customer.say("Finish this, please").await;
    customer.until_shown(5).await;
    node.terminate();
    assert_eq!(customer.until_closed().await, CloseCode::Shutdown as u16);
    assert!(customer.goaway.is_some(), "goaway comes before the close");
    let turn = customer.replica.turn_of(said.seq).unwrap();
    assert_eq!(customer.replica.turn_end(turn).unwrap().0, Outcome::Final);
    assert_eq!(node.ended().await.code(), Some(0));
    node.restart().await;
    customer.connect(&node).await;
    assert_eq!(customer.replica.recovered, Some(true));
}

async fn a_reply_that_takes_too_long_is_run_again_at_the_next_start(backend: Backend) {
    let settings = NodeSettings::new(backend).await.with("ONYA_DRAIN__REPLY_LIMIT_MS", 100);
    let mut node = settings.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 8).start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("This takes a while").await;
    customer.until_shown(5).await;
    node.terminate();
    assert_eq!(customer.until_closed().await, CloseCode::Shutdown as u16);
    assert_eq!(node.ended().await.code(), Some(0));
    node.restart().await;
    customer.connect(&node).await;
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
}

#[tokio::test]
async fn a_draining_node_is_alive_and_not_ready_and_takes_no_new_work() {
    let settings = NodeSettings::new(Backend::Sqlite).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 8);
    let mut node = settings.start().await;
    assert_eq!(answer(node.request(Method::GET, "/health/ready")).await.status, 200);
    let mut customer = ChatClient::visit(&node).await;
    let newcomer = node.visitor().await;
    customer.say("Keep it busy").await;
    customer.until_shown(1).await;
    node.terminate();
    customer.until(|client| client.goaway.is_some()).await;
    let ready = answer(node.request(Method::GET, "/health/ready")).await;
    assert_eq!((ready.status.as_u16(), ready.json()["status"].as_str()), (503, Some("draining")));
    assert_eq!(answer(node.request(Method::GET, "/health/live")).await.status, 200);
    let refused = node.post("/v1/conversations", (&newcomer.token, "k"), serde_json::json!({})).await;
    assert!(refused.code() == "busy" && refused.headers.contains_key("retry-after"), "{refused:?}");
    assert!(ChatClient::open_refused(&node, newcomer).await.starts_with("503"));
    assert_eq!(customer.until_closed().await, CloseCode::Shutdown as u16);
    assert_eq!(node.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let node = TestNode::start(Backend::Sqlite).await;
    let port = node.address().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_onya"))
        .current_dir(folder.path())
        .env_clear()
        .envs([("PORT", port.as_str()), ("ONYA_METRICS__PORT", "0")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("server.port") && text.contains(&port), "{text}");
    assert!(!folder.path().join("data").exists(), "nothing was touched");
}

#[tokio::test]
async fn metrics_are_on_their_own_port_only() {
    let node = TestNode::start(Backend::Sqlite).await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Count me").await;
    customer.answered(said.seq).await;
    let text = reqwest::get(node.metrics_url()).await.unwrap().text().await.unwrap();
    for metric in [
        "onya_connections{role=\"customer\"} 1",
        "onya_turns_total{outcome=\"final\"} 1",
        "onya_http_requests_total{method=\"POST\",route=\"/v1/conversations\",status=\"201\"} 1",
        "onya_ack_seconds_count",
        "onya_time_to_first_token_seconds_count 1",
    ] {
        assert!(text.contains(metric), "{metric} in {text}");
    }
    assert!(!text.contains(&customer.visitor.conversation.to_string()));
    assert_eq!(answer(node.request(Method::GET, "/metrics")).await.status, 404);
}
