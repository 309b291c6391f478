//! `onya conversations stuck`: what should go on by itself and does not.

use onya_protocol::Control;
use serde_json::{Value, json};

use crate::support::{Backend, ChatClient, NodeSettings};

crate::on_each_store! {
    a_conversation_that_nobody_works_on_is_found_for_each_reason,
    what_is_as_it_should_be_is_not_found,
}

/// What is found, as conversation and reason, and the exit code.
async fn found(settings: &NodeSettings) -> (Vec<(String, String)>, Option<i32>) {
    let output = settings.run(&["conversations", "stuck", "--json"]).await;
    let stuck: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let text = |found: &Value, key: &str| found[key].as_str().unwrap().to_owned();
    let mut stuck: Vec<_> = stuck.iter().map(|found| (text(found, "conversation"), text(found, "why"))).collect();
    stuck.sort();
    (stuck, output.status.code())
}

async fn a_conversation_that_nobody_works_on_is_found_for_each_reason(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let mut node = settings.clone().start().await;
    let (mut idle, mut waiting, mut asking) =
        (ChatClient::visit(&node).await, ChatClient::visit(&node).await, ChatClient::visit(&node).await);
    for customer in [&mut idle, &mut waiting] {
        customer.command(json!({"type": "escalate"})).await;
        customer.until(|customer| customer.replica.control == Control::Queue).await;
    }
    let said = asking.say("/mock long 2000").await;
    let supervisor = node.token(&["--role", "supervisor", "--name", "Eve"]);
    let take_over = format!("/v1/conversations/{}/take-over", idle.visitor.conversation);
    node.post(&take_over, (&supervisor, "t"), json!({"control_version": 1})).await.ok();
    // Nobody puts right meanwhile what is put wrong.
    node.kill().await;
    assert_eq!(found(&settings).await, (Vec::new(), Some(0)));

    let id = |customer: &ChatClient| customer.visitor.conversation.to_string();
    let is = |customer: &ChatClient| match backend {
        Backend::Postgres => format!("id = '{}'", customer.visitor.conversation),
        Backend::Sqlite => format!("id = x'{}'", customer.visitor.conversation.0.simple()),
    };
    let cases = [
        (&idle, "next_deadline = 1000", "timer_overdue"),
        (&idle, "next_deadline = NULL", "without_timer"),
        (&asking, "next_deadline = 1000", "turn_overdue"),
        (&asking, "next_deadline = 1000, owner = NULL", "turn_overdue"),
        (&asking, "next_deadline = NULL", "turn_without_deadline"),
        (&waiting, "next_deadline = NULL", "wait_without_timer"),
    ];
    for (customer, change, why) in cases {
        node.alter(&format!("UPDATE conversations SET {change} WHERE {}", is(customer))).await;
        assert_eq!(found(&settings).await, (vec![(id(customer), why.to_owned())], Some(1)), "{change}");
        node.alter(&format!("UPDATE conversations SET next_deadline = 9000000000000 WHERE {}", is(customer))).await;
    }
    assert_eq!(found(&settings).await, (Vec::new(), Some(0)));
    let of_desk = is(&waiting).replace("id =", "conversation =");
    let moved = is(&idle).replace("id =", "conversation =");
    node.alter(&format!("UPDATE queue_entries SET {moved} WHERE {of_desk}")).await;
    let mut both = vec![(id(&idle), "listed_without_wait".to_owned()), (id(&waiting), "wait_not_listed".to_owned())];
    both.sort();
    assert_eq!(found(&settings).await, (both, Some(1)));

    let table = settings.run(&["conversations", "stuck", "--grace", "60"]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains(&id(&idle)) && table.contains("wait_not_listed"), "{table}");
    drop(said);
}

async fn what_is_as_it_should_be_is_not_found(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let node = settings.clone().start().await;
    let (opened, mut closed) = (node.visitor().await, ChatClient::visit(&node).await);
    let mut answered = ChatClient::visit(&node).await;
    let said = answered.say("hello").await;
    answered.answered(said.seq).await;
    closed.command(json!({"type": "close"})).await;
    closed.until(|customer| customer.replica.control == Control::Closed).await;
    let output = settings.run(&["conversations", "stuck"]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "no stuck conversations\n", "{opened:?}");
    assert_eq!(output.status.code(), Some(0));
}
