//! What is particular to Postgres, and its place in the contract suite.

mod batches;
mod locks;
mod members;
mod partitions;
mod race;
mod reading;
mod schema;
mod searching;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use onya_actors::ports::{EventLog, StoreError};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::append::{APPEND, send};
use super::columns::Columns;
use super::*;
use crate::store::audit::anchoring::Collect;
use crate::store::audit::source::{ActRow, Source};
use crate::store::contract::fixture::{Node, Talk};
use crate::store::contract::{Backend, Dialect, RAW_ENTRIES, RawEntry, Workbench};
use crate::store::stored::StoredAppend;

/// A database of its own on the server of the test run.
pub(in crate::store) struct TestPostgres {
    server: PgConnectOptions,
    name: String,
}

fn server_url() -> String {
    std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
        panic!(
            "TEST_DATABASE_URL is not set: run ./tests/run, which starts a private PostgreSQL \
             (Debian: apt-get install postgresql)"
        )
    })
}

impl TestPostgres {
    async fn empty() -> Self {
        let server = PgConnectOptions::from_str(&server_url()).unwrap().disable_statement_logging();
        let name = format!("onya_test_{}", Uuid::now_v7().simple());
        let create = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"));
        sqlx::query(create).execute(&mut server.connect().await.unwrap()).await.unwrap();
        Self { server, name }
    }

    fn settings(&self) -> Settings {
        let options = self.server.clone().database(&self.name);
        Settings { max_connections: 6, ..Settings::new(options.to_url_lossy().to_string()) }
    }

    async fn direct(&self) -> PgConnection {
        self.server.clone().database(&self.name).connect().await.unwrap()
    }

    /// Waits until so many sessions of the database wait for a lock.
    async fn until_blocked(&self, sessions: i64) {
        let mut watch = self.direct().await;
        loop {
            let blocked: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&mut watch)
            .await
            .unwrap();
            if blocked == sessions {
                return;
            }
        }
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = server.connect().await.unwrap();
                let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
                sqlx::query(drop).execute(&mut connection).await.unwrap();
            });
        });
        drop(dropping.join());
    }
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
impl Backend for TestPostgres {
    async fn start() -> Self {
        Self::empty().await
    }

    async fn log(&self, incarnation: Uuid) -> Arc<dyn EventLog> {
        crate::store::connect(&self.settings(), incarnation).await.unwrap().log
    }

    async fn source(&self) -> Box<dyn Source> {
        audit::snapshot(&self.settings()).await.unwrap()
    }

    async fn record(&self, act: &ActRow) {
        acts::insert(&mut self.direct().await, std::slice::from_ref(act)).await.unwrap();
    }

