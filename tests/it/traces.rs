//! A trace that a client began goes through the conversation to the model.

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::support::{Backend, ChatClient, NodeSettings, PATIENCE};

#[tokio::test]
async fn the_trace_of_a_message_reaches_the_model() {
    let provider = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = NodeSettings::new(Backend::Sqlite).await.with("LLM_PROVIDER", "openai");
    let base_url = format!("http://{}/v1", provider.local_addr().unwrap());
    let settings = settings.with("OPENAI_BASE_URL", base_url).with("OPENAI_API_KEY", "canary-key");
    let node = settings.start().await;
    let mut customer = ChatClient::visit(&node).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traceparent = format!("00-{trace}-b7ad6b7169203331-01");
    customer.command(json!({"type": "say", "text": "canary-text", "traceparent": traceparent})).await;
    let (asked, _) = timeout(PATIENCE, provider.accept()).await.unwrap().unwrap();
    let mut lines = BufReader::new(asked).lines();
    let header = loop {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("traceparent: ") {
            break value.to_owned();
        }
        assert!(!line.is_empty(), "the request names no trace");
    };
    assert!(header.starts_with(&format!("00-{trace}-")), "{header}");
    for canary in ["canary-text", "canary-key", customer.visitor.token.as_str()] {
        assert!(!node.log().contains(canary), "{canary} is in the log");
    }
}
