//! The audit, from outside: what is on record, and what a verification finds.

use reqwest::Method;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::on_each_store;
use crate::support::{AgentClient, Backend, ChatClient, NodeSettings, TestNode, answer, eventually};

on_each_store! {
    what_staff_read_is_on_record_before_they_get_it,
    refusals_and_log_ins_are_on_record,
    a_change_behind_the_servers_back_is_found_and_named,
    a_setting_that_changed_is_named_and_its_value_is_not,
}

/// The node's database, behind its back.
enum Behind {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Behind {
    async fn of(backend: Backend, url: &str) -> Self {
        match backend {
            Backend::Sqlite => Self::Sqlite(SqliteConnection::connect(url).await.unwrap()),
            Backend::Postgres => Self::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }

    async fn execute(&mut self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::query(sql).execute(connection).await.unwrap().rows_affected(),
            Self::Postgres(connection) => sqlx::query(sql).execute(connection).await.unwrap().rows_affected(),
        }
    }

    /// Actor, role, action and detail of each act, in order.
    async fn acts(&mut self) -> Vec<(String, String, String, String)> {
        let sql = "SELECT actor, actor_role, action, detail FROM audit_log ORDER BY chain, n";
        match self {
            Self::Sqlite(connection) => sqlx::query_as(sql).fetch_all(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_as(sql).fetch_all(connection).await.unwrap(),
        }
    }

    async fn actions(&mut self) -> Vec<String> {
        self.acts().await.into_iter().map(|(_, _, action, detail)| format!("{action} {detail}")).collect()
    }
}

/// What `onya verify-audit` says, and its exit code.
async fn verify(settings: &NodeSettings, more: &[&str]) -> (i32, Value) {
    let arguments: Vec<&str> = ["verify-audit", "--json"].iter().chain(more).copied().collect();
    let output = settings.run(&arguments).await;
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap(), report)
}

async fn a_talk(node: &TestNode) -> ChatClient {
    let mut customer = ChatClient::visit(node).await;
    let said = customer.say("Where is my order?").await;
    customer.answered(said.seq).await;
    customer
}

async fn what_staff_read_is_on_record_before_they_get_it(backend: Backend) {
    let node = TestNode::start(backend).await;
    let customer = a_talk(&node).await;
    let mut behind = Behind::of(backend, &node.database_url()).await;
    let agent = node.token(&["--role", "agent", "--name", "Kim"]);
    let log = format!("/v1/conversations/{}/entries", customer.visitor.conversation);
    node.get(&log, &customer.visitor.token).await.ok();
    assert!(behind.actions().await.iter().all(|act| !act.starts_with("read")), "a customer's own log");
    node.get(&log, &agent).await.ok();
    let acts = behind.acts().await;
    let (actor, role, action, detail) = acts.last().unwrap();
    assert_eq!((role.as_str(), action.as_str()), ("agent", "read"));
    assert_eq!(detail, r#"{"what":"entries","first":1,"last":4}"#);
    let transcript = format!("/v1/conversations/{}/transcript?format=html", customer.visitor.conversation);
    assert!(node.get(&transcript, &customer.visitor.token).await.status.is_success());
    assert!(behind.actions().await.iter().all(|act| !act.starts_with("exported")), "a customer's own transcript");
    assert!(node.get(&transcript, &agent).await.status.is_success());
    let exports: Vec<_> = behind.actions().await.into_iter().filter(|act| act.starts_with("exported")).collect();
    assert_eq!(exports, [r#"exported {"what":"transcript","format":"html"}"#]);
    assert!(actor.parse::<uuid::Uuid>().is_ok(), "who it was, and no name: {actor}");
    let mut desk = AgentClient::connect(&node, agent.clone()).await;
    desk.watch(customer.visitor.conversation).await;
    let seen = behind.actions().await;
    let newest: Vec<&str> = seen[seen.len() - 3..].iter().map(String::as_str).collect();
    assert_eq!(newest, [r#"logged_in {}"#, r#"read {"what":"queue"}"#, r#"read {"what":"live"}"#]);
    // Without a record there is no reading; customers do not notice.
    behind.execute("ALTER TABLE audit_log RENAME TO audit_log_away").await;
    assert_eq!(node.get(&log, &agent).await.code(), "busy");
    assert_eq!(node.get("/v1/queue", &agent).await.code(), "busy");
    node.get(&log, &customer.visitor.token).await.ok();
    behind.execute("ALTER TABLE audit_log_away RENAME TO audit_log").await;
    node.get(&log, &agent).await.ok();
}

async fn refusals_and_log_ins_are_on_record(backend: Backend) {
    let node = TestNode::start(backend).await;
    let customer = a_talk(&node).await;
    assert_eq!(answer(node.request(Method::GET, "/v1/queue")).await.code(), "unauthenticated");
    assert_eq!(node.get("/v1/queue", &customer.visitor.token).await.code(), "forbidden");
    let other = node.visitor().await;
    let log = format!("/v1/conversations/{}/entries", customer.visitor.conversation);
    assert_eq!(node.get(&log, &other.token).await.code(), "not_found");
    let mut behind = Behind::of(backend, &node.database_url()).await;
    let acts = eventually(async || {
        let acts = behind.acts().await;
        (acts.iter().filter(|act| act.2 == "refused").count() == 3).then_some(acts)
    })
    .await;
    let refused: Vec<_> = acts.iter().filter(|act| act.2 == "refused").collect();
    let has = |actor: &str, role: &str, detail: &str| {
        assert!(
            refused.iter().any(|act| (&*act.0, &*act.1, &*act.3) == (actor, role, detail)),
            "{detail}: {refused:?}"
        );
    };
    has("", "unknown", r#"{"route":"GET /v1/queue","code":"unauthenticated"}"#);
    let who = customer.visitor.participant.0.to_string();
    has(&who, "customer", r#"{"route":"GET /v1/queue","code":"forbidden"}"#);
    let stranger = other.participant.0.to_string();
    has(&stranger, "customer", r#"{"route":"a conversation of somebody else","code":"not_found"}"#);
    assert_eq!(acts.iter().filter(|act| act.2 == "token_made").count(), 2);
    assert!(acts[0].2 == "started" && acts[0].1 == "program", "{:?}", acts[0]);
}

async fn a_change_behind_the_servers_back_is_found_and_named(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let mut node = settings.clone().start().await;
    let customer = a_talk(&node).await;
    let agent = node.token(&["--role", "agent", "--name", "Kim"]);
    let log = format!("/v1/conversations/{}/entries", customer.visitor.conversation);
    node.get(&log, &agent).await.ok();
    let url = node.database_url();
    let (code, report) = verify(&settings, &[]).await;
    assert_eq!((code, &report["broken_total"]), (0, &0.into()), "while it serves: {report:#}");
    node.terminate();
    node.ended().await;
    let public;
    let mut more = vec![];
    if backend == Backend::Postgres {
        let key = settings.run(&["anchor", "--new-key", "anchor.key"]).await;
        public = String::from_utf8(key.stdout).unwrap().trim().to_owned();
        let anchored = settings.run(&["anchor", "--file", "anchors.jsonl", "--key-file", "anchor.key"]).await;
        assert_eq!(anchored.status.code(), Some(0), "{anchored:?}");
        more = vec!["--anchors", "anchors.jsonl", "--public-key", &public];
    }
    let (code, report) = verify(&settings, &more).await;
    assert_eq!((code, &report["broken_total"]), (0, &0.into()), "{report:#}");
    assert_eq!((&report["unproven"]["entries"], &report["unproven"]["acts"]), (&0.into(), &0.into()), "{report:#}");
    assert_eq!(report["notes"], serde_json::json!([]));

    let mut behind = Behind::of(backend, &url).await;
    behind.execute("CREATE TABLE kept AS SELECT * FROM audit_log WHERE action = 'read'").await;
    assert_eq!(behind.execute("DELETE FROM audit_log WHERE action = 'read'").await, 1);
    let (code, report) = verify(&settings, &more).await;
    assert_eq!((code, &report["broken"][0]["in"]["chain"]["kind"]), (1, &"audit".into()), "{report:#}");
    behind.execute("INSERT INTO audit_log SELECT * FROM kept").await;
    assert_eq!(verify(&settings, &more).await.0, 0);

    assert_eq!(behind.execute("UPDATE entries SET body = replace(body, 'order', 'pizza') WHERE seq = 2").await, 1);
    let (code, report) = verify(&settings, &more).await;
    let place = &report["broken"][0]["in"]["chain"];
    assert_eq!((code, &report["broken"][0]["fault"], &place["position"]), (1, &"body_changed".into(), &2.into()));
    assert_eq!(place["chain"], serde_json::json!(customer.visitor.conversation));
    let said = settings.run(&["verify-audit"]).await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("entry 2: its body is not the one that was stored") && !said.contains("pizza"), "{said}");
}

async fn a_setting_that_changed_is_named_and_its_value_is_not(backend: Backend) {
    let settings = NodeSettings::new(backend).await.with("ONYA_NODE__NAME", "one");
    let mut node = settings.clone().start().await;
    let url = node.database_url();
    node.restart().await;
    node.terminate();
    node.ended().await;
    let secret = "ab".repeat(32);
    let changed = settings.with("ONYA_AUTH__SIGNING_KEYS", format!("new-key:{secret}"));
    let node = changed.with("ONYA_CONVERSATION__MAX_ATTEMPTS", 2).start().await;
    let mut behind = Behind::of(backend, &url).await;
    let acts = behind.acts().await;
    let changes: Vec<_> = acts.iter().filter(|act| act.2 == "configuration_changed").map(|act| &act.3).collect();
    assert_eq!(changes.len(), 1, "a restart alone is no change: {acts:?}");
    for name in ["(keys in force)", "auth.signing_keys", "conversation.max_attempts"] {
        assert!(changes[0].contains(name), "{changes:?}");
    }
    assert!(!changes[0].contains("node.name") && acts.iter().all(|act| !act.3.contains(&secret)), "{acts:?}");
    assert!(acts.iter().any(|act| act.2 == "started" && act.3.contains(r#""keys":["new-key"]"#)), "{acts:?}");
    drop(node);
}
