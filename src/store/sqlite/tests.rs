//! What is particular to the embedded store, and its place in the contract suite.

use std::sync::Arc;

use async_trait::async_trait;
use onya_actors::ports::{AppendOutcome, EventLog, StoreError};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::store::contract::Backend;
use crate::store::contract::fixture::Node;

pub(in crate::store) struct TestSqlite {
    database: Arc<Database>,
    folder: TempDir,
}

impl TestSqlite {
    async fn with_lock_timeout(lock_timeout_ms: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { lock_timeout_ms, ..settings(&folder) };
        let database = Database::open(&settings, &folder.path().join("onya.db")).await.unwrap();
        Self { database: Arc::new(database), folder }
    }

    async fn direct(&self) -> SqliteConnection {
        database::options(&self.folder.path().join("onya.db")).connect().await.unwrap()
    }
}

fn settings(folder: &TempDir) -> Settings {
    Settings { data_dir: folder.path().to_path_buf(), ..Settings::new("") }
}

#[async_trait]
impl Backend for TestSqlite {
    async fn start() -> Self {
        Self::with_lock_timeout(2_000).await
    }

    async fn log(&self, incarnation: Uuid) -> Arc<dyn EventLog> {
        Arc::new(SqliteLog { database: Arc::clone(&self.database), incarnation })
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&mut self.direct().await).await.unwrap();
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.direct().await).await.unwrap()
    }
}

#[tokio::test]
async fn a_second_process_on_the_folder_is_refused_with_a_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let first = crate::store::connect(&settings(&folder), Uuid::now_v7()).await.unwrap();
    let error = crate::store::connect(&settings(&folder), Uuid::now_v7()).await.err().unwrap();
    let line = error.to_string();
    assert!(line.contains("another Onya uses the data folder") && line.contains(folder.path().to_str().unwrap()));
    drop(first);
}

#[tokio::test]
async fn after_a_restart_earlier_incarnations_are_dead_whatever_their_name() {
    let backend = TestSqlite::start().await;
    let old = Node::start(&backend, "before").await;
    let mut talk = old.talk().await;
    talk.chatter(3).await;
    let (id, state) = (talk.id(), talk.state.clone());
    drop((old, talk));
    let TestSqlite { database, folder } = backend;
    drop(database);
    let database = Database::open(&settings(&folder), &folder.path().join("onya.db")).await.unwrap();
    let backend = TestSqlite { database: Arc::new(database), folder };
    let new = Node::start(&backend, "after").await;
    assert_eq!(new.claim(id).await.state, state);
}

#[tokio::test]
async fn a_full_disk_stops_acknowledgements_and_work_resumes_by_itself() {
    let backend = TestSqlite::start().await;
    let node = Node::start(&backend, "a").await;
    let mut talk = node.talk().await;
    let large = "x".repeat(1_000_000);
    let mut writer = backend.database.writer().await.unwrap();
    let mut transaction = writer.begin().await.unwrap();
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *transaction).await.unwrap();
    drop(transaction);
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 8));
    writer.execute(limit).await;
    writer.done();
    let mut append = talk.say("m1", "hello");
    let mut entries = append.entries.to_vec();
    entries[0].event = onya_core::conversation::Event::Rated {
        reply: None,
        score: onya_core::conversation::Score::Up,
        comment: Some(large),
    };
    append.entries = entries.into();
    let error = node.log.append(std::slice::from_ref(&append)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("full")), "{error:?}");
    assert_eq!(node.entries(talk.id()).await.len(), 1);
    assert_eq!(talk.store(append).await, AppendOutcome::Accepted);
}

#[tokio::test]
async fn a_database_locked_by_another_program_is_unavailable_and_then_works_again() {
    let backend = TestSqlite::with_lock_timeout(10).await;
    let node = Node::start(&backend, "a").await;
    let mut talk = node.talk().await;
    let mut other = backend.direct().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let append = talk.say("m1", "hello");
    let error = node.log.append(std::slice::from_ref(&append)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(node.entries(talk.id()).await.len(), 1);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    talk.must_store(append).await;
}

#[tokio::test]
async fn a_step_back_and_forward_leaves_a_working_schema() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let applied = |steps: Vec<StepStatus>| steps.iter().map(|step| step.applied).collect::<Vec<_>>();
    let fresh = applied(crate::store::migration_status(&settings).await.unwrap());
    assert!(fresh.iter().all(|applied| !applied));
    let up = applied(crate::store::migrate(&settings, Direction::Up).await.unwrap());
    assert!(up.iter().all(|applied| *applied));
    for left in (0..fresh.len()).rev().chain([0]) {
        let down = applied(crate::store::migrate(&settings, Direction::Down).await.unwrap());
        assert_eq!(down.iter().filter(|applied| **applied).count(), left);
    }
    let log = crate::store::connect(&settings, Uuid::now_v7()).await.unwrap();
    log.ping().await.unwrap();
    drop(log);
    assert_eq!(applied(crate::store::migration_status(&settings).await.unwrap()), up);
}

/// SQLite reads what its plan says: along the key, from where the page begins, in the order that is asked for.
#[tokio::test]
async fn a_page_and_an_activation_go_along_the_key_whatever_the_length_of_the_log() {
    let backend = TestSqlite::start().await;
    let mut connection = backend.direct().await;
    let along = "SEARCH entries USING PRIMARY KEY (conversation=? AND seq";
    for (query, expected) in [
        (include_str!("../queries/page_after.sql"), along),
        (include_str!("../queries/page_before.sql"), along),
        (include_str!("../queries/tail.sql"), along),
        (include_str!("../queries/summary.sql"), "SEARCH conversations USING INDEX sqlite_autoindex_conversations_1"),
        (include_str!("../queries/take.sql"), "SEARCH conversations USING INDEX sqlite_autoindex_conversations_1"),
        (include_str!("../queries/unsearched.sql"), "SCAN conversations USING INDEX conversations_unsearched"),
        (include_str!("../queries/unsearched_texts.sql"), along),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<_> = plan.into_iter().map(|(.., step)| step).collect();
        assert!(steps.iter().any(|step| step.starts_with(expected)), "{query}: {steps:#?}");
        let reads_all = |step: &String| step.starts_with("SCAN entries") || step == "SCAN conversations";
        // The end of a log is sorted once more, after its limit.
        let sorts = |step: &String| step.contains("TEMP B-TREE FOR ORDER BY") && !query.contains("newest");
        assert!(!steps.iter().any(|step| reads_all(step) || sorts(step)), "{query}: {steps:#?}");
    }
}

#[tokio::test]
async fn commits_are_flushed_to_the_disk() {
    let backend = TestSqlite::start().await;
    let mut writer = backend.database.writer().await.unwrap();
    let mut transaction = writer.begin().await.unwrap();
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *transaction).await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *transaction).await.unwrap();
    assert_eq!((journal.as_str(), synchronous), ("wal", 2));
}
