//! A customer and the assistant.

use onya_core::conversation::Outcome;
use onya_protocol::{Control, ErrorCode};
use serde_json::json;

use crate::support::{Backend, ChatClient, NodeSettings, TestNode};

crate::on_each_store! {
    a_first_visit_ends_with_a_whole_reply,
    stop_cuts_the_reply_where_it_says,
    two_windows_show_the_same_live,
    a_message_during_a_reply_is_stored_at_once_and_answered_next,
    an_interruption_ends_the_reply_and_is_answered,
    a_reply_is_regenerated_and_rated,
    a_closed_conversation_takes_a_rating_and_nothing_else,
    a_repeat_is_answered_with_the_first_outcome,
    a_thousand_messages_at_once_are_stored_or_refused_one_by_one,
}

async fn a_first_visit_ends_with_a_whole_reply(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    assert_eq!(customer.replica.recovered, Some(false));
    let ack = customer.say("What can you do?").await;
    assert_eq!(ack.seq, 2);
    let (outcome, text) = customer.answered(ack.seq).await;
    assert_eq!(outcome, Outcome::Final);
    assert!(text.contains("What can you do?"), "{text}");
    assert!(customer.replica.deltas > 1, "the reply came in one piece");
    assert!(customer.replica.live.is_none());
    assert_eq!(customer.replica.said()[0], ("customer".to_owned(), "What can you do?".to_owned()));
}

async fn slow(backend: Backend) -> TestNode {
    NodeSettings::new(backend).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 20).start().await
}

async fn stop_cuts_the_reply_where_it_says(backend: Backend) {
    let node = slow(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Tell me a long story").await;
    let turn = customer.until_shown(10).await;
    let stop = customer.command(json!({"type": "stop", "turn": turn})).await;
    let ack = customer.ack(&stop).await;
    let (outcome, text) = customer.answered(said.seq).await;
    assert_eq!(outcome, Outcome::Stopped);
    assert_eq!(ack.cut_at, Some(text.len() as u64));
    let again = customer.command(json!({"type": "stop"})).await;
    assert_eq!(customer.refusal(&again).await.code, ErrorCode::NothingToDo);
}

async fn two_windows_show_the_same_live(backend: Backend) {
    let node = slow(backend).await;
    let mut first = ChatClient::visit(&node).await;
    let said = first.say("Hello from the first window").await;
    first.until_shown(5).await;
    let mut second = ChatClient::open(&node, first.visitor.clone()).await;
    assert!(second.replica.live.is_some(), "the second window sees the reply in progress");
    let (mine, other) = tokio::join!(first.answered(said.seq), second.answered(said.seq));
    assert_eq!(mine, other);
    assert!(second.replica.deltas > 0, "the second window saw it grow");
    assert_eq!(first.replica.entries, second.replica.entries);
}

async fn a_message_during_a_reply_is_stored_at_once_and_answered_next(backend: Backend) {
    let node = slow(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let first = customer.say("One").await;
    let turn = customer.until_shown(5).await;
    let second = customer.say("Two").await;
    assert!(customer.replica.turn_end(turn).is_none(), "it was stored before the reply ended");
    assert_eq!(customer.answered(first.seq).await.0, Outcome::Final);
    assert_eq!(customer.answered(second.seq).await.0, Outcome::Final);
}

async fn an_interruption_ends_the_reply_and_is_answered(backend: Backend) {
    let node = slow(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let first = customer.say("One").await;
    customer.until_shown(5).await;
    let id = customer.command(json!({"type": "say", "text": "Two", "overlap": "interrupt"})).await;
    let second = customer.ack(&id).await;
    assert!(second.cut_at.is_some());
    assert_eq!(customer.answered(first.seq).await.0, Outcome::Superseded);
    assert_eq!(customer.answered(second.seq).await.0, Outcome::Final);
}

async fn a_reply_is_regenerated_and_rated(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Again, please").await;
    customer.answered(said.seq).await;
    let end = *customer.replica.entries.keys().last().unwrap();
    let id = customer.command(json!({"type": "regenerate", "reply": end})).await;
    let opened = customer.ack(&id).await.seq;
    customer.until(|client| client.replica.turn_end(opened).is_some()).await;
    let id = customer.command(json!({"type": "rate", "reply": end, "score": "up", "comment": "good"})).await;
    let rated = customer.ack(&id).await.seq;
    customer.until(|client| client.replica.entries.contains_key(&rated)).await;
}

async fn a_closed_conversation_takes_a_rating_and_nothing_else(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let close = customer.command(json!({"type": "close"})).await;
    customer.ack(&close).await;
    customer.until(|client| client.replica.control == Control::Closed).await;
    let say = customer.command(json!({"type": "say", "text": "Still there?"})).await;
    assert_eq!(customer.refusal(&say).await.code, ErrorCode::Closed);
    let rate = customer.command(json!({"type": "rate", "score": "down"})).await;
    customer.ack(&rate).await;
}

async fn a_repeat_is_answered_with_the_first_outcome(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let first = customer.say("Once").await;
    let id = first.client_msg_id.to_string();
    customer.acks.clear();
    customer.send(json!({"type": "say", "client_msg_id": id, "text": "Once"})).await;
    let again = customer.ack(&id).await;
    assert_eq!((again.seq, again.repeated), (first.seq, true));
    customer.acks.clear();
    customer.send(json!({"type": "say", "client_msg_id": id, "text": "Twice"})).await;
    let refusal = customer.refusal(&id).await;
    assert_eq!((refusal.code, refusal.seq), (ErrorCode::IdConflict, Some(first.seq)));
    customer.answered(first.seq).await;
    let texts: Vec<_> = customer.replica.said().into_iter().filter(|(by, _)| by == "customer").collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

async fn a_thousand_messages_at_once_are_stored_or_refused_one_by_one(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let mut ids = Vec::new();
    for number in 0..1_000 {
        ids.push(customer.command(json!({"type": "say", "text": format!("message {number}")})).await);
    }
    for id in &ids {
        let known = |client: &ChatClient| {
            client.acks.contains_key(id)
                || client
                    .refusals
                    .iter()
                    .any(|refusal| refusal.client_msg_id.as_ref().is_some_and(|of| of.as_str() == id))
        };
        customer.until(known).await;
    }
    assert!(customer.refusals.iter().all(|refusal| refusal.code == ErrorCode::Busy), "{:?}", customer.refusals);
    let last = customer.acks.values().map(|ack| ack.seq).max().unwrap();
    customer.until(|client| client.replica.cursor().unwrap().seq >= last).await;
    for ack in customer.acks.values() {
        let entry = &customer.replica.entries[&ack.seq];
        assert_eq!(entry.client_msg_id.as_ref(), Some(&ack.client_msg_id));
    }
    let texts = customer.replica.said().into_iter().filter(|(by, _)| by == "customer").count();
    assert_eq!(texts, customer.acks.len(), "what was refused is not in the log");
}
