//! `onya chat`, as a script runs it.

use std::path::Path;
use std::process::{Output, Stdio};

use onya_protocol::Control;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{Backend, ChatClient, PATIENCE, TestNode};

/// Runs `onya chat` with these lines on standard input, and gives what it printed.
async fn chat(node: &TestNode, state: &Path, arguments: &[&str], lines: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_onya"))
        .args(["chat", "--plain", "--url", &node.origin()])
        .args(arguments)
        .current_dir(state)
        .env_clear()
        .env("XDG_STATE_HOME", state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).await.unwrap();
    drop(stdin);
    let ended = timeout(PATIENCE, child.wait_with_output()).await;
    let output: Output = ended.unwrap_or_else(|_| panic!("onya chat {arguments:?} did not end by itself")).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the server has of the conversation of the visitor in this folder: each text with who said it.
async fn log_of_visitor(node: &TestNode, state: &Path) -> Vec<(String, String)> {
    let file = std::fs::read_to_string(state.join("onya/chat.json")).unwrap();
    let visitors: Value = serde_json::from_str(&file).unwrap();
    let token = visitors[node.origin()]["token"].as_str().unwrap();
    let opened = node.post("/v1/conversations", (token, "unused"), json!({})).await.ok();
    assert_eq!(opened["created"], false, "the conversation is open still");
    let path = format!("/v1/conversations/{}/entries", opened["id"].as_str().unwrap());
    let page = node.get(&path, token).await.ok();
    let said = |entry: &Value| {
        let author = match entry["kind"].as_str().unwrap() {
            "message_said" => entry["author"]["role"].as_str().unwrap(),
            "turn_ended" => "assistant",
            _ => return None,
        };
        Some((author.to_owned(), entry["text"].as_str().unwrap().to_owned()))
    };
    page["entries"].as_array().unwrap().iter().filter_map(said).collect()
}

#[tokio::test]
async fn a_script_says_a_line_prints_the_reply_and_goes_on_where_it_was() {
    let node = TestNode::start(Backend::Sqlite).await;
    let state = tempfile::tempdir().unwrap();
    let first = chat(&node, state.path(), &[], "hello\n").await;
    let [(_, hello), (_, reply)] = &log_of_visitor(&node, state.path()).await[..] else { panic!("{first}") };
    assert_eq!(hello, "hello");
    assert_eq!(first, format!("you: hello\nassistant: {reply}\n"));

    let second = chat(&node, state.path(), &[], "and again\n").await;
    let log = log_of_visitor(&node, state.path()).await;
    let authors: Vec<&str> = log.iter().map(|(author, _)| author.as_str()).collect();
    assert_eq!(authors, ["customer", "assistant", "customer", "assistant"], "{log:?}");
    assert_eq!(second, format!("{first}you: and again\nassistant: {}\n", log[3].1), "what was said before is shown");
}

#[tokio::test]
async fn an_agent_claims_from_the_queue_and_answers() {
    let node = TestNode::start(Backend::Sqlite).await;
    let state = tempfile::tempdir().unwrap();
    let mut customer = ChatClient::visit(&node).await;
    let ask = customer.command(json!({"type": "escalate", "summary": "my order"})).await;
    customer.ack(&ask).await;
    let token = node.token(&["--role", "agent", "--name", "Ada"]);
    let lines = "/claim 1\nHow can I help?\n";
    let printed = chat(&node, state.path(), &["--as", "agent", "--token", &token], lines).await;
    let place = format!("  1 {} ", customer.visitor.conversation);
    assert!(printed.contains("1 waiting") && printed.contains(&place) && printed.contains(": my order"), "{printed}");
    assert!(printed.contains("claimed, by you"), "{printed}");
    assert!(!printed.contains(&token), "{printed}");
    customer.until(|client| client.replica.said().iter().any(|(by, _)| by == "Ada")).await;
    assert_eq!(customer.replica.said(), [("Ada".to_owned(), "How can I help?".to_owned())]);
    assert!(matches!(customer.replica.control, Control::Agent { .. }));
}
