//! People behind the assistant.

use onya_core::conversation::{Outcome, Role};
use onya_protocol::{Control, ErrorCode, ServerFrame, Typing};
use serde_json::json;

use crate::support::{AgentClient, Backend, ChatClient, NodeSettings, TestNode, eventually};

crate::on_each_store! {
    a_takeover_mid_sentence_silences_the_assistant,
    a_customer_who_asks_is_queued_claimed_answered_and_handed_back,
    a_claim_is_exclusive_and_a_stale_one_is_told_the_version,
    a_customer_whose_agent_is_gone_waits_for_another_one,
    a_customer_leaves_the_queue,
    only_a_supervisor_takes_from_an_agent,
    an_agent_sees_the_reply_grow,
    each_side_sees_the_other_type_and_nobody_sees_themselves,
}

async fn slow(backend: Backend) -> TestNode {
    NodeSettings::new(backend).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 20).start().await
}

async fn a_takeover_mid_sentence_silences_the_assistant(backend: Backend) {
    let node = slow(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let mut agent = AgentClient::agent(&node, "Ada").await;
    let id = customer.visitor.conversation;
    agent.watch(id).await;
    let said = customer.say("Explain everything").await;
    customer.until_shown(10).await;
    let take = agent.with_version(id, "take_over").await;
    let cut_at = agent.ack(&take).await.cut_at.unwrap();
    customer.until(|client| matches!(client.replica.control, Control::Agent { .. })).await;
    let turn = customer.replica.turn_of(said.seq).unwrap();
    let (outcome, text) = customer.replica.turn_end(turn).unwrap();
    assert_eq!((outcome, text.len() as u64), (Outcome::TakenOver, cut_at));
    let hello = agent.command(id, json!({"type": "say", "text": "This is Ada"})).await;
    let hello = agent.ack(&hello).await.seq;
    customer.until(|client| client.replica.entries.contains_key(&hello)).await;
    assert_eq!(customer.replica.said().last().unwrap(), &("Ada".to_owned(), "This is Ada".to_owned()));
    let quiet = customer.say("Thank you, Ada").await;
    let back = agent.with_version(id, "hand_back").await;
    agent.ack(&back).await;
    assert_eq!(customer.answered(quiet.seq).await.0, Outcome::Final, "the assistant answers what is unanswered");
}

async fn a_customer_who_asks_is_queued_claimed_answered_and_handed_back(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let mut agent = AgentClient::agent(&node, "Ada").await;
    let id = customer.visitor.conversation;
    let ask = customer.command(json!({"type": "escalate", "summary": "my order"})).await;
    customer.ack(&ask).await;
    customer.until(|client| client.replica.control == Control::Queue && client.places == [1]).await;
    let queued = agent.until_queued(id).await;
    assert_eq!(queued.summary.as_deref(), Some("my order"));
    agent.watch(id).await;
    let claim = agent.with_version(id, "claim").await;
    agent.ack(&claim).await;
    agent.until(|agent| agent.queue.is_empty()).await;
    let say = agent.command(id, json!({"type": "say", "text": "How can I help?"})).await;
    agent.ack(&say).await;
    customer.until(|client| client.replica.said().iter().any(|(by, _)| by == "Ada")).await;
    let seen = serde_json::to_string(&customer.replica.entries).unwrap();
    assert!(!seen.contains("my order"), "a summary is for staff");
    let close = agent.with_version(id, "close").await;
    agent.ack(&close).await;
    customer.until(|client| client.replica.control == Control::Closed).await;
}

async fn a_claim_is_exclusive_and_a_stale_one_is_told_the_version(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let id = customer.visitor.conversation;
    let ask = customer.command(json!({"type": "escalate"})).await;
    customer.ack(&ask).await;
    let (mut ada, mut bob) = (AgentClient::agent(&node, "Ada").await, AgentClient::agent(&node, "Bob").await);
    ada.watch(id).await;
    bob.watch(id).await;
    let (mine, yours) = (ada.with_version(id, "claim").await, bob.with_version(id, "claim").await);
    ada.until(|agent| agent.acks.contains_key(&mine) || !agent.refusals.is_empty()).await;
    bob.until(|agent| agent.acks.contains_key(&yours) || !agent.refusals.is_empty()).await;
    assert_eq!(ada.acks.len() + bob.acks.len(), 1, "exactly one has it");
    let refusal = ada.refusals.first().or(bob.refusals.first()).unwrap();
    assert_eq!((refusal.code, refusal.control_version), (ErrorCode::ControlChanged, Some(2)));
}

async fn a_customer_whose_agent_is_gone_waits_for_another_one(backend: Backend) {
    let node = NodeSettings::new(backend).await.with("ONYA_CONVERSATION__AGENT_LOST_AFTER_MS", 500).start().await;
    let mut customer = ChatClient::visit(&node).await;
    let (mut ada, mut bob) = (AgentClient::agent(&node, "Ada").await, AgentClient::agent(&node, "Bob").await);
    let id = customer.visitor.conversation;
    ada.watch(id).await;
    let take = ada.with_version(id, "take_over").await;
    ada.ack(&take).await;
    customer.say("Are you there?").await;
    drop(ada);
    customer.until(|client| client.replica.control == Control::Queue && client.places.last() == Some(&1)).await;
    bob.until_queued(id).await;
    bob.watch(id).await;
    let claim = bob.with_version(id, "claim").await;
    bob.ack(&claim).await;
    customer.until(|client| matches!(client.replica.control, Control::Agent { .. })).await;
}

async fn a_customer_leaves_the_queue(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let ask = customer.command(json!({"type": "escalate"})).await;
    customer.ack(&ask).await;
    customer.until(|client| client.replica.control == Control::Queue).await;
    let version = customer.replica.control_version;
    let back = customer.command(json!({"type": "hand_back", "control_version": version})).await;
    customer.ack(&back).await;
    customer.until(|client| client.replica.control == Control::Assistant).await;
    let said = customer.say("Then you, please").await;
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
}

async fn only_a_supervisor_takes_from_an_agent(backend: Backend) {
    let node = TestNode::start(backend).await;
    let customer = ChatClient::visit(&node).await;
    let id = customer.visitor.conversation;
    let (mut ada, mut bob) = (AgentClient::agent(&node, "Ada").await, AgentClient::agent(&node, "Bob").await);
    let mut grace = AgentClient::supervisor(&node, "Grace").await;
    ada.watch(id).await;
    let take = ada.with_version(id, "take_over").await;
    ada.ack(&take).await;
    bob.watch(id).await;
    let take = bob.with_version(id, "take_over").await;
    assert_eq!(bob.refusal(&take).await.code, ErrorCode::Forbidden);
    let say = bob.command(id, json!({"type": "say", "text": "Me too"})).await;
    assert_eq!(bob.refusal(&say).await.code, ErrorCode::ControlChanged);
    grace.watch(id).await;
    let take = grace.with_version(id, "take_over").await;
    grace.ack(&take).await;
}

async fn an_agent_sees_the_reply_grow(backend: Backend) {
    let node = slow(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let id = customer.visitor.conversation;
    let mut agent = AgentClient::agent(&node, "Ada").await;
    customer.say("Let them watch").await;
    customer.until_shown(5).await;
    agent.watch(id).await;
    assert!(agent.watched[&id].live.is_some(), "what was said before is there");
    agent.until(|agent| agent.watched[&id].live.is_none()).await;
    assert!(agent.watched[&id].deltas > 0);
}

async fn each_side_sees_the_other_type_and_nobody_sees_themselves(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let mut agent = AgentClient::agent(&node, "Ada").await;
    let id = customer.visitor.conversation;
    agent.watch(id).await;
    let take = agent.with_version(id, "take_over").await;
    agent.ack(&take).await;

    // The frames of a conversation keep their order, so one's own would come before the other's answer to it.
    customer.send(json!({"type": "typing", "active": true})).await;
    let seen = typing_seen_by_agent(&mut agent).await;
    assert_eq!((seen.participant, seen.role), (customer.visitor.participant, Role::Customer));
    assert!(seen.active && seen.conversation == id, "{seen:?}");

    agent.command(id, json!({"type": "typing", "active": true})).await;
    let seen = typing_seen_by_customer(&mut customer).await;
    assert_eq!((seen.role, seen.name.as_deref(), seen.active), (Role::Agent, Some("Ada"), true));

    customer.send(json!({"type": "typing", "active": false})).await;
    let seen = typing_seen_by_agent(&mut agent).await;
    assert_eq!((seen.role, seen.active), (Role::Customer, false));
}

async fn typing_seen_by_customer(customer: &mut ChatClient) -> Typing {
    first_typing(async || customer.next().await.unwrap()).await
}

async fn typing_seen_by_agent(agent: &mut AgentClient) -> Typing {
    first_typing(async || agent.next().await).await
}

async fn first_typing(mut next: impl AsyncFnMut() -> ServerFrame) -> Typing {
    eventually(async || if let ServerFrame::Typing(typing) = next().await { Some(typing) } else { None }).await
}
