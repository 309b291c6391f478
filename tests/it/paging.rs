//! The log page by page, as each role sees it.

use serde_json::Value;

use crate::support::{Backend, ChatClient, NodeSettings, TestNode};

crate::on_each_store!(each_role_pages_its_own_view_both_ways);

/// A conversation with an entry that customers are not shown: a reply that was run again after a crash.
async fn with_hidden_entry(backend: Backend) -> (TestNode, ChatClient) {
    let settings = NodeSettings::new(backend).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 60);
    let mut node = settings.start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Before the crash").await;
    customer.until_shown(5).await;
    node.kill().await;
    customer.until_closed().await;
    node.restart().await;
    customer.connect(&node).await;
    customer.answered(said.seq).await;
    for text in ["And then?", "What else?"] {
        let said = customer.say(text).await;
        customer.answered(said.seq).await;
    }
    (node, customer)
}

async fn page(node: &TestNode, path: &str, token: &str, query: &str) -> (Vec<Value>, bool) {
    let page = node.get(&format!("{path}?{query}"), token).await.ok();
    (page["entries"].as_array().unwrap().clone(), page["has_more"].as_bool().unwrap())
}

fn seq(entry: &Value) -> u64 {
    entry["seq"].as_u64().unwrap()
}

async fn each_role_pages_its_own_view_both_ways(backend: Backend) {
    let (node, customer) = Box::pin(with_hidden_entry(backend)).await;
    let path = format!("/v1/conversations/{}/entries", customer.visitor.conversation);
    let token = |role: &str| node.token(&["--role", role, "--name", "Ada"]);
    let staff = page(&node, &path, &token("agent"), "after=0&limit=200").await.0;
    assert!(staff.iter().map(seq).eq(1..=staff.len() as u64), "staff see every position");
    assert_eq!(staff.iter().filter(|entry| entry["kind"] == "attempt_started").count(), 1);
    let shown: Vec<u64> = staff.iter().filter(|entry| entry["kind"] != "attempt_started").map(seq).collect();
    let readers = [
        (customer.visitor.token.clone(), false),
        (token("agent"), true),
        (token("supervisor"), true),
        (token("admin"), true),
    ];
    for (token, is_staff) in readers {
        let all = page(&node, &path, &token, "after=0&limit=200").await.0;
        let positions: Vec<u64> = all.iter().map(seq).collect();
        assert_eq!(positions, if is_staff { (1..=staff.len() as u64).collect() } else { shown.clone() });
        let prevs: Vec<u64> = all.iter().map(|entry| entry["prev"].as_u64().unwrap()).collect();
        assert_eq!(prevs[1..], positions[..positions.len() - 1], "each names the one before it in this view");
        for limit in [1, 2, 3] {
            let (mut forward, mut at) = (Vec::new(), 0);
            loop {
                let (found, more) = page(&node, &path, &token, &format!("after={at}&limit={limit}")).await;
                at = found.last().map_or(at, seq);
                forward.extend(found);
                if !more {
                    break;
                }
            }
            let (mut backward, mut from) = (Vec::new(), String::new());
            loop {
                let (found, more) = page(&node, &path, &token, &format!("limit={limit}{from}")).await;
                from = format!("&before={}", seq(&found[0]));
                backward.splice(0..0, found);
                if !more {
                    break;
                }
            }
            assert_eq!((&forward, &backward), (&all, &all), "limit {limit}");
        }
    }
}
