//! A database for one node.

use std::sync::Arc;

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use uuid::Uuid;

/// Which database a story runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// A database that ends with the test.
#[derive(Clone)]
pub struct Database(Option<Arc<PostgresDatabase>>);

struct PostgresDatabase {
    server: String,
    name: String,
}

impl Database {
    pub async fn create(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self(None),
            Backend::Postgres => Self(Some(Arc::new(PostgresDatabase::create().await))),
        }
    }

    /// What the node is told; nothing for the embedded database.
    pub fn url(&self) -> Option<String> {
        self.0.as_ref().map(|database| with_database(&database.server, &database.name))
    }
}

impl PostgresDatabase {
    async fn create() -> Self {
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            panic!("TEST_DATABASE_URL is not set: run ./tests/run exec cargo test --test it");
        };
        let name = format!("onya_it_{}", Uuid::now_v7().simple());
        execute(&server, format!("CREATE DATABASE {name}")).await.unwrap();
        Self { server, name }
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime is about to end, and cannot be waited for here.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&server, format!("DROP DATABASE {name} WITH (FORCE)")))
        });
        if let Ok(Err(error)) = dropping.join() {
            eprintln!("a database stays behind: {error}");
        }
    }
}

async fn execute(server: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

/// Runs a statement on a database of either kind.
pub async fn alter(url: &str, statement: &str) -> Result<(), sqlx::Error> {
    if url.starts_with("postgres") {
        return execute(url, statement.to_owned()).await;
    }
    let mut connection = SqliteConnection::connect(url).await?;
    sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
    connection.close().await
}

/// The same server, another database.
fn with_database(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').map_or((server, None), |(url, rest)| (url, Some(rest)));
    let scheme = address.find("://").map_or(0, |at| at + 3);
    let end = address[scheme..].find('/').map_or(address.len(), |at| scheme + at);
    let parameters = parameters.map(|rest| format!("?{rest}")).unwrap_or_default();
    format!("{}/{name}{parameters}", &address[..end])
}
