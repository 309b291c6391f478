//! Partitions: where rows go, what is made and dropped, and that nothing is lost on the way.

use onya_actors::ports::{AppendOutcome, NewConversation};
use onya_core::conversation::{ReplyEnding, Signal};
use onya_core::{ConversationId, ParticipantId};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::super::partitions::notices;
use super::TestPostgres;
use crate::store::ConnectError;
use crate::store::calendar::Month;
use crate::store::clock::now_ms;
use crate::store::contract::Backend as _;
use crate::store::contract::appending::repeat;
use crate::store::contract::fixture::{Node, Talk, new_conversation};
use crate::store::migrations::Direction;
use crate::store::upkeep::{Outcome, Upkeep, keep_up};

const AHEAD: Upkeep = Upkeep { months_ahead: 3, dry_run: false };

fn names(outcome: &Outcome) -> Vec<String> {
    outcome.made.iter().map(ToString::to_string).collect()
}

fn expected(months: std::ops::RangeInclusive<i64>) -> Vec<String> {
    let now = Month::of(now_ms());
    ["entries", "turns"]
        .iter()
        .flat_map(|table| months.clone().map(move |ahead| format!("{table}_{}", now.plus(ahead))))
        .collect()
}

/// A conversation that is created so many months from now, half way through.
fn in_month(months: i64) -> NewConversation {
    let month = Month::of(now_ms()).plus(months);
    let half = u64::try_from(month.start_ms() + (month.plus(1).start_ms() - month.start_ms()) / 2).unwrap();
    let at = uuid::Timestamp::from_unix(uuid::NoContext, half / 1_000, 0);
    NewConversation { id: ConversationId(Uuid::new_v7(at)), ..new_conversation(ParticipantId(Uuid::now_v7()), "en") }
}

async fn partition_of(backend: &TestPostgres, id: ConversationId) -> Vec<String> {
    let query = "SELECT DISTINCT tableoid::regclass::text FROM entries WHERE conversation = $1";
    sqlx::query_scalar(query).bind(id.0).fetch_all(&mut backend.direct().await).await.unwrap()
}

#[tokio::test]
async fn partitions_are_made_ahead_once_and_a_dry_run_makes_none() {
    let backend = TestPostgres::start().await;
    Node::start(&backend, "a").await;
    let settings = backend.settings();
    assert_eq!(notices(&mut backend.direct().await).await.unwrap().len(), 2, "one for each table");
    let dry = keep_up(&settings, Upkeep { dry_run: true, ..AHEAD }).await.unwrap();
    assert_eq!(names(&dry), expected(1..=3));
    let count = "SELECT count(*) FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relkind = 'r'";
    assert_eq!(backend.number(count).await, 2, "the defaults");
    let made = keep_up(&settings, AHEAD).await.unwrap();
    assert_eq!((names(&made), made.dropped, made.notices), (expected(1..=3), vec![], vec![]));
    assert_eq!(keep_up(&settings, AHEAD).await.unwrap(), Outcome::default());
    assert_eq!(backend.number(count).await, 8);
    assert_eq!(notices(&mut backend.direct().await).await.unwrap(), Vec::<String>::new());
    let more = keep_up(&settings, Upkeep { months_ahead: 5, dry_run: false }).await.unwrap();
    assert_eq!(names(&more), expected(4..=5));
}

#[tokio::test]
async fn many_at_once_make_each_partition_once_while_conversations_go_on() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let settings = backend.settings();
    let mut talk = node.talk().await;
    let many = futures::future::join_all((0..4).map(|_| keep_up(&settings, AHEAD)));
    let talking = async {
        for number in 0..60 {
            let append = talk.say(&format!("m{number}"), "hello");
            while talk.store(append.clone()).await == AppendOutcome::Locked {}
        }
    };
    let (outcomes, ()) = tokio::join!(many, talking);
    let mut made: Vec<_> = outcomes.into_iter().flat_map(|outcome| names(&outcome.unwrap())).collect();
    made.sort();
    assert_eq!(made, expected(1..=3));
    assert_eq!(node.entries(talk.id()).await.len(), usize::try_from(talk.state.seq).unwrap());
}

#[tokio::test]
async fn a_conversation_lies_in_the_partition_of_its_month_and_its_keys_hold_in_either() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    keep_up(&backend.settings(), AHEAD).await.unwrap();
    for (months, partition) in [(0, "entries_default".to_owned()), (2, expected(2..=2).remove(0))] {
        let id = node.log.open(in_month(months)).await.unwrap().id();
        let mut talk = node.claim(id).await;
        let first = talk.say("m1", "hello");
        talk.must_store(first.clone()).await;
        talk.chatter(3).await;
        assert_eq!(partition_of(&backend, id).await, std::slice::from_ref(&partition));
        let again = repeat(&talk, &first);
        assert!(matches!(talk.store(again).await, AppendOutcome::Repeated(_)), "{partition}");
        assert_eq!(node.claim(id).await.state, talk.state);
        // Behind the statement stand the keys of the partition itself.
        for copy in ["seq", "seq + 1000"] {
            let insert = format!(
                "INSERT INTO entries (conversation, seq, customer_prev, customer_sees, at, epoch, kind, body, participant, \
                 client_msg_id, commitment) SELECT conversation, {copy}, 0, true, at, epoch, kind, body, participant, \
                 client_msg_id, commitment FROM entries WHERE conversation = $1 AND client_msg_id = 'm1'"
            );
            let copied = sqlx::query(AssertSqlSafe(insert)).bind(id.0).execute(&mut backend.direct().await).await;
            let code = copied.unwrap_err().as_database_error().unwrap().code().unwrap().into_owned();
            assert_eq!(code, "23505", "{partition} {copy}");
        }
    }
}

