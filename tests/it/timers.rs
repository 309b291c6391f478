//! Turns end and timers fire, whatever happens to the server in between.

use onya_core::conversation::Outcome;
use serde_json::Value;

use crate::support::{Backend, ChatClient, NodeSettings, TestNode, Visitor, eventually};

crate::on_each_store! {
    a_timer_wakes_a_conversation_that_has_left_memory,
    a_timer_that_came_due_while_no_server_ran_fires_at_the_next_start,
    a_turn_whose_model_takes_too_long_ends_with_a_person,
    a_turn_whose_servers_die_ends_after_the_last_attempt,
}

/// Wait for a person after which the customer is told that it goes on.
const NOTICE_MS: i64 = 3_000;

async fn with_short_timers(backend: Backend) -> NodeSettings {
    let settings = NodeSettings::new(backend).await.with("ONYA_CONVERSATION__PASSIVATE_AFTER_MS", 1_000);
    settings.with("ONYA_CONVERSATION__QUEUE_NOTICE_MS", NOTICE_MS)
}

/// A visitor who asks for a person, and no socket that would keep anything alive.
async fn waiting(node: &TestNode) -> Visitor {
    let visitor = node.visitor().await;
    let path = format!("/v1/conversations/{}/escalate", visitor.conversation);
    node.post(&path, (&visitor.token, "e"), serde_json::json!({})).await.ok();
    visitor
}

/// The log as staff see it.
async fn log(node: &TestNode, visitor: &Visitor) -> Vec<Value> {
    let supervisor = node.token(&["--role", "supervisor", "--name", "Eve"]);
    let path = format!("/v1/conversations/{}/entries?limit=200", visitor.conversation);
    node.get(&path, &supervisor).await.ok()["entries"].as_array().unwrap().clone()
}

fn of_kind<'a>(log: &'a [Value], kind: &str) -> Vec<&'a Value> {
    log.iter().filter(|entry| entry["kind"] == kind).collect()
}

async fn until_out_of_memory(node: &TestNode) {
    let gone = "onya_conversations_active 0";
    eventually(async || {
        let metrics = reqwest::get(node.metrics_url()).await.unwrap().text().await.unwrap();
        metrics.contains(gone).then_some(())
    })
    .await;
}

/// Waits for the notice, and gives how late it was, in ms.
async fn notice(node: &TestNode, visitor: &Visitor) -> i64 {
    let log = eventually(async || {
        let log = log(node, visitor).await;
        (!of_kind(&log, "notice_posted").is_empty()).then_some(log)
    });
    let log = log.await;
    let (asked, told) = (of_kind(&log, "control_changed")[0], of_kind(&log, "notice_posted"));
    assert_eq!(told[0]["notice_key"], "still_waiting");
    let late = told[0]["at"].as_i64().unwrap() - asked["at"].as_i64().unwrap() - NOTICE_MS;
    assert!(late >= 0, "a timer fires no earlier than it is due");
    late
}

async fn a_timer_wakes_a_conversation_that_has_left_memory(backend: Backend) {
    let node = with_short_timers(backend).await.start().await;
    // On a busy machine the timer may be due before the conversation has left memory: that one shows nothing.
    let mut visitors = Vec::new();
    let visitor = loop {
        let visitor = waiting(&node).await;
        until_out_of_memory(&node).await;
        if of_kind(&log(&node, &visitor).await, "notice_posted").is_empty() {
            break visitor;
        }
        visitors.push(visitor);
        assert!(visitors.len() < 10, "conversations never leave memory before their timers are due");
    };
    let late_ms = notice(&node, &visitor).await;
    println!("{backend:?}: the timer of a conversation out of memory fired {late_ms} ms late");
}

async fn a_timer_that_came_due_while_no_server_ran_fires_at_the_next_start(backend: Backend) {
    let mut node = with_short_timers(backend).await.start().await;
    let visitor = waiting(&node).await;
    let asked = of_kind(&log(&node, &visitor).await, "control_changed")[0]["at"].as_i64().unwrap();
    node.kill().await;
    eventually(async || (now_ms() > asked + NOTICE_MS).then_some(())).await;
    node.restart().await;
    notice(&node, &visitor).await;
}

fn now_ms() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since_1970.as_millis()).unwrap()
}

async fn a_turn_whose_model_takes_too_long_ends_with_a_person(backend: Backend) {
    let settings = NodeSettings::new(backend).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 2);
    // The mock knows no limit of its own, which would come first.
    let settings = ["CONNECT", "FIRST_CONTENT", "GAP", "TOTAL"]
        .into_iter()
        .fold(settings, |settings, clock| settings.with(&format!("ONYA_LLM__{clock}_TIMEOUT_MS"), 1_000));
    let node = settings.with("ONYA_CONVERSATION__TURN_TIMEOUT_MS", 1_500).start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Answer slowly").await;
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Failed);
    let log = eventually(async || {
        let log = log(&node, &customer.visitor).await;
        (!of_kind(&log, "control_changed").is_empty()).then_some(log)
    });
    ends_with_a_person(&log.await, "timed_out", "reply_failed");
}

async fn a_turn_whose_servers_die_ends_after_the_last_attempt(backend: Backend) {
    let settings = NodeSettings::new(backend).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 8);
    let mut node = settings.with("ONYA_CONVERSATION__MAX_ATTEMPTS", 2).start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Survive this").await;
    for attempt in 1..=2 {
        customer.until(|client| client.replica.live.as_ref().is_some_and(|live| live.attempt == attempt)).await;
        customer.until_shown(5).await;
        node.kill().await;
        customer.until_closed().await;
        node.restart().await;
        customer.connect(&node).await;
    }
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Failed);
    let log = log(&node, &customer.visitor).await;
    assert_eq!(of_kind(&log, "attempt_started").len(), 1, "the first attempt comes with the turn");
    ends_with_a_person(&log, "attempts_exhausted", "quarantined");
}

/// The one turn has one end, and a person is asked for in the same commit.
fn ends_with_a_person(log: &[Value], why: &str, reason: &str) {
    assert_eq!(of_kind(log, "turn_opened").len(), 1);
    let ends = of_kind(log, "turn_ended");
    let [end] = ends[..] else { panic!("one turn has {} ends", ends.len()) };
    assert_eq!((&end["outcome"], &end["failure"]), (&"failed".into(), &why.into()));
    let next = &log[usize::try_from(end["seq"].as_u64().unwrap()).unwrap()];
    assert_eq!((&next["kind"], &next["control"]["state"]), (&"control_changed".into(), &"queue".into()));
    assert!(next["at"] == end["at"] && next["notice"].is_string() && next["reason"] == reason, "{next}");
}
