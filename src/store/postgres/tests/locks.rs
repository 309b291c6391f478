//! The locks that the fence stands on: what an append and a claim of one conversation make of each other.

use onya_actors::ports::{AppendOutcome, Claim, EventLog as _, StoreError};
use sqlx::Connection as _;

use super::super::append::{APPEND, send};
use super::super::columns::Columns;
use super::super::planted::{exists_fence, variant};
use super::super::{PostgresLog, error};
use super::{TestPostgres, outcome, row};
use crate::store::Settings;
use crate::store::contract::Backend as _;
use crate::store::contract::fixture::{Node, TAIL};

#[tokio::test]
async fn an_append_during_a_claim_is_told_locked_and_waits_for_nobody() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let (mut talk, mut free) = (node.talk().await, node.talk().await);
    let mut claim = backend.direct().await;
    let mut transaction = claim.begin().await.unwrap();
    let lock = sqlx::query(include_str!("../queries/lock.sql")).bind(talk.id().0);
    lock.execute(&mut *transaction).await.unwrap();
    let batch = [talk.say("m1", "hello"), free.say("m1", "hello")];
    let outcomes = node.log.append(&batch).await.unwrap();
    let [AppendOutcome::Locked, AppendOutcome::Accepted(link)] = outcomes[..] else { panic!("{outcomes:?}") };
    transaction.rollback().await.unwrap();
    talk.must_store(batch[0].clone()).await;
    free.apply(&batch[1], link);
    free.chatter(1).await;
}

#[tokio::test]
async fn a_claim_waits_for_an_append_in_flight_but_not_for_ever() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let talk = node.talk().await;
    let settings = Settings { lock_timeout_ms: 50, ..backend.settings() };
    let impatient = PostgresLog::connect(&settings, node.incarnation).await.unwrap();
    let mut append = backend.direct().await;
    let mut transaction = append.begin().await.unwrap();
    let accepted = outcome(&mut transaction, APPEND, &row(&talk, "m1")).await;
    assert_eq!(accepted, "accepted");
    let error = impatient.claim(talk.id(), TAIL).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("55P03")), "{error:?}");
    let claiming = node.log.claim(talk.id(), TAIL);
    let committing = async {
        backend.until_blocked(1).await;
        transaction.commit().await.unwrap();
    };
    let (claim, ()) = tokio::join!(claiming, committing);
    let Claim::Owned(owned) = claim.unwrap() else { panic!("not owned") };
    assert_eq!((owned.state.seq, owned.tail.len()), (3, 3));
}

/// The statement with a pause between its snapshot and its locks: it waits for advisory lock 42.
const PAUSED_FROM: &str = "WHERE c.id = ANY ($1)\n    ORDER BY c.id";
const PAUSED_TO: &str =
    "WHERE c.id = ANY ($1) AND (SELECT count(pg_advisory_xact_lock_shared(42)::text) = 1)\n    ORDER BY c.id";

#[derive(Clone, Copy, PartialEq)]
enum Meanwhile {
    /// Another incarnation claims.
    Claim,
    /// The log grows by the very command that is being appended, under the same fence.
    SameCommand,
}

/// Lets the conversation change between the statement's snapshot and its locks; what the statement says then, and
/// what the log holds.
async fn change_after_snapshot(statement: &'static str, meanwhile: Meanwhile) -> (Result<String, String>, usize) {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let mut talk = node.talk().await;
    let mut columns = Columns::of(&row(&talk, "m1"));
    let mut gate = backend.direct().await;
    sqlx::query("SELECT pg_advisory_lock(42)").execute(&mut gate).await.unwrap();
    let mut paused = backend.direct().await;
    let appending = send(&mut paused, statement, &mut columns);
    let changing = async {
        backend.until_blocked(1).await;
        match meanwhile {
            Meanwhile::Claim => drop(node.claim(talk.id()).await),
            Meanwhile::SameCommand => {
                let say = talk.say("m1", "hello");
                talk.must_store(say).await;
            }
        }
        sqlx::query("SELECT pg_advisory_unlock(42)").execute(&mut gate).await.unwrap();
    };
    let (rows, ()) = tokio::join!(appending, changing);
    let outcome = rows.map(|mut rows| rows.remove(0).0).map_err(|error| error::describe(&error));
    (outcome, node.entries(talk.id()).await.len())
}

#[tokio::test]
async fn a_row_that_changed_after_the_statements_snapshot_is_compared_as_it_is_now() {
    let paused = variant(APPEND, &[(PAUSED_FROM, PAUSED_TO)]);
    assert_eq!(change_after_snapshot(paused, Meanwhile::Claim).await, (Ok("fenced".to_owned()), 1));
    assert_eq!(change_after_snapshot(paused, Meanwhile::SameCommand).await, (Ok("fenced".to_owned()), 3));
}

/// A planted fault: the fence is looked at, but not locked. The claim in the pause then goes unnoticed, which is what
/// the test above would show if the statement lost its lock.
#[tokio::test]
async fn without_the_lock_a_claim_after_the_snapshot_is_missed() {
    let lockless = variant(exists_fence(), &[(PAUSED_FROM, PAUSED_TO)]);
    let (outcome, length) = change_after_snapshot(lockless, Meanwhile::Claim).await;
    assert_eq!((outcome, length), (Ok("accepted".to_owned()), 3));
}
