//! Search by staff, from outside.

use reqwest::Url;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, TestNode, Visitor, eventually};

crate::on_each_store!(staff_find_what_was_said_a_moment_ago_page_by_page);

async fn search(node: &TestNode, token: &str, fields: &[(&str, &str)]) -> Answer {
    let url = Url::parse_with_params(&node.url("/v1/search"), fields).unwrap();
    node.get(&format!("/v1/search?{}", url.query().unwrap()), token).await
}

async fn say(node: &TestNode, visitor: &Visitor, number: usize, text: &str) {
    let path = format!("/v1/conversations/{}/messages", visitor.conversation);
    node.post(&path, (&visitor.token, &format!("s{number}")), json!({"text": text})).await.ok();
}

/// A visitor whom nobody answers, so that what is said is said by them.
async fn waiting_visitor(node: &TestNode) -> Visitor {
    let visitor = node.visitor().await;
    let path = format!("/v1/conversations/{}/escalate", visitor.conversation);
    node.post(&path, (&visitor.token, "e"), json!({})).await.ok();
    visitor
}

async fn staff_find_what_was_said_a_moment_ago_page_by_page(backend: Backend) {
    let node = TestNode::start(backend).await;
    let (first, second) = (waiting_visitor(&node).await, waiting_visitor(&node).await);
    for number in 0..3 {
        say(&node, &first, number, &format!("My <b>Überweisung</b> {number}")).await;
        say(&node, &second, number, &format!("an uberweisung {number}")).await;
    }
    let agent = node.token(&["--role", "agent", "--name", "Ada"]);
    let all = eventually(async || {
        let found = search(&node, &agent, &[("q", "ÜBERWEISUNG"), ("limit", "100")]).await.ok();
        (found["hits"].as_array().unwrap().len() == 6).then_some(found)
    });
    let all = all.await;
    assert_eq!((&all["has_more"], &all["cursor"]), (&json!(false), &Value::Null));
    let all = all["hits"].as_array().unwrap().clone();
    assert!(all.is_sorted_by_key(|hit| -hit["at"].as_i64().unwrap()), "{all:?}");
    let oldest = json!({
        "conversation": first.conversation, "seq": 3, "at": all[5]["at"], "kind": "message_said",
        "author": {"id": first.participant, "role": "customer"},
        "excerpt": [
            {"text": "My <b>", "hit": false}, {"text": "Überweisung", "hit": true}, {"text": "</b> 0", "hit": false}
        ]
    });
    assert_eq!(all[5], oldest);
    for who in ["agent", "supervisor", "admin"] {
        let token = node.token(&["--role", who, "--name", "Eve"]);
        let (mut walked, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut fields = vec![("q", "uberweisung"), ("limit", "4")];
            fields.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = search(&node, &token, &fields).await.ok();
            walked.extend(page["hits"].as_array().unwrap().clone());
            cursor = page["cursor"].as_str().map(str::to_owned);
            assert_eq!(page["has_more"], json!(cursor.is_some()));
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(walked, all, "{who}");
    }
}

#[tokio::test]
async fn a_search_that_is_not_good_is_told_why_and_customers_may_not_search_at_all() {
    let node = TestNode::start(Backend::Sqlite).await;
    let agent = node.token(&["--role", "agent", "--name", "Ada"]);
    let long = "x".repeat(201);
    let many = (0..17).map(|number| format!("w{number} ")).collect::<String>();
    for fields in [
        &[("limit", "5")][..],
        &[("q", "")],
        &[("q", "?!'\"*")],
        &[("q", &long)],
        &[("q", &many)],
        &[("q", "x"), ("limit", "0")],
        &[("q", "x"), ("limit", "101")],
        &[("q", "x"), ("limit", "many")],
        &[("q", "x"), ("cursor", "")],
        &[("q", "x"), ("cursor", "1.2.3")],
    ] {
        let answer = search(&node, &agent, fields).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "bad_request"), "{fields:?}");
    }
    let hostile = search(&node, &agent, &[("q", "'); DROP TABLE entries; -- \" NEAR(*")]).await.ok();
    assert_eq!(hostile, json!({"hits": [], "has_more": false}));
    let visitor = node.visitor().await;
    let refused = search(&node, &visitor.token, &[("q", "x")]).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "forbidden"));
}
