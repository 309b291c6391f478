//! What a scrape shows of a conversation.

use onya::telemetry::names::{
    ACCEPTS_DELAYED_TOTAL, APPEND_BISECTIONS_TOTAL, CONVERSATIONS_REPLACED_TOTAL, CRASHES_TOTAL, EVIDENCE_TRUSTED,
    HEARTBEAT_FAILURES_TOTAL, MEMBERS, METRICS, READERS_BROUGHT_BACK_TOTAL, REDIS_FAILURES_TOTAL, SLOW_CONSUMERS_TOTAL,
    SUSPICIONS_TOTAL, VERDICTS_TOTAL, VIEW_VERSION,
};
use onya_protocol::Control;
use serde_json::json;

use crate::on_each_store;
use crate::support::{Backend, ChatClient, NodeSettings};

#[test]
fn every_metric_is_in_the_operators_page() {
    let page = include_str!("../../docs/OPERATIONS.md");
    let row = |name: &str| page.lines().any(|line| line.starts_with(&format!("| `{name}` |")));
    let missing: Vec<_> = METRICS.iter().map(|metric| metric.name).filter(|name| !row(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let kinds = ["| counter |", "| gauge |", "| histogram |"];
    let is_metric = |line: &&str| line.starts_with("| `onya_") && kinds.iter().any(|kind| line.contains(kind));
    let listed = page.lines().filter(is_metric).count();
    assert_eq!(listed, METRICS.len(), "the page lists a metric that is not there");
}

on_each_store!(every_metric_is_there_after_a_conversation);

async fn every_metric_is_there_after_a_conversation(backend: Backend) {
    let node = NodeSettings::new(backend).await.start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Count this").await;
    customer.answered(said.seq).await;
    let stop = customer.command(json!({"type": "stop"})).await;
    customer.refusal(&stop).await;
    customer.command(json!({"type": "escalate"})).await;
    customer.until(|customer| customer.replica.control == Control::Queue).await;
    let scrape = reqwest::get(node.metrics_url()).await.unwrap().text().await.unwrap();
    // Nothing crashed or stood still, nothing was refused, nobody was slow or one of too many; the adapter of the provider was
    // not asked.
    let absent = [
        ACCEPTS_DELAYED_TOTAL,
        CRASHES_TOTAL,
        CONVERSATIONS_REPLACED_TOTAL,
        READERS_BROUGHT_BACK_TOTAL,
        SLOW_CONSUMERS_TOTAL,
        APPEND_BISECTIONS_TOTAL,
        "onya_llm_attempts_total",
    ];
    // Nobody was accused, nothing failed, there is no other node, and the embedded database has no members.
    let of_others = [SUSPICIONS_TOTAL, VERDICTS_TOTAL, HEARTBEAT_FAILURES_TOTAL, REDIS_FAILURES_TOTAL];
    let of_links = METRICS.iter().map(|metric| metric.name).filter(|name| name.starts_with("onya_link"));
    let of_cluster = [MEMBERS, VIEW_VERSION, EVIDENCE_TRUSTED];
    let alone = if backend == Backend::Sqlite { &of_cluster[..] } else { &[] };
    let absent = [&absent[..], &of_others, alone, &of_links.collect::<Vec<_>>()].concat();
    for metric in METRICS.iter().filter(|metric| !absent.contains(&metric.name)) {
        assert!(scrape.contains(&format!("# TYPE {} ", metric.name)), "{} is missing:\n{scrape}", metric.name);
    }
    for line in ["onya_turns_total{outcome=\"final\"} 1", "onya_rejections_total{code=\"nothing_to_do\"} 1"] {
        assert!(scrape.contains(line), "{line} is missing:\n{scrape}");
    }
    assert!(!scrape.contains(&customer.visitor.conversation.to_string()), "a metric is labelled by conversation");
}
