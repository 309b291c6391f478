//! Moving the schema: steps forward and back, who may, and databases of other versions.

use sqlx::Connection as _;
use uuid::Uuid;

use super::super::{PostgresLog, migrate};
use super::TestPostgres;
use crate::store::ConnectError;
use crate::store::contract::Backend as _;
use crate::store::migrations::{Direction, POSTGRES, Step, StepStatus};

fn applied(steps: &[StepStatus]) -> usize {
    steps.iter().filter(|step| step.applied).count()
}

#[tokio::test]
async fn every_step_back_and_forward_leaves_a_working_schema() {
    let backend = TestPostgres::empty().await;
    let settings = backend.settings();
    assert_eq!(applied(&crate::store::migration_status(&settings).await.unwrap()), 0);
    assert_eq!(applied(&crate::store::migrate(&settings, Direction::Up).await.unwrap()), POSTGRES.len());
    for left in (0..POSTGRES.len()).rev() {
        assert_eq!(applied(&crate::store::migrate(&settings, Direction::Down).await.unwrap()), left);
    }
    let left = "SELECT count(*) FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace \
                WHERE nspname NOT LIKE 'pg_%' AND nspname <> 'information_schema' AND relkind <> 'i'";
    assert_eq!(backend.number(left).await, 1, "the list of steps only");
    let log = PostgresLog::connect(&settings, Uuid::now_v7()).await.unwrap();
    crate::store::EventLog::ping(&log).await.unwrap();
    assert_eq!(applied(&crate::store::migration_status(&settings).await.unwrap()), POSTGRES.len());
}

#[tokio::test]
async fn a_step_that_fails_half_way_leaves_nothing_of_itself() {
    let backend = TestPostgres::start().await;
    crate::store::migrate(&backend.settings(), Direction::Up).await.unwrap();
    let step = Step {
        version: 99,
        name: "broken",
        up: "CREATE TABLE half (id bigint); INSERT INTO half VALUES (1); SELECT 1 / 0",
        down: "",
        needs: 0,
    };
    migrate::take_step(&mut backend.direct().await, &step, true).await.unwrap_err();
    assert_eq!(backend.number("SELECT count(*) FROM pg_tables WHERE tablename = 'half'").await, 0);
    assert_eq!(backend.number("SELECT count(*) FROM schema_migrations WHERE version = 99").await, 0);
}

#[tokio::test]
async fn a_newer_database_is_served_unless_it_needs_a_newer_program() {
    let backend = TestPostgres::start().await;
    let settings = backend.settings();
    crate::store::migrate(&settings, Direction::Up).await.unwrap();
    let newest = POSTGRES.last().unwrap().version;
    backend.execute("INSERT INTO schema_migrations VALUES (9000, 'expand', 0, 0)").await;
    PostgresLog::connect(&settings, Uuid::now_v7()).await.unwrap();
    let refused = crate::store::migrate(&settings, Direction::Down).await.unwrap_err();
    assert_eq!(refused, ConnectError::UnknownStep { version: 9000, newest });
    backend.execute("INSERT INTO schema_migrations VALUES (9001, 'contract', 0, 9000)").await;
    let refused = PostgresLog::connect(&settings, Uuid::now_v7()).await.err().unwrap();
    assert_eq!(refused, ConnectError::TooNew { version: 9001, needs: 9000, newest });
    let status = crate::store::migration_status(&settings).await.unwrap();
    assert_eq!(applied(&status), POSTGRES.len() + 2, "looking is allowed");
}

#[tokio::test]
async fn a_list_of_steps_from_before_they_needed_anything_is_read_and_completed() {
    let backend = TestPostgres::start().await;
    let settings = backend.settings();
    crate::store::migrate(&settings, Direction::Up).await.unwrap();
    backend.execute("ALTER TABLE schema_migrations DROP COLUMN needs").await;
    assert_eq!(applied(&crate::store::migration_status(&settings).await.unwrap()), POSTGRES.len());
    PostgresLog::connect(&settings, Uuid::now_v7()).await.unwrap();
    crate::store::migrate(&settings, Direction::Down).await.unwrap();
    crate::store::migrate(&settings, Direction::Up).await.unwrap();
    assert_eq!(backend.number("SELECT sum(needs)::bigint FROM schema_migrations").await, 0);
}

#[tokio::test]
async fn a_process_that_waits_for_another_goes_on_as_soon_as_it_is_done() {
    let backend = TestPostgres::empty().await;
    let mut other = backend.direct().await;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(migrate::LOCK).execute(&mut other).await.unwrap();
    let settings = backend.settings();
    let waiting = crate::store::migrate(&settings, Direction::Up);
    let released = async {
        backend.until_blocked(1).await;
        other.close().await.unwrap();
    };
    let (steps, ()) = tokio::join!(waiting, released);
    assert_eq!(applied(&steps.unwrap()), POSTGRES.len());
}
