//! The schema: moved by hand, by many processes at once, and cut off in the middle.

use std::process::Output;
use std::time::Duration;

use futures::future::join_all;
use onya_core::conversation::Outcome;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};
use tokio::process::Command;

use crate::support::{Backend, ChatClient, NodeSettings, eventually};

crate::on_each_store! {
    the_schema_goes_up_and_down_and_up_and_a_node_starts_on_it,
    each_step_down_and_up_again_keeps_what_the_first_one_holds,
    a_database_of_a_newer_version_is_refused_with_a_line_that_says_so,
}

async fn the_schema_goes_up_and_down_and_up_and_a_node_starts_on_it(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let fresh = states(&settings, "status").await;
    assert!(!fresh.is_empty() && fresh.iter().all(|state| state == "missing"), "{fresh:?}");
    let complete = vec!["applied"; fresh.len()];
    assert_eq!(states(&settings, "up").await, complete);
    assert_eq!(states(&settings, "status").await, complete);
    let mut without_newest = complete.clone();
    *without_newest.last_mut().unwrap() = "missing";
    assert_eq!(states(&settings, "down").await, without_newest);
    assert_eq!(states(&settings, "status").await, without_newest);
    assert_eq!(states(&settings, "up").await, complete);
    assert_eq!(states(&settings, "up").await, complete, "what is applied is not applied again");

    let node = settings.start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Is there room?").await;
    customer.answered(said.seq).await;
}

/// The newest step is undone and done again, then the newest two, and so on: a conversation lives through all of it.
async fn each_step_down_and_up_again_keeps_what_the_first_one_holds(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let mut node = settings.clone().start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Keep this").await;
    customer.answered(said.seq).await;
    node.terminate();
    node.ended().await;
    let stored = entries(&settings).await;
    assert_eq!(stored.len(), 4, "{stored:?}");
    let steps = states(&settings, "status").await.len();
    for down in 1..steps {
        for _ in 0..down {
            states(&settings, "down").await;
        }
        let left = states(&settings, "status").await;
        assert_eq!(left.iter().filter(|state| *state == "applied").count(), steps - down);
        assert_eq!(entries(&settings).await, stored, "after {down} steps down");
        states(&settings, "up").await;
        assert_eq!(entries(&settings).await, stored, "after {down} steps down and up");
    }
    node.restart().await;
    customer.connect(&node).await;
    assert_eq!(customer.replica.recovered, Some(true));
    let said = customer.say("And go on").await;
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
}

async fn a_database_of_a_newer_version_is_refused_with_a_line_that_says_so(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    states(&settings, "up").await;
    execute(&settings, "INSERT INTO schema_migrations VALUES (9000, 'contract', 0, 8999)").await;
    for subcommand in [&["serve"][..], &["migrate", "up"], &["migrate", "down"]] {
        let line = refused(settings.run(subcommand).await);
        assert!(line.contains("too new for this version") && line.contains("step 9000 needs"), "{line}");
    }
    execute(&settings, "UPDATE schema_migrations SET needs = 0 WHERE version = 9000").await;
    let line = refused(settings.run(&["migrate", "down"]).await);
    assert!(line.contains("has step 9000 of a newer version"), "{line}");
    settings.start().await;
}

#[tokio::test]
async fn ten_processes_that_start_at_once_on_an_empty_database_all_serve_one_history() {
    let settings = NodeSettings::new(Backend::Postgres).await.with("ONYA_DATABASE__MAX_CONNECTIONS", 3);
    let starts = (0..10).map(|number| settings.clone().with("ONYA_NODE__NAME", format!("node-{number}")).start());
    let nodes = join_all(starts).await;
    let mut customers = join_all(nodes.iter().map(ChatClient::visit)).await;
    for customer in &mut customers {
        let said = customer.say("Hello").await;
        customer.answered(said.seq).await;
    }
    let mut epochs: Vec<_> =
        customers.iter().map(|customer| customer.replica.cursor().unwrap().history_epoch).collect();
    epochs.dedup();
    assert_eq!(epochs.len(), 1);
    let mut direct = PgConnection::connect(&settings.database_url()).await.unwrap();
    let notes: (i64, i64) = sqlx::query_as("SELECT count(*), count(DISTINCT version) FROM schema_migrations")
        .fetch_one(&mut direct)
        .await
        .unwrap();
    assert_eq!(notes.0, notes.1);
}

/// The table that a step changes is locked, so that the step can be caught in the middle.
#[tokio::test]
async fn a_migration_that_is_killed_leaves_the_step_undone_and_the_next_one_does_it() {
    let settings = NodeSettings::new(Backend::Postgres).await;
    states(&settings, "up").await;
    let before_last = states(&settings, "down").await;
    let mut gate = PgConnection::connect(&settings.database_url()).await.unwrap();
    sqlx::query("BEGIN").execute(&mut gate).await.unwrap();
    sqlx::query("LOCK TABLE schema_migrations IN SHARE MODE").execute(&mut gate).await.unwrap();
    let mut migration = Command::from(settings.command()).args(["migrate", "up"]).spawn().unwrap();
    let mut watch = PgConnection::connect(&settings.database_url()).await.unwrap();
    let mut waits = async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watch).await.unwrap();
        (waiting == 1).then_some(())
    };
    eventually(&mut waits).await;
    migration.kill().await.unwrap();
    gate.close().await.unwrap();
    assert_eq!(states(&settings, "status").await, before_last);
    assert!(states(&settings, "up").await.iter().all(|state| state == "applied"));
    tokio::time::timeout(Duration::from_secs(60), settings.start()).await.unwrap();
}

/// Runs `onya migrate ACTION`, and gives the state of each step it lists: `0001  applied  conversations`.
async fn states(settings: &NodeSettings, action: &str) -> Vec<String> {
    let output = settings.run(&["migrate", action]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut before = 0;
    let mut state = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [number, state, _name] = columns[..] else { panic!("{line:?} is not a step") };
        let number: u32 = number.parse().unwrap();
        assert!(number > before, "{text}");
        before = number;
        state.to_owned()
    };
    text.lines().map(&mut state).collect()
}

fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The log as it is stored: position and body.
async fn entries(settings: &NodeSettings) -> Vec<(i64, String)> {
    let (url, query) = (settings.database_url(), "SELECT seq, body FROM entries ORDER BY conversation, seq");
    if url.starts_with("sqlite") {
        let rows = sqlx::query(query).fetch_all(&mut SqliteConnection::connect(&url).await.unwrap()).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    } else {
        let rows = sqlx::query(query).fetch_all(&mut PgConnection::connect(&url).await.unwrap()).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

async fn execute(settings: &NodeSettings, statement: &'static str) {
    let url = settings.database_url();
    if url.starts_with("sqlite") {
        sqlx::query(statement).execute(&mut SqliteConnection::connect(&url).await.unwrap()).await.unwrap();
    } else {
        sqlx::query(statement).execute(&mut PgConnection::connect(&url).await.unwrap()).await.unwrap();
    }
}