    async fn bench(&self) -> Box<dyn Workbench> {
        Box::new(audit::Snapshot { connection: self.direct().await })
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn audit(&self, incarnation: Uuid) -> Arc<dyn AuditLog> {
        {
            let database = Database::open(&self.settings(), incarnation).await.unwrap();
            Arc::new(PostgresLog { database, incarnation, acts: Acts::resumed(incarnation) })
        }
    }

    async fn heads(&self) -> Box<dyn Collect> {
        audit::heads(&self.settings()).await.unwrap()
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
            "SELECT table_name::text, CASE data_type WHEN 'bytea' THEN format('encode(%I, ''escape'')', column_name) \
                                      ELSE format('%I::text', column_name) END \
             FROM information_schema.columns WHERE table_schema = 'public'",
        )
        .fetch_all(&mut direct)
        .await
        .unwrap();
        let mut found = Vec::new();
        for (table, column) in columns {
            let count = AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE strpos({column}, $1) > 0"));
            if sqlx::query_scalar::<_, i64>(count).bind(text).fetch_one(&mut direct).await.unwrap() > 0 {
                found.push(table);
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

fn row(talk: &Talk, id: &str) -> StoredAppend {
    StoredAppend::new(&talk.say(id, "hello")).unwrap()
}

async fn outcome(connection: &mut PgConnection, statement: &'static str, row: &StoredAppend) -> String {
    send(connection, statement, &mut Columns::of(row)).await.unwrap().remove(0).0
}

#[tokio::test]
async fn a_backend_that_is_terminated_during_an_append_leaves_the_outcome_unknown_and_the_next_append_works() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(1).await;
    // The insert waits for this table, so that the append can be caught in the middle.
    let mut gate = backend.direct().await;
    let mut transaction = gate.begin().await.unwrap();
    sqlx::query("LOCK TABLE turns IN ACCESS EXCLUSIVE MODE").execute(&mut *transaction).await.unwrap();
    let append = talk.say("m1", "hello");
    let killing = async {
        backend.until_blocked(1).await;
        let mut killer = backend.direct().await;
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .execute(&mut killer)
        .await
        .unwrap();
    };
    let batch = [append.clone()];
    let (outcome, ()) = tokio::join!(node.log.append(&batch), killing);
    assert!(matches!(outcome, Err(StoreError::Unknown(_))), "{outcome:?}");
    transaction.rollback().await.unwrap();
    talk.must_store(append).await;
}

#[tokio::test]
async fn an_append_without_an_answer_is_unknown_and_its_connection_is_given_up() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let settings = Settings { statement_timeout_ms: 200, lock_timeout_ms: 60_000, lanes: 1, ..backend.settings() };
    let impatient = PostgresLog::connect(&settings, node.incarnation).await.unwrap();
    let mut talk = node.talk().await;
    let mut gate = backend.direct().await;
    let mut transaction = gate.begin().await.unwrap();
    sqlx::query("LOCK TABLE turns IN ACCESS EXCLUSIVE MODE").execute(&mut *transaction).await.unwrap();
    let append = talk.say("m1", "hello");
    let error = impatient.append(std::slice::from_ref(&append)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unknown(text) if text.contains("200 ms")), "{error:?}");
    transaction.rollback().await.unwrap();
    // The abandoned statement may or may not have been stored by now: a new claim tells.
    talk = node.claim(talk.id()).await;
    talk.log = Arc::new(impatient);
    talk.chatter(1).await;
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_unavailable() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let settings = Settings { acquire_timeout_ms: 300, ..backend.settings() };
    let log = PostgresLog::connect(&settings, node.incarnation).await.unwrap();
    let mut talk = node.talk().await;
    talk.log = Arc::new(log);
    talk.chatter(1).await;
    let name = &backend.name;
    let mut server = backend.server.connect().await.unwrap();
    let mut run = async |sql: String| sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut server).await.map(drop).unwrap();
    run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    run(format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")).await;
    let append = talk.say("m1", "hello");
    let batch = [append.clone()];
    let first = talk.log.append(&batch).await.unwrap_err();
    assert!(matches!(first, StoreError::Unknown(_)), "the open connection was cut: {first:?}");
    for _ in 0..3 {
        let error = talk.log.append(&batch).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    assert!(matches!(talk.log.summary(talk.id()).await, Err(StoreError::Unavailable(_))));
    run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    // The lane reconnects by itself, after a pause that had grown.
    let outcome = async {
        loop {
            match talk.log.append(&batch).await {
                Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
                outcome => break outcome,
            }
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(30), outcome).await.unwrap();
    assert!(outcome.unwrap()[0].is_accepted());
}

#[tokio::test]
async fn a_refused_connection_at_the_start_is_a_clear_line() {
    let settings = Settings { acquire_timeout_ms: 2_000, ..Settings::new("postgres://onya:s3cret@127.0.0.1:1/onya") };
    let line = crate::store::connect(&settings, Uuid::now_v7()).await.err().unwrap().to_string();
    assert!(line.starts_with("the database cannot be reached") && !line.contains("s3cret"), "{line}");
}

/// Rows of tables that this transaction has read so far.
async fn rows_read(connection: &mut PgConnection) -> i64 {
    let read = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables";
    sqlx::query_scalar(read).fetch_one(connection).await.unwrap()
}

/// A plan that is made on empty tables must not be one that reads all of them.
#[tokio::test]
async fn an_append_reads_as_few_rows_from_long_tables_as_from_short_ones() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let log = PostgresLog::connect(&backend.settings(), node.incarnation).await.unwrap();
    let talk = node.talk().await;
    let mut lane = log.database.lanes.lane().await.unwrap();
    let mut rows_read = async || {
        let mut transaction = lane.connection.begin().await.unwrap();
        assert_eq!(outcome(&mut transaction, APPEND, &row(&talk, "m1")).await, "accepted");
        let read = rows_read(&mut transaction).await;
        transaction.rollback().await.unwrap();
        read
    };
    let short = rows_read().await;
    backend
        .execute(
            "INSERT INTO entries SELECT gen_random_uuid(), 1, 0, true, 1, 0, 'rated', '{}', gen_random_uuid(), 'm', '' \
         FROM generate_series(1, 3000)",
        )
        .await;
    backend.execute("INSERT INTO turns SELECT gen_random_uuid(), 1, 1 FROM generate_series(1, 3000)").await;
    backend
        .execute(
            "INSERT INTO conversations (id, customer, language, opened_at, last_seq, control, control_version) \
             SELECT gen_random_uuid(), gen_random_uuid(), 'en', 0, 1, '{}', 0 FROM generate_series(1, 3000)",
        )
        .await;
    let long = rows_read().await;
    assert!(long <= short + 2, "{short} rows, then {long}");
}

#[tokio::test]
async fn processes_that_start_at_once_find_one_schema_and_one_history() {
    let backend = TestPostgres::empty().await;
    let settings = backend.settings();
    let starts = (0..8).map(|_| PostgresLog::connect(&settings, Uuid::now_v7()));
    let mut epochs = std::collections::BTreeSet::new();
    for log in futures::future::join_all(starts).await {
        epochs.insert(log.unwrap().history_epoch().await.unwrap());
    }
    assert_eq!(epochs.len(), 1);
}

#[tokio::test]
async fn namesakes_that_register_at_once_leave_one_alive() {
    let backend = TestPostgres::start().await;
    let starts = (0..6).map(|_| Node::start(&backend, "a"));
    futures::future::join_all(starts).await;
    assert_eq!(backend.number("SELECT count(*) FROM members WHERE state = 'live'").await, 1);
    assert_eq!(backend.number("SELECT count(*) FROM members").await, 6);
}

#[tokio::test]
async fn commits_are_durable_even_where_the_database_has_that_switched_off() {
    let backend = TestPostgres::start().await;
    let name = &backend.name;
    let off = AssertSqlSafe(format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    sqlx::query(off).execute(&mut backend.direct().await).await.unwrap();
    let log = PostgresLog::connect(&backend.settings(), Uuid::now_v7()).await.unwrap();
    let mut lane = log.database.lanes.lane().await.unwrap();
    let setting: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut lane.connection).await.unwrap();
    assert_eq!(setting, "on");
}
