//! Erasure, seen from outside: no word is left in any table or file, readers see the tombstone, holds refuse, and whatever
//! dies in the middle has erased everything or nothing.

use onya_protocol::{Control, EntryBody};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::on_each_store;
use crate::support::{
    AgentClient, Answer, Backend, ChatClient, NodeSettings, TestNode, Visitor, answer, eventually, ledger,
};

/// Stands in every place where somebody's words can go.
const WORDS: &str = "canary-3c9e";

on_each_store! {
    an_erasure_while_a_reply_streams_leaves_no_word_anywhere,
    an_erasure_while_an_agent_has_it_empties_the_desk_too,
    what_a_killed_node_owned_is_erased_by_the_next,
    a_hold_refuses_until_it_is_lifted,
    a_node_that_is_killed_in_the_middle_has_erased_all_or_nothing,
    a_conversation_is_erased_when_its_time_is_over,
}

async fn slow(backend: Backend) -> TestNode {
    NodeSettings::new(backend).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 20).start().await
}

fn supervisor(node: &TestNode) -> String {
    node.token(&["--role", "supervisor", "--name", "Grace"])
}

/// Busy for a moment, if its row is locked just then: nothing has happened, and it is asked again.
async fn erase(node: &TestNode, token: &str, visitor: &Visitor, key: &str) -> Answer {
    let path = format!("/v1/conversations/{}/erase", visitor.conversation);
    eventually(async || {
        let answer = node.post(&path, (token, key), json!({})).await;
        (answer.status != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await
}

/// The tables in which the words stand, and the files of the embedded database.
async fn places(backend: Backend, node: &TestNode) -> Vec<String> {
    match backend {
        Backend::Postgres => postgres_places(&node.database_url()).await,
        Backend::Sqlite => {
            let mut found = sqlite_places(&node.database_url()).await;
            // Moved rows have left copies between those that there are.
            let maintained = node.run(&["maintain"]).await;
            assert!(maintained.status.success(), "{maintained:?}");
            let url = node.database_url();
            let file = std::path::Path::new(url.strip_prefix("sqlite://").unwrap());
            for file in std::fs::read_dir(file.parent().unwrap()).unwrap().map(Result::unwrap) {
                let bytes = std::fs::read(file.path()).unwrap();
                if bytes.windows(WORDS.len()).any(|window| window == WORDS.as_bytes()) {
                    found.push(file.file_name().into_string().unwrap());
                }
            }
            found
        }
    }
}

async fn postgres_places(url: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, CASE data_type WHEN 'bytea' THEN format('encode(%I, ''escape'')', column_name) \
                                  ELSE format('%I::text', column_name) END \
         FROM information_schema.columns WHERE table_schema = 'public'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut found = Vec::new();
    for (table, column) in columns {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE strpos({column}, $1) > 0"));
        if sqlx::query_scalar::<_, i64>(count).bind(WORDS).fetch_one(&mut connection).await.unwrap() > 0 {
            found.push(table);
        }
    }
    found
}

async fn sqlite_places(url: &str) -> Vec<String> {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut found = Vec::new();
    for (table, column) in columns {
        let count = AssertSqlSafe(format!(
            "SELECT count(*) FROM \"{table}\" WHERE instr(CAST(\"{column}\" AS BLOB), CAST($1 AS BLOB)) > 0"
        ));
        if sqlx::query_scalar::<_, i64>(count).bind(WORDS).fetch_one(&mut connection).await.unwrap() > 0 {
            found.push(table);
        }
    }
    // One that is only dropped goes on reading for a moment.
    connection.close().await.unwrap();
    found
}

/// Runs statements in the node's database, behind its back; the first number of the last one.
async fn number(backend: Backend, node: &TestNode, statements: &[&'static str]) -> i64 {
    let mut number = None;
    for statement in statements {
        number = match backend {
            Backend::Postgres => {
                let mut connection = PgConnection::connect(&node.database_url()).await.unwrap();
                sqlx::query_scalar(*statement).fetch_optional(&mut connection).await.unwrap()
            }
            Backend::Sqlite => {
                let mut connection = SqliteConnection::connect(&node.database_url()).await.unwrap();
                sqlx::query_scalar(*statement).fetch_optional(&mut connection).await.unwrap()
            }
        };
    }
    number.unwrap_or_default()
}

fn shows_erased(client: &ChatClient) -> bool {
    client.replica.entries.values().next_back().is_some_and(|entry| matches!(entry.body, EntryBody::Erased { .. }))
}

fn holds_words(replica: &crate::support::Replica) -> bool {
    serde_json::to_string(&replica.entries).unwrap().contains(WORDS)
}

async fn an_erasure_while_a_reply_streams_leaves_no_word_anywhere(backend: Backend) {
    let node = slow(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let mut other = ChatClient::open(&node, customer.visitor.clone()).await;
    let said = customer.say(&format!("{WORDS} first")).await;
    let rate = json!({"type": "rate", "score": "down", "comment": format!("{WORDS} comment")});
    let rate = customer.command(rate).await;
    customer.ack(&rate).await;
    other.until(|client| client.replica.entries.contains_key(&said.seq)).await;
    other.cut();
    customer.until_shown(10).await;
    assert!(!places(backend, &node).await.is_empty());
    let stored = erase(&node, &supervisor(&node), &customer.visitor, "wipe").await.ok();
    customer.until(shows_erased).await;
    assert_eq!((customer.replica.control, &customer.replica.live), (Control::Closed, &None));
    assert!(!holds_words(&customer.replica));
    other.connect(&node).await;
    assert!(shows_erased(&other) && !holds_words(&other.replica), "{:?}", other.replica);
    assert_eq!(places(backend, &node).await, Vec::<String>::new());
    assert!(!node.log().contains(WORDS));
    let log = ledger::whole_log(&node, &customer.visitor).await;
    let (last, earlier) = log.split_last().unwrap();
    assert!(earlier.iter().all(|entry| entry.erased));
    assert_eq!(
        (json!(last.seq), &last.body),
        (stored["seq"].clone(), &EntryBody::Erased { by: None }),
        "by is for staff"
    );
    let again = erase(&node, &supervisor(&node), &customer.visitor, "again").await;
    assert_eq!(again.code(), "nothing_to_do");
    let rate = customer.command(json!({"type": "rate", "score": "up"})).await;
    assert_eq!(customer.refusal(&rate).await.code.as_str(), "closed");
}

async fn an_erasure_while_an_agent_has_it_empties_the_desk_too(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let id = customer.visitor.conversation;
    let mut agent = AgentClient::agent(&node, "Ada").await;
    let ask = customer.command(json!({"type": "escalate", "summary": format!("{WORDS} summary")})).await;
    customer.ack(&ask).await;
    agent.until_queued(id).await;
    agent.watch(id).await;
    let claim = agent.with_version(id, "claim").await;
    agent.ack(&claim).await;
    let say = agent.command(id, json!({"type": "say", "text": format!("{WORDS} answer")})).await;
    agent.ack(&say).await;
    erase(&node, &supervisor(&node), &customer.visitor, "wipe").await.ok();
    agent.until(|agent| agent.watched[&id].control == Control::Closed).await;
    agent.until(|agent| !holds_words(&agent.watched[&id])).await;
    assert!(agent.watched[&id].entries.values().any(|entry| matches!(&entry.body, EntryBody::Erased { by: Some(_) })));
    customer.until(shows_erased).await;
    assert_eq!(places(backend, &node).await, Vec::<String>::new());
    let queue = node.get("/v1/queue", &supervisor(&node)).await.ok();
    assert_eq!(queue["waiting"], 0);
}

async fn what_a_killed_node_owned_is_erased_by_the_next(backend: Backend) {
    let mut node = slow(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    customer.say(WORDS).await;
    customer.until_shown(10).await;
    node.kill().await;
    node.restart().await;
    let customer_id = customer.visitor.participant;
    let path = format!("/v1/customers/{customer_id}/erase");
    let token = supervisor(&node);
    let done = node.post(&path, (&token, "wipe"), json!({})).await.ok();
    assert_eq!((&done["complete"], done["conversations"].as_array().unwrap().len()), (&json!(true), 1));
    assert_eq!(places(backend, &node).await, Vec::<String>::new());
    let again = node.post(&path, (&token, "wipe"), json!({})).await.ok();
    assert_eq!(again, done);
    let nobody = format!("/v1/customers/{}/erase", uuid::Uuid::now_v7());
    assert_eq!(node.post(&nobody, (&token, "wipe"), json!({})).await.ok()["conversations"], json!([]));
}

async fn a_hold_refuses_until_it_is_lifted(backend: Backend) {
    let node = TestNode::start(backend).await;
    let visitor = node.visitor().await;
    let say = format!("/v1/conversations/{}/messages", visitor.conversation);
    node.post(&say, (&visitor.token, "m1"), json!({"text": WORDS})).await.ok();
    let token = supervisor(&node);
    let hold = format!("/v1/customers/{}/hold", visitor.participant);
    let put = |token: &str, body: Value| answer(node.request(Method::PUT, &hold).bearer_auth(token).json(&body));
    assert_eq!(node.get(&hold, &token).await.code(), "not_found");
    assert_eq!(put(&token, json!({"reason": " "})).await.code(), "bad_request");
    assert_eq!(put(&visitor.token, json!({"reason": "mine"})).await.code(), "forbidden");
    put(&token, json!({"reason": "a case"})).await.ok();
    assert_eq!(node.get(&hold, &token).await.ok()["reason"], "a case");
    let refused = erase(&node, &token, &visitor, "wipe").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "on_hold"));
    let all = format!("/v1/customers/{}/erase", visitor.participant);
    assert_eq!(node.post(&all, (&token, "wipe"), json!({})).await.code(), "on_hold");
    assert!(!places(backend, &node).await.is_empty());
    let lifted = answer(node.request(Method::DELETE, &hold).bearer_auth(&token)).await;
    assert_eq!(lifted.status.as_u16(), 204);
    node.post(&all, (&token, "wipe"), json!({})).await.ok();
    assert_eq!(places(backend, &node).await, Vec::<String>::new());
}

async fn a_node_that_is_killed_in_the_middle_has_erased_all_or_nothing(backend: Backend) {
    let mut node = TestNode::start(backend).await;
    let token = supervisor(&node);
    let mut cut_short = 0;
    // The moment of death is another one each time: when the node has answered so many other requests since.
    for answers in [0, 5, 10, 20, 40] {
        let visitor = node.visitor().await;
        let say = format!("/v1/conversations/{}/messages", visitor.conversation);
        for number in 0..60 {
            let text = json!({"text": format!("{WORDS} {number}")});
            node.post(&say, (&visitor.token, &format!("m{number}")), text).await.ok();
        }
        let request = node
            .request(Method::POST, &format!("/v1/conversations/{}/erase", visitor.conversation))
            .bearer_auth(&token)
            .header("idempotency-key", "wipe")
            .json(&json!({}));
        let erasing = tokio::spawn(request.send());
        for _ in 0..answers {
            node.request(Method::GET, "/health/live").send().await.unwrap();
        }
        node.kill().await;
        let answered = erasing.await.unwrap().is_ok_and(|response| response.status().is_success());
        node.restart().await;
        let left = places(backend, &node).await;
        let is_erased = left.is_empty();
        let log = ledger::whole_log(&node, &visitor).await;
        let erased = log.iter().filter(|entry| entry.erased).count();
        assert_eq!(erased, if is_erased { log.len() - 1 } else { 0 }, "all or nothing; words are in {left:?}");
        assert!(is_erased || !answered, "what was acknowledged is done");
        cut_short += usize::from(!answered);
        let retried = erase(&node, &token, &visitor, "wipe").await.ok();
        assert_eq!(retried["repeated"], is_erased);
        assert_eq!(places(backend, &node).await, Vec::<String>::new());
    }
    assert!(cut_short > 0, "no erasure was cut short");
}

async fn a_conversation_is_erased_when_its_time_is_over(backend: Backend) {
    let mut node = NodeSettings::new(backend).await.with("ONYA_RETENTION__CLOSED_DAYS", 30).start().await;
    let visitors = [node.visitor().await, node.visitor().await];
    for visitor in &visitors {
        let base = format!("/v1/conversations/{}", visitor.conversation);
        node.post(&format!("{base}/escalate"), (&visitor.token, "m1"), json!({"summary": WORDS})).await.ok();
        node.post(&format!("{base}/close"), (&visitor.token, "c1"), json!({})).await.ok();
    }
    let due =
        number(backend, &node, &["SELECT count(*) FROM conversations WHERE next_deadline = closed_at + 2592000000"]);
    assert_eq!(due.await, 2);
    node.kill().await;
    // The first of the two was closed 30 days ago, and under another setting.
    number(
        backend,
        &node,
        &[
            "UPDATE conversations SET closed_at = closed_at - 2592000000, next_deadline = NULL \
             WHERE id = (SELECT id FROM conversations ORDER BY id LIMIT 1)",
            "UPDATE entries SET at = at - 2592000000 \
             WHERE conversation = (SELECT id FROM conversations ORDER BY id LIMIT 1)",
        ],
    )
    .await;
    node.restart().await;
    let erased = "SELECT count(*) FROM conversations WHERE erased_at IS NOT NULL";
    eventually(async || (number(backend, &node, &[erased]).await == 1).then_some(())).await;
    let log = ledger::whole_log(&node, &visitors[0]).await;
    assert!(matches!(log.last().unwrap().body, EntryBody::Erased { .. }));
    assert!(ledger::whole_log(&node, &visitors[1]).await.iter().all(|entry| !entry.erased));
}
