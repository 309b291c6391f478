//! Who a customer is: a visitor who stays the same by renewing, somebody whom the company's site names.

use std::process::Command;

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{AgentClient, Answer, Backend, ChatClient, NodeSettings, TestNode, Visitor, answer};

crate::on_each_store! {
    a_visitor_who_renews_keeps_the_conversation,
    a_customer_of_the_site_has_one_conversation_on_every_device,
}

const OWN_SECRET: [u8; 32] = [0xab; 32];
const SITE_SECRET: [u8; 32] = [0xee; 32];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn site_key() -> String {
    format!("shop:{}", hex(&SITE_SECRET))
}

async fn settings(backend: Backend) -> NodeSettings {
    let settings = NodeSettings::new(backend).await;
    settings
        .with("ONYA_AUTH__SIGNING_KEYS", format!("own:{}", hex(&OWN_SECRET)))
        .with("ONYA_AUTH__IDENTITY_KEYS", site_key())
}

fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn signed(kid: &str, secret: &[u8], claims: &Value) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::default() };
    encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// What the example of docs/API.md signs, run as it stands there.
fn signed_by_the_example(customer: &Value) -> String {
    let page = include_str!("../../docs/API.md");
    let section = page.split("## Telling Onya who the customer is").nth(1).unwrap();
    let example = section.split("```js\n").nth(1).unwrap().split("```").next().unwrap();
    let script = format!("{example}\nprocess.stdout.write(identityToken({customer}));");
    let mut node = Command::new("node");
    let output =
        node.args(["--input-type=module", "-e", &script]).env("ONYA_IDENTITY_KEY", site_key()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn renew(node: &TestNode, token: &str) -> Answer {
    answer(node.request(Method::POST, "/v1/tokens/renew").bearer_auth(token)).await
}

/// Opens the conversation of whoever has this token.
async fn open(node: &TestNode, token: &str) -> (Value, bool) {
    let opened = node.post("/v1/conversations", (token, "unused"), json!({})).await.ok();
    (opened["id"].clone(), opened["created"].as_bool().unwrap())
}

async fn a_visitor_who_renews_keeps_the_conversation(backend: Backend) {
    let node = settings(backend).await.start().await;
    let mut chat = ChatClient::visit(&node).await;
    let said = chat.say("before").await;
    chat.answered(said.seq).await;
    let old = chat.visitor.token.clone();
    let renewed = renew(&node, &old).await;
    assert_eq!(renewed.status.as_u16(), 201);
    let renewed = renewed.ok();
    assert_eq!(renewed["participant"], json!(chat.visitor.participant));
    assert!(renewed["expires_at"].as_u64().unwrap() > (now_s() + 29 * 86_400) * 1_000, "{renewed}");
    let token = renewed["token"].as_str().unwrap().to_owned();
    assert_eq!(open(&node, &token).await, (json!(chat.visitor.conversation), false));

    chat.visitor.token = token;
    chat.connect(&node).await;
    let said = chat.say("after").await;
    chat.answered(said.seq).await;
    assert_eq!(open(&node, &old).await, (json!(chat.visitor.conversation), false), "the old one is still good");
    assert_eq!(renew(&node, &chat.visitor.token).await.status.as_u16(), 201, "a renewed one is renewed again");
}

#[tokio::test]
async fn only_a_visitors_own_good_token_is_renewed() {
    let node = settings(Backend::Sqlite).await.start().await;
    let visitor = node.visitor().await;
    let claims = json!({
        "iss": "onya", "aud": "onya", "sub": visitor.participant, "role": "customer", "visitor": true, "jti": "1",
        "iat": now_s() - 7_200, "nbf": now_s() - 7_200, "exp": now_s() + 600,
    });
    assert_eq!(renew(&node, &signed("own", &OWN_SECRET, &claims)).await.status.as_u16(), 201, "as the server makes it");
    let mut ended = claims.clone();
    ended["exp"] = json!(now_s() - 3_600);
    let site = json!({"aud": "onya", "sub": "customer-1042", "exp": now_s() + 600});
    let operators = node.token(&["--role", "customer", "--sub", &visitor.participant.to_string()]);
    let table = [
        ("ended", signed("own", &OWN_SECRET, &ended), 401, "token_expired"),
        ("ended and forged", signed("own", &SITE_SECRET, &ended), 401, "unauthenticated"),
        ("forged by a site", signed("shop", &OWN_SECRET, &claims), 401, "unauthenticated"),
        ("none", String::new(), 401, "unauthenticated"),
        ("a customer's, by the operator", operators, 403, "forbidden"),
        ("an agent's", node.token(&["--role", "agent", "--name", "Ada"]), 403, "forbidden"),
        ("an administrator's", node.token(&["--role", "admin"]), 403, "forbidden"),
        ("a site's", signed("shop", &SITE_SECRET, &site), 403, "forbidden"),
    ];
    for (what, token, status, code) in table {
        let answer = renew(&node, &token).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{what}");
    }
    let without = answer(node.request(Method::POST, "/v1/tokens/renew")).await;
    assert_eq!((without.status.as_u16(), without.code().as_str()), (401, "unauthenticated"));
    let elsewhere = node.request(Method::POST, "/v1/tokens/renew").bearer_auth(&visitor.token);
    assert_eq!(answer(elsewhere.header("origin", "https://evil.example")).await.code(), "forbidden");
}

/// Somebody whom the site has named, at their conversation.
async fn at_home(node: &TestNode, token: String) -> Visitor {
    let (id, _) = open(node, &token).await;
    let conversation = node.get(&format!("/v1/conversations/{}", id.as_str().unwrap()), &token).await.ok();
    Visitor {
        participant: conversation["customer"].as_str().unwrap().parse().unwrap(),
        conversation: id.as_str().unwrap().parse().unwrap(),
        token,
    }
}

async fn a_customer_of_the_site_has_one_conversation_on_every_device(backend: Backend) {
    let node = settings(backend).await.start().await;
    let phone = at_home(&node, signed_by_the_example(&json!({"id": "customer-1042", "name": "Zoë"}))).await;
    let mut hash: [u8; 16] = Sha256::digest(b"onya customer 1\0customer-1042")[..16].try_into().unwrap();
    hash[6] = hash[6] & 0x0f | 0x80;
    hash[8] = hash[8] & 0x3f | 0x80;
    assert_eq!(hex(&hash), phone.participant.to_string().replace('-', ""), "the documented rule");

    let laptop = at_home(&node, signed_by_the_example(&json!({"id": "customer-1042"}))).await;
    assert_eq!(laptop.conversation, phone.conversation);
    let other = at_home(&node, signed_by_the_example(&json!({"id": "customer-1043"}))).await;
    assert_ne!(other.conversation, phone.conversation);
    let hidden = node.get(&format!("/v1/conversations/{}", phone.conversation), &other.token).await;
    assert_eq!(hidden.code(), "not_found");

    let (mut phone, mut laptop) = (ChatClient::open(&node, phone).await, ChatClient::open(&node, laptop).await);
    let said = phone.say("Where is my parcel?").await;
    laptop.answered(said.seq).await;
    let mut agent = AgentClient::agent(&node, "Ada").await;
    agent.watch(phone.visitor.conversation).await;
    let shown = format!("{:?}", agent.watched[&phone.visitor.conversation]);
    assert!(shown.contains("Zoë"), "staff see the name: {shown}");
}

#[tokio::test]
async fn a_site_can_name_customers_and_nobody_else() {
    let node = settings(Backend::Sqlite).await.start().await;
    let claims = json!({"aud": "onya", "sub": "mallory", "role": "admin", "visitor": true, "exp": now_s() + 600});
    let token = signed("shop", &SITE_SECRET, &claims);
    for path in ["/v1/queue", "/v1/conversations?state=open"] {
        assert_eq!(node.get(path, &token).await.code(), "forbidden", "{path}");
    }
    let with = |key: &str, value: Value| {
        let mut claims = claims.clone();
        claims[key] = value;
        signed("shop", &SITE_SECRET, &claims)
    };
    let table = [
        ("under a name of ours", signed("own", &SITE_SECRET, &claims), "unauthenticated"),
        ("for two days", with("exp", json!(now_s() + 2 * 86_400)), "unauthenticated"),
        ("ended", with("exp", json!(now_s() - 600)), "token_expired"),
        ("of nobody", with("sub", json!("")), "unauthenticated"),
    ];
    for (what, token, code) in table {
        let answer = node.post("/v1/conversations", (&token, "unused"), json!({})).await;
        assert_eq!(answer.code(), code, "{what}");
    }
    assert!(!node.log().contains("mallory"), "a company's identifiers are not logged");
}
