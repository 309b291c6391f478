//! A log applied again by hand, and what it finds.

use std::process::Output;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Backend, ChatClient, NodeSettings, TestNode, Visitor};

crate::on_each_store! {
    every_state_of_a_conversation_is_printed_and_found_equal,
    whatever_is_not_what_the_log_says_is_named,
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

async fn replay(node: &TestNode, visitor: &Visitor, flags: &[&str]) -> (Option<i32>, String) {
    let id = visitor.conversation.to_string();
    let output = node.run(&[&["replay", &id], flags].concat()).await;
    (output.status.code(), text(&output))
}

/// A question with its answer, a wait for a person, Ada, and a second wait.
async fn a_story(node: &TestNode) -> Visitor {
    let mut customer = ChatClient::visit(node).await;
    let said = customer.say("a secret question").await;
    customer.answered(said.seq).await;
    let visitor = customer.visitor.clone();
    let (base, ada) = (format!("/v1/conversations/{}", visitor.conversation), ["--role", "agent", "--name", "Ada"]);
    let ada = node.token(&ada);
    node.post(&format!("{base}/escalate"), (&visitor.token, "e"), json!({"summary": "a secret summary"})).await.ok();
    node.post(&format!("{base}/claim"), (&ada, "c"), json!({"control_version": 1})).await.ok();
    node.post(&format!("{base}/messages"), (&ada, "m"), json!({"text": "a secret answer"})).await.ok();
    node.post(&format!("{base}/hand-back"), (&ada, "h"), json!({"control_version": 2, "to": "queue"})).await.ok();
    visitor
}

async fn every_state_of_a_conversation_is_printed_and_found_equal(backend: Backend) {
    let node = TestNode::start(backend).await;
    let visitor = a_story(&node).await;
    let shown = node.get(&format!("/v1/conversations/{}", visitor.conversation), &visitor.token).await.ok();
    let last = shown["last_seq"].as_u64().unwrap();

    let (code, lines) = replay(&node, &visitor, &[]).await;
    assert_eq!(code, Some(0), "{lines}");
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len() as u64, last + 1);
    assert_eq!(
        lines.last().unwrap(),
        &format!("equal: {last} entries lead to the stored head, queue entry, turns and snapshot")
    );
    for (number, line) in lines.iter().take(lines.len() - 1).enumerate() {
        assert_eq!(line.split_whitespace().next().unwrap(), (number + 1).to_string());
    }
    assert!(
        lines[1].contains("message_said") && lines[1].contains("customer") && lines[2].contains("turn 3 attempt 1")
    );
    let everything = [replay(&node, &visitor, &[]).await.1, replay(&node, &visitor, &["--json"]).await.1].concat();
    for private in ["secret", "Ada", "salt", "commitment"] {
        assert!(!everything.contains(private), "{private} in {everything}");
    }

    let (_, texts) = replay(&node, &visitor, &["--texts"]).await;
    for written in ["a secret question", "a secret summary", "a secret answer"] {
        assert!(texts.contains(written), "{texts}");
    }
    let (_, few) = replay(&node, &visitor, &["--until", "2"]).await;
    assert_eq!(few.lines().count(), 3, "{few}");

    let (code, states) = replay(&node, &visitor, &["--json"]).await;
    let states: Vec<Value> = states.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, states.last().unwrap()["equal"].clone()), (Some(0), json!(true)));
    let newest = &states[states.len() - 2];
    assert_eq!((&newest["seq"], &newest["state"]["control"]), (&json!(last), &json!({"state": "queue"})));
}

async fn whatever_is_not_what_the_log_says_is_named(backend: Backend) {
    let node = NodeSettings::new(backend).await.start().await;
    let visitor = a_story(&node).await;
    // Enough for a snapshot.
    let messages = format!("/v1/conversations/{}/messages", visitor.conversation);
    for number in 0..70 {
        node.post(&messages, (&visitor.token, &format!("n{number}")), json!({"text": "still there?"})).await.ok();
    }
    let (before, lines) = replay(&node, &visitor, &[]).await;
    assert_eq!(before, Some(0), "{lines}");
    let table = [
        ("UPDATE conversations SET control_version = control_version + 1", "control_version"),
        ("UPDATE conversations SET control_version = control_version - 1", ""),
        ("UPDATE turns SET outcome = 'failed'", "turn 3"),
        ("UPDATE turns SET outcome = 'final'", ""),
        ("UPDATE conversations SET language = 'xx'", "language"),
        ("UPDATE conversations SET language = 'en'", ""),
        ("UPDATE conversations SET snapshot = replace(snapshot, '\"en\"', '\"fr\"')", "snapshot"),
        ("UPDATE conversations SET snapshot = replace(snapshot, '\"fr\"', '\"en\"')", ""),
        ("UPDATE conversations SET snapshot_seq = 100000", "snapshot"),
        ("UPDATE conversations SET snapshot = '{\"version\":99}', snapshot_seq = 2", ""),
        ("UPDATE conversations SET snapshot = NULL, snapshot_seq = NULL", ""),
        ("DELETE FROM queue_entries", "queue entry"),
        ("UPDATE entries SET customer_prev = 1 WHERE seq = 4", "entry 4"),
        ("DELETE FROM entries WHERE seq = 5", "the log lacks an entry"),
    ];
    for (statement, named) in table {
        node.alter(statement).await;
        let (code, lines) = replay(&node, &visitor, &["--until", "0"]).await;
        if named.is_empty() {
            assert_eq!(code, Some(0), "{statement}: {lines}");
        } else {
            let found = lines.lines().any(|line| line.starts_with("different: ") && line.contains(named));
            assert!(code == Some(1) && found, "{statement}: {lines}");
        }
    }
    let (_, verdict) = replay(&node, &visitor, &["--json", "--until", "0"]).await;
    let verdict: Value = serde_json::from_str(&verdict).unwrap();
    assert!(verdict["equal"] == false && verdict["differences"].as_array().unwrap().len() > 1, "{verdict}");
}

#[tokio::test]
async fn a_conversation_that_does_not_exist_is_a_failure_and_no_identifier_a_misunderstanding() {
    let node = TestNode::start(Backend::Sqlite).await;
    let unknown = Uuid::now_v7().to_string();
    let output = node.run(&["replay", &unknown]).await;
    let problem = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(1), ""));
    assert!(problem.contains(&unknown), "{problem}");
    assert_eq!(node.run(&["replay", "nonsense"]).await.status.code(), Some(2));
    let fresh = NodeSettings::new(Backend::Sqlite).await;
    let output = fresh.run(&["replay", &unknown]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no file"));
}
