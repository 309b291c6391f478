//! What is particular to the embedded store, and its place in the contract suite.

use std::sync::Arc;

use async_trait::async_trait;
use onya_actors::ports::{EventLog, StoreError};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::store::audit::anchoring::Collect;
use crate::store::audit::source::{ActRow, Source};
use crate::store::contract::fixture::Node;
use crate::store::contract::{Backend, Dialect, RAW_ENTRIES, RawEntry, Workbench};

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
impl Workbench for audit::Snapshot {
    async fn execute(&mut self, sql: String) -> Option<u64> {
        let outcome = sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false).execute(&mut self.connection).await;
        outcome.ok().map(|done| done.rows_affected())
    }

    fn source(&mut self) -> &mut dyn Source {
        self
    }
}

#[async_trait]
impl Backend for TestSqlite {
    async fn start() -> Self {
        Self::with_lock_timeout(2_000).await
    }

    async fn log(&self, incarnation: Uuid) -> Arc<dyn EventLog> {
        Arc::new(SqliteLog { database: Arc::clone(&self.database), incarnation, acts: Acts::new(incarnation) })
    }

    async fn source(&self) -> Box<dyn Source> {
        audit::snapshot(&self.folder.path().join("onya.db")).await.unwrap()
    }

    async fn record(&self, act: &ActRow) {
        acts::insert(&mut self.direct().await, std::slice::from_ref(act)).await.unwrap();
    }

    async fn bench(&self) -> Box<dyn Workbench> {
        Box::new(audit::Snapshot { connection: self.direct().await })
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn audit(&self, incarnation: Uuid) -> Arc<dyn AuditLog> {
        Arc::new(SqliteLog { database: Arc::clone(&self.database), incarnation, acts: Acts::resumed(incarnation) })
    }

    async fn heads(&self) -> Box<dyn Collect> {
        audit::heads(&self.folder.path().join("onya.db")).await.unwrap()
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&mut self.direct().await).await.unwrap();
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.direct().await).await.unwrap()
    }

    async fn rows(&self, conversation: Uuid) -> Vec<RawEntry> {
        sqlx::query_as(RAW_ENTRIES).bind(conversation).fetch_all(&mut self.direct().await).await.unwrap()
    }

    async fn places_of(&self, text: &str) -> Vec<String> {
        let mut direct = self.direct().await;
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'",
        )
        .fetch_all(&mut direct)
        .await
        .unwrap();
        let mut found = Vec::new();
        for (table, column) in columns {
            let count = format!(
                "SELECT count(*) FROM \"{table}\" WHERE instr(CAST(\"{column}\" AS BLOB), CAST($1 AS BLOB)) > 0"
            );
            let count = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(count)).bind(text);
            if count.fetch_one(&mut direct).await.unwrap() > 0 {
                found.push(table);
            }
        }
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            let file = file.unwrap();
            let bytes = std::fs::read(file.path()).unwrap();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(file.file_name().into_string().unwrap());
            }
        }
        found.sort();
        found.dedup();
        found
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
    talk.must_store(append).await;
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
    let steps = SQLITE.len();
    assert_eq!(applied(crate::store::migration_status(&settings).await.unwrap()), vec![false; steps]);
    assert_eq!(applied(crate::store::migrate(&settings, Direction::Up).await.unwrap()), vec![true; steps]);
    for undone in 1..=steps + 1 {
        let state = applied(crate::store::migrate(&settings, Direction::Down).await.unwrap());
        assert_eq!(state.iter().filter(|applied| **applied).count(), steps.saturating_sub(undone));
    }
    let log = crate::store::connect(&settings, Uuid::now_v7()).await.unwrap().log;
    log.ping().await.unwrap();
    drop(log);
    assert_eq!(applied(crate::store::migration_status(&settings).await.unwrap()), vec![true; steps]);
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
