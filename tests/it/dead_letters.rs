//! An append that the database refuses: its sender is told, its neighbours are stored, and it lies there to be looked at.

use onya_core::conversation::Outcome;
use onya_protocol::{Control, EntryBody, ErrorCode};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{Backend, ChatClient, NodeSettings, TestNode, ledger};

crate::on_each_store! {
    what_cannot_be_stored_is_refused_listed_shown_and_removed,
    a_reply_that_cannot_be_stored_ends_its_turn_and_brings_a_person,
}

async fn what_cannot_be_stored_is_refused_listed_shown_and_removed(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let node = settings.clone().start().await;
    let mut neighbours = Vec::new();
    for _ in 0..4 {
        neighbours.push(ChatClient::visit(&node).await);
    }
    assert_eq!(letters(&settings).await, Vec::<Value>::new());
    refuse(backend, &node, "poison").await;
    let mut customer = ChatClient::visit(&node).await;
    let said = neighbours.iter_mut().map(|neighbour| neighbour.say("a neighbour"));
    let (refusal, _) = tokio::join!(said_in_vain(&mut customer, "poison from me"), futures::future::join_all(said));
    assert_eq!(refusal, ErrorCode::BadRequest);
    assert!(ledger::whole_log(&node, &customer.visitor).await.len() == 1, "nothing of it is in the log");
    customer.say("something else").await;

    let [letter] = &letters(&settings).await[..] else { panic!("one letter") };
    let (id, conversation) = (letter["id"].as_str().unwrap(), customer.visitor.conversation.to_string());
    assert_eq!(letter["conversation"], conversation);
    assert_eq!(letter["expected_seq"], 1);
    assert!(letter["bytes"].as_u64().unwrap() > 0 && letter["reason"].as_str().is_some());
    assert!(letter["when"].as_str().unwrap().starts_with("20"), "{letter}");
    let list = printed(&settings, &["dead-letters"]).await;
    assert!(list.contains(id) && list.contains(&conversation) && !list.contains("from me"), "{list}");
    let shown = printed(&settings, &["dead-letters", "--show", id]).await;
    assert!(shown.contains("poison from me"), "{shown}");

    assert_eq!(printed(&settings, &["dead-letters", "--remove", id]).await, format!("removed {id}\n"));
    assert_eq!(printed(&settings, &["dead-letters"]).await, "no dead letters\n");
    for gone in [["dead-letters", "--remove", id], ["dead-letters", "--show", id]] {
        let output = settings.run(&gone).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("there is no dead letter"), "{output:?}");
    }
}

async fn a_reply_that_cannot_be_stored_ends_its_turn_and_brings_a_person(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let node = settings.clone().start().await;
    refuse(backend, &node, " 60 61\"").await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("/mock long 61").await;
    assert_eq!(customer.answered(said.seq).await, (Outcome::Failed, String::new()));
    customer.until(|customer| customer.replica.control == Control::Queue).await;
    let ends = |entry: &&onya_protocol::LogEntry| matches!(entry.body, EntryBody::TurnEnded { .. });
    assert_eq!(ledger::whole_log(&node, &customer.visitor).await.iter().filter(ends).count(), 1);
    assert_eq!(letters(&settings).await.len(), 1);
}

/// Says something that is refused; how.
async fn said_in_vain(customer: &mut ChatClient, text: &str) -> ErrorCode {
    let id = customer.command(json!({"type": "say", "text": text})).await;
    customer.refusal(&id).await.code
}

async fn letters(settings: &NodeSettings) -> Vec<Value> {
    serde_json::from_str(&printed(settings, &["dead-letters", "--json"]).await).unwrap()
}

async fn printed(settings: &NodeSettings, arguments: &[&str]) -> String {
    let output = settings.run(arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// From now on the database refuses entries that hold this.
async fn refuse(backend: Backend, node: &TestNode, part: &str) {
    let url = node.database_url();
    match backend {
        Backend::Sqlite => {
            let mut file = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let trigger = format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON entries WHEN NEW.body LIKE '%{part}%' \
                 BEGIN SELECT RAISE(ABORT, 'refused'); END"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&mut file).await.unwrap();
            file.close().await.unwrap();
        }
        Backend::Postgres => {
            let mut database = sqlx::PgConnection::connect(&url).await.unwrap();
            let check = format!("ALTER TABLE entries ADD CHECK (body NOT LIKE '%{part}%')");
            sqlx::raw_sql(sqlx::AssertSqlSafe(check)).execute(&mut database).await.unwrap();
            database.close().await.unwrap();
        }
    }
}
