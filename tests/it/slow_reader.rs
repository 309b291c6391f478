//! A client that does not read what is written to it: it loses its socket, and nothing else.

use onya_core::ConversationId;
use onya_protocol::{CloseCode, LogEntry};
use serde_json::json;

use crate::support::{AgentClient, Backend, ChatClient, NodeSettings, TestNode, ledger};

/// The longest that a message may be.
const MESSAGE_BYTES: usize = 65_536;

/// Far more, in messages of [`MESSAGE_BYTES`], than a system keeps for a socket that nobody reads (a few MB).
const MOST_MESSAGES: usize = 300;

/// A node that keeps little for a slow reader, and does not ask whether somebody is there.
async fn node(write_timeout_ms: u64) -> TestNode {
    let settings = NodeSettings::new(Backend::Sqlite)
        .await
        .with("ONYA_CONVERSATION__MAX_MESSAGE_BYTES", MESSAGE_BYTES)
        .with("ONYA_SOCKET__MAX_FRAME_BYTES", 4 * MESSAGE_BYTES)
        .with("ONYA_SOCKET__SEND_QUEUE_FRAMES", 8)
        .with("ONYA_CONVERSATION__WINDOW_BYTES", 15 * MESSAGE_BYTES)
        .with("ONYA_SOCKET__PING_INTERVAL_MS", 300_000);
    settings.with("ONYA_SOCKET__WRITE_TIMEOUT_MS", write_timeout_ms).start().await
}

/// An agent who answers this customer.
async fn agent(node: &TestNode, conversation: ConversationId) -> AgentClient {
    let mut agent = AgentClient::agent(node, "Ada").await;
    agent.watch(conversation).await;
    let take = agent.with_version(conversation, "take_over").await;
    agent.ack(&take).await;
    agent
}

/// The agent goes on talking until the node says this of itself.
async fn talk_until(node: &TestNode, (agent, conversation): (&mut AgentClient, ConversationId), metric: &str) {
    for _ in 0..MOST_MESSAGES {
        let say = agent.command(conversation, json!({"type": "say", "text": "x".repeat(MESSAGE_BYTES)})).await;
        agent.ack(&say).await;
        let metrics = reqwest::get(node.metrics_url()).await.unwrap().text().await.unwrap();
        if metrics.lines().any(|line| line == metric) {
            return;
        }
    }
    panic!("the node never said {metric}");
}

/// Comes back, and holds what is stored up to the end.
async fn is_up_to_date_again(node: &TestNode, customer: &mut ChatClient) {
    customer.connect(node).await;
    let stored = ledger::whole_log(node, &customer.visitor).await;
    let held: Vec<&LogEntry> = customer.replica.entries.values().map(AsRef::as_ref).collect();
    let known: Vec<&LogEntry> =
        stored.iter().filter(|entry| customer.replica.entries.contains_key(&entry.seq)).collect();
    assert!(held == known, "what the customer holds is not what is stored");
    assert_eq!(held.last().map(|entry| entry.seq), stored.last().map(|entry| entry.seq), "the customer is behind");
    if customer.replica.recovered == Some(true) {
        assert_eq!(held.len(), stored.len(), "recovered means that nothing is missing");
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_so_and_resumes_from_its_cursor() {
    let node = node(120_000).await;
    let mut customer = ChatClient::visit(&node).await;
    let id = customer.visitor.conversation;
    let mut agent = agent(&node, id).await;
    talk_until(&node, (&mut agent, id), "onya_slow_consumers_total 1").await;
    let before = customer.replica.entries.len();
    assert_eq!(customer.until_closed().await, CloseCode::SlowConsumer as u16);
    assert!(customer.replica.entries.len() > before, "what was written before the end arrives");
    is_up_to_date_again(&node, &mut customer).await;
    assert_eq!(customer.replica.recovered, Some(true));
}

#[tokio::test]
async fn a_reader_that_has_stopped_is_cut_off_and_is_brought_up_to_date_later() {
    let node = node(200).await;
    let mut customer = ChatClient::visit(&node).await;
    let id = customer.visitor.conversation;
    let mut agent = agent(&node, id).await;
    talk_until(&node, (&mut agent, id), "onya_connections{role=\"customer\"} 0").await;
    assert_eq!(customer.until_closed().await, 0, "no code: nobody was there to read it");
    is_up_to_date_again(&node, &mut customer).await;
}
