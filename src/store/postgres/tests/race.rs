//! The race between claims and appends, with statements that are wrong: the findings must show it.

use std::sync::Arc;

use onya_actors::ports::{EventLog as _, Member};
use onya_core::Timestamp;
use uuid::Uuid;

use super::super::PostgresLog;
use super::super::planted::{exists_fence, on_conflict};
use super::TestPostgres;
use crate::store::contract::Backend as _;
use crate::store::contract::fixture::Node;
use crate::store::contract::race::{Findings, race};

async fn race_with(statement: &'static str) -> Findings {
    let backend = TestPostgres::start().await;
    let incarnation = Uuid::now_v7();
    let mut log = PostgresLog::connect(&backend.settings(), incarnation).await.unwrap();
    log.database.append = statement;
    log.register(&Member::alone(incarnation, "a", Timestamp(1))).await.unwrap();
    race(&Node { incarnation, log: Arc::new(log) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_that_is_only_looked_at_lets_claims_miss_rows() {
    let findings = race_with(exists_fence()).await;
    assert!(findings.missed > 0, "{findings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_left_to_on_conflict_leave_holes() {
    let findings = race_with(on_conflict()).await;
    assert!(findings.gaps > 0, "{findings:?}");
}
