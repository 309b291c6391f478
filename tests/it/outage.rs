//! A store that takes nothing for a while: no acknowledgements, no loss, and work goes on by itself afterwards.

use std::io::Write as _;

use onya_core::conversation::Outcome;
use onya_protocol::{ErrorCode, ServerFrame};
use reqwest::Method;
use serde_json::json;
use sqlx::Connection as _;

use crate::on_each_store;
use crate::support::{Backend, ChatClient, NodeSettings, Roamer, TestNode, answer, ledger};

on_each_store! {
    a_locked_database_stops_acknowledgements_and_nothing_else,
    what_waits_for_the_store_is_bounded_over_all_conversations,
}

async fn a_locked_database_stops_acknowledgements_and_nothing_else(backend: Backend) {
    let node = NodeSettings::new(backend)
        .await
        .with("ONYA_DATABASE__STATEMENT_TIMEOUT_MS", 1_000)
        .with("ONYA_DATABASE__LOCK_TIMEOUT_MS", 500)
        .start()
        .await;
    let mut customer = ChatClient::visit(&node).await;
    let before = customer.say("before").await;
    customer.answered(before.seq).await;
    let lock = Lock::take(backend, &node.database_url()).await;
    let id = customer.command(json!({"type": "say", "text": "meanwhile"})).await;
    let refusal = customer.refusal(&id).await;
    assert!(matches!(refusal.code, ErrorCode::Busy | ErrorCode::Unknown), "{refusal:?}");
    assert_eq!(answer(node.request(Method::GET, "/health/live")).await.status, 200);
    customer.send(json!({"type": "ping"})).await;
    while !matches!(customer.next().await, Some(ServerFrame::Pong {})) {}
    lock.release().await;
    let ack = retry(&mut customer, &id, "meanwhile").await;
    assert_eq!(customer.answered(ack).await.0, Outcome::Final);
    let stored = ledger::whole_log(&node, &customer.visitor).await;
    assert_eq!(
        stored.iter().filter(|entry| entry.client_msg_id.as_ref().is_some_and(|named| named.as_str() == id)).count(),
        1
    );
}

/// The smallest bound that can be set, in bytes.
const MAX_QUEUED: usize = 1_048_576;
/// Sixteen of these are as much as may wait for one conversation, and four times as many fill the bound for all.
const LONG: usize = 16_000;
const EACH: usize = 16;

async fn what_waits_for_the_store_is_bounded_over_all_conversations(backend: Backend) {
    let node = NodeSettings::new(backend)
        .await
        .with("ONYA_DATABASE__MAX_QUEUED_BYTES", MAX_QUEUED)
        .with("ONYA_DATABASE__STATEMENT_TIMEOUT_MS", 60_000)
        .with("ONYA_CONVERSATION__STUCK_AFTER_MS", 180_000)
        .with("ONYA_DATABASE__LOCK_TIMEOUT_MS", 50_000)
        .start()
        .await;
    let text = "x".repeat(LONG);
    let mut customers = Vec::new();
    for _ in 0..MAX_QUEUED / (EACH * LONG) + 2 {
        let mut customer = ChatClient::visit(&node).await;
        customer.say("before").await;
        customers.push(customer);
    }
    let lock = Lock::take(backend, &node.database_url()).await;
    let mut sent = Vec::new();
    for customer in &mut customers {
        let mut ids = Vec::new();
        for _ in 0..EACH {
            ids.push(customer.command(json!({"type": "say", "text": text})).await);
        }
        // What was sent before it has been looked at when this is answered.
        customer.send(json!({"type": "ping"})).await;
        while !matches!(customer.next().await, Some(ServerFrame::Pong {})) {}
        sent.push(ids);
    }
    let refused: Vec<usize> = customers.iter().map(|customer| customer.refusals.len()).collect();
    assert_eq!(refused, [0, 0, 0, 0, EACH - 1, EACH], "there is room for {} texts", MAX_QUEUED / LONG);
    let busy = |customer: &ChatClient| customer.refusals.iter().all(|refusal| refusal.code == ErrorCode::Busy);
    assert!(customers.iter().all(busy), "it is too much, and nothing else");
    // What carries no text is never turned away for it.
    let stop = customers[5].command(json!({"type": "stop"})).await;
    lock.release().await;
    let stopped = |customer: &ChatClient| {
        customer.acks.contains_key(&stop) || customer.refusals.last().is_some_and(|last| last.code != ErrorCode::Busy)
    };
    customers[5].until(stopped).await;
    for (customer, ids) in customers.iter_mut().zip(&sent) {
        for id in ids {
            retry(customer, id, &text).await;
        }
        let stored = ledger::whole_log(&node, &customer.visitor).await;
        let named = |id: &String| {
            stored.iter().filter(|entry| entry.client_msg_id.as_ref().is_some_and(|name| name.as_str() == id)).count()
        };
        assert!(ids.iter().all(|id| named(id) == 1), "each is stored once");
    }
}

/// Sends a command again, with the same name, until it is stored.
async fn retry(customer: &mut ChatClient, id: &str, text: &str) -> u64 {
    loop {
        customer.refusals.clear();
        customer.send(json!({"type": "say", "client_msg_id": id, "text": text})).await;
        customer.until(|customer| customer.acks.contains_key(id) || !customer.refusals.is_empty()).await;
        if let Some(ack) = customer.acks.get(id) {
            return ack.seq;
        }
    }
}

/// Another program holds the database.
enum Lock {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Lock {
    async fn take(backend: Backend, url: &str) -> Self {
        match backend {
            Backend::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
                sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
                Self::Sqlite(connection)
            }
            Backend::Postgres => {
                let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
                sqlx::query("BEGIN").execute(&mut connection).await.unwrap();
                let lock = sqlx::query("LOCK TABLE conversations, entries IN ACCESS EXCLUSIVE MODE");
                lock.execute(&mut connection).await.unwrap();
                Self::Postgres(connection)
            }
        }
    }

    async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}

#[tokio::test]
async fn a_full_disk_stops_acknowledgements_and_not_the_process() {
    let node = NodeSettings::new(Backend::Sqlite).await.on_small_disk(4_096).start().await;
    let (_there, address) = tokio::sync::watch::channel(Some(node.address()));
    let mut roamer = Roamer::new(node.visitor().await, address);
    roamer.say("before".to_owned());
    while !roamer.is_settled() {
        roamer.step().await;
    }
    let ballast = fill(&node);
    let text = "x".repeat(16_000);
    while roamer.refused == 0 {
        if roamer.waiting() == 0 {
            roamer.say(text.clone());
        }
        roamer.step().await;
    }
    assert_eq!(answer(node.request(Method::GET, "/health/live")).await.status, 200);
    std::fs::remove_file(ballast).unwrap();
    while !roamer.is_settled() {
        roamer.step().await;
    }
    ledger::check(&node, &roamer).await;
}

/// Fills the node's disk but for the little that is open already.
fn fill(node: &TestNode) -> std::path::PathBuf {
    let path = node.small_disk().join("ballast");
    let mut file = std::fs::File::create(&path).unwrap();
    while file.write_all(&[0; 4_096]).is_ok() {}
    path
}
