//! The views for people with SQL: what they promise, and that they stay as they are.

use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use crate::support::{AgentClient, Backend, ChatClient, NodeSettings};

/// View, column, type on Postgres. Whoever changes this breaks somebody's reports: add columns, at the end.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("audit_log", "process_id", "uuid"),
    ("audit_log", "number", "bigint"),
    ("audit_log", "at", "timestamp with time zone"),
    ("audit_log", "actor_id", "text"),
    ("audit_log", "actor_role", "text"),
    ("audit_log", "action", "text"),
    ("audit_log", "conversation_id", "uuid"),
    ("audit_log", "detail", "text"),
    ("conversations", "conversation_id", "uuid"),
    ("conversations", "customer_id", "uuid"),
    ("conversations", "language", "text"),
    ("conversations", "opened_at", "timestamp with time zone"),
    ("conversations", "closed_at", "timestamp with time zone"),
    ("conversations", "answered_by", "text"),
    ("conversations", "agent_id", "uuid"),
    ("conversations", "waiting_since", "timestamp with time zone"),
    ("conversations", "last_position", "bigint"),
    ("messages", "conversation_id", "uuid"),
    ("messages", "position", "bigint"),
    ("messages", "said_at", "timestamp with time zone"),
    ("messages", "author_role", "text"),
    ("messages", "author_id", "uuid"),
    ("messages", "author_name", "text"),
    ("messages", "text", "text"),
    ("messages", "reply_outcome", "text"),
];

crate::on_each_store!(the_views_have_the_documented_columns, the_views_show_what_was_said_and_where_it_stands);

async fn the_views_have_the_documented_columns(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    settings.run(&["migrate", "up"]).await;
    let url = settings.database_url();
    let found: Vec<(String, String, String)> = match backend {
        Backend::Postgres => {
            let query = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
                         WHERE table_schema = 'reporting' ORDER BY table_name, ordinal_position";
            sqlx::query_as(query).fetch_all(&mut PgConnection::connect(&url).await.unwrap()).await.unwrap()
        }
        Backend::Sqlite => {
            let query = "SELECT substr(view.name, 11), columns.name, '' FROM sqlite_schema AS view, \
                         pragma_table_info(view.name) AS columns WHERE view.type = 'view' ORDER BY view.name, cid";
            sqlx::query_as(query).fetch_all(&mut SqliteConnection::connect(&url).await.unwrap()).await.unwrap()
        }
    };
    let names: Vec<_> = found.iter().map(|(view, column, _)| (view.as_str(), column.as_str())).collect();
    assert_eq!(names, COLUMNS.iter().map(|(view, column, _)| (*view, *column)).collect::<Vec<_>>());
    if backend == Backend::Postgres {
        let types: Vec<_> = found.iter().map(|(.., kind)| kind.as_str()).collect();
        assert_eq!(types, COLUMNS.iter().map(|(.., kind)| *kind).collect::<Vec<_>>());
    }
    let page = include_str!("../../docs/SQL.md");
    for view in ["audit_log", "conversations", "messages"] {
        let (_, section) = page.split_once(&format!("## `{view}`")).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows: Vec<_> = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).collect();
        let documented: Vec<_> = rows.iter().map(|(column, _)| *column).collect();
        let columns = COLUMNS.iter().filter(|(of, ..)| *of == view).map(|(_, column, _)| *column);
        assert_eq!(documented, columns.collect::<Vec<_>>(), "docs/SQL.md, {view}");
    }
}

/// Characters that JSON escapes, and a backslash that only looks like an escape.
const SAID: &str = "a \"quote\", a \\u0000 that was typed, \u{1f469}\u{200d}\u{1f4bb}";

async fn the_views_show_what_was_said_and_where_it_stands(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let node = settings.clone().start().await;
    let mut customer = ChatClient::visit(&node).await;
    let mut agent = AgentClient::agent(&node, "Ada").await;
    let id = customer.visitor.conversation;
    let said = customer.say(SAID).await;
    let reply = customer.answered(said.seq).await.1;
    let ask = customer.command(json!({"type": "escalate"})).await;
    customer.ack(&ask).await;
    agent.watch(id).await;
    let waiting = rows(
        &settings,
        "SELECT answered_by, CAST(waiting_since IS NOT NULL AS text), CAST(agent_id AS text) FROM conversations",
    )
    .await;
    assert!(waiting[0][0] == "queue" && ["true", "1"].contains(&waiting[0][1].as_str()), "{waiting:?}");
    let claim = agent.with_version(id, "claim").await;
    agent.ack(&claim).await;
    let hello = agent.command(id, json!({"type": "say", "text": "This is Ada"})).await;
    agent.ack(&hello).await;

    let messages = "SELECT author_role, coalesce(author_name, '-'), text, coalesce(reply_outcome, '-') FROM messages ORDER BY position";
    let expected =
        [["customer", "-", SAID, "-"], ["assistant", "-", &reply, "final"], ["agent", "Ada", "This is Ada", "-"]];
    assert_eq!(rows(&settings, messages).await, expected);
    let stored = "SELECT CAST(conversation_id AS text), answered_by, CAST(closed_at IS NULL AS text), language FROM conversations";
    let stored = rows(&settings, stored).await;
    assert_eq!((stored.len(), &stored[0][0], stored[0][1].as_str()), (1, &id.to_string(), "agent"));
    let times = "SELECT 'ok' FROM conversations AS c JOIN messages AS m ON m.conversation_id = c.conversation_id \
                 WHERE m.said_at >= c.opened_at AND c.agent_id IS NOT NULL AND m.position <= c.last_position";
    assert_eq!(rows(&settings, times).await.len(), 3);
}

/// Runs a query on the views, written without the schema or the prefix.
async fn rows(settings: &NodeSettings, query: &str) -> Vec<Vec<String>> {
    let url = settings.database_url();
    let prefix = if url.starts_with("sqlite") { "reporting_" } else { "reporting." };
    let mut query = query.to_owned();
    for view in ["audit_log", "conversations", "messages"] {
        for word in ["FROM", "JOIN"] {
            query = query.replace(&format!("{word} {view}"), &format!("{word} {prefix}{view}"));
        }
    }
    let query = sqlx::AssertSqlSafe(query);
    if url.starts_with("sqlite") {
        let rows = sqlx::query(query).fetch_all(&mut SqliteConnection::connect(&url).await.unwrap()).await.unwrap();
        rows.iter()
            .map(|row| (0..row.len()).map(|at| row.get::<Option<String>, _>(at).unwrap_or_default()).collect())
            .collect()
    } else {
        let rows = sqlx::query(query).fetch_all(&mut PgConnection::connect(&url).await.unwrap()).await.unwrap();
        rows.iter()
            .map(|row| (0..row.len()).map(|at| row.get::<Option<String>, _>(at).unwrap_or_default()).collect())
            .collect()
    }
}
