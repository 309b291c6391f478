//! Coming back: after a reload, a cut, a crash of the server.

use onya_core::conversation::Outcome;
use onya_protocol::ServerFrame;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Backend, ChatClient, NodeSettings, TestNode, Wire, eventually};

crate::on_each_store! {
    a_reload_during_a_reply_shows_it_go_on,
    a_reply_survives_its_readers_disconnect,
    a_cut_reader_continues_where_its_copy_ends,
    a_cursor_that_cannot_be_continued_is_told_why,
    a_kill_and_a_restart_keep_the_history_and_finish_the_unanswered_turn,
    a_token_is_good_after_a_restart,
}

async fn slow(backend: Backend) -> TestNode {
    NodeSettings::new(backend).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 20).start().await
}

async fn a_reload_during_a_reply_shows_it_go_on(backend: Backend) {
    let node = slow(backend).await;
    let mut before = ChatClient::visit(&node).await;
    let said = before.say("Go on while I reload").await;
    before.until_shown(10).await;
    let shown = before.replica.live.clone().unwrap().text;
    before.cut();
    let mut after = ChatClient::open(&node, before.visitor.clone()).await;
    assert!(after.replica.live.as_ref().unwrap().text.starts_with(&shown));
    let (outcome, text) = after.answered(said.seq).await;
    assert_eq!(outcome, Outcome::Final);
    assert!(text.starts_with(&shown));
}

async fn a_reply_survives_its_readers_disconnect(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("I leave at once").await;
    customer.cut();
    // Somebody else who may look: the log grows without a reader.
    let path = format!("/v1/conversations/{}/entries?after={}", customer.visitor.conversation, said.seq);
    let ended = async || {
        let page = node.get(&path, &customer.visitor.token).await.ok();
        page["entries"].as_array().unwrap().iter().any(|entry| entry["kind"] == "turn_ended").then_some(())
    };
    eventually(ended).await;
    customer.connect(&node).await;
    assert_eq!(customer.replica.recovered, Some(true));
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
}

async fn a_cut_reader_continues_where_its_copy_ends(backend: Backend) {
    let node = slow(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Cut me a few times").await;
    for bytes in [1, 20, 40, 60] {
        customer.until_shown(bytes).await;
        customer.cut();
        customer.connect(&node).await;
        assert_eq!(customer.replica.recovered, Some(true));
    }
    let text = customer.answered(said.seq).await.1;
    let fresh = ChatClient::open(&node, customer.visitor.clone()).await;
    assert_eq!(fresh.replica.entries, customer.replica.entries);
    assert_eq!(customer.replica.said().last().unwrap().1, text);
}

async fn a_cursor_that_cannot_be_continued_is_told_why(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let cursor = customer.replica.cursor().unwrap();
    let path = format!("/v1/conversations/{}/socket", customer.visitor.conversation);
    let ask = async |cursor: serde_json::Value| {
        let mut wire = Wire::open(&node.socket_url(&path)).await;
        let token = &customer.visitor.token;
        wire.send(json!({"type": "hello", "versions": [1, 99], "token": token, "cursor": cursor})).await;
        assert!(matches!(wire.expect().await, ServerFrame::Hello { .. }));
        let ServerFrame::Synced(synced) = wire.expect().await else { panic!("not synced") };
        wire.close().await;
        synced
    };
    let future = ask(json!({"history_epoch": cursor.history_epoch, "seq": 1_000})).await;
    let other = ask(json!({"history_epoch": Uuid::now_v7(), "seq": 1})).await;
    for (synced, reason) in [(future, "future"), (other, "other_epoch")] {
        assert!(!synced.recovered);
        assert_eq!(serde_json::to_value(synced.reason).unwrap(), reason);
        assert_eq!(synced.entries.len(), 1);
    }
    let known = ask(json!(cursor)).await;
    assert!(known.recovered && known.entries.is_empty());
    customer.send(json!({"type": "resume", "cursor": cursor})).await;
    customer.until(|client| client.replica.recovered == Some(true)).await;
}

async fn a_kill_and_a_restart_keep_the_history_and_finish_the_unanswered_turn(backend: Backend) {
    let mut node = slow(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let first = customer.say("Before the crash").await;
    customer.answered(first.seq).await;
    let second = customer.say("During the crash").await;
    customer.until_shown(10).await;
    node.kill().await;
    customer.until_closed().await;
    node.restart().await;
    customer.connect(&node).await;
    assert_eq!(customer.replica.recovered, Some(true));
    assert_eq!(customer.answered(second.seq).await.0, Outcome::Final);
    let fresh = ChatClient::open(&node, customer.visitor.clone()).await;
    assert_eq!(fresh.replica.entries, customer.replica.entries);
}

async fn a_token_is_good_after_a_restart(backend: Backend) {
    let mut node = TestNode::start(backend).await;
    let visitor = node.visitor().await;
    node.kill().await;
    node.restart().await;
    let path = format!("/v1/conversations/{}", visitor.conversation);
    assert_eq!(node.get(&path, &visitor.token).await.ok()["last_seq"], 1);
}
