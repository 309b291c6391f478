//! A client that does not read what is written to it: it loses its socket, and nothing else.

use onya_core::ConversationId;
use onya_protocol::CloseCode;
use serde_json::json;

use crate::support::{AgentClient, Backend, ChatClient, NodeSettings, TestNode, ledger};

/// Far more than the system keeps for a socket that nobody reads (a few MB), in messages of [`MESSAGE_BYTES`].
const MOST_MESSAGES: usize = 4_000;

const MESSAGE_BYTES: usize = 16_000;

/// A node that keeps little for a slow reader.
async fn node(write_timeout_ms: u64) -> TestNode {
    let settings = NodeSettings::new(Backend::Sqlite).await.with("ONYA_SOCKET__SEND_QUEUE_BYTES", 65_536);
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

/// Comes back, and finds everything that was stored.
async fn resumes_with_everything(node: &TestNode, customer: &mut ChatClient) {
    customer.connect(node).await;
    let stored = ledger::whole_log(node, &customer.visitor).await;
    let end = stored.last().unwrap().seq;
    customer.until(|client| client.replica.entries.contains_key(&end)).await;
    let held: Vec<u64> = customer.replica.entries.keys().copied().collect();
    assert_eq!(held, stored.iter().map(|entry| entry.seq).collect::<Vec<_>>());
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
    resumes_with_everything(&node, &mut customer).await;
    assert_eq!(customer.replica.recovered, Some(true));
}

#[tokio::test]
async fn a_reader_that_has_stopped_is_cut_off_and_resumes_from_its_cursor() {
    let node = node(200).await;
    let mut customer = ChatClient::visit(&node).await;
    let id = customer.visitor.conversation;
    let mut agent = agent(&node, id).await;
    talk_until(&node, (&mut agent, id), "onya_connections{role=\"customer\"} 0").await;
    assert_eq!(customer.until_closed().await, 0, "no code: nobody was there to read it");
    resumes_with_everything(&node, &mut customer).await;
}
