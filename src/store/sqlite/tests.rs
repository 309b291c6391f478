//! What is particular to the embedded store, and its place in the contract suite.

use std::sync::Arc;

use async_trait::async_trait;
use onya_actors::ports::{EventLog, StoreError};
use onya_core::ParticipantId;
use onya_core::conversation::{Action, Actor, Role};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::store::audit::anchoring::Collect;
use crate::store::audit::source::{ActRow, Source};
use crate::store::contract::fixture::Node;
use crate::store::contract::{Backend, Dialect, RAW_ENTRIES, RawEntry, Workbench};
use crate::store::migrations::Step;

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

fn applied(steps: &[StepStatus]) -> usize {
    steps.iter().filter(|step| step.applied).count()
}

#[tokio::test]
async fn every_step_back_and_forward_leaves_a_working_schema() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    assert_eq!(applied(&crate::store::migration_status(&settings).await.unwrap()), 0);
    assert_eq!(applied(&crate::store::migrate(&settings, Direction::Up).await.unwrap()), SQLITE.len());
    for left in (0..SQLITE.len()).rev() {
        assert_eq!(applied(&crate::store::migrate(&settings, Direction::Down).await.unwrap()), left);
    }
    assert_eq!(applied(&crate::store::migrate(&settings, Direction::Down).await.unwrap()), 0, "there is none left");
    let mut direct = database::options(&folder.path().join("onya.db")).connect().await.unwrap();
    let left = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type <> 'index'");
    let left: Vec<String> = left.fetch_all(&mut direct).await.unwrap();
    assert_eq!(left, ["schema_migrations"]);
    let log = crate::store::connect(&settings, Uuid::now_v7()).await.unwrap().log;
    log.ping().await.unwrap();
    drop(log);
    assert_eq!(applied(&crate::store::migration_status(&settings).await.unwrap()), SQLITE.len());
}

#[tokio::test]
async fn a_step_that_fails_half_way_leaves_nothing_of_itself() {
    let backend = TestSqlite::start().await;
    let up = "CREATE TABLE half (id INTEGER); INSERT INTO half VALUES (1); INSERT INTO nowhere VALUES (1)";
    let step = Step { version: 99, name: "broken", up, down: "", needs: 0 };
    migrate::take_step(&mut backend.direct().await, &step, true).await.unwrap_err();
    assert_eq!(backend.number("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").await, 0);
    assert_eq!(backend.number("SELECT count(*) FROM schema_migrations WHERE version = 99").await, 0);
}

#[tokio::test]
async fn a_newer_database_is_served_unless_it_needs_a_newer_program() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    crate::store::migrate(&settings, Direction::Up).await.unwrap();
    let newest = SQLITE.last().unwrap().version;
    let mut direct = database::options(&folder.path().join("onya.db")).connect().await.unwrap();
    let mut note = async |note: &'static str| sqlx::query(note).execute(&mut direct).await.map(drop).unwrap();
    note("INSERT INTO schema_migrations VALUES (9000, 'expand', 0, 0)").await;
    drop(crate::store::connect(&settings, Uuid::now_v7()).await.unwrap());
    let refused = crate::store::migrate(&settings, Direction::Down).await.unwrap_err();
    assert_eq!(refused, ConnectError::UnknownStep { version: 9000, newest });
    note("INSERT INTO schema_migrations VALUES (9001, 'contract', 0, 9000)").await;
    let refused = crate::store::connect(&settings, Uuid::now_v7()).await.err().unwrap();
    assert_eq!(refused, ConnectError::TooNew { version: 9001, needs: 9000, newest });
}