#[tokio::test]
async fn a_month_of_which_the_default_holds_rows_never_gets_a_partition() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let id = node.log.open(in_month(2)).await.unwrap().id();
    let outcome = keep_up(&backend.settings(), AHEAD).await.unwrap();
    let entries = expected(2..=2).remove(0);
    assert!(!names(&outcome).contains(&entries), "{outcome:?}");
    assert_eq!(outcome.made.len(), 5);
    assert!(outcome.notices.len() == 1 && outcome.notices[0].contains(&entries), "{outcome:?}");
    node.claim(id).await.chatter(2).await;
    assert_eq!(partition_of(&backend, id).await, ["entries_default"]);
    let later = node.log.open(in_month(3)).await.unwrap().id();
    assert_eq!(partition_of(&backend, later).await, [expected(3..=3).remove(0)]);
}

#[tokio::test]
async fn only_a_month_that_is_over_and_holds_nothing_is_dropped() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let settings = backend.settings();
    keep_up(&settings, AHEAD).await.unwrap();
    let (past, over) = (Month::of(now_ms()).plus(-3), Month::of(now_ms()).plus(-2));
    for (table, month) in [("entries", past), ("turns", past), ("entries", over)] {
        let (from, to) = (month.first_id(), month.plus(1).first_id());
        let make = format!("CREATE TABLE {table}_{month} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}')");
        sqlx::query(AssertSqlSafe(make)).execute(&mut backend.direct().await).await.unwrap();
    }
    let id = node.log.open(in_month(-3)).await.unwrap().id();
    assert_eq!(partition_of(&backend, id).await, [format!("entries_{past}")]);
    let would = keep_up(&settings, Upkeep { dry_run: true, ..AHEAD }).await.unwrap();
    let done = keep_up(&settings, AHEAD).await.unwrap();
    assert_eq!(would, done);
    let dropped: Vec<_> = done.dropped.iter().map(ToString::to_string).collect();
    assert_eq!(dropped, [format!("entries_{over}"), format!("turns_{past}")]);
    assert_eq!(keep_up(&settings, AHEAD).await.unwrap(), Outcome::default());
    // Its turns have no partition any more: they lie in the default, and nothing fails.
    let mut talk = node.claim(id).await;
    talk.chatter(2).await;
    backend.execute("DELETE FROM entries").await;
    let dropped = keep_up(&settings, AHEAD).await.unwrap().dropped;
    assert_eq!(dropped.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("entries_{past}")]);
}

#[tokio::test]
async fn what_a_run_that_was_cut_off_left_is_said_and_taken_away_by_the_next() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    let settings = backend.settings();
    let next = Month::of(now_ms()).plus(1);
    let outside = format!("conversation < '{}' OR conversation >= '{}'", next.first_id(), next.plus(1).first_id());
    let left = format!("ALTER TABLE entries_default ADD CONSTRAINT onya_ahead CHECK ({outside}) NOT VALID");
    sqlx::query(AssertSqlSafe(left)).execute(&mut backend.direct().await).await.unwrap();
    let said = notices(&mut backend.direct().await).await.unwrap();
    assert!(said.iter().any(|notice| notice.contains("was cut off")), "{said:?}");
    assert_eq!(names(&keep_up(&settings, AHEAD).await.unwrap()), expected(1..=3));
    assert_eq!(notices(&mut backend.direct().await).await.unwrap(), Vec::<String>::new());
    node.log.open(in_month(1)).await.unwrap();
    assert_eq!(backend.number("SELECT count(*) FROM pg_constraint WHERE conname = 'onya_ahead'").await, 0);
}

#[tokio::test]
async fn a_schema_without_partitions_is_said_and_works() {
    let backend = TestPostgres::start().await;
    let settings = backend.settings();
    crate::store::migrate(&settings, Direction::Up).await.unwrap();
    while backend.number("SELECT count(*) FROM pg_class WHERE relname = 'entries' AND relkind = 'p'").await == 1 {
        crate::store::migrate(&settings, Direction::Down).await.unwrap();
    }
    assert_eq!(keep_up(&settings, AHEAD).await.unwrap_err(), ConnectError::NoPartitions);
    assert_eq!(notices(&mut backend.direct().await).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_batch_over_many_months_in_any_order_finds_repeats_and_turns_in_each() {
    let backend = TestPostgres::start().await;
    let node = Node::start(&backend, "a").await;
    keep_up(&backend.settings(), AHEAD).await.unwrap();
    let mut talks = Vec::new();
    for months in [2, 0, 3, 1] {
        let id = node.log.open(in_month(months)).await.unwrap().id();
        talks.push(node.claim(id).await);
    }
    // Questions, each of which opens a turn.
    let mut questions = Vec::new();
    for talk in &mut talks {
        let question = talk.say("m1", "hello");
        talk.must_store(question.clone()).await;
        questions.push(question);
    }
    let again: Vec<_> = talks.iter().zip(&questions).map(|(talk, question)| repeat(talk, question)).collect();
    let repeated = node.log.append(&again).await.unwrap();
    assert!(repeated.iter().all(|outcome| matches!(outcome, AppendOutcome::Repeated(_))), "{repeated:?}");
    let end = |talk: &Talk| {
        let turn = talk.state.turn.unwrap();
        let ending = ReplyEnding::Complete { text: "done".to_owned() };
        talk.signal(Signal::FinishReply { turn: turn.turn, attempt: turn.attempt, ending })
    };
    let ends: Vec<_> = talks.iter().map(end).collect();
    let ended = node.log.append(&ends).await.unwrap();
    assert!(ended.iter().all(AppendOutcome::is_accepted), "{ended:?}");
    assert_eq!(backend.number("SELECT count(*) FROM turns WHERE ended_seq IS NOT NULL").await, 4);
}
