//! A server under a role that may only serve, people who may only read, and what each of them may not.

use std::path::Path;

use onya_core::conversation::Outcome;
use onya_protocol::{Control, ErrorCode};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::process::Command;
use uuid::Uuid;

use crate::support::{AgentClient, Backend, ChatClient, NodeSettings};

/// A database whose schema is complete and whose roles have their rights, and logins that end with the test.
struct Roles {
    settings: NodeSettings,
    admin: PgConnectOptions,
    serve: String,
    maintain: String,
    read: String,
}

impl Roles {
    async fn prepare() -> Self {
        let settings = NodeSettings::new(Backend::Postgres).await;
        let admin: PgConnectOptions = settings.database_url().parse().unwrap();
        let login = |role: &str| format!("it_{role}_{}", Uuid::now_v7().simple());
        let roles = Self { settings, admin, serve: login("serve"), maintain: login("maintain"), read: login("read") };
        roles.apply().await;
        for (login, group) in
            [(&roles.serve, "onya_serve"), (&roles.maintain, "onya_maintain"), (&roles.read, "onya_read")]
        {
            roles.execute(format!("CREATE ROLE {login} LOGIN IN ROLE {group}")).await;
        }
        roles.execute(format!("ALTER ROLE {} SET role = 'onya_maintain'", roles.maintain)).await;
        let migrated = roles.as_role(&roles.maintain).run(&["migrate", "up"]).await;
        assert!(migrated.status.success(), "{migrated:?}");
        roles.apply().await;
        roles
    }

