//! A batch that the database does not take as it is: bad data in it, or somebody in its way.

use onya_actors::ports::AppendOutcome;

use super::TestPostgres;
use crate::store::contract::Backend as _;
use crate::store::contract::fixture::Node;

#[tokio::test]
async fn what_only_the_database_finds_wrong_is_bisected_to_one_conversation() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    backend.execute("ALTER TABLE entries ADD CHECK (body NOT LIKE '%poison%')").await;
    let mut talks = Vec::new();
    for _ in 0..33 {
        talks.push(node.talk().await);
    }
    let text = |number: usize| if [3, 4, 20].contains(&number) { "poison" } else { "hello" };
    let batch: Vec<_> = talks.iter().enumerate().map(|(number, talk)| talk.say("m1", text(number))).collect();
    let outcomes = node.log.append(&batch).await.unwrap();
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let poisoned = text(number) == "poison";
        assert_eq!(outcome.is_accepted(), !poisoned, "{number}");
        assert_eq!(outcome == AppendOutcome::Poisoned, poisoned, "{number}");
    }
    assert_eq!(backend.number("SELECT count(*) FROM dead_letters WHERE reason LIKE '%23514%'").await, 3);
    assert_eq!(backend.number("SELECT count(*) FROM entries").await, 33 + 30 * 2);
}

#[tokio::test]
async fn a_batch_in_conflict_is_sent_again_and_in_the_end_told_locked() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    // What a sequence has counted stays counted when the transaction is undone.
    backend.execute("CREATE SEQUENCE tries MINVALUE -9").await;
    let conflict = "CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('tries') < 0 THEN \
                    RAISE EXCEPTION 'in the way' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$";
    backend.execute(conflict).await;
    backend.execute("CREATE TRIGGER conflict AFTER INSERT ON turns EXECUTE FUNCTION conflict()").await;
    let mut talks = [node.talk().await, node.talk().await];
    for (conflicts, stored) in [(2, true), (3, false), (0, true)] {
        let set = sqlx::query("SELECT setval('tries', $1, false)").bind(-conflicts);
        set.execute(&mut backend.direct().await).await.unwrap();
        let batch = talks.each_ref().map(|talk| talk.say(&format!("after-{conflicts}"), "hello"));
        let outcomes = node.log.append(&batch).await.unwrap();
        for ((talk, append), outcome) in talks.iter_mut().zip(&batch).zip(outcomes) {
            match outcome {
                AppendOutcome::Accepted(link) if stored => talk.apply(append, link),
                AppendOutcome::Locked if !stored => {}
                other => panic!("after {conflicts} conflicts: {other:?}"),
            }
        }
    }
    assert_eq!(backend.number("SELECT count(*) FROM dead_letters").await, 0);
    assert_eq!(backend.number("SELECT count(*) FROM entries WHERE client_msg_id IS NOT NULL").await, 4);
}
