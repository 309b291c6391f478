//! A store that takes nothing for a while: no acknowledgements, no loss, and work goes on by itself afterwards.

use std::io::Write as _;

use onya_core::conversation::Outcome;
use onya_protocol::{ErrorCode, ServerFrame};
use reqwest::Method;
use serde_json::json;
use sqlx::Connection as _;

use crate::on_each_store;
use crate::support::{Backend, ChatClient, NodeSettings, Roamer, TestNode, answer, ledger};

on_each_store!(a_locked_database_stops_acknowledgements_and_nothing_else);

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