    /// Runs the script of the repository, as an administrator does.
    async fn apply(&self) {
        let Ok(folder) = std::env::var("TEST_PG_BIN") else {
            panic!("TEST_PG_BIN is not set: run ./tests/run, which finds PostgreSQL's programs");
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/postgres/roles.sql");
        let mut psql = Command::new(Path::new(&folder).join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--dbname", &self.settings.database_url(), "--file"]).arg(script);
        let output = psql.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// The settings of a program that logs in as this role.
    fn as_role(&self, login: &str) -> NodeSettings {
        let url = self.admin.clone().username(login).to_url_lossy();
        self.settings.clone().with("DATABASE_URL", url)
    }

    async fn connect(&self, login: &str) -> PgConnection {
        self.admin.clone().username(login).connect().await.unwrap()
    }

    async fn execute(&self, statement: String) {
        let mut connection = self.admin.connect().await.unwrap();
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn end(self) {
        for login in [&self.serve, &self.maintain, &self.read] {
            self.execute(format!("DROP ROLE {login}")).await;
        }
    }
}

/// The SQLSTATE that a statement ends with.
async fn refusal(connection: &mut PgConnection, statement: &str) -> String {
    match sqlx::query(AssertSqlSafe(statement.to_owned())).execute(connection).await {
        Ok(_) => panic!("this is allowed: {statement}"),
        Err(error) => error.as_database_error().and_then(|error| error.code()).unwrap().into_owned(),
    }
}

#[tokio::test]
async fn a_server_works_under_the_serving_role_and_may_do_nothing_else() {
    let roles = Roles::prepare().await;
    let serving = roles.as_role(&roles.serve);
    let mut node = serving.clone().start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Hello").await;
    customer.answered(said.seq).await;
    let mut agent = AgentClient::agent(&node, "Ada").await;
    customer.command(json!({"type": "escalate"})).await;
    customer.until(|customer| customer.replica.control == Control::Queue).await;
    agent.watch(customer.visitor.conversation).await;
    let claim = agent.with_version(customer.visitor.conversation, "claim").await;
    agent.ack(&claim).await;
    node.restart().await;
    customer.connect(&node).await;
    let close = customer.command(json!({"type": "close"})).await;
    customer.ack(&close).await;

    let mut direct = roles.connect(&roles.serve).await;
    for statement in [
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "ALTER TABLE entries ADD COLUMN mine int",
        "DROP TABLE entries",
        "TRUNCATE entries",
        "DELETE FROM entries",
        "UPDATE entries SET at = 0",
        "DELETE FROM entries_default",
        "SELECT * FROM entries_default",
        "DELETE FROM turns",
        "UPDATE turns SET turn = 9",
        "DELETE FROM conversations",
        "UPDATE conversations SET customer = id",
        "UPDATE conversations SET opened_at = 0",
        "DELETE FROM meta",
        "DELETE FROM members",
        "UPDATE members SET incarnation = incarnation",
        "UPDATE members SET name = name",
        "UPDATE members SET address = 'elsewhere:1'",
        "UPDATE meta SET view_version = 0",
        "UPDATE entries SET link = ''",
        "UPDATE entries SET body_commitment = ''",
        "UPDATE dead_letters SET reason = ''",
        "UPDATE audit_log SET actor = ''",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_anchor_heads VALUES (1, 'audit', gen_random_uuid(), 1, '')",
        "DELETE FROM audit_anchor_heads",
        "INSERT INTO schema_migrations VALUES (9000, 'mine', 0, 0)",
        "DELETE FROM schema_migrations",
        "SELECT * FROM reporting.messages",
        "SET ROLE onya_maintain",
    ] {
        assert_eq!(refusal(&mut direct, statement).await, "42501", "{statement}");
    }
    for subcommand in [&["migrate", "down"][..], &["maintain"]] {
        let output = serving.run(subcommand).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.contains("the role that owns the tables"), "{line}");
    }
    node.kill().await;
    roles.end().await;
}

#[tokio::test]
async fn a_server_that_finds_a_step_missing_and_may_not_apply_it_says_so() {
    let roles = Roles::prepare().await;
    let output = roles.as_role(&roles.maintain).run(&["migrate", "down"]).await;
    assert!(output.status.success(), "{output:?}");
    let output = roles.as_role(&roles.serve).run(&["serve"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("the role that owns the tables") && line.contains("onya migrate up"), "{line}");
    roles.end().await;
}

#[tokio::test]
async fn the_maintaining_role_moves_the_schema_and_keeps_up_the_partitions_while_the_serving_one_serves() {
    let roles = Roles::prepare().await;
    let node = roles.as_role(&roles.serve).start().await;
    let mut customer = ChatClient::visit(&node).await;
    let maintaining = roles.as_role(&roles.maintain);
    let run = async |arguments: &[&str]| {
        let output = maintaining.run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    run(&["maintain"]).await;
    let said = customer.say("Are you there?").await;
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
    // A step below what the server needs: it stores nothing, and says so.
    run(&["migrate", "down"]).await;
    let id = customer.command(json!({"type": "say", "text": "And now?"})).await;
    assert_eq!(customer.refusal(&id).await.code, ErrorCode::Busy);
    run(&["migrate", "up"]).await;
    roles.apply().await;
    let said = customer.say("And again?").await;
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
    drop(node);
    roles.end().await;
}

#[tokio::test]
async fn the_reading_role_sees_the_views_and_nothing_else() {
    let roles = Roles::prepare().await;
    let mut node = roles.as_role(&roles.serve).start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("For the record").await;
    customer.answered(said.seq).await;
    let mut reader = roles.connect(&roles.read).await;
    let text: String = sqlx::query_scalar("SELECT text FROM reporting.messages WHERE author_role = 'customer'")
        .fetch_one(&mut reader)
        .await
        .unwrap();
    assert_eq!(text, "For the record");
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
    )
    .fetch_all(&mut reader)
    .await
    .unwrap();
    assert!(tables.len() > 8, "{tables:?}");
    for table in tables {
        let (read, write) = (format!("SELECT * FROM {table}"), format!("DELETE FROM {table}"));
        assert_eq!(refusal(&mut reader, &read).await, "42501", "{read}");
        assert_eq!(refusal(&mut reader, &write).await, "42501", "{write}");
    }
    for statement in ["CREATE VIEW reporting.mine AS SELECT 1", "CREATE TABLE mine ()"] {
        assert_eq!(refusal(&mut reader, statement).await, "42501", "{statement}");
    }
    assert_eq!(refusal(&mut reader, "DELETE FROM reporting.conversations").await, "55000", "it is no table");
    node.kill().await;
    roles.end().await;
}

/// A new table must be thought about: without a line in the script a server could not use it in production.
#[tokio::test]
async fn every_table_has_its_line_in_the_script() {
    let roles = Roles::prepare().await;
    let mut admin = roles.admin.connect().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let script = include_str!("../../deploy/postgres/roles.sql");
    let missing: Vec<_> = tables.iter().filter(|table| !script.contains(&format!("['{table}', '"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    roles.end().await;
}