#[tokio::test]
async fn a_list_of_steps_from_before_they_needed_anything_is_read_and_completed() {
    let backend = TestSqlite::start().await;
    backend.execute("ALTER TABLE schema_migrations DROP COLUMN needs").await;
    let mut direct = backend.direct().await;
    assert_eq!(applied(&migrate::run(&mut direct, None).await.unwrap()), SQLITE.len());
    migrate::run(&mut direct, Some(Direction::Down)).await.unwrap();
    migrate::run(&mut direct, Some(Direction::Up)).await.unwrap();
    assert_eq!(backend.number("SELECT sum(needs) FROM schema_migrations").await, 0);
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
        (include_str!("queries/unsearched.sql"), "SCAN conversations USING INDEX conversations_unsearched"),
        (include_str!("queries/unsearched_texts.sql"), along),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<_> = plan.into_iter().map(|(.., step)| step).collect();
        assert!(steps.iter().any(|step| step.starts_with(expected)), "{query}: {steps:#?}");
        let reads_all = |step: &String| step.starts_with("SCAN entries") || step == "SCAN conversations";
        // The end of a log is sorted once more, after its limit.
        let sorts = |step: &String| step.contains("TEMP B-TREE FOR ORDER BY") && !query.contains("newest");
        assert!(!steps.iter().any(|step| reads_all(step) || sorts(step)), "{query}: {steps:#?}");
        // It takes the value into its plan, and throws the plan away when another one is bound, or the same.
        assert!(!query.contains("LIMIT $"), "planned anew at each execution: {query}");
    }
}

#[tokio::test]
async fn a_log_that_somebody_reads_during_an_erasure_is_emptied_by_the_next_write() {
    let backend = TestSqlite::with_lock_timeout(50).await;
    let node = Node::start(&backend, "a").await;
    let mut talk = node.talk().await;
    let holds_the_words = || {
        let log = std::fs::read(backend.folder.path().join("onya.db-wal")).unwrap();
        log.windows(6).any(|window| window == b"canary")
    };
    let said = talk.say("m1", "canary");
    talk.must_store(said).await;
    let mut reader = backend.direct().await;
    let mut reading = reader.begin().await.unwrap();
    let _: i64 = sqlx::query_scalar("SELECT count(*) FROM entries").fetch_one(&mut *reading).await.unwrap();
    let supervisor = Actor { id: ParticipantId(Uuid::now_v7()), role: Role::Supervisor, name: None };
    let erase = talk.request(supervisor, "wipe", Action::Erase);
    assert!(node.log.erase(erase).await.unwrap().is_accepted());
    assert!(holds_the_words(), "somebody reads an older state");
    // Nor does a write wait for whoever still reads.
    node.talk().await;
    assert!(holds_the_words());
    reading.rollback().await.unwrap();
    node.talk().await;
    assert!(!holds_the_words());
    let mut writer = backend.database.writer().await.unwrap();
    let patience: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(writer.connection()).await.unwrap();
    assert_eq!(patience, 50, "as it was");
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

#[tokio::test]
async fn no_word_is_left_in_the_file_once_it_is_written_anew_while_others_write() {
    let backend = TestSqlite::start().await;
    let node = Node::start(&backend, "a").await;
    let mut talks = Vec::new();
    for _ in 0..8 {
        talks.push(node.talk().await);
    }
    // Rows that come between others are moved from page to page.
    for number in 0..60 {
        for talk in &mut talks {
            let said = talk.say(&format!("m{number}"), &format!("canary {}", "x".repeat(number * 7 % 200)));
            talk.must_store(said).await;
        }
    }
    for talk in &talks {
        let supervisor = Actor { id: ParticipantId(Uuid::now_v7()), role: Role::Supervisor, name: None };
        let erase = talk.request(supervisor, "wipe", Action::Erase);
        assert!(node.log.erase(erase).await.unwrap().is_accepted());
    }
    let file = backend.folder.path().join("onya.db");
    let size = || std::fs::metadata(&file).unwrap().len();
    let before = size();
    let settings = settings(&backend.folder);
    let dry = keep_up(&settings, &file, true).await.unwrap();
    assert_eq!((dry.rewritten, size()), (true, before));
    let mut talk = node.talk().await;
    let (outcome, ()) = tokio::join!(keep_up(&settings, &file, false), talk.chatter(20));
    assert_eq!(outcome.unwrap().notices, Vec::<String>::new());
    assert!(size() < before, "from {before} bytes to {}", size());
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"canary"));
    assert_eq!(node.entries(talk.id()).await.len(), usize::try_from(talk.state.seq).unwrap());
}
