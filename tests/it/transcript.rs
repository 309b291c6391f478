//! A whole conversation as a document: in each form, for each role, of any length.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, TestNode, Visitor, answer};

crate::on_each_store! {
    a_transcript_is_the_log_in_the_view_of_who_asks,
    a_transcript_of_several_pages_is_whole,
}

/// The texts that the customer's page is tried with.
const HOSTILE: &str = include_str!("../../web/customer/test/xss.json");

fn path(visitor: &Visitor) -> String {
    format!("/v1/conversations/{}/transcript", visitor.conversation)
}

async fn accepting(node: &TestNode, visitor: &Visitor, accept: &str) -> Answer {
    let request = node.request(Method::GET, &path(visitor)).bearer_auth(&visitor.token);
    answer(request.header("accept", accept)).await
}

/// A conversation that waits for Ada, then is hers.
async fn with_ada(node: &TestNode) -> (Visitor, String) {
    let (visitor, ada) = (node.visitor().await, node.token(&["--role", "agent", "--name", "Ada & <Co>"]));
    let base = format!("/v1/conversations/{}", visitor.conversation);
    node.post(&format!("{base}/escalate"), (&visitor.token, "e"), json!({"summary": "for staff only"})).await.ok();
    node.post(&format!("{base}/claim"), (&ada, "c"), json!({"control_version": 1})).await.ok();
    (visitor, ada)
}

async fn a_transcript_is_the_log_in_the_view_of_who_asks(backend: Backend) {
    let node = TestNode::start(backend).await;
    let (visitor, ada) = with_ada(&node).await;
    let base = format!("/v1/conversations/{}", visitor.conversation);
    node.post(&format!("{base}/messages"), (&visitor.token, "m1"), json!({"text": "Where is it?"})).await.ok();
    node.post(&format!("{base}/messages"), (&ada, "m2"), json!({"text": "On its way."})).await.ok();
    let admin = node.token(&["--role", "admin"]);
    for (token, staff) in [(&visitor.token, false), (&ada, true), (&admin, true)] {
        let shown = node.get(&base, token).await.ok();
        let entries = node.get(&format!("{base}/entries?limit=200"), token).await.ok();
        let whole = node.get(&path(&visitor), token).await;
        assert_eq!(whole.headers["content-type"], "application/json");
        let mut whole = whole.ok();
        assert_eq!(whole.as_object_mut().unwrap().remove("entries").unwrap(), entries["entries"]);
        assert_eq!(whole, shown);
        for format in ["text", "html"] {
            let document = node.get(&format!("{}?format={format}", path(&visitor)), token).await.text;
            assert!(document.contains("Where is it?") && document.contains("On its way."), "{document}");
            assert_eq!(document.contains("for staff only"), staff, "{document}");
            assert!(document.contains("End of the transcript."), "{document}");
        }
    }
}

async fn a_transcript_of_several_pages_is_whole(backend: Backend) {
    let node = TestNode::start(backend).await;
    let (visitor, _) = with_ada(&node).await;
    let messages = format!("/v1/conversations/{}/messages", visitor.conversation);
    for number in 0..120 {
        let body = json!({"text": format!("message {number}.")});
        node.post(&messages, (&visitor.token, &format!("m{number}")), body).await.ok();
    }
    let whole = node.get(&path(&visitor), &visitor.token).await.ok();
    let seqs: Vec<_> =
        whole["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=whole["last_seq"].as_u64().unwrap()).collect::<Vec<_>>());
    for accept in ["text/plain", "text/html"] {
        let document = accepting(&node, &visitor, accept).await.text;
        let mut from = 0;
        for number in 0..120 {
            let text = format!("message {number}.");
            from += document[from..].find(&text).unwrap_or_else(|| panic!("{text} is not in its place"));
        }
    }
}

#[tokio::test]
async fn a_form_is_chosen_by_name_or_by_what_is_accepted() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    for (accept, content_type, file) in [
        ("*/*", "application/json", "json"),
        ("text/plain", "text/plain; charset=utf-8", "txt"),
        ("text/html,*/*;q=0.8", "text/html; charset=utf-8", "html"),
    ] {
        let answer = accepting(&node, &visitor, accept).await;
        assert_eq!((answer.status.as_u16(), &answer.headers["content-type"]), (200, &content_type.parse().unwrap()));
        let name = format!("attachment; filename=\"conversation-{}.{file}\"", visitor.conversation);
        assert_eq!(answer.headers["content-disposition"], name);
        assert_eq!(
            (&answer.headers["vary"], &answer.headers["cache-control"]),
            (&"accept".parse().unwrap(), &"no-store".parse().unwrap())
        );
    }
    let named = node.request(Method::GET, &format!("{}?format=text", path(&visitor))).bearer_auth(&visitor.token);
    let named = answer(named.header("accept", "text/html")).await;
    assert_eq!(named.headers["content-type"], "text/plain; charset=utf-8");
    for bad in ["pdf", "", "HTML"] {
        let answer = node.get(&format!("{}?format={bad}", path(&visitor)), &visitor.token).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "bad_request"), "{bad}");
    }
}

#[tokio::test]
async fn html_holds_every_hostile_text_as_text_under_a_policy_that_allows_nothing() {
    let node = TestNode::start(Backend::Sqlite).await;
    let (visitor, ada) = with_ada(&node).await;
    let messages = format!("/v1/conversations/{}/messages", visitor.conversation);
    let hostile: Value = serde_json::from_str(HOSTILE).unwrap();
    let texts = hostile["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
    // No text with NUL can be said at all.
    let hostile: Vec<_> = texts.filter(|text| !text.contains('\0')).collect();
    for (number, text) in hostile.iter().enumerate() {
        let who = if number % 2 == 0 { &visitor.token } else { &ada };
        node.post(&messages, (who, &format!("x{number}")), json!({"text": text})).await.ok();
    }
    let answer = node.get(&format!("{}?format=html", path(&visitor)), &visitor.token).await;
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; sandbox"
        )
    );
    let html = &answer.text;
    let inside = format!("default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'");
    assert!(html.contains(&inside) && html.contains(&format!("<style nonce=\"{nonce}\">")));
    let known = ["html", "head", "meta", "title", "style", "body", "main", "h1", "dl", "dt", "dd", "time"];
    let known = [&known[..], &["article", "header", "b", "bdi", "p", "footer", "!DOCTYPE"]].concat();
    for tag in html.split('<').skip(1) {
        let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric() && c != '!').next().unwrap();
        assert!(known.contains(&name), "<{tag}");
    }
    assert!(html.contains("<bdi>Ada &amp; &lt;Co&gt;</bdi>") && html.contains("&lt;script&gt;"));
    let again = node.get(&format!("{}?format=html", path(&visitor)), &visitor.token).await;
    assert!(!again.headers["content-security-policy"].to_str().unwrap().contains(nonce), "a nonce is used once");
}
