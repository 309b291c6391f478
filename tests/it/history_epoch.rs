//! A store that goes back to an earlier state, and how everybody hears of it.

use std::path::Path;
use std::process::Output;

use onya_core::conversation::Outcome;
use onya_protocol::ErrorCode;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Backend, ChatClient, NodeSettings, eventually};

crate::on_each_store! {
    a_renewed_history_is_told_to_every_client_that_comes_back,
    there_is_no_history_to_show_or_renew_before_the_first_start,
}

async fn a_renewed_history_is_told_to_every_client_that_comes_back(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let mut node = settings.clone().start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Hello").await;
    customer.answered(said.seq).await;
    let known = customer.replica.cursor().unwrap().history_epoch.to_string();
    let shown = settings.run(&["history-epoch", "show"]).await;
    assert_eq!(stdout(&shown).trim(), known);
    if backend == Backend::Sqlite {
        let refused = settings.run(&["history-epoch", "renew"]).await;
        assert!(stderr(&refused).contains("another Onya uses the data folder"), "{refused:?}");
        node.terminate();
        node.ended().await;
    }
    let renewed = settings.run(&["history-epoch", "renew", "--json"]).await;
    let renewed: Value = serde_json::from_str(&stdout(&renewed)).unwrap();
    assert_eq!(renewed["before"], known);
    if backend == Backend::Postgres {
        assert_eq!(node.ended().await.code(), Some(70), "it does not go on with what it believes of the old history");
        assert!(node.log().contains("a new process starts clean"), "{}", node.log());
    }
    node.restart().await;
    customer.connect(&node).await;
    assert_eq!(customer.replica.recovered, Some(false));
    assert_eq!(customer.replica.cursor().unwrap().history_epoch.to_string(), renewed["history_epoch"]);
    assert_eq!(customer.replica.said().len(), 2, "the conversation is there");
}

async fn there_is_no_history_to_show_or_renew_before_the_first_start(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    for action in ["show", "renew"] {
        let refused = settings.run(&["history-epoch", action]).await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(stderr(&refused).contains("there is no history yet"), "{refused:?}");
    }
}

/// The database is put back under a server that goes on, and nobody renews the history: its owner finds out.
#[tokio::test]
async fn an_owner_that_finds_its_own_claim_with_a_shorter_log_renews_the_history() {
    let settings = NodeSettings::new(Backend::Postgres).await;
    let mut node = settings.clone().start().await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let mut customer = ChatClient::visit(&node).await;
    let kept = customer.say("before the backup").await;
    customer.answered(kept.seq).await;
    dump(&settings.database_url(), &copy).await;
    let id = customer.command(json!({"type": "say", "text": "after the backup"})).await;
    let lost = customer.ack(&id).await;
    customer.answered(lost.seq).await;
    let known = customer.replica.cursor().unwrap();
    restore(&settings.database_url(), &copy).await;

    let next = customer.command(json!({"type": "say", "text": "after the restore"})).await;
    let refusal = customer.refusal(&next).await;
    assert_eq!(refusal.code, ErrorCode::Busy, "nothing is acknowledged: {refusal:?}");
    assert_eq!(node.ended().await.code(), Some(70));
    let log = node.log();
    assert!(log.contains("the store has gone back to an earlier state"), "{log}");
    node.restart().await;
    customer.connect(&node).await;
    assert_eq!(customer.replica.recovered, Some(false));
    assert_ne!(customer.replica.cursor().unwrap().history_epoch, known.history_epoch);
    customer.acks.clear();
    customer.refusals.clear();
    for (id, text) in [(&id, "after the backup"), (&next, "after the restore")] {
        customer.send(json!({"type": "say", "client_msg_id": id, "text": text})).await;
        let ack = customer.ack(id).await;
        assert_eq!(customer.answered(ack.seq).await.0, Outcome::Final);
    }
    let users: Vec<_> = customer.replica.said().into_iter().map(|(_, text)| text).collect();
    for text in ["before the backup", "after the backup", "after the restore"] {
        assert_eq!(users.iter().filter(|said| *said == text).count(), 1, "{users:?}");
    }
}

/// As a runbook says: stop, restore, renew, start.
#[tokio::test]
async fn after_a_restore_by_the_runbook_a_client_that_saw_more_is_told_even_when_the_log_has_grown_past_it() {
    let settings = NodeSettings::new(Backend::Postgres).await;
    let mut node = settings.clone().start().await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let mut ahead = ChatClient::visit(&node).await;
    let mut other = ChatClient::open(&node, ahead.visitor.clone()).await;
    dump(&settings.database_url(), &copy).await;
    let lost = ahead.say("lost").await;
    ahead.answered(lost.seq).await;
    node.terminate();
    node.ended().await;
    restore(&settings.database_url(), &copy).await;
    assert_eq!(settings.run(&["history-epoch", "renew"]).await.status.code(), Some(0));
    node.restart().await;
    other.connect(&node).await;
    for text in ["another", "and another"] {
        let said = other.say(text).await;
        other.answered(said.seq).await;
    }
    ahead.connect(&node).await;
    assert_eq!(ahead.replica.recovered, Some(false));
    assert_eq!(ahead.replica.entries, other.replica.entries);
}

fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

async fn dump(url: &str, copy: &Path) {
    postgres_tool("pg_dump", &["--format=plain", "--file", copy.to_str().unwrap(), url]).await;
}

/// Drops what is there and makes what was there, in one transaction.
async fn restore(url: &str, copy: &Path) {
    // The keys of a partition cannot be dropped one by one, so everything goes at once.
    let drop = "DROP SCHEMA reporting CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public";
    let quiet = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--single-transaction"];
    let arguments = [&quiet[..], &["--command", drop, "--file", copy.to_str().unwrap(), "--dbname", url]].concat();
    // A server that looks at a table just then may be in the way.
    let mut restoring = async || postgres_tool_once("psql", &arguments).await.ok();
    eventually(&mut restoring).await;
}

async fn postgres_tool(name: &str, arguments: &[&str]) {
    postgres_tool_once(name, arguments).await.unwrap_or_else(|error| panic!("{name}: {error}"));
}

async fn postgres_tool_once(name: &str, arguments: &[&str]) -> Result<(), String> {
    let Ok(folder) = std::env::var("TEST_PG_BIN") else {
        panic!("TEST_PG_BIN is not set: run ./tests/run, which finds PostgreSQL's programs");
    };
    let output = Command::new(Path::new(&folder).join(name)).args(arguments).output().await.unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
