//! What a page of history and an activation read, of a short log and of a long one.

use onya_actors::ports::TailLimit;
use onya_core::conversation::Snapshot;

use super::super::Take;
use super::super::claim::claim_within;
use super::super::read::{entries_after, entries_before, tail_entries};
use super::*;

/// As servers have it.
const WINDOW: TailLimit = TailLimit { entries: 200, bytes: 262_144 };

/// Rows read by: a page forward from the middle, a page back from there, the newest page, in the customer's view and in
/// that of staff; the end of the log for readers; and an activation.
async fn rows_of_everything(backend: &TestPostgres, node: &Node, talk: &Talk) -> [i64; 6] {
    let last = i64::try_from(node.log.summary(talk.id()).await.unwrap().unwrap().last_seq).unwrap();
    let (middle, mut rows, mut before) = (last / 2, Vec::new(), 0);
    let options = session::options(&backend.settings(), None).unwrap();
    let mut connection = options.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    for step in 0..6 {
        for staff in [true, false] {
            let page = match step {
                0 => entries_after(&mut transaction, talk.id(), middle, (staff, 50)).await.map(drop),
                1 => entries_before(&mut transaction, talk.id(), middle, (staff, 50)).await.map(drop),
                2 => entries_before(&mut transaction, talk.id(), i64::MAX, (staff, 50)).await.map(drop),
                3 => entries_after(&mut transaction, talk.id(), 0, (staff, 50)).await.map(drop),
                4 => tail_entries(&mut transaction, talk.id(), last, WINDOW).await.map(drop),
                _ => {
                    claim_within(&mut transaction, node.incarnation, (talk.id(), Take::IfFree), WINDOW).await.map(drop)
                }
            };
            page.unwrap();
        }
        let read = rows_read(&mut transaction).await;
        rows.push(read - before);
        before = read;
    }
    transaction.rollback().await.unwrap();
    rows.try_into().unwrap()
}

/// Entries that customers see and that decide nothing; the snapshot is taken along, as a server does every 64 entries.
async fn lengthen(backend: &TestPostgres, to: usize) {
    let length = AssertSqlSafe(format!(
        "INSERT INTO entries SELECT c.id, n, n - 1, true, c.opened_at, 1, 'rated', \
         '{{\"type\":\"rated\",\"reply\":null,\"score\":\"up\",\"comment\":null}}' \
         FROM conversations AS c, generate_series(c.last_seq + 1, {to}) AS n"
    ));
    let mut direct = backend.direct().await;
    sqlx::query(length).execute(&mut direct).await.unwrap();
    let head = AssertSqlSafe(format!(
        "UPDATE conversations SET last_seq = {to}, snapshot_seq = {to}, snapshot = \
         regexp_replace(regexp_replace(snapshot, '\"seq\":[0-9]+', '\"seq\":{to}'), '\"customer_seq\":[0-9]+', \
         '\"customer_seq\":{to}')"
    ));
    sqlx::query(head).execute(&mut direct).await.unwrap();
    sqlx::query("ANALYZE").execute(&mut direct).await.unwrap();
}

#[tokio::test]
async fn a_page_and_an_activation_read_as_few_rows_of_a_hundred_thousand_entries_as_of_a_few_hundred() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(4).await;
    let mut say = talk.say("s", "snapshot");
    let mut after = talk.state.clone();
    say.entries.iter().for_each(|entry| after.apply(entry));
    say.snapshot = Some(Box::new(Snapshot { version: Snapshot::VERSION, state: after }));
    talk.must_store(say).await;
    let ten = rows_of_everything(&backend, &node, &talk).await;
    lengthen(&backend, 500).await;
    let some = rows_of_everything(&backend, &node, &talk).await;
    lengthen(&backend, 100_000).await;
    let many = rows_of_everything(&backend, &node, &talk).await;
    assert_eq!(many, some, "rows of 100,000 entries and of 500; of a few: {ten:?}");
    assert!(many[..4].iter().all(|rows| *rows == 100), "a page reads its own entries, for two views: {many:?}");
    assert!(many[4] == 400 && many[5] <= 420, "two times the window: {many:?}");
}
