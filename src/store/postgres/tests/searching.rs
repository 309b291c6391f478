//! Search beside others who write.

use onya_actors::ports::Search;

use sqlx::SqlSafeStr as _;

use super::super::search::{BEGIN_SEARCH, all, newest, write};
use super::*;
use crate::store::search::{Advance, Indexed, Looked};

async fn behind(node: &Node) -> Talk {
    let mut talk = node.talk().await;
    talk.chatter(3).await;
    talk
}

#[tokio::test]
async fn a_step_that_somebody_overtook_writes_nothing() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let (talk, other) = (behind(&node).await, behind(&node).await);
    let step = |talk: &Talk, before| {
        let conversation = talk.id().0;
        let text = Indexed { at: 1, conversation, seq: 2, words: "text".to_owned() };
        (Advance { conversation, before, reached: 4 }, vec![text])
    };
    let mut connection = backend.direct().await;
    // It was read when nothing was searchable; since then, somebody took the words out of the index.
    backend.execute("UPDATE conversations SET searched_seq = last_seq").await;
    assert!(!write(&mut connection, &[step(&talk, 1), step(&other, 1)]).await.unwrap());
    let (written, moved) =
        ("SELECT count(*) FROM search", "SELECT count(*) FROM conversations WHERE searched_seq = last_seq");
    assert_eq!((backend.number(written).await, backend.number(moved).await), (0, 2));
    backend.execute("UPDATE conversations SET searched_seq = 1").await;
    assert!(write(&mut connection, &[step(&talk, 1), step(&other, 1)]).await.unwrap());
    assert_eq!(backend.number(written).await, 2);
}

#[tokio::test]
async fn a_step_waits_neither_for_an_append_nor_for_another_servers_step() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let (talk, _other) = (behind(&node).await, behind(&node).await);
    let mut gate = backend.direct().await;
    let mut transaction = gate.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM conversations WHERE id = $1 FOR UPDATE").bind(talk.id().0);
    lock.execute(&mut *transaction).await.unwrap();
    assert_eq!(node.log.index_texts().await, Ok(1), "the other one");
    assert_eq!(node.log.index_texts().await, Ok(0));
    transaction.rollback().await.unwrap();
    let mut transaction = gate.begin().await.unwrap();
    let step = format!("SELECT pg_advisory_xact_lock({})", 0x77_6f72_6473_i64);
    sqlx::query(AssertSqlSafe(step)).execute(&mut *transaction).await.unwrap();
    assert_eq!(node.log.index_texts().await, Ok(0));
    transaction.rollback().await.unwrap();
    assert_eq!(node.log.index_texts().await, Ok(1));
    assert_eq!(node.log.index_texts().await, Ok(0));
}

/// The plan is made once a session, without knowing how many texts there will be.
#[tokio::test]
async fn a_rare_word_is_found_by_the_index_and_a_common_one_among_the_newest() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let mut talk = node.talk().await;
    let rare = talk.say("m1", "a rare needle");
    talk.must_store(rare).await;
    while node.log.index_texts().await.unwrap() > 0 {}
    backend
        .execute(
            "INSERT INTO search SELECT gen_random_uuid(), 1, 1000000 + n, array_to_tsvector(ARRAY['common', 'w' || n]) \
             FROM generate_series(1, 20000) AS n",
        )
        .await;
    backend.execute("INSERT INTO entries SELECT conversation, seq, 0, true, at, 0, 'message_said', \
         '{\"type\":\"message_said\",\"author\":{\"id\":\"00000000-0000-0000-0000-000000000000\",\"role\":\"customer\"},\"text\":\"common\"}' \
         FROM search WHERE at > 1000000").await;
    let (common, rare) = (read(&backend, "common").await, read(&backend, "needle").await);
    assert_eq!((common.0, rare.0), ((20, 20), (0, 1)), "hits among the newest, and among all");
    let (newest, all) = rare.1;
    assert!(common.1.0 <= 2_100 && newest <= 2_100 && all <= 10, "{common:?} {rare:?}");
}

type Pair = (i64, i64);

/// Hits and rows read: among the newest texts, and by the index.
async fn read(backend: &TestPostgres, query: &str) -> (Pair, Pair) {
    let looked = Looked::new(&Search { query: query.to_owned(), before: None, limit: 20 }).unwrap();
    let options = session::options(&backend.settings(), None).unwrap();
    let mut connection = options.connect().await.unwrap();
    let mut transaction = connection.begin_with(BEGIN_SEARCH.into_sql_str()).await.unwrap();
    let end = (i64::MAX, Uuid::max(), i64::MAX);
    let mut hits = vec![newest(&mut transaction, &looked, end, 20).await.unwrap().len() as i64];
    let mut rows = vec![rows_read(&mut transaction).await];
    hits.push(all(&mut transaction, &looked, end, 20).await.unwrap().len() as i64);
    rows.push(rows_read(&mut transaction).await - rows[0]);
    ((hits[0], hits[1]), (rows[0], rows[1]))
}
